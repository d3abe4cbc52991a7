import { lazy, Suspense } from 'react';
import { Redirect, Route, Switch } from 'wouter';
import { LiveProvider } from './api/live.tsx';
import { ApplicationsPage } from './pages/applications/applications-page.tsx';
import { SessionGate } from './pages/session-gate.tsx';
import { Shell } from './pages/shell.tsx';
import { NotFoundPage } from './pages/not-found-page.tsx';
import { applicationsPath } from './paths.ts';
import { SkeletonRows } from './ui/skeleton.tsx';

// Only the list is in the first load.
const ApplicationPage = lazy(async () => ({
  default: (await import('./pages/application/application-page.tsx')).ApplicationPage,
}));
const ClustersPage = lazy(async () => ({ default: (await import('./pages/clusters/clusters-page.tsx')).ClustersPage }));
const RepositoriesPage = lazy(async () => ({
  default: (await import('./pages/repositories/repositories-page.tsx')).RepositoriesPage,
}));

/** The table of contents: what each address shows. `token` came in the address and logs in first. */
export function Routes({ token }: { token: string | undefined }) {
  return (
    <SessionGate token={token}>
      <LiveProvider>
        <Shell>
          <Suspense fallback={<SkeletonRows label="Loading the page" />}>
            <Switch>
              <Route path="/">
                <Redirect to={applicationsPath()} replace />
              </Route>
              <Route path="/applications">
                <ApplicationsPage />
              </Route>
              <Route path="/applications/:id/:tab?">
                {({ id, tab }) => <ApplicationPage key={id} id={id} tab={tab} />}
              </Route>
              <Route path="/clusters">
                <ClustersPage />
              </Route>
              <Route path="/repositories">
                <RepositoriesPage />
              </Route>
              <Route>
                <NotFoundPage />
              </Route>
            </Switch>
          </Suspense>
        </Shell>
      </LiveProvider>
    </SessionGate>
  );
}

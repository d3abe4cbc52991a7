import { useQuery } from '@tanstack/react-query';
import { useContext, useState } from 'react';
import { Link, useLocation } from 'wouter';
import type { ApplicationDetail } from '#shared/messages/api.ts';
import { ApiError } from '../../api/client.ts';
import { useApi, useStreamState } from '../../api/live.tsx';
import { applicationQuery } from '../../api/queries.ts';
import type { ApplicationTab } from '../../paths.ts';
import { applicationPath, applicationsPath, applicationTabs, isApplicationTab } from '../../paths.ts';
import { Empty } from '../../ui/empty.tsx';
import { RefreshFailed, ErrorPanel } from '../../ui/problem.tsx';
import { SkeletonRows } from '../../ui/skeleton.tsx';
import { useHotkeys } from '../../ui/use-hotkeys.tsx';
import { useTitle } from '../../ui/use-title.ts';
import { LastListContext } from '../last-list.ts';
import { NotFoundPage } from '../not-found-page.tsx';
import { Actions } from './actions.tsx';
import { Banners } from './banners.tsx';
import { DiffTab } from './diff-tab.tsx';
import { EventsTab } from './events-tab.tsx';
import { Facts } from './facts.tsx';
import { HistoryTab } from './history-tab.tsx';
import { ManifestTab } from './manifest-tab.tsx';
import { ResourcesTab } from './resources-tab.tsx';
import type { Pending } from './pending.ts';
import { isAnswered } from './pending.ts';
import { tabId, tabPanelId, Tabs } from './tabs.tsx';

/** One application: how it is, why, and what can be done about it. */
export function ApplicationPage({ id, tab = 'resources' }: { id: string; tab: string | undefined }) {
  useTitle(id);
  const query = useQuery(applicationQuery(useApi(), id, useStreamState() === 'live'));
  if (!isApplicationTab(tab)) return <NotFoundPage />;
  if (query.error instanceof ApiError && query.error.status === 404)
    return <Gone id={id} detail={query.error.problem.detail} />;
  if (query.data !== undefined) {
    return (
      <main className="page application-page">
        {query.error === null ? null : <RefreshFailed error={query.error} onRetry={() => void query.refetch()} />}
        <Loaded app={query.data} tab={tab} />
      </main>
    );
  }
  return (
    <main className="page application-page">
      <div className="app-head">
        <Breadcrumb name={id} />
      </div>
      {query.error === null ? (
        <SkeletonRows rows={12} label="Loading the application" />
      ) : (
        <ErrorPanel error={query.error} onRetry={() => void query.refetch()} />
      )}
    </main>
  );
}

function Loaded({ app, tab }: { app: ApplicationDetail; tab: ApplicationTab }) {
  const [, navigate] = useLocation();
  const [pending, setPending] = useState<Pending | undefined>(undefined);
  useHotkeys(
    Object.fromEntries(
      applicationTabs.map((name, index) => [String(index + 1), () => navigate(applicationPath(app.id, name))]),
    ),
  );
  const waiting = pending !== undefined && !isAnswered(pending, app) ? pending : undefined;
  return (
    <>
      <div className="app-head">
        <Breadcrumb name={app.name} kind={app.kind} />
        <Actions app={app} onAccepted={setPending} />
      </div>
      <Banners app={app} onAccepted={setPending} />
      <Facts app={app} pending={waiting} />
      <Tabs app={app} tab={tab} />
      <div className="tab-body" id={tabPanelId} role="tabpanel" aria-labelledby={tabId(tab)}>
        <Body app={app} tab={tab} onAccepted={setPending} />
      </div>
    </>
  );
}

function Body({
  app,
  tab,
  onAccepted,
}: {
  app: ApplicationDetail;
  tab: ApplicationTab;
  onAccepted: (pending: Pending) => void;
}) {
  switch (tab) {
    case 'resources':
      return <ResourcesTab app={app} />;
    case 'diff':
      return <DiffTab app={app} />;
    case 'events':
      return <EventsTab app={app} />;
    case 'history':
      return <HistoryTab app={app} onAccepted={onAccepted} />;
    case 'manifest':
      return <ManifestTab app={app} />;
  }
}

function Breadcrumb({ name, kind }: { name: string; kind?: string }) {
  const last = useContext(LastListContext);
  return (
    <div className="breadcrumb">
      <Link href={applicationsPath(last.current)}>Applications</Link>
      <span aria-hidden="true">/</span>
      <h1 className="cut">{name}</h1>
      {kind === undefined ? null : <span className="kind">{kind}</span>}
    </div>
  );
}

function Gone({ id, detail }: { id: string; detail: string }) {
  const last = useContext(LastListContext);
  return (
    <main className="page">
      <Empty title={`There is no application ${id}`}>
        <p>{detail}</p>
        <p>
          <Link href={applicationsPath(last.current)}>All applications</Link>
        </p>
      </Empty>
    </main>
  );
}

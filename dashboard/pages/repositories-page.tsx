import { useQuery } from '@tanstack/react-query';
import type { RepositoryView } from '#shared/messages/api.ts';
import { useApi } from '../api/live.tsx';
import { repositoriesQuery } from '../api/queries.ts';
import { Command, CopyButton } from '../ui/copy.tsx';
import { Empty } from '../ui/empty.tsx';
import { count, shortRepository, shortRevision } from '../ui/format.ts';
import { Icon } from '../ui/icons.tsx';
import { QueryView } from '../ui/query-view.tsx';
import { SafeLink } from '../ui/safe-link.tsx';
import { SkeletonRows } from '../ui/skeleton.tsx';
import { Time } from '../ui/time.tsx';
import { useTitle } from '../ui/use-title.ts';

/** Every repository that applications read, and whether it can be reached. */
export function RepositoriesPage() {
  useTitle('Repositories');
  const query = useQuery(repositoriesQuery(useApi()));
  return (
    <main className="page">
      <div className="page-head">
        <h1>Repositories</h1>
        <Command text="hawser repo add URL" />
      </div>
      <QueryView query={query} loading={<SkeletonRows label="Loading repositories" />}>
        {({ items }) => (items.length === 0 ? <NoRepositories /> : <RepositoriesTable repositories={items} />)}
      </QueryView>
    </main>
  );
}

function RepositoriesTable({ repositories }: { repositories: RepositoryView[] }) {
  return (
    <div className="scroller" data-keeps-arrows>
      <table className="table repositories">
        <thead>
          <tr>
            <th scope="col">Repository</th>
            <th scope="col">State</th>
            <th scope="col">Last revision</th>
            <th scope="col">Last read</th>
            <th scope="col" className="right">
              Applications
            </th>
            <th scope="col" className="wide-only">
              Credentials
            </th>
            <th scope="col" className="wide-only">
              Webhook path
            </th>
          </tr>
        </thead>
        <tbody>
          {repositories.map((repository) => (
            <tr key={repository.id}>
              <th scope="row" className="cut" title={repository.url}>
                <SafeLink href={repository.url}>{shortRepository(repository.url)}</SafeLink>
              </th>
              <td className="cut" title={repository.error}>
                <State error={repository.error} />
              </td>
              <td className="mono">
                {repository.lastRevision === undefined ? '–' : shortRevision(repository.lastRevision)}
              </td>
              <td>
                {repository.lastSeenAt === undefined ? (
                  <span className="muted">never</span>
                ) : (
                  <Time at={repository.lastSeenAt} />
                )}
              </td>
              <td className="right num">{count(repository.applications)}</td>
              <td className="wide-only">
                {repository.hasCredentials ? 'stored' : <span className="muted">none</span>}
              </td>
              <td className="wide-only cut mono">
                {repository.webhookPath}
                <CopyButton
                  text={`${window.location.origin}${repository.webhookPath}`}
                  label="Copy the webhook address"
                />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function State({ error }: { error: string | undefined }) {
  if (error === undefined) return <span className="muted">reachable</span>;
  return (
    <span className="status bad">
      <Icon name="warning" />
      <span className="word">{error}</span>
    </span>
  );
}

function NoRepositories() {
  return (
    <Empty title="No repository is known yet">
      <p>A repository is known as soon as an application reads it; a private one needs credentials first.</p>
      <Command text="hawser repo add https://github.com/example/deploy.git" />
    </Empty>
  );
}

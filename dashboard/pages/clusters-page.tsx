import { useQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import type { ClusterView } from '#shared/messages/api.ts';
import { useApi, useStreamState } from '../api/live.tsx';
import { clustersQuery } from '../api/queries.ts';
import { applicationsPath } from '../paths.ts';
import { Command } from '../ui/copy.tsx';
import { Empty } from '../ui/empty.tsx';
import { bytes, count } from '../ui/format.ts';
import { QueryView } from '../ui/query-view.tsx';
import { SkeletonRows } from '../ui/skeleton.tsx';
import { Time } from '../ui/time.tsx';
import { useTitle } from '../ui/use-title.ts';

/** Every registered cluster and whether its agent is heard. */
export function ClustersPage() {
  useTitle('Clusters');
  const query = useQuery(clustersQuery(useApi(), useStreamState() === 'live'));
  return (
    <main className="page">
      <div className="page-head">
        <h1>Clusters</h1>
        <Command text="hawser cluster add NAME" />
      </div>
      <QueryView query={query} loading={<SkeletonRows label="Loading clusters" />}>
        {({ items }) => (items.length === 0 ? <NoClusters /> : <ClustersTable clusters={items} />)}
      </QueryView>
    </main>
  );
}

function ClustersTable({ clusters }: { clusters: ClusterView[] }) {
  return (
    <div className="scroller" data-keeps-arrows>
      <table className="table clusters">
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">Agent</th>
            <th scope="col">Last heard</th>
            <th scope="col" className="right">
              Applications
            </th>
            <th scope="col" className="right wide-only">
              Objects
            </th>
            <th scope="col" className="right wide-only">
              Agent memory
            </th>
            <th scope="col" className="wide-only">
              Kubernetes
            </th>
            <th scope="col" className="wide-only">
              Agent version
            </th>
            <th scope="col" className="wide-only">
              Labels
            </th>
          </tr>
        </thead>
        <tbody>
          {clusters.map((cluster) => (
            <tr key={cluster.id}>
              <th scope="row">
                <Link href={applicationsPath(new URLSearchParams({ cluster: cluster.id }).toString())}>
                  {cluster.id}
                </Link>
                {cluster.isDefault ? <span className="flag quiet">default</span> : null}
              </th>
              <td>
                <Agent cluster={cluster} />
              </td>
              <td>
                {cluster.seenAt === undefined ? <span className="muted">never</span> : <Time at={cluster.seenAt} />}
              </td>
              <td className="right num">{count(cluster.applications)}</td>
              <td className="right num wide-only">{count(cluster.objects)}</td>
              <td className="right num wide-only">
                {cluster.memoryBytes === undefined ? '–' : bytes(cluster.memoryBytes)}
              </td>
              <td className="num wide-only">{cluster.kubernetesVersion ?? '–'}</td>
              <td className="num wide-only">{cluster.agentVersion ?? '–'}</td>
              <td className="wide-only muted cut" title={labelText(cluster)}>
                {labelText(cluster)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Shape and word, as for health: a connected agent is a full dot, a lost one an empty ring. */
function Agent({ cluster }: { cluster: ClusterView }) {
  const state = cluster.connected ? 'Connected' : cluster.seenAt === undefined ? 'Never seen' : 'Not heard';
  return (
    <span className="status" data-status={state}>
      <svg
        className={`icon ${cluster.connected ? 'health-healthy' : 'health-missing'}`}
        viewBox="0 0 14 14"
        aria-hidden="true"
      >
        <circle cx="7" cy="7" r={cluster.connected ? 4 : 4.4} className={cluster.connected ? 'fill' : 'line dashed'} />
      </svg>
      <span className="word">{state}</span>
    </span>
  );
}

function NoClusters() {
  return (
    <Empty title="No cluster is registered yet">
      <p>Registering one prints the command that installs its agent. The agent opens every connection itself.</p>
      <Command text="hawser cluster add NAME" />
    </Empty>
  );
}

function labelText(cluster: ClusterView): string {
  return Object.entries(cluster.labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(', ');
}

import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { ClusterView } from '#shared/messages/api.ts';
import { useApi, useStreamState } from '../../api/live.tsx';
import { clustersQuery } from '../../api/queries.ts';
import { Button } from '../../ui/button.tsx';
import { Command } from '../../ui/copy.tsx';
import { Empty } from '../../ui/empty.tsx';
import { Icon } from '../../ui/icons.tsx';
import { QueryView } from '../../ui/query-view.tsx';
import { SkeletonRows } from '../../ui/skeleton.tsx';
import { Time, useNow } from '../../ui/time.tsx';
import { useTitle } from '../../ui/use-title.ts';
import { useSession } from '../session.ts';
import { whyNotAdminister } from '../why-not.ts';
import { AddClusterDialog } from './add-cluster-dialog.tsx';
import { ClusterDialog, type ClusterChange } from './cluster-dialogs.tsx';
import { agentState } from './cluster-state.ts';
import { ClustersTable } from './clusters-table.tsx';

type Open = { what: 'add' } | { what: ClusterChange; cluster: ClusterView };

/** Every registered cluster, whether its agent is heard, and what can be done about it. */
export function ClustersPage() {
  useTitle('Clusters');
  const query = useQuery(clustersQuery(useApi(), useStreamState() === 'live'));
  const [open, setOpen] = useState<Open | undefined>(undefined);
  const reason = whyNotAdminister(useSession());
  const close = () => setOpen(undefined);
  const add = (
    <Button kind="primary" reason={reason} onClick={() => setOpen({ what: 'add' })}>
      Add cluster…
    </Button>
  );
  return (
    <main className="page">
      <div className="page-head">
        <h1>Clusters</h1>
        {query.data?.items.length === 0 ? null : add}
      </div>
      <QueryView query={query} loading={<SkeletonRows label="Loading clusters" />}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title="No cluster is registered yet">
              <p>Registering one shows the command that installs its agent. The agent opens every connection itself.</p>
              {add}
              <p>From a shell:</p>
              <Command text="hawser cluster add NAME" />
            </Empty>
          ) : (
            <>
              <Silent clusters={items} />
              <ClustersTable
                clusters={items}
                reason={reason}
                onChange={(what, cluster) => setOpen({ what, cluster })}
              />
            </>
          )
        }
      </QueryView>
      {open?.what === 'add' ? <AddClusterDialog onClose={close} /> : null}
      {open === undefined || open.what === 'add' ? null : (
        <ClusterDialog what={open.what} cluster={open.cluster} onClose={close} />
      )}
    </main>
  );
}

/** Agents that were there and are heard no more, and what to look at. */
function Silent({ clusters }: { clusters: ClusterView[] }) {
  const now = useNow();
  const silent = clusters.filter((cluster) => agentState(cluster, now) === 'Not heard');
  if (silent.length === 0) return null;
  return (
    <div className="banner warn" role="status">
      <Icon name="clock" />
      <div>
        <strong>Not heard: </strong>
        {silent.map(({ id, seenAt }, index) => (
          <span key={id}>
            {index === 0 ? '' : ', '}
            {id} {seenAt === undefined ? null : <span className="muted">({<Time at={seenAt} />})</span>}
          </span>
        ))}
        <p className="hint">
          What runs there goes on, and the agent keeps the last good snapshot by itself. Where the cluster should be
          reachable, ask it: <code>kubectl --namespace hawser-system logs deployment/hawser-agent</code>
        </p>
      </div>
    </div>
  );
}

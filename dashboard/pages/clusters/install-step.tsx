import { useQuery } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import type { ClusterInstall, ClusterView } from '#shared/messages/api.ts';
import { useApi, useStreamState } from '../../api/live.tsx';
import { clustersQuery } from '../../api/queries.ts';
import { Command } from '../../ui/copy.tsx';
import { Icon, Spinner } from '../../ui/icons.tsx';
import { useNow } from '../../ui/time.tsx';
import { isInstalled } from './cluster-state.ts';

/** The command that installs the agent, shown only now, and whether the agent has come. */
export function InstallStep({ added }: { added: ClusterInstall }) {
  const live = useStreamState() === 'live';
  const query = useQuery({
    ...clustersQuery(useApi(), live),
    // Somebody looks on while the agent is installed.
    refetchInterval: 3000,
  });
  const cluster = query.data?.items.find((item) => item.id === added.cluster.id) ?? added.cluster;
  const start = useRef<HTMLParagraphElement>(null);
  // The button that led here is gone.
  useEffect(() => start.current?.focus(), []);
  return (
    <>
      <p ref={start} tabIndex={-1}>
        Run this in a checkout of Hawser where <code>helm</code> reaches the cluster.{' '}
        <strong>It is shown only now:</strong> the service keeps nothing of what is secret in it.
      </p>
      <div className="install">
        <Command text={added.install} />
      </div>
      <Waiting cluster={cluster} />
      <p className="hint">Behind a proxy, or with certificate authorities of your own, this prints the command:</p>
      <Command text={`hawser cluster renew ${added.cluster.id} --proxy URL --ca-file FILE`} />
    </>
  );
}

function Waiting({ cluster }: { cluster: ClusterView }) {
  const now = useNow();
  const until = cluster.registrationExpiresAt;
  const isOver = until !== undefined && Date.parse(until) <= now;
  if (isInstalled(cluster))
    return (
      <p className="waiting" role="status">
        <Icon name="check" /> Connected
        {cluster.kubernetesVersion === undefined ? '' : `: Kubernetes ${cluster.kubernetesVersion}`}
      </p>
    );
  if (isOver)
    return (
      <p className="waiting" role="status">
        <Icon name="warning" /> The token has expired and no agent came. Close this and choose Install the agent anew…
        in the cluster’s menu.
      </p>
    );
  return (
    <p className="waiting" role="status">
      <Spinner />
      <span>
        Waiting for its agent
        {until === undefined ? null : (
          <>
            ; the token is good once, until <time dateTime={until}>{new Date(until).toLocaleTimeString()}</time>
          </>
        )}
        . You may close this: the list shows when it has come.
      </span>
    </p>
  );
}

import { Link } from 'wouter';
import type { ClusterView } from '#shared/messages/api.ts';
import { applicationsPath } from '../../paths.ts';
import { Button } from '../../ui/button.tsx';
import { bytes, count } from '../../ui/format.ts';
import { Icon } from '../../ui/icons.tsx';
import { Popover } from '../../ui/popover.tsx';
import { Time, useNow } from '../../ui/time.tsx';
import type { ClusterChange } from './cluster-dialogs.tsx';
import { agentState, labelText, whyNotRenew } from './cluster-state.ts';

interface Props {
  clusters: ClusterView[];
  /** Why nothing can be changed. */
  reason: string | undefined;
  onChange: (what: ClusterChange, cluster: ClusterView) => void;
}

export function ClustersTable({ clusters, reason, onChange }: Props) {
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
              Identity
            </th>
            <th scope="col" className="wide-only">
              Labels
            </th>
            <th scope="col">
              <span className="visually-hidden">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {clusters.map((cluster) => (
            <tr key={cluster.id} data-id={cluster.id}>
              <th scope="row" className="cut" title={cluster.id}>
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
              <td className="wide-only muted cut" title={cluster.identity}>
                {cluster.identity}
              </td>
              <td className="wide-only muted cut" title={labelText(cluster)}>
                {labelText(cluster)}
              </td>
              <td className="right menu-cell">
                <Actions cluster={cluster} reason={reason} onChange={(what) => onChange(what, cluster)} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Shape and word, as for health: a connected agent is a full dot, any other an empty ring. */
function Agent({ cluster }: { cluster: ClusterView }) {
  const state = agentState(cluster, useNow());
  return (
    <span className="status" data-status={state}>
      <svg
        className={`icon ${state === 'Connected' ? 'health-healthy' : 'health-missing'}`}
        viewBox="0 0 14 14"
        aria-hidden="true"
      >
        <circle
          cx="7"
          cy="7"
          r={state === 'Connected' ? 4 : 4.4}
          className={state === 'Connected' ? 'fill' : 'line dashed'}
        />
      </svg>
      <span className="word">{state}</span>
    </span>
  );
}

function Actions({
  cluster,
  reason,
  onChange,
}: {
  cluster: ClusterView;
  reason: string | undefined;
  onChange: (what: ClusterChange) => void;
}) {
  const item =
    (what: ClusterChange, text: string, why = reason) =>
    (close: () => void) => (
      <Button
        key={what}
        kind="quiet"
        reason={why}
        onClick={() => {
          close();
          onChange(what);
        }}
      >
        {text}
      </Button>
    );
  const items = [
    item('renew', 'Install the agent anew…', reason ?? whyNotRenew(cluster)),
    cluster.revokedAt === undefined ? item('revoke', 'Revoke…') : item('restore', 'Let it in again…'),
    item('remove', 'Remove…'),
  ];
  return (
    <Popover label={`Actions for ${cluster.id}`} className="button quiet" button={<Icon name="more" />}>
      {(close) => <div className="menu">{items.map((make) => make(close))}</div>}
    </Popover>
  );
}

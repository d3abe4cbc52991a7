import type { ReactNode } from 'react';
import { useState } from 'react';
import { Link } from 'wouter';
import type { ClusterInstall, ClusterView } from '#shared/messages/api.ts';
import type { Api } from '../../api/client.ts';
import { useApi } from '../../api/live.tsx';
import { keys } from '../../api/queries.ts';
import { applicationsPath } from '../../paths.ts';
import { Dialog } from '../../ui/dialog.tsx';
import { counted } from '../../ui/format.ts';
import { useDialogChange } from '../use-dialog-change.ts';
import { InstallStep } from './install-step.tsx';
import { usePutCluster } from './use-put-cluster.ts';

export type ClusterChange = 'renew' | 'revoke' | 'restore' | 'remove';

/** What is done with a cluster that is there, after a word on what it means. */
export function ClusterDialog({
  what,
  cluster,
  onClose,
}: {
  what: ClusterChange;
  cluster: ClusterView;
  onClose: () => void;
}) {
  if (what === 'renew') return <RenewDialog cluster={cluster} onClose={onClose} />;
  return <ConfirmDialog cluster={cluster} question={questions[what]} onClose={onClose} />;
}

interface Question {
  title: (id: string) => string;
  label: string;
  kind: 'primary' | 'danger';
  said: (id: string) => string;
  text: (cluster: ClusterView) => ReactNode;
  run: (api: Api, id: string) => Promise<unknown>;
}

const questions: Record<'revoke' | 'restore' | 'remove', Question> = {
  revoke: {
    title: (id) => `Let the agent of ${id} in no more?`,
    label: 'Revoke',
    kind: 'danger',
    said: (id) => `${id} is revoked`,
    text: () => (
      <p>
        It is refused from its next request on; AWS credentials that it has end within 15 minutes. What runs in the
        cluster goes on running. It can be let in again, or be installed anew with a new token.
      </p>
    ),
    run: (api, id) => api.revokeCluster(id),
  },
  restore: {
    title: (id) => `Let the agent of ${id} in again?`,
    label: 'Let it in',
    kind: 'primary',
    said: (id) => `${id} is let in again`,
    text: () => <p>With the identity that it had. Where that may be stolen, choose Install the agent anew… instead.</p>,
    run: (api, id) => api.restoreCluster(id),
  },
  remove: {
    title: (id) => `Remove ${id}?`,
    label: 'Remove',
    kind: 'danger',
    said: (id) => `${id} is removed`,
    text: (cluster) => (
      <>
        <p>It is forgotten, and its agent is let in no more. What runs in the cluster goes on running.</p>
        {cluster.applications === 0 ? null : (
          <p>
            It is still the destination of{' '}
            <Link href={applicationsPath(new URLSearchParams({ cluster: cluster.id }).toString())}>
              {counted(cluster.applications, 'application')}
            </Link>
            : delete or move what is there first.
          </p>
        )}
      </>
    ),
    run: (api, id) => api.removeCluster(id),
  },
};

function ConfirmDialog({
  cluster,
  question,
  onClose,
}: {
  cluster: ClusterView;
  question: Question;
  onClose: () => void;
}) {
  const api = useApi();
  const change = useDialogChange({
    key: keys.clusters,
    run: () => question.run(api, cluster.id),
    said: question.said(cluster.id),
    onDone: onClose,
  });
  return (
    <Dialog
      title={question.title(cluster.id)}
      onClose={onClose}
      busy={change.isPending}
      error={change.error}
      confirm={{ label: question.label, kind: question.kind, run: () => change.mutate(undefined) }}
    >
      {question.text(cluster)}
    </Dialog>
  );
}

function RenewDialog({ cluster, onClose }: { cluster: ClusterView; onClose: () => void }) {
  const api = useApi();
  const put = usePutCluster();
  const [renewed, setRenewed] = useState<ClusterInstall | undefined>(undefined);
  const change = useDialogChange({
    key: keys.clusters,
    run: () => api.renewCluster(cluster.id),
    missed: `${cluster.id} may register anew. Choose Install the agent anew… once more to see the command.`,
    onDone(result) {
      put(result);
      setRenewed(result);
    },
  });
  if (renewed !== undefined)
    return (
      <Dialog title={`Install the agent of ${cluster.id}`} onClose={onClose} wide keep>
        <InstallStep added={renewed} />
      </Dialog>
    );
  return (
    <Dialog
      title={`Install the agent of ${cluster.id} anew?`}
      onClose={onClose}
      busy={change.isPending}
      error={change.error}
      confirm={{ label: 'Make a new token', run: () => change.mutate(undefined) }}
    >
      <p>
        A new token lets one agent register as {cluster.id}, within 15 minutes. An agent that is there goes on until the
        token is used.
      </p>
      {cluster.revokedAt === undefined ? null : (
        <p>The cluster was revoked: from then on nothing but the new token lets anybody in.</p>
      )}
    </Dialog>
  );
}

import { useState } from 'react';
import type { ClusterInstall } from '#shared/messages/api.ts';
import { useApi } from '../../api/live.tsx';
import { keys } from '../../api/queries.ts';
import type { NewCluster } from '../../api/types.ts';
import { Command } from '../../ui/copy.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { useDialogChange } from '../use-dialog-change.ts';
import { readLabels } from './cluster-state.ts';
import { InstallStep } from './install-step.tsx';
import { usePutCluster } from './use-put-cluster.ts';

const identities: readonly (readonly [NewCluster['identity'], string, string])[] = [
  ['service-account', 'Its own ServiceAccount', 'No secret stays in the cluster.'],
  ['static', 'A token that does not end', 'Kept as a Secret in the cluster; good until the cluster is removed.'],
];

/** Registers a cluster, then shows what installs its agent and waits for it. */
export function AddClusterDialog({ onClose }: { onClose: () => void }) {
  const [added, setAdded] = useState<ClusterInstall | undefined>(undefined);
  if (added === undefined) return <Form onClose={onClose} onAdded={setAdded} />;
  return (
    <Dialog title={`Install the agent of ${added.cluster.id}`} onClose={onClose} wide keep>
      <InstallStep added={added} />
    </Dialog>
  );
}

function Form({ onClose, onAdded }: { onClose: () => void; onAdded: (added: ClusterInstall) => void }) {
  const api = useApi();
  const put = usePutCluster();
  const [name, setName] = useState('');
  const [labels, setLabels] = useState('');
  const [identity, setIdentity] = useState<NewCluster['identity']>('service-account');
  const read = readLabels(labels);
  const change = useDialogChange({
    key: keys.clusters,
    run: (body: NewCluster) => api.addCluster(body),
    missed: `${name} is registered. Install the agent anew… in its menu shows the command.`,
    onDone(result) {
      put(result);
      onAdded(result);
    },
  });
  return (
    <Dialog
      title="Add a cluster"
      onClose={onClose}
      busy={change.isPending}
      error={change.error}
      confirm={{
        label: 'Add the cluster',
        reason: whyNotAdd(name, read.wrong),
        run: () =>
          change.mutate({
            name: name.trim(),
            identity,
            ...(Object.keys(read.labels).length === 0 ? {} : { labels: read.labels }),
          }),
      }}
    >
      <label className="field">
        <span>Name: a-z, 0-9 and -</span>
        <input value={name} spellCheck={false} autoComplete="off" onChange={(event) => setName(event.target.value)} />
      </label>
      <label className="field">
        <span>Labels, by which ApplicationSets choose it</span>
        <input
          value={labels}
          placeholder="env=production region=eu"
          spellCheck={false}
          autoComplete="off"
          aria-invalid={read.wrong !== undefined}
          onChange={(event) => setLabels(event.target.value)}
        />
      </label>
      {read.wrong === undefined ? null : <p className="bad">{`${read.wrong} is no label: write key=value`}</p>}
      <fieldset className="options">
        <legend>How its agent proves who it is</legend>
        {identities.map(([value, title, text]) => (
          <label key={value} className="option">
            <input type="radio" name="identity" checked={identity === value} onChange={() => setIdentity(value)} />
            <span>
              {title}
              <small>{text}</small>
            </span>
          </label>
        ))}
      </fieldset>
      <p className="hint">With an IAM role, behind a proxy, or with addresses by which declarations name it:</p>
      <Command text={`hawser cluster add ${name.trim() === '' ? 'NAME' : name.trim()} --help`} />
    </Dialog>
  );
}

function whyNotAdd(name: string, wrongLabel: string | undefined): string | undefined {
  if (name.trim() === '') return 'Give it a name first';
  return wrongLabel === undefined ? undefined : 'A label is not right';
}

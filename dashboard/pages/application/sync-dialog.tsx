import { useState } from 'react';
import type { ApplicationDetail, ResourceView } from '#shared/messages/api.ts';
import type { SyncRequest } from '../../api/client.ts';
import { useApi } from '../../api/live.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { counted, destinationTitle, objectTitle, shortRevision } from '../../ui/format.ts';
import { Segmented } from '../../ui/segmented.tsx';
import { Sync } from '../../ui/status.tsx';
import type { Pending } from './pending.ts';
import { useChange } from './use-change.ts';

/** The API takes no more keys in one sync. */
const maxResources = 500;

type Which = 'all' | 'out-of-sync' | 'chosen';

/** Syncs the whole application or some of its resources to the desired generation. */
export function SyncDialog({
  app,
  onClose,
  onAccepted,
}: {
  app: ApplicationDetail;
  onClose: () => void;
  onAccepted: (pending: Pending) => void;
}) {
  const api = useApi();
  const [options, setOptions] = useState({ prune: false, dryRun: false, force: false });
  const [which, setWhich] = useState<Which>('all');
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const outOfSync = app.resources.filter((resource) => resource.status === 'OutOfSync');
  const selected =
    which === 'all' ? undefined : which === 'out-of-sync' ? outOfSync.map((resource) => resource.key) : [...chosen];
  const change = useChange(app.id, {
    run: (body: SyncRequest) => api.sync(app.id, body),
    said: options.dryRun ? 'Dry run accepted' : 'Sync accepted',
    what: 'Sync',
    onAccepted,
    onDone: onClose,
    inDialog: true,
  });
  const body: SyncRequest = {
    ...(options.prune ? { prune: true } : {}),
    ...(options.dryRun ? { dryRun: true } : {}),
    ...(options.force ? { force: true } : {}),
    ...(selected === undefined ? {} : { resources: selected }),
  };
  const option = (name: keyof typeof options, title: string, text: string) => (
    <label className="option">
      <input
        type="checkbox"
        checked={options[name]}
        onChange={(event) => setOptions({ ...options, [name]: event.target.checked })}
      />
      <span>
        {title}
        <small>{text}</small>
      </span>
    </label>
  );
  return (
    <Dialog
      title={`Sync ${app.name}`}
      onClose={onClose}
      busy={change.isPending}
      error={change.error}
      confirm={{ label: options.dryRun ? 'Dry run' : 'Sync', reason: whyNot(selected), run: () => change.mutate(body) }}
    >
      <p>
        To generation <span className="num">{app.desired?.generation ?? '–'}</span>
        {app.desired === undefined ? '' : ', revision '}
        {app.desired === undefined ? null : <span className="mono">{shortRevision(app.desired.revision)}</span>} on{' '}
        {destinationTitle(app)}.
      </p>
      {option(
        'prune',
        'Prune',
        'Delete objects that the application owns and that are no longer desired. The guards still hold.',
      )}
      {option('dryRun', 'Dry run', 'Let the API server check every object and change nothing.')}
      {option('force', 'Force', 'Delete and recreate objects that cannot be changed in place.')}
      <div className="field">
        <span>Resources</span>
        <Segmented<Which>
          label="Resources"
          value={which}
          options={[
            ['all', `All ${app.resources.length}`],
            ['out-of-sync', `OutOfSync ${outOfSync.length}`],
            ['chosen', 'Choose…'],
          ]}
          onChange={setWhich}
        />
      </div>
      {which === 'chosen' ? <Chooser resources={app.resources} chosen={chosen} onChange={setChosen} /> : null}
    </Dialog>
  );
}

function whyNot(selected: string[] | undefined): string | undefined {
  if (selected === undefined) return undefined;
  if (selected.length === 0) return 'No resource is chosen';
  return selected.length > maxResources
    ? `At most ${maxResources} resources can be chosen; sync all instead`
    : undefined;
}

function Chooser({
  resources,
  chosen,
  onChange,
}: {
  resources: ResourceView[];
  chosen: ReadonlySet<string>;
  onChange: (chosen: ReadonlySet<string>) => void;
}) {
  const [filter, setFilter] = useState('');
  const matching = resources.filter((resource) => objectTitle(resource).toLowerCase().includes(filter.toLowerCase()));
  return (
    <div className="chooser">
      <input
        type="search"
        aria-label="Filter resources"
        placeholder={`Filter ${counted(resources.length, 'resource')}`}
        value={filter}
        onChange={(event) => setFilter(event.target.value)}
      />
      <ul>
        {matching.slice(0, 200).map((resource) => (
          <li key={resource.key}>
            <label>
              <input
                type="checkbox"
                checked={chosen.has(resource.key)}
                onChange={(event) => {
                  const next = new Set(chosen);
                  if (event.target.checked) next.add(resource.key);
                  else next.delete(resource.key);
                  onChange(next);
                }}
              />
              <span className="cut">{objectTitle(resource)}</span>
              <Sync status={resource.status} />
            </label>
          </li>
        ))}
      </ul>
      {matching.length > 200 ? <p className="hint">{matching.length - 200} more; filter to see them.</p> : null}
    </div>
  );
}

import { useState } from 'react';
import type { ApplicationDetail } from '#shared/messages/api.ts';
import { useApi } from '../../api/live.tsx';
import type { Cascade } from '../../api/types.ts';
import { Dialog } from '../../ui/dialog.tsx';
import { counted } from '../../ui/format.ts';
import { useChange } from './use-change.ts';

const choices: readonly (readonly [Cascade, string, string])[] = [
  ['orphan', 'Keep the objects', 'The application is forgotten; everything in the cluster goes on running.'],
  ['foreground', 'Delete the objects, wait for their children', 'The application goes when all that it owns has gone.'],
  ['background', 'Delete the objects, do not wait for their children', 'The cluster collects what they own by itself.'],
];

/** Deletes the application after its name was typed; the objects stay unless somebody says otherwise (G-10). */
export function DeleteDialog({ app, onClose }: { app: ApplicationDetail; onClose: () => void }) {
  const api = useApi();
  const [cascade, setCascade] = useState<Cascade>('orphan');
  const [typed, setTyped] = useState('');
  const change = useChange(app.id, {
    run: (choice: Cascade) => api.remove(app.id, choice),
    said: 'Deletion accepted',
    onDone: onClose,
    inDialog: true,
  });
  return (
    <Dialog
      title={`Delete ${app.name}`}
      onClose={onClose}
      busy={change.isPending}
      error={change.error}
      confirm={{
        label: cascade === 'orphan' ? 'Delete the application' : `Delete it and ${counted(app.objects, 'object')}`,
        kind: 'danger',
        reason: typed === app.name ? undefined : 'Type the name first',
        run: () => change.mutate(cascade),
      }}
    >
      <fieldset className="options">
        <legend>
          What happens to its {counted(app.objects, 'object')} on {app.cluster}
        </legend>
        {choices.map(([value, title, text]) => (
          <label key={value} className="option">
            <input type="radio" name="cascade" checked={cascade === value} onChange={() => setCascade(value)} />
            <span>
              {title}
              <small>{text}</small>
            </span>
          </label>
        ))}
      </fieldset>
      <label className="field">
        <span>
          Type <strong>{app.name}</strong> to confirm
        </span>
        <input value={typed} spellCheck={false} autoComplete="off" onChange={(event) => setTyped(event.target.value)} />
      </label>
    </Dialog>
  );
}

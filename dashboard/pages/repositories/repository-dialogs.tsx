import { useEffect, useRef, useState } from 'react';
import { Link } from 'wouter';
import type { RepositoryView } from '#shared/messages/api.ts';
import { useApi } from '../../api/live.tsx';
import { keys } from '../../api/queries.ts';
import type { RotatedSecret } from '../../api/types.ts';
import { applicationsPath } from '../../paths.ts';
import { Dialog } from '../../ui/dialog.tsx';
import { counted, fullTime, shortRepository } from '../../ui/format.ts';
import { useDialogChange } from '../use-dialog-change.ts';
import { Value } from './webhook-step.tsx';

interface Props {
  repository: RepositoryView;
  onClose: () => void;
}

/** Makes another secret for the webhook; the one before stays valid for a day unless it was stolen (FT-07). */
export function RotateDialog({ repository, onClose }: Props) {
  const api = useApi();
  const [stolen, setStolen] = useState(false);
  const [rotated, setRotated] = useState<RotatedSecret | undefined>(undefined);
  const change = useDialogChange({
    key: keys.repositories,
    run: (now: boolean) => api.rotateSecret(repository.id, now ? { overlapHours: 0 } : {}),
    missed: `The webhook secret of ${repository.id} was rotated, and nobody saw the new one: rotate it once more.`,
    onDone: setRotated,
  });
  const title = `Webhook secret of ${shortRepository(repository.url)}`;
  if (rotated !== undefined)
    return (
      <Dialog title={title} onClose={onClose} wide keep>
        <Rotated rotated={rotated} stolen={stolen} />
      </Dialog>
    );
  return (
    <Dialog
      title={title}
      onClose={onClose}
      busy={change.isPending}
      error={change.error}
      confirm={{ label: 'Rotate', run: () => change.mutate(stolen) }}
    >
      <p>
        Another secret is made, to be put into the webhook of the Git host. The one before stays valid for 24 hours.
      </p>
      <label className="option">
        <input type="checkbox" checked={stolen} onChange={(event) => setStolen(event.target.checked)} />
        <span>
          Refuse the one before at once
          <small>Because it was stolen. Pushes are found by polling until the Git host has the new one.</small>
        </span>
      </label>
    </Dialog>
  );
}

function Rotated({ rotated, stolen }: { rotated: RotatedSecret; stolen: boolean }) {
  const start = useRef<HTMLParagraphElement>(null);
  // The button that led here is gone.
  useEffect(() => start.current?.focus(), []);
  return (
    <>
      <p ref={start} tabIndex={-1}>
        Put it into the webhook of the Git host. <strong>It is shown only now.</strong>
      </p>
      <Value label="Webhook secret" text={rotated.webhookSecret} />
      <p>The one before {stolen ? 'is refused from now on' : `is taken until ${fullTime(rotated.previousUntil)}`}.</p>
    </>
  );
}

/** Forgets a repository that no application reads. */
export function RemoveRepositoryDialog({ repository, onClose }: Props) {
  const api = useApi();
  const name = shortRepository(repository.url);
  const change = useDialogChange({
    key: keys.repositories,
    run: () => api.removeRepository(repository.id),
    said: `${name} is removed`,
    onDone: onClose,
  });
  return (
    <Dialog
      title={`Remove ${name}?`}
      onClose={onClose}
      busy={change.isPending}
      error={change.error}
      confirm={{ label: 'Remove', kind: 'danger', run: () => change.mutate(undefined) }}
    >
      <p>Its credentials and its webhook secret are forgotten with it.</p>
      {repository.applications === 0 ? null : (
        <p>
          It is still read by <Link href={applicationsPath()}>{counted(repository.applications, 'application')}</Link>:
          delete them or change their source first.
        </p>
      )}
    </Dialog>
  );
}

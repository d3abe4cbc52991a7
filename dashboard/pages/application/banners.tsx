import { useState } from 'react';
import type { ApplicationDetail } from '#shared/messages/api.ts';
import { useApi } from '../../api/live.tsx';
import { Button } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { counted, keyTitle } from '../../ui/format.ts';
import { Icon } from '../../ui/icons.tsx';
import { Time } from '../../ui/time.tsx';
import { useSession } from '../session.ts';
import { whyNotConfirm } from './capabilities.ts';
import type { Notice } from './notices.ts';
import { noticesOf } from './notices.ts';
import type { Pending } from './pending.ts';
import { useChange } from './use-change.ts';

/** What has to be known before the rest is read. */
export function Banners({ app, onAccepted }: { app: ApplicationDetail; onAccepted: (pending: Pending) => void }) {
  const notices = noticesOf(app);
  return (
    <>
      {app.hold === undefined ? null : <HoldBanner app={app} hold={app.hold} onAccepted={onAccepted} />}
      {notices.map((notice) => (
        <Banner key={`${notice.title} ${notice.text}`} notice={notice} />
      ))}
    </>
  );
}

function Banner({ notice }: { notice: Notice }) {
  return (
    <div className={`banner ${notice.tone}`} role={notice.tone === 'bad' ? 'alert' : 'status'}>
      <Icon name={notice.title === 'Stale' ? 'clock' : 'warning'} />
      <div>
        <strong>{notice.title}</strong>
        {notice.since === undefined ? null : (
          <span className="muted">
            {' '}
            since <Time at={notice.since} short />
          </span>
        )}
        <p>{notice.text}</p>
        {notice.hint === undefined ? null : <p className="hint">{notice.hint}</p>}
      </div>
    </div>
  );
}

type Hold = NonNullable<ApplicationDetail['hold']>;

/** Prunes that wait for somebody: exactly which, why, and one button that lets exactly these go (G-13). */
function HoldBanner({
  app,
  hold,
  onAccepted,
}: {
  app: ApplicationDetail;
  hold: Hold;
  onAccepted: (pending: Pending) => void;
}) {
  // The list that the dialog was opened with: a newer one must be read before it can be confirmed.
  const [shown, setShown] = useState<Hold | undefined>(undefined);
  const reason = whyNotConfirm(useSession(), app);
  return (
    <div className="banner warn hold" role="status">
      <Icon name="held" />
      <div>
        <strong>{counted(hold.objects.length, 'prune')} held</strong>
        <span className="muted"> by {hold.guards.join(', ')}</span>
        <p>{hold.reason}</p>
        <ObjectList objects={hold.objects} />
        <p className="hint">Everything else is applied. Nothing on this list is deleted until somebody confirms it.</p>
      </div>
      <Button kind="danger" onClick={() => setShown(hold)} reason={reason}>
        Confirm…
      </Button>
      {shown === undefined ? null : (
        <ConfirmDialog
          app={app}
          hold={shown}
          changed={shown.listDigest !== hold.listDigest}
          onClose={() => setShown(undefined)}
          onAccepted={onAccepted}
        />
      )}
    </div>
  );
}

function ConfirmDialog(props: {
  app: ApplicationDetail;
  hold: Hold;
  changed: boolean;
  onClose: () => void;
  onAccepted: (pending: Pending) => void;
}) {
  const { app, hold, changed, onClose, onAccepted } = props;
  const api = useApi();
  const change = useChange(app.id, {
    run: () => api.confirm(app.id, hold.listDigest),
    said: 'Prune confirmed',
    what: 'Prune',
    onAccepted,
    onDone: onClose,
    inDialog: true,
  });
  return (
    <Dialog
      title={`Delete ${counted(hold.objects.length, 'object')} from ${app.cluster}?`}
      onClose={onClose}
      busy={change.isPending}
      error={change.error}
      confirm={{
        label: `Delete ${counted(hold.objects.length, 'object')}`,
        kind: 'danger',
        reason: changed ? 'The list has changed: close this and read the new one' : undefined,
        run: () => change.mutate(undefined),
      }}
    >
      {changed ? (
        <p className="bad">The list has changed since this was opened. Close it and read the new one.</p>
      ) : null}
      <p>These and only these are deleted; what they own goes with them.</p>
      <ul className="object-list long">
        {hold.objects.map((key) => (
          <li key={key}>{keyTitle(key)}</li>
        ))}
      </ul>
    </Dialog>
  );
}

const shortList = 6;

function ObjectList({ objects }: { objects: string[] }) {
  const [all, setAll] = useState(false);
  const visible = all ? objects : objects.slice(0, shortList);
  return (
    <>
      <ul className="object-list">
        {visible.map((key) => (
          <li key={key}>{keyTitle(key)}</li>
        ))}
      </ul>
      {visible.length < objects.length ? (
        <button type="button" className="link" onClick={() => setAll(true)}>
          Show all {objects.length}
        </button>
      ) : null}
    </>
  );
}

import { useState } from 'react';
import type { ApplicationDetail } from '#shared/messages/api.ts';
import { useApi } from '../../api/live.tsx';
import { Button } from '../../ui/button.tsx';
import { Icon } from '../../ui/icons.tsx';
import { Popover } from '../../ui/popover.tsx';
import { useHotkeys } from '../../ui/use-hotkeys.tsx';
import { useSession } from '../session.ts';
import { whyNotChange } from './capabilities.ts';
import { DeleteDialog } from './delete-dialog.tsx';
import type { Pending } from './pending.ts';
import { SyncDialog } from './sync-dialog.tsx';
import { useChange } from './use-change.ts';

/** What can be done with the application as a whole; rolling back is with the history. */
export function Actions({ app, onAccepted }: { app: ApplicationDetail; onAccepted: (pending: Pending) => void }) {
  const api = useApi();
  const [open, setOpen] = useState<'sync' | 'delete' | undefined>(undefined);
  const reason = whyNotChange(useSession(), app);
  const refresh = useChange(app.id, { run: () => api.refresh(app.id), said: 'Reading the repository again' });
  const suspend = useChange(app.id, { run: () => api.suspend(app.id), said: 'Suspended' });
  const resume = useChange(app.id, { run: () => api.resume(app.id), said: 'Resumed' });
  const close = () => setOpen(undefined);
  const startRefresh = () => refresh.mutate(undefined);
  useHotkeys({
    s: reason === undefined ? () => setOpen('sync') : undefined,
    r: reason === undefined && !refresh.isPending ? startRefresh : undefined,
  });
  return (
    <div className="actions">
      <Button kind="primary" onClick={() => setOpen('sync')} reason={reason} shortcut="s" title="Sync… (s)">
        Sync
      </Button>
      <Button
        onClick={startRefresh}
        busy={refresh.isPending}
        reason={reason}
        shortcut="r"
        title="Read the repository again (r)"
      >
        Refresh
      </Button>
      {app.suspended ? (
        <Button onClick={() => resume.mutate(undefined)} busy={resume.isPending} reason={reason}>
          Resume
        </Button>
      ) : null}
      <Popover label="More actions" button={<Icon name="more" />}>
        {(hide) => (
          <div className="menu">
            {app.suspended ? null : (
              <Button
                kind="quiet"
                reason={reason}
                busy={suspend.isPending}
                onClick={() => {
                  hide();
                  suspend.mutate(undefined);
                }}
              >
                Suspend
              </Button>
            )}
            <Button
              kind="quiet"
              reason={reason}
              onClick={() => {
                hide();
                setOpen('delete');
              }}
            >
              Delete…
            </Button>
          </div>
        )}
      </Popover>
      {open === 'sync' ? <SyncDialog app={app} onClose={close} onAccepted={onAccepted} /> : null}
      {open === 'delete' ? <DeleteDialog app={app} onClose={close} /> : null}
    </div>
  );
}

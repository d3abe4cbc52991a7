import type { HealthStatus, SyncStatus } from '#shared/domain/status.ts';
import { healthStatuses } from '#shared/domain/status.ts';
import { HealthIcon, Icon, Spinner, SyncIcon } from './icons.tsx';

/** Health as shape, colour and word. What is `stale` never looks well: the shape stays, the colour goes. */
export function Health({
  status,
  message,
  stale = false,
}: {
  status: HealthStatus;
  message?: string | undefined;
  stale?: boolean;
}) {
  const title = stale ? `${status} when last heard` : message;
  return (
    <span className={`status${stale ? ' stale' : ''}`} data-status={status} title={title}>
      <HealthIcon status={status} />
      <span className="word">{status}</span>
    </span>
  );
}

/** Sync status as shape, colour and word; `operation` shows work in progress instead. */
export function Sync({
  status,
  running = false,
  drifted = 0,
  stale = false,
}: {
  status: SyncStatus;
  running?: boolean;
  drifted?: number;
  stale?: boolean;
}) {
  return (
    <span className={`status${stale ? ' stale' : ''}`} data-status={running ? 'Syncing' : status}>
      {running ? <Spinner /> : <SyncIcon status={status} />}
      <span className="word">{running ? 'Syncing' : status}</span>
      {drifted > 0 && !running ? (
        <span className="tally" title={`${drifted} with drift`}>
          {drifted}
        </span>
      ) : null}
    </span>
  );
}

/** Healths come as free text from the cluster in places; what is not a known word is Unknown. */
export function asHealth(text: string | undefined): HealthStatus {
  return healthStatuses.find((status) => status === text) ?? 'Unknown';
}

/** Marks that go beside a name. */
export function Flags({
  app,
}: {
  app: { held: boolean; suspended: boolean; stale: boolean; deleting: boolean; operation?: string | undefined };
}) {
  return (
    <>
      {app.deleting ? <Flag tone="bad" glyph="trash" word="deleting" title="Being deleted" /> : null}
      {app.held ? (
        <Flag tone="warn" glyph="held" word="held" title="Prunes are held until somebody confirms them" />
      ) : null}
      {app.operation === 'Failed' || app.operation === 'Error' ? (
        <Flag tone="bad" glyph="warning" word="sync failed" title="The last operation failed" />
      ) : null}
      {app.suspended ? (
        <Flag tone="quiet" glyph="pause" word="suspended" title="Nothing is synced until it is resumed" />
      ) : null}
      {app.stale ? (
        <Flag tone="warn" glyph="clock" word="stale" title="The agent has not been heard: what is shown is old" />
      ) : null}
    </>
  );
}

function Flag({
  tone,
  glyph,
  word,
  title,
}: {
  tone: 'bad' | 'warn' | 'quiet';
  glyph: 'trash' | 'held' | 'warning' | 'pause' | 'clock';
  word: string;
  title: string;
}) {
  return (
    <span className={`flag ${tone}`} title={title}>
      <Icon name={glyph} />
      <span className="word">{word}</span>
    </span>
  );
}

import type { HealthStatus, SyncStatus } from '#shared/domain/status.ts';

/** Each health has its own shape, so that nothing hangs on colour. Always shown beside its word. */
export function HealthIcon({ status }: { status: HealthStatus }) {
  return (
    <svg className={`icon health-${status.toLowerCase()}`} viewBox="0 0 14 14" aria-hidden="true">
      {healthShapes[status]}
    </svg>
  );
}

const healthShapes: Record<HealthStatus, React.ReactNode> = {
  Healthy: (
    <>
      <circle cx="7" cy="7" r="6" className="fill" />
      <path d="M4.3 7.2 6.2 9l3.5-3.8" className="cut" />
    </>
  ),
  Progressing: (
    <>
      <circle cx="7" cy="7" r="5.2" className="line faint" />
      <path d="M7 1.8A5.2 5.2 0 0 1 12.2 7" className="line" />
    </>
  ),
  Degraded: (
    <>
      <path d="M4.4.9h5.2l3.5 3.5v5.2l-3.5 3.5H4.4L.9 9.6V4.4z" className="fill" />
      <path d="m4.9 4.9 4.2 4.2m0-4.2L4.9 9.1" className="cut" />
    </>
  ),
  Suspended: (
    <>
      <rect x="1.6" y="1.6" width="10.8" height="10.8" rx="2.4" className="line" />
      <path d="M5.4 4.8v4.4m3.2-4.4v4.4" className="line" />
    </>
  ),
  Missing: <circle cx="7" cy="7" r="5.2" className="line dashed" />,
  Unknown: (
    <>
      <path d="M7 .9 13.1 7 7 13.1.9 7z" className="line" />
      <path d="M7 4v3.4m0 2.2v.1" className="line" />
    </>
  ),
};

export function SyncIcon({ status }: { status: SyncStatus }) {
  return (
    <svg className={`icon sync-${status.toLowerCase()}`} viewBox="0 0 14 14" aria-hidden="true">
      {syncShapes[status]}
    </svg>
  );
}

const syncShapes: Record<SyncStatus, React.ReactNode> = {
  Synced: <path d="m2.6 7.4 2.9 2.9 5.9-6.4" className="line" />,
  OutOfSync: (
    <path d="M3.9 1.8v9m0 0L1.6 8.5m2.3 2.3 2.3-2.3M10.1 12.2v-9m0 0L7.8 5.5m2.3-2.3 2.3 2.3" className="line" />
  ),
  Unknown: <path d="M4.9 5.2c0-2.9 4.5-2.8 4.5-.2 0 1.7-2.3 1.8-2.3 3.6m0 2.4v.1" className="line" />,
};

const glyphs = {
  search: 'M6.2 10.4a4.2 4.2 0 1 0 0-8.4 4.2 4.2 0 0 0 0 8.4zm3.1-1.1 3.2 3.2',
  close: 'm3 3 8 8m0-8-8 8',
  chevron: 'm5 3 4 4-4 4',
  down: 'm3 5 4 4 4-4',
  up: 'm3 9 4-4 4 4',
  warning: 'M7 1.6 13 12.4H1zM7 5.4v3.2m0 1.9v.1',
  held: 'M3.2 6.2h7.6v6.2H3.2zM4.8 6V4.2a2.2 2.2 0 0 1 4.4 0V6',
  pause: 'M4.8 3v8m4.4-8v8',
  clock: 'M7 12.6A5.6 5.6 0 1 0 7 1.4a5.6 5.6 0 0 0 0 11.2zM7 4v3.3l2.2 1.4',
  check: 'm2.6 7.4 2.9 2.9 5.9-6.4',
  copy: 'M5 4.6h7v7.6H5zM2.4 9.2V2h6.8',
  filter: 'M1.6 3h10.8M3.8 7h6.4M5.8 11h2.4',
  more: 'M2.6 7h.1M7 7h.1m4.3 0h.1',
  user: 'M7 7a2.6 2.6 0 1 0 0-5.2A2.6 2.6 0 0 0 7 7zM2 12.6c.4-2.6 2.4-3.8 5-3.8s4.6 1.2 5 3.8',
  trash: 'M2 3.8h10M5.2 3.6V2h3.6v1.6M3.4 4l.6 8.2h6l.6-8.2',
  external: 'M5.6 2.6H2.4v9h9V8.4M8 2.2h3.8V6M11.4 2.6 6.6 7.4',
} as const;
export type Glyph = keyof typeof glyphs;

/** A plain line icon; decoration only. */
export function Icon({ name }: { name: Glyph }) {
  return (
    <svg className="icon" data-icon={name} viewBox="0 0 14 14" aria-hidden="true">
      <path d={glyphs[name]} className="line" />
    </svg>
  );
}

export function Spinner() {
  return (
    <svg className="icon spinner" viewBox="0 0 14 14" aria-hidden="true">
      <circle cx="7" cy="7" r="5.2" className="line faint" />
      <path d="M7 1.8A5.2 5.2 0 0 1 12.2 7" className="line" />
    </svg>
  );
}

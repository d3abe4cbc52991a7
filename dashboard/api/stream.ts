import type { StreamEvent } from '#shared/messages/api.ts';

/** `connecting` only before the first success; afterwards a lost connection is `reconnecting`. */
export type StreamState = 'connecting' | 'live' | 'reconnecting';

/** As much of EventSource as is used. */
export interface EventSourceLike {
  readonly readyState: number;
  addEventListener(type: string, listener: (event: { data?: unknown }) => void): void;
  close(): void;
}

export interface StreamDeps {
  open: () => EventSourceLike;
  onEvents: (events: StreamEvent[]) => void;
  onState: (state: StreamState) => void;
  /** Called when a refused stream may mean that the session has ended. */
  onRefused: () => void;
  setTimer: (run: () => void, ms: number) => unknown;
  clearTimer: (timer: unknown) => void;
  /** 0 … 1. */
  random: () => number;
}

export interface Stream {
  /** Tries at once instead of waiting for the back-off: the network is back, or the page is seen again. */
  retryNow: () => void;
  close: () => void;
}

const closedState = 2;
const batchMs = 80;

/**
 * Keeps one connection to `/api/v1/stream` open and hands its events on in batches (one render for a burst).
 * The browser reconnects by itself after a lost connection but gives up after a refusal; then this backs off 1 … 15 s.
 */
export function createStream(deps: StreamDeps): Stream {
  let source: EventSourceLike | undefined;
  let waiting: StreamEvent[] = [];
  let flushTimer: unknown;
  let retryTimer: unknown;
  let failures = 0;
  let ever = false;
  let paused = false;
  let closed = false;

  function flush(): void {
    flushTimer = undefined;
    const events = waiting;
    waiting = [];
    if (events.length > 0) deps.onEvents(events);
  }

  function take(event: { data?: unknown }): void {
    const parsed = parseEvent(event.data);
    if (parsed === undefined) return;
    waiting.push(parsed);
    flushTimer ??= deps.setTimer(flush, batchMs);
  }

  function fail(): void {
    // Where the service cannot hold a stream it ends each answer by intent; the browser comes back and is told what it missed.
    if (paused && source?.readyState !== closedState) {
      paused = false;
      return;
    }
    deps.onState(ever ? 'reconnecting' : 'connecting');
    if (source?.readyState !== closedState) return;
    source.close();
    source = undefined;
    deps.onRefused();
    failures += 1;
    retryTimer ??= deps.setTimer(connect, backOffMs(failures, deps.random()));
  }

  function connect(): void {
    retryTimer = undefined;
    if (closed) return;
    const opened = deps.open();
    source = opened;
    opened.addEventListener('open', () => {
      paused = false;
      failures = 0;
      ever = true;
      deps.onState('live');
    });
    opened.addEventListener('error', () => {
      if (source === opened) fail();
    });
    opened.addEventListener('pause', () => {
      paused = true;
    });
    for (const type of ['application', 'removed', 'cluster', 'reload']) opened.addEventListener(type, take);
  }

  connect();
  return {
    retryNow() {
      if (retryTimer === undefined) return;
      deps.clearTimer(retryTimer);
      connect();
    },
    close() {
      closed = true;
      deps.clearTimer(flushTimer);
      deps.clearTimer(retryTimer);
      source?.close();
    },
  };
}

/** Milliseconds before try number `failures`: doubling to 15 s, less up to a half by chance. */
export function backOffMs(failures: number, random: number): number {
  const full = Math.min(15_000, 1000 * 2 ** (failures - 1));
  return Math.round(full * (1 - random / 2));
}

/** One event's data; undefined for what this version does not know. */
export function parseEvent(data: unknown): StreamEvent | undefined {
  if (typeof data !== 'string') return undefined;
  try {
    const value: unknown = JSON.parse(data);
    if (typeof value !== 'object' || value === null || !('type' in value)) return undefined;
    return ['application', 'removed', 'cluster', 'reload'].includes(String(value.type))
      ? (value as StreamEvent)
      : undefined;
  } catch {
    return undefined;
  }
}

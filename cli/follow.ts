import type { StreamEvent } from '#shared/messages/api.ts';
import type { Client } from './client.ts';
import type { Context } from './context.ts';

/** Without live updates things are asked for this often; with them, only to be sure. */
const pollMs = 2000;
const reassureMs = 15_000;
const reconnectMs = 3000;
/** Events come in bursts: what follows within this time is one change. */
const gatherMs = 50;

/**
 * Yields once at the start and then whenever something that `concerns` us may have changed, until the signal is aborted.
 * Live updates where the service gives them, polling where not; a missed event costs 15 s, never more.
 */
export async function* changes(
  client: Client,
  context: Pick<Context, 'sleep'>,
  options: { signal: AbortSignal; concerns: (event: StreamEvent) => boolean },
): AsyncGenerator<void> {
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  let isLive = false;
  let wake = new AbortController();
  const opened = Promise.withResolvers<void>();
  const listening = listen();
  try {
    // Whoever reads before the stream is open may miss what happens in between.
    await Promise.race([opened.promise, context.sleep(1000, signal)]);
    while (!signal.aborted) {
      wake = new AbortController();
      yield;
      await context.sleep(isLive ? reassureMs : pollMs, AbortSignal.any([signal, wake.signal]));
      if (wake.signal.aborted) await context.sleep(gatherMs, signal);
    }
  } finally {
    stop.abort();
    await listening;
  }

  async function listen(): Promise<void> {
    while (!signal.aborted) {
      try {
        const events = client.stream(signal, () => {
          // After a gap nobody knows what was missed.
          if (!isLive) wake.abort();
          isLive = true;
          opened.resolve();
        });
        for await (const event of events) if (options.concerns(event)) wake.abort();
      } catch {
        // Polling goes on; whether the service can be reached at all is for the calls to say.
      }
      isLive = false;
      opened.resolve();
      await context.sleep(reconnectMs, signal);
    }
  }
}

/** Whether an event is about one of these applications, or may be. */
export function about(ids: ReadonlySet<string>): (event: StreamEvent) => boolean {
  return (event) =>
    event.type === 'reload' ||
    (event.type === 'application' && ids.has(event.application.id)) ||
    (event.type === 'removed' && ids.has(event.id));
}

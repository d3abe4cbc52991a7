import type { Clock } from '#shared/ports/clock.ts';

/** The promise, or a rejection once `milliseconds` are over. */
export async function inTime<T>(clock: Clock, milliseconds: number, promise: Promise<T>): Promise<T> {
  const timer = new AbortController();
  const late = clock.sleep(milliseconds, timer.signal).then(() => {
    throw new Error(`not done after ${milliseconds} ms`);
  });
  // Ends, unheard, when the race is over.
  late.catch(() => undefined);
  return Promise.race([promise, late]).finally(() => timer.abort());
}

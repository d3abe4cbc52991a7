import { stat } from 'node:fs/promises';
import type { Clock } from '#shared/ports/clock.ts';

export interface FakeClock extends Clock {
  /**
   * Moves time on, ending the sleeps that fall due in their order; each has its consequences (promises, immediates) before
   * the next one ends and before this resolves.
   */
  advance: (milliseconds: number) => Promise<void>;
  /** Moves the wall clock only, as an administrator or NTP does; sleeps do not notice. */
  setNow(now: number): void;
  /** How many sleep. */
  sleepers(): number;
}

/** A clock that stands still until it is told to move on. Starts at `now` (ms since 1970). */
export function createFakeClock(now: number = Date.UTC(2026, 0, 1)): FakeClock {
  let offset = now;
  let elapsed = 0;
  const sleeping = new Set<{ until: number; end: () => void }>();

  return {
    now: () => offset + elapsed,
    monotonic: () => elapsed,
    sleep,
    advance,
    setNow(wanted) {
      offset = wanted - elapsed;
    },
    sleepers: () => sleeping.size,
  };

  function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true || milliseconds <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const sleeper = {
        until: elapsed + milliseconds,
        end: () => {
          sleeping.delete(sleeper);
          signal?.removeEventListener('abort', sleeper.end);
          resolve();
        },
      };
      sleeping.add(sleeper);
      signal?.addEventListener('abort', sleeper.end, { once: true });
    });
  }

  async function advance(milliseconds: number): Promise<void> {
    const target = elapsed + milliseconds;
    await settle();
    for (;;) {
      const [next] = [...sleeping].filter(({ until }) => until <= target).sort((a, b) => a.until - b.until);
      if (next === undefined) break;
      elapsed = Math.max(elapsed, next.until);
      next.end();
      await settle();
    }
    elapsed = target;
    await settle();
  }
}

/** Lets promises, immediates and syncs of the disk that are under way run to their end. */
export async function settle(turns = 10): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) {
    // An empty job of libuv's thread pool ends behind the syncs that were begun before it.
    if (turn % 3 === 0) await stat('/');
    await new Promise((resolve) => setImmediate(resolve));
  }
  await new Promise((resolve) => setTimeout(resolve, 5));
}

import type { Clock } from '#shared/ports/clock.ts';

/** A clock for many thousand sleepers: time jumps from one due sleep to the next. */
export interface VirtualClock extends Clock {
  /** Runs until so many milliseconds have passed; promises that become due in between run to their end. */
  run(milliseconds: number): Promise<void>;
}

interface Sleeper {
  due: number;
  end: () => void;
}

/** Sleeps end at whole steps of so many milliseconds, so that those of a moment wake together. */
const stepMs = 10;

/** A virtual clock that starts at `now` (ms since 1970). What it drives may wait for nothing but this clock. */
export function createVirtualClock(now: number = Date.UTC(2026, 0, 1)): VirtualClock {
  const steps = new Map<number, Set<Sleeper>>();
  let elapsed = 0;
  let earliest = Infinity;

  return {
    now: () => now + elapsed,
    monotonic: () => elapsed,
    sleep(milliseconds, signal) {
      if (signal?.aborted === true || milliseconds <= 0) return Promise.resolve();
      return new Promise((resolve) => {
        const due = Math.ceil((elapsed + milliseconds) / stepMs) * stepMs;
        const sleeper: Sleeper = { due, end };
        function end(): void {
          steps.get(due)?.delete(sleeper);
          signal?.removeEventListener('abort', end);
          resolve();
        }
        const step = steps.get(due) ?? new Set<Sleeper>();
        steps.set(due, step.add(sleeper));
        earliest = Math.min(earliest, due);
        signal?.addEventListener('abort', end, { once: true });
      });
    },
    async run(milliseconds) {
      const until = elapsed + milliseconds;
      await settle();
      // Every step is looked at once: cheaper than keeping millions of sleeps in order.
      for (elapsed = Math.max(elapsed, Math.min(earliest, until)); elapsed <= until; elapsed += stepMs) {
        const step = steps.get(elapsed);
        if (step === undefined) continue;
        for (const sleeper of step) sleeper.end();
        steps.delete(elapsed);
        await settle();
      }
      elapsed = until;
      earliest = until;
    },
  };
}

/** An immediate runs once every promise that can go on has gone on. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

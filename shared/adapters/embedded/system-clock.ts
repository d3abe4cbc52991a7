import type { Clock } from '../../ports/clock.ts';

/** Longest delay that setTimeout takes; beyond it fires at once. */
const maxTimeoutMs = 2 ** 31 - 1;

/** The machine's own time. */
export function createSystemClock(): Clock {
  return {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    async sleep(milliseconds, signal) {
      const until = performance.now() + milliseconds;
      for (;;) {
        const left = Math.min(Math.ceil(until - performance.now()), maxTimeoutMs);
        if (signal?.aborted === true) return;
        await timeout(Math.max(0, left), signal);
        if (performance.now() >= until) return;
      }
    },
  };
}

function timeout(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal?.addEventListener('abort', end, { once: true });
  });
}

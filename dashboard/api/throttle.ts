/**
 * Runs `run(key)` soon after a call, at most once per `everyMs` and key; calls in between count as one.
 * `firstMs` is how long the first call waits for company.
 */
export function createThrottle(
  run: (key: string) => void,
  times: { firstMs: number; everyMs: number },
  deps: { now: () => number; setTimer: (run: () => void, ms: number) => unknown; clearTimer: (timer: unknown) => void },
): { call: (key: string) => void; close: () => void } {
  const lastRun = new Map<string, number>();
  const timers = new Map<string, unknown>();
  return {
    call(key) {
      if (timers.has(key)) return;
      const wait = Math.max(times.firstMs, (lastRun.get(key) ?? -Infinity) + times.everyMs - deps.now());
      const timer = deps.setTimer(() => {
        timers.delete(key);
        lastRun.set(key, deps.now());
        run(key);
      }, wait);
      timers.set(key, timer);
    },
    close() {
      for (const timer of timers.values()) deps.clearTimer(timer);
      timers.clear();
    },
  };
}

/** Ends the waits of those who listen to a name, within one process. */
export interface WakeUps {
  /** `signal` is aborted by the next `wake` of that name or by `outer`; `close` must be called. */
  listen(name: string, outer: AbortSignal | undefined): { signal: AbortSignal; close(): void };
  wake(name: string): void;
}

export function createWakeUps(): WakeUps {
  const waiting = new Map<string, Set<() => void>>();
  return {
    listen(name, outer) {
      const controller = new AbortController();
      const ring = (): void => controller.abort();
      const listeners = waiting.get(name) ?? new Set();
      waiting.set(name, listeners.add(ring));
      outer?.addEventListener('abort', ring, { once: true });
      return {
        signal: controller.signal,
        close() {
          listeners.delete(ring);
          outer?.removeEventListener('abort', ring);
        },
      };
    },
    wake(name) {
      for (const ring of waiting.get(name) ?? []) ring();
    },
  };
}

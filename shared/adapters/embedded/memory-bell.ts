import type { Bell } from '../../ports/bell.ts';

/** Wake-ups within one process. A listener that throws disturbs neither who rings nor its neighbours. */
export function createBell(): Bell {
  const channels = new Map<string, Set<(payload: string | undefined) => void>>();
  return {
    ring(channel, payload) {
      // A copy, so that who listens in answer to this ring hears the next one only.
      for (const listener of Array.from(channels.get(channel) ?? [])) {
        try {
          listener(payload);
        } catch {
          // Lossy by contract: whoever listens also polls.
        }
      }
    },
    listen(channel, listener) {
      // Wrapped, so that listening twice with one function is two registrations.
      const own = (payload: string | undefined): void => listener(payload);
      const listeners = channels.get(channel) ?? new Set();
      channels.set(channel, listeners.add(own));
      return () => {
        listeners.delete(own);
        if (listeners.size === 0 && channels.get(channel) === listeners) channels.delete(channel);
      };
    },
  };
}

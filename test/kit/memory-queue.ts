import type { Clock } from '#shared/ports/clock.ts';
import type { Delivery, Queue } from '#shared/ports/queue.ts';

/** A queue in memory, as far as agents use one: long polls end with a send, with time, or with the signal. */
export interface MemoryQueue extends Pick<Queue, 'send' | 'receive' | 'done'> {
  /** Bodies that were sent and not yet deleted, oldest first. */
  readonly bodies: string[];
  /** How often somebody asked for messages, with the seconds that they would wait. */
  readonly waits: number[];
  /** Every later call fails with this until it is called with undefined. */
  fail(error: Error | undefined): void;
}

export function createMemoryQueue(clock: Clock): MemoryQueue {
  const messages: Delivery[] = [];
  const waiting = new Set<AbortController>();
  const waits: number[] = [];
  let sent = 0;
  let failure: Error | undefined;
  const check = () => {
    if (failure !== undefined) throw failure;
  };
  return {
    waits,
    get bodies() {
      return messages.map(({ body }) => body);
    },
    fail: (error) => void (failure = error),
    async send(bodies) {
      check();
      for (const body of bodies) {
        sent += 1;
        messages.push({ id: String(sent), receipt: String(sent), body, receives: 0 });
      }
      for (const one of waiting) one.abort();
    },
    async receive({ max, waitSeconds, signal }) {
      check();
      waits.push(waitSeconds);
      if (messages.length === 0 && waitSeconds > 0) {
        const rung = new AbortController();
        waiting.add(rung);
        await clock.sleep(waitSeconds * 1000, signal ? AbortSignal.any([rung.signal, signal]) : rung.signal);
        waiting.delete(rung);
        check();
      }
      return messages.slice(0, max);
    },
    async done(deliveries) {
      check();
      for (const { id } of deliveries) {
        const at = messages.findIndex((message) => message.id === id);
        if (at >= 0) messages.splice(at, 1);
      }
    },
  };
}

import { messageOf } from '../../errors.ts';
import type { Bell } from '../../ports/bell.ts';
import type { Log } from '../../ports/log.ts';
import type { WakeQueues } from './wake-queues.ts';

/** A bell whose rings are on their way only when they are flushed: a function that has answered does not run on. */
export interface FlushedBell extends Bell {
  /** Resolves when everything that was rung is sent or given up; never throws. */
  flush(): Promise<void>;
}

/**
 * Rings of `cluster:ORGANISATION/CLUSTER` go to that cluster's wake queue. Others are dropped, and nobody is called back:
 * functions do not hear each other, pages poll. While a wake-up is under way to a cluster, of those that follow only the
 * newest is sent: a thousand snapshots are a few messages. What cannot be sent is logged and lost, as the port allows.
 */
export function createSqsBell(deps: { wakeQueues: Pick<WakeQueues, 'send'>; log: Log }): FlushedBell {
  const sending = new Set<Promise<void>>();
  const waking = new Map<string, { next?: string }>();

  return {
    ring(channel, payload) {
      const [, organisation, cluster] = /^cluster:([^/]+)\/(.+)$/.exec(channel) ?? [];
      if (organisation === undefined || cluster === undefined || payload === undefined) return;
      const send = (body: string) => deps.wakeQueues.send(organisation, cluster, body).catch(lost(cluster));
      if (!isWakeUp(payload)) return start(send(payload));
      const underWay = waking.get(channel);
      if (underWay === undefined) start(wake(channel, payload, send));
      else underWay.next = payload;
    },
    listen: () => () => undefined,
    async flush() {
      while (sending.size > 0) await Promise.all(sending);
    },
  };

  function start(work: Promise<void>): void {
    const tracked = work.finally(() => sending.delete(tracked));
    sending.add(tracked);
  }

  async function wake(channel: string, first: string, send: (body: string) => Promise<void>): Promise<void> {
    const underWay: { next?: string } = { next: first };
    waking.set(channel, underWay);
    while (underWay.next !== undefined) {
      const body = underWay.next;
      delete underWay.next;
      await send(body);
    }
    waking.delete(channel);
  }

  function lost(cluster: string): (error: unknown) => void {
    return (error) => deps.log.warn({ cluster, reason: messageOf(error) }, 'an agent was not woken');
  }
}

/** A wake-up says nothing but how far HEAD is, so a newer one says it all. */
function isWakeUp(payload: string): boolean {
  return payload.startsWith('{"type":"wake"');
}

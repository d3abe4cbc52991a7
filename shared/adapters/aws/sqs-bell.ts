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
 * functions do not hear each other, pages poll. What cannot be sent is logged and lost, as the port allows.
 */
export function createSqsBell(deps: { wakeQueues: Pick<WakeQueues, 'send'>; log: Log }): FlushedBell {
  const sending = new Set<Promise<void>>();
  return {
    ring(channel, payload) {
      const [, organisation, cluster] = /^cluster:([^/]+)\/(.+)$/.exec(channel) ?? [];
      if (organisation === undefined || cluster === undefined || payload === undefined) return;
      const sent = deps.wakeQueues
        .send(organisation, cluster, payload)
        .catch((error: unknown) => deps.log.warn({ cluster, reason: messageOf(error) }, 'an agent was not woken'))
        .finally(() => sending.delete(sent));
      sending.add(sent);
    },
    listen: () => () => undefined,
    async flush() {
      while (sending.size > 0) await Promise.all(sending);
    },
  };
}

import { messageOf } from '#shared/errors.ts';
import type { WakeQueues } from '#shared/adapters/aws/wake-queues.ts';
import type { Log } from '#shared/ports/log.ts';
import { commandsOf, type Mailbox } from '#functions/api/mailbox.ts';

/** More at once are not worth having: they are old, and whoever asked has gone. */
const most = 50;

/**
 * Commands in a cluster's wake queue, emptied on behalf of an agent that speaks HTTPS only. Nothing rings, so `wait` lets
 * the time pass. Trouble with the queue is logged and costs latency: what counts comes from HEAD.
 */
export function createQueueMailbox(wakeQueues: Pick<WakeQueues, 'send' | 'receive'>, log: Log): Mailbox {
  return {
    async post(organisation, cluster, command) {
      await wakeQueues.send(organisation, cluster, JSON.stringify(command)).catch(lost(cluster));
    },
    async take(organisation, cluster) {
      const bodies = await wakeQueues.receive(organisation, cluster, most).catch(lost(cluster));
      return (bodies ?? []).flatMap(commandsOf);
    },
    async wait(_organisation, _cluster, milliseconds, signal) {
      if (signal?.aborted === true) return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, milliseconds);
        signal?.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
      });
    },
  };

  function lost(cluster: string): (error: unknown) => undefined {
    return (error) => void log.warn({ cluster, reason: messageOf(error) }, 'the wake queue cannot be used');
  }
}

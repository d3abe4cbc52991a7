import { wakeQueueName } from '#shared/domain/wake-queue.ts';
import { agentMail } from '#shared/flow.ts';
import type { ApiDeps } from '#functions/api/context.ts';
import type { Settings } from './settings.ts';

/** Where agents that have a role of their own find what is theirs. */
export function directAccessOf(
  settings: Settings<'region' | 'table' | 'cipherKey' | 'queueBase'>,
): NonNullable<ApiDeps['directAccess']> {
  const { region, table, cipherKey, queueBase } = settings;
  return {
    region,
    table,
    cipherKey,
    wakeQueue: (organisation, cluster) => `${queueBase}${wakeQueueName(organisation, cluster)}`,
    mailQueue: `${queueBase}${agentMail.name}`,
  };
}

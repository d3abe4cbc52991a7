import { SQSClient } from '@aws-sdk/client-sqs';
import { clientSettings } from '#shared/adapters/aws/client-settings.ts';
import { createSqsBell } from '#shared/adapters/aws/sqs-bell.ts';
import { createQueues } from '#shared/adapters/aws/sqs-queues.ts';
import { createWakeQueues } from '#shared/adapters/aws/wake-queues.ts';
import * as flow from '#shared/flow.ts';
import type { ChunkStore } from '#shared/ports/chunk-store.ts';
import type { Queue } from '#shared/ports/queue.ts';
import type { StateStore } from '#shared/ports/state-store.ts';
import { createPageBell } from './page-bell.ts';
import type { Core } from './core.ts';

/** All queues of the flow, and the bell; what a function's role does not permit fails when it is used. */
export function openQueues(core: Core<'queueBase'>, table: { store: StateStore; bodies: ChunkStore }) {
  const { clock, log, settings } = core;
  const client = new SQSClient(clientSettings());
  const urls = ({ name }: { name: string }) => ({
    url: `${settings.queueBase}${name}`,
    deadUrl: `${settings.queueBase}${name}-dead`,
  });
  const opened = createQueues({ client, clock, chunks: table.bodies, urls });
  const queues = new Map<string, Queue>(flow.flow.map((queue) => [queue.name, opened.open(queue)]));
  const queue = (name: (typeof flow.flow)[number]['name']): Queue => queues.get(name) as Queue;
  const wakeQueues = createWakeQueues({ client, clock, queueBase: settings.queueBase });
  const agents = createSqsBell({ wakeQueues, log });
  return {
    queues,
    hints: queue('hints'),
    renderJobs: queue('render-jobs'),
    publishJobs: queue('publish-jobs'),
    reports: queue('reports'),
    wakeQueues,
    bell: createPageBell(agents, { store: table.store, clock, log }),
  };
}

import type { Application } from '#shared/domain/application.ts';
import { decisionOf, moveHead, readHead, rootOf, takeTicket } from '#shared/state/heads.ts';
import { orderLifetimeMs } from '#shared/state/delete-application.ts';
import type { PublishDeps } from './handle-publish-job.ts';

/**
 * An application that moved to another cluster: the agents of those where it was are told to let go of it. They leave its
 * objects alone, as Argo CD does, and stop healing what nobody keeps up to date any more. Done as often as it takes.
 */
export async function leaveClusters(deps: PublishDeps, organisation: string, application: Application): Promise<void> {
  for (const cluster of application.formerClusters ?? []) {
    const head = await readHead(deps.store, organisation, cluster, application.id);
    if (head === undefined || rootOf(head.value).deletion !== undefined) continue;
    const now = deps.clock.now();
    const deletion = {
      cascade: 'orphan' as const,
      by: `moved to cluster ${application.cluster}`,
      at: new Date(now).toISOString(),
      until: new Date(now + orderLifetimeMs).toISOString(),
    };
    const { sync: _sync, ...root } = rootOf(head.value);
    const generation = await takeTicket(deps.store, organisation);
    await moveHead(deps, { ...root, generation, inputDigest: '', deletion }, decisionOf(head.value), head);
  }
}

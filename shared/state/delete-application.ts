import type { Application } from '../domain/application.ts';
import { isJsonObject } from '../domain/json.ts';
import type { PublishJob } from '../messages/publish-job.ts';
import type { Bell } from '../ports/bell.ts';
import type { Clock } from '../ports/clock.ts';
import type { Queue } from '../ports/queue.ts';
import type { StateStore } from '../ports/state-store.ts';
import { dropHead, takeTicket } from './heads.ts';
import { applicationKey, organisationKey, sortKeys } from './keys.ts';
import { eachRow, updateRow } from './update.ts';

export type Cascade = 'foreground' | 'background' | 'orphan';

/** A deletion order that no agent has taken up ends after this time. */
export const orderLifetimeMs = 7 * 24 * 3600 * 1000;

/**
 * Marks an application as being deleted and asks the publisher for a signed deletion order (G-10).
 * Without `cascade` the declaration decides, as its own tool would: Argo CD's finalizer, Flux's `prune` with `deletionPolicy`.
 * With `delaySeconds` the order is published that much later, and not at all where somebody declares the application again by
 * then. Returns the order's generation.
 */
export async function orderDeletion(
  deps: { store: StateStore; publishJobs: Queue; bell: Bell; clock: Clock },
  organisation: string,
  application: Application,
  order: { by: string; trace: string; cascade?: Cascade; delaySeconds?: number },
): Promise<number> {
  const cascade = order.cascade ?? declaredCascade(application);
  const at = new Date(deps.clock.now()).toISOString();
  await updateRow<Application>(deps.store, applicationKey(organisation, application.id), sortKeys.spec, (value) =>
    value === undefined ? undefined : { ...value, deleting: { cascade, by: order.by, at } },
  );
  const generation = await takeTicket(deps.store, organisation);
  const job: PublishJob = {
    organisation,
    application: application.id,
    generation,
    inputDigest: '',
    intent: { revision: '', dependsOn: [], initiatedBy: order.by, renderDigest: '' },
    result: {
      status: 'repeat',
      deletion: { cascade, by: order.by, at, until: new Date(deps.clock.now() + orderLifetimeMs).toISOString() },
    },
    trace: order.trace,
    at,
  };
  const { delaySeconds } = order;
  await deps.publishJobs.send([JSON.stringify(job)], {
    group: organisation,
    ...(delaySeconds === undefined ? {} : { delaySeconds }),
  });
  return generation;
}

/** What deleting the declaration would mean in its own tool (argo-cd.md §2.9, flux.md §2.6). */
export function declaredCascade(application: Application): Cascade {
  const metadata = isJsonObject(application.declared['metadata']) ? application.declared['metadata'] : {};
  const spec = isJsonObject(application.declared['spec']) ? application.declared['spec'] : {};
  if (application.kind === 'Kustomization') {
    const policy = spec['deletionPolicy'] ?? 'MirrorPrune';
    if (policy === 'Orphan') return 'orphan';
    return policy === 'Delete' || policy === 'WaitForTermination' || application.policy.prune ? 'background' : 'orphan';
  }
  const finalizers = Array.isArray(metadata['finalizers']) ? metadata['finalizers'].map(String) : [];
  if (finalizers.includes('resources-finalizer.argocd.argoproj.io/background')) return 'background';
  return finalizers.some((finalizer) => finalizer.startsWith('resources-finalizer.argocd.argoproj.io'))
    ? 'foreground'
    : 'orphan';
}

/**
 * Forgets an application whose deletion order has been carried out: every row of it, and its place in lists. The spec goes
 * last: as long as it is there, a second delivery knows that there is something left to forget.
 */
export async function forgetApplication(
  deps: { store: StateStore; bell: Bell },
  organisation: string,
  application: Application,
): Promise<void> {
  const { store } = deps;
  await dropHead(store, organisation, application.cluster, application.id);
  const partition = applicationKey(organisation, application.id);
  for await (const row of eachRow(store, partition, '')) {
    if (row.sort !== sortKeys.spec) await store.remove(partition, row.sort);
  }
  await store.remove(organisationKey(organisation), sortKeys.summary(application.id));
  await store.remove(partition, sortKeys.spec);
  deps.bell.ring(`organisation:${organisation}`, application.id);
}

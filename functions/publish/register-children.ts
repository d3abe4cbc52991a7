import type { Application } from '#shared/domain/application.ts';
import type { JsonObject } from '#shared/domain/json.ts';
import { inParallel } from '#shared/domain/parallel.ts';
import type { Condition } from '#shared/domain/status.ts';
import type { PublishJob } from '#shared/messages/publish-job.ts';
import { declareObjects } from '#shared/state/declare.ts';
import { orderDeletion } from '#shared/state/delete-application.ts';
import { applicationKey, sortKeys } from '#shared/state/keys.ts';
import { getApplication } from '#shared/state/registry.ts';
import { updateStatus } from '#shared/state/status.ts';
import type { PublishDeps } from './handle-publish-job.ts';

/** The row `CHILDREN`: ids of the applications that this one's newest snapshot declared. */
interface Children {
  generation: number;
  applications: string[];
}

/**
 * App of apps: registers what an application's snapshot declares, and orders the deletion of those that its newest,
 * complete snapshot no longer declares, where its policy prunes. An application that is not automated declares only
 * when somebody syncs it, as in Argo CD.
 */
export async function registerChildren(
  deps: PublishDeps,
  job: PublishJob,
  parent: Application,
  objects: JsonObject[],
): Promise<void> {
  const partition = applicationKey(job.organisation, parent.id);
  const row = await deps.store.get<Children>(partition, sortKeys.children);
  if (objects.length === 0 && row === undefined) return;
  if (!parent.policy.automated && row !== undefined && objects.length === 0) return;
  if (row !== undefined && row.value.generation > job.generation) return;
  const items = await declareObjects(deps, {
    organisation: job.organisation,
    objects,
    homeCluster: parent.cluster,
    defaultCluster: await deps.defaultCluster(job.organisation),
    parent: parent.id,
    by: `application ${parent.id}`,
    trace: job.trace,
  });
  const declared = [...new Set(items.flatMap((item) => (item.application === undefined ? [] : [item.application])))];
  const refused = items.filter((item) => item.action === 'refused');
  const gone = (row?.value.applications ?? []).filter((id) => !declared.includes(id));
  const held =
    parent.policy.prune && refused.length === 0 ? await deleteGone(deps, job, parent, gone, declared.length) : gone;
  await deps.store.put(
    {
      partition,
      sort: sortKeys.children,
      revision: job.generation,
      value: { generation: job.generation, applications: [...declared, ...held] },
    },
    { revisionBelow: job.generation },
  );
  const now = new Date(deps.clock.now()).toISOString();
  const conditions = [
    ...refused.map((item): Condition => ({
      type: 'SyncError',
      message: `${item.kind} ${item.name}: ${item.message ?? 'refused'}`,
      lastTransitionTime: now,
    })),
    ...(parent.policy.prune && held.length > 0
      ? [{ type: 'NeedsConfirmation', message: shrinkMessage(held), lastTransitionTime: now } satisfies Condition]
      : []),
  ].slice(0, 20);
  if (conditions.length === 0) return;
  await updateStatus(deps, job.organisation, parent, now, (status) => ({
    ...status,
    sourceConditions: [
      ...status.sourceConditions.filter((known) => !conditions.some((one) => one.message === known.message)),
      ...conditions,
    ],
  }));
}

/** Orders the deletions unless they are too many at once (G-02, G-03); returns those that stay. */
async function deleteGone(
  deps: PublishDeps,
  job: PublishJob,
  parent: Application,
  gone: string[],
  remaining: number,
): Promise<string[]> {
  const total = gone.length + remaining;
  const tooMany =
    gone.length > Math.max(5, Math.floor(total * 0.2)) ||
    (remaining === 0 && gone.length > 0 && !parent.policy.allowEmpty);
  if (tooMany) return gone;
  await inParallel(gone, 8, async (id) => {
    const child = await getApplication(deps.store, job.organisation, id);
    if (child === undefined || child.parent !== parent.id || child.deleting !== undefined) return;
    await orderDeletion(deps, job.organisation, child, { by: `application ${parent.id}`, trace: job.trace });
  });
  return [];
}

function shrinkMessage(held: string[]): string {
  return `${held.length} applications are no longer declared, too many to delete at once (${held.slice(0, 5).join(', ')}${held.length > 5 ? ', …' : ''}): delete them with \`hawser delete\`, or bring them back`;
}

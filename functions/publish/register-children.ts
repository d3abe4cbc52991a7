import type { Application } from '#shared/domain/application.ts';
import type { JsonObject } from '#shared/domain/json.ts';
import { inParallel } from '#shared/domain/parallel.ts';
import type { SnapshotRoot } from '#shared/domain/snapshot.ts';
import type { PublishJob } from '#shared/messages/publish-job.ts';
import { byParent } from '#shared/state/bring-back.ts';
import { declareObjects } from '#shared/state/declare.ts';
import type { DeclareItem } from '#shared/state/declare-context.ts';
import { orderDeletion, type Cascade } from '#shared/state/delete-application.ts';
import { applicationKey, sortKeys } from '#shared/state/keys.ts';
import { getApplication } from '#shared/state/registry.ts';
import { updateStatus } from '#shared/state/status.ts';
import type { PublishDeps } from './handle-publish-job.ts';
import { conditionAt, isOlder } from './show-failure.ts';

/** The row `CHILDREN`: ids of the applications that this one's newest snapshot declared. */
interface Children {
  generation: number;
  applications: string[];
}

/**
 * App of apps: registers what an application's snapshot declares, and orders the deletion of those that its newest,
 * complete snapshot no longer declares, where its policy or the request prunes.
 */
export async function registerChildren(
  deps: PublishDeps,
  job: PublishJob,
  parent: Application,
  root: SnapshotRoot,
  texts: readonly string[],
): Promise<void> {
  const partition = applicationKey(job.organisation, parent.id);
  const row = await deps.store.get<Children>(partition, sortKeys.children);
  if (texts.length === 0 && row === undefined) return;
  if (row !== undefined && row.value.generation > root.generation) return;
  const items = await declareObjects(deps, {
    organisation: job.organisation,
    objects: texts.map((text) => JSON.parse(text) as JsonObject),
    homeCluster: parent.cluster,
    defaultCluster: await deps.defaultCluster(job.organisation),
    parent: parent.id,
    by: byParent(parent.id),
    trace: job.trace,
  });
  const declared = [...new Set(items.flatMap((item) => (item.application === undefined ? [] : [item.application])))];
  const refused = items.filter((item) => item.action === 'refused');
  const gone = (row?.value.applications ?? []).filter((id) => !declared.includes(id));
  const prunes = parent.policy.prune || root.sync?.prune === true;
  // An object that was refused may be one of those that seem gone.
  const held = prunes && refused.length === 0 ? await deleteGone(deps, job, parent, gone, declared.length) : gone;
  const value: Children = { generation: root.generation, applications: [...declared, ...held] };
  await deps.store.put(
    { partition, sort: sortKeys.children, revision: root.generation, value },
    { revisionBelow: root.generation },
  );
  await showTrouble(deps, job, parent, refused, prunes && refused.length === 0 ? held : []);
}

/** A parent that is deleted with what it holds takes the applications that it declared with it, each in its own way. */
export async function deleteChildren(
  deps: PublishDeps,
  job: PublishJob,
  parent: Application,
  { cascade }: { cascade: Cascade },
): Promise<void> {
  if (cascade === 'orphan') return;
  const partition = applicationKey(job.organisation, parent.id);
  const row = await deps.store.get<Children>(partition, sortKeys.children);
  await deleteAll(deps, job, parent, row?.value.applications ?? []);
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
  await deleteAll(deps, job, parent, gone);
  return [];
}

async function deleteAll(
  deps: PublishDeps,
  job: PublishJob,
  parent: Application,
  children: readonly string[],
): Promise<void> {
  await inParallel(children, 8, async (id) => {
    const child = await getApplication(deps.store, job.organisation, id);
    // One that is being deleted already gets its order again: who ordered it may have died before sending it.
    if (child === undefined || child.parent !== parent.id) return;
    await orderDeletion(deps, job.organisation, child, {
      by: byParent(parent.id),
      trace: job.trace,
      ...(child.deleting === undefined ? {} : { cascade: child.deleting.cascade }),
    });
  });
}

async function showTrouble(
  deps: PublishDeps,
  job: PublishJob,
  parent: Application,
  refused: readonly DeclareItem[],
  held: readonly string[],
): Promise<void> {
  const now = new Date(deps.clock.now()).toISOString();
  const conditions = [
    ...refused.map((item) => conditionAt('SyncError', `${item.kind} ${item.name}: ${item.message ?? 'refused'}`, now)),
    ...(held.length > 0 ? [conditionAt('NeedsConfirmation', shrinkMessage(held), now)] : []),
  ].slice(0, 20);
  if (conditions.length === 0) return;
  await updateStatus(deps, job.organisation, parent, now, (status) =>
    isOlder(status, job.generation)
      ? undefined
      : {
          ...status,
          sourceConditions: [
            ...status.sourceConditions.filter((known) => !conditions.some((one) => one.message === known.message)),
            ...conditions,
          ],
        },
  );
}

function shrinkMessage(held: readonly string[]): string {
  return `${held.length} applications are no longer declared, too many to delete at once (${held.slice(0, 5).join(', ')}${held.length > 5 ? ', …' : ''}): delete them with \`hawser delete\`, or bring them back`;
}

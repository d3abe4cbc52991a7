import type { Application } from '#shared/domain/application.ts';
import type { JsonObject } from '#shared/domain/json.ts';
import { inParallel } from '#shared/domain/parallel.ts';
import type { SnapshotRoot } from '#shared/domain/snapshot.ts';
import type { PublishJob } from '#shared/messages/publish-job.ts';
import { byParent, declareAgain } from '#shared/state/bring-back.ts';
import { claimantOf, isGivenUp, type Children } from '#shared/state/claims.ts';
import { declareObjects } from '#shared/state/declare.ts';
import type { DeclareItem } from '#shared/state/declare-context.ts';
import { orderDeletion, type Cascade } from '#shared/state/delete-application.ts';
import { applicationKey, sortKeys } from '#shared/state/keys.ts';
import { getApplication } from '#shared/state/registry.ts';
import { updateStatus } from '#shared/state/status.ts';
import { updateRow } from '#shared/state/update.ts';
import type { PublishDeps } from './handle-publish-job.ts';
import { conditionAt, isOlder } from './show-failure.ts';

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
  const idsOf = (some: readonly DeclareItem[]) => [...new Set(some.flatMap(({ application }) => application ?? []))];
  const refused = items.filter((item) => item.action === 'refused');
  const declared = idsOf(items.filter((item) => item.action !== 'refused'));
  const claims = idsOf(refused);
  const gone = (row?.value.applications ?? []).filter((id) => !declared.includes(id));
  const prunes = parent.policy.prune || root.sync?.prune === true;
  // An object that was refused may be one of those that seem gone.
  const held = prunes && refused.length === 0 ? await deleteGone(deps, job, parent, gone, declared.length) : gone;
  const value: Children = {
    generation: root.generation,
    applications: [...declared, ...held],
    ...(claims.length === 0 ? {} : { claims }),
  };
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
    if (await handOver(deps, job, child)) return;
    await orderDeletion(deps, job.organisation, child, {
      by: byParent(parent.id),
      trace: job.trace,
      delaySeconds: graceSeconds,
      ...(child.deleting === undefined ? {} : { cascade: child.deleting.cascade }),
    });
    // A claim that came while it was being marked: one of the two sees the other (claims.ts).
    const marked = await getApplication(deps.store, job.organisation, id);
    if (marked !== undefined) await handOver(deps, job, marked);
  });
}

/** Whoever else declares a child becomes its parent: it only moved, and nothing of it is deleted. */
async function handOver(deps: PublishDeps, job: PublishJob, child: Application): Promise<boolean> {
  const { organisation } = job;
  // What somebody ordered by hand is deleted.
  if (child.deleting !== undefined && !isGivenUp(child)) return false;
  const claimant = await claimantOf(deps, organisation, child);
  if (claimant === undefined) return false;
  const partition = applicationKey(organisation, child.id);
  const row = await updateRow<Application>(deps.store, partition, sortKeys.spec, (spec) => {
    if (spec === undefined || spec.parent !== child.parent) return undefined;
    const { deleting: _, ...rest } = spec;
    return { ...rest, parent: claimant.id };
  });
  await deps.store.remove(partition, sortKeys.claim);
  if (row !== undefined) await updateStatus(deps, organisation, row.value, isoOf(deps), (status) => status);
  await declareAgain(deps, organisation, claimant.id, job.trace);
  return true;
}

/** Before a child's deletion is ordered: time for another application to declare it, where it only moved (as G-07 for objects). */
const graceSeconds = 15;

function isoOf({ clock }: PublishDeps): string {
  return new Date(clock.now()).toISOString();
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
  await updateStatus(deps, job.organisation, parent, now, (status) => {
    // What was said of children before is over: all of them were registered anew.
    const others = status.sourceConditions.filter(({ type }) => type !== 'SyncError' && type !== 'NeedsConfirmation');
    const same = conditions.length === 0 && others.length === status.sourceConditions.length;
    return same || isOlder(status, job.generation)
      ? undefined
      : { ...status, sourceConditions: [...others, ...conditions] };
  });
}

function shrinkMessage(held: readonly string[]): string {
  return `${held.length} applications are no longer declared, too many to delete at once (${held.slice(0, 5).join(', ')}${held.length > 5 ? ', …' : ''}): delete them with \`hawser delete\`, or bring them back`;
}

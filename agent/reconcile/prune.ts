import { HawserError } from '#shared/errors.ts';
import { isJsonObject } from '#shared/domain/json.ts';
import { describeId, parseKey, type KubeObject } from '#shared/domain/kube-object.ts';
import { inParallel } from '#shared/domain/parallel.ts';
import { decidePrunes, isStillDue } from '#shared/domain/prune-guards.ts';
import { afterDelete, nextDeleteAt, stopReason } from '#shared/domain/prune-pace.ts';
import { liveObjectOf, type LiveObject, type PruneItem } from '#shared/domain/prune-plan.ts';
import type { ResourceResult } from '#shared/domain/status.ts';
import { budgetWindowMs, pruneInput, type PruneDeps } from './prune-input.ts';
import type { OperationProgress } from '../state/record.ts';
import { dropEntry, readEntry } from './delete-objects.ts';
import { resourceName } from './tasks.ts';
import { addEvent, newestGeneration, type AppRuntime } from './runtime.ts';

const readsAtOnce = 8;
const askAgainMs = 5000;

/**
 * One turn of pruning: reads the candidates, lets the guards decide, and deletes as far as the pace allows. What is
 * decided for a key is noted in the operation's results; keys without a result come again.
 */
export async function pruneExtras(deps: PruneDeps, app: AppRuntime, keys: string[]): Promise<void> {
  const operation: OperationProgress = { ...(app.record.operation as OperationProgress) };
  operation.results = { ...operation.results };
  delete operation.retryAt;
  operation.degraded ??= degradedIn(app);
  const live = await readCandidates(deps, app, keys);
  // A newer generation came while we read: its own round will judge (FT-92).
  if (newestGeneration(app) !== operation.generation) return;
  const decision = decidePrunes(pruneInput(deps, app, operation, live));
  const { hold: _, ...record } = app.record;
  app.record = { ...record, operation, ...(decision.hold === undefined ? {} : { hold: decision.hold }) };
  const note = (key: string, outcome: Pick<ResourceResult, 'status' | 'message' | 'action'>) =>
    (operation.results[key] = {
      ...parseKey(key),
      version: app.record.inventory.get(key)?.version ?? '',
      phase: 'Sync',
      ...outcome,
    });
  if (decision.blocked !== undefined) {
    operation.retryAt = deps.clock.now() + askAgainMs;
    operation.message = `pruning waits: ${decision.blocked.reason}`;
    return;
  }
  for (const key of decision.forget) {
    note(key, { status: 'Pruned', action: 'deleted', message: 'it was gone already' });
    dropEntry(deps, app, key);
  }
  for (const { key, to } of decision.handOver) {
    note(key, { status: 'PruneSkipped', action: 'skipped', message: `handed over to application ${to}` });
    letGo(deps, app, key);
  }
  for (const { key, guard, reason, byWish } of decision.skip) {
    note(key, {
      status: 'PruneSkipped',
      action: 'skipped',
      message: `${reason}${guard.startsWith('G') ? ` (${guard})` : ''}`,
    });
    if (byWish === true && app.root.kind === 'Kustomization') {
      letGo(deps, app, key);
      continue;
    }
    const seen = live.get(key);
    const entry = app.record.inventory.get(key);
    if (typeof seen === 'object' && seen.deletionTimestamp !== undefined && entry?.uid === seen.uid) {
      app.record.inventory.set(key, { ...entry, deleting: 0 });
    }
  }
  if (decision.hold !== undefined) {
    const { guards, objects, reason } = decision.hold;
    for (const key of objects)
      note(key, { status: 'PruneSkipped', action: 'skipped', message: `held for confirmation (${guards.join(', ')})` });
    addEvent(app, deps.clock.now(), { type: 'Warning', reason: 'PruneHeld', message: reason });
    return;
  }
  if (decision.wait.length > 0) operation.retryAt = Math.min(...decision.wait.map((entry) => entry.until));
  await deleteItems(deps, app, operation, decision.delete, live, note);
}

/**
 * Flux's inventory holds what the newest revision holds: what is to stay is nobody's from then on, and the Kustomization is
 * as it should be (flux.md §2.6). In Argo CD it stays the application's, out of sync (argo-cd.md §2.5).
 */
function letGo(deps: PruneDeps, app: AppRuntime, key: string): void {
  dropEntry(deps, app, key);
  deps.handedOver(key);
}

type Note = (key: string, outcome: Pick<ResourceResult, 'status' | 'message' | 'action'>) => void;

async function deleteItems(
  deps: PruneDeps,
  app: AppRuntime,
  operation: OperationProgress,
  items: readonly PruneItem[],
  live: ReadonlyMap<string, LiveObject | 'missing' | 'unknown'>,
  note: Note,
): Promise<void> {
  let failures = 0;
  for (const [index, item] of items.entries()) {
    const unhealthy = Math.max(0, degradedIn(app) - (operation.degraded ?? 0));
    const stop = stopReason({ failures, unhealthy, stopped: app.root.policy.suspended });
    if (stop !== undefined) {
      for (const { key } of items.slice(index))
        note(key, { status: 'SyncFailed', action: 'failed', message: `not pruned: ${stop} (G-08)` });
      return;
    }
    const now = deps.clock.now();
    const at = nextDeleteAt(deps.pruning.tempo, now);
    if (at > now) {
      operation.retryAt = at;
      operation.message = `pruning, ${items.length - index} objects to go`;
      return;
    }
    const current = {
      newestGeneration: newestGeneration(app),
      desired: app.desired.objects.has(item.key),
      live: live.get(item.key) ?? 'unknown',
    };
    if (!isStillDue(item, { generation: operation.generation }, current)) return;
    deps.pruning.tempo = afterDelete(deps.pruning.tempo, now);
    deps.pruning.recent = [...deps.pruning.recent.filter((time) => time > now - budgetWindowMs), now];
    if (!(await deleteItem(deps, app, operation, item, note))) failures += 1;
  }
}

/** False when the delete was refused. */
async function deleteItem(
  deps: PruneDeps,
  app: AppRuntime,
  operation: OperationProgress,
  item: PruneItem,
  note: Note,
): Promise<boolean> {
  const { key, uid, resourceVersion, version } = item;
  const id = parseKey(key);
  const kind = deps.cluster.kindOf({ ...id, version }) ?? deps.cluster.kindOf({ group: id.group, kind: id.kind });
  if (kind === undefined) return false;
  const { namespace, name } = id;
  const propagation = app.root.policy.prunePropagation;
  const deleted = await deps.cluster.delete({ kind, namespace, name, uid, resourceVersion, propagation });
  if (!deleted.ok && deleted.reason === 'conflict') {
    // It changed since it was judged: judged again in a moment.
    operation.retryAt = deps.clock.now() + 250;
    return true;
  }
  if (!deleted.ok) {
    note(key, { status: 'SyncFailed', action: 'failed', message: `${describeId(id)}: ${deleted.message}` });
    return false;
  }
  note(key, { status: 'Pruned', action: 'deleted', message: `${resourceName(id)} pruned` });
  addEvent(app, deps.clock.now(), { reason: 'Pruned', message: 'no longer desired', object: key });
  const entry = app.record.inventory.get(key);
  const gone = deleted.state === 'gone' || (await deps.cluster.get(kind, id))?.metadata.uid !== uid;
  if (gone) dropEntry(deps, app, key);
  else if (entry !== undefined) app.record.inventory.set(key, { ...entry, deleting: deps.clock.now() });
  return true;
}

/** Reads every candidate as it lives; what cannot be read is `unknown`, and then nothing happens to it (G-12). */
async function readCandidates(
  deps: PruneDeps,
  app: AppRuntime,
  keys: string[],
): Promise<Map<string, LiveObject | 'missing' | 'unknown'>> {
  const found = new Map<string, LiveObject | 'missing' | 'unknown'>();
  await inParallel(keys, readsAtOnce, async (key) => {
    try {
      const entry = await readEntry(deps, app, key);
      if (entry === undefined) found.set(key, 'unknown');
      else if (entry.live === undefined) found.set(key, 'missing');
      else found.set(key, { ...liveObjectOf(entry.live), ...(await consequencesOf(deps, entry.live)) });
    } catch (error) {
      if (error instanceof HawserError && error.code === 'cluster-unreachable') throw error;
      found.set(key, 'unknown');
    }
  });
  return found;
}

/** What would go along: instances of a definition, the volume behind a claim (G-04). */
async function consequencesOf(
  deps: PruneDeps,
  live: KubeObject,
): Promise<Pick<LiveObject, 'instances' | 'reclaimPolicy'>> {
  const spec = isJsonObject(live['spec']) ? live['spec'] : {};
  if (live.kind === 'CustomResourceDefinition') {
    const names = isJsonObject(spec['names']) ? spec['names'] : {};
    const kind = deps.cluster.kindOf({ group: String(spec['group'] ?? ''), kind: String(names['kind'] ?? '') });
    if (kind === undefined) return { instances: 0 };
    let instances = 0;
    for await (const page of deps.cluster.list(kind)) instances += page.length;
    return { instances };
  }
  const volume = spec['volumeName'];
  if (live.kind !== 'PersistentVolumeClaim' || typeof volume !== 'string') return {};
  const kind = deps.cluster.kindOf({ group: '', kind: 'PersistentVolume' });
  const found =
    kind === undefined
      ? undefined
      : await deps.cluster.get(kind, { group: '', kind: 'PersistentVolume', namespace: '', name: volume });
  const { reclaimPolicy } = found === undefined ? {} : liveObjectOf(found);
  return reclaimPolicy === undefined ? {} : { reclaimPolicy };
}

function degradedIn(app: AppRuntime): number {
  let degraded = 0;
  for (const [key, seen] of app.observed)
    if (seen.health?.status === 'Degraded' && app.desired.objects.has(key)) degraded += 1;
  return degraded;
}

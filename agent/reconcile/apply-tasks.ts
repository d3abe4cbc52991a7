import { describeId } from '#shared/domain/kube-object.ts';
import { inParallel } from '#shared/domain/parallel.ts';
import type { OperationProgress } from '../state/record.ts';
import { ensureNamespace } from './ensure-namespace.ts';
import { prepareHook } from './hook-objects.ts';
import type { ReconcileDeps } from './deps.ts';
import type { Task } from './model.ts';
import { asking, takeApplied } from './observe.ts';
import { addEvent, type AppRuntime } from './runtime.ts';
import { resourceName, resultKeyOf, resultOf } from './tasks.ts';
import { writeObject, type WriteOutcome } from './write-object.ts';

const perApplication = 16;
const firstBackoffMs = 500;
const longestBackoffMs = 60_000;
/** A kind that is still unknown after this long counts as a failure (FT-64). */
const transientPatienceMs = 120_000;

/**
 * Applies the tasks of one step, kind by kind in order, the objects of a kind at once. Every outcome goes into the
 * operation's results and the record; one object's failure does not stop the others. What only time can cure leaves no
 * result, so that the next decision tries it again after a back-off.
 */
export async function applyTasks(deps: ReconcileDeps, app: AppRuntime, tasks: Task[]): Promise<void> {
  const operation = app.record.operation as OperationProgress;
  const next: OperationProgress = { ...operation, results: { ...operation.results } };
  delete next.retryAt;
  app.record = { ...app.record, operation: next };
  const waiting: string[] = [];
  if (!next.dryRun) {
    const refusal = await ensureNamespace(deps, app);
    if (refusal !== undefined) deps.log.warn({ application: app.id, reason: refusal }, 'namespace was not created');
  }
  for (const group of groupsOf(tasks)) {
    await inParallel(group, perApplication, async (task) => {
      const message = await applyTask(deps, app, next, task);
      if (message !== undefined) waiting.push(message);
    });
    if (group[0]?.object.id.kind === 'CustomResourceDefinition' && !next.dryRun) await waitEstablished(deps, group);
  }
  if (waiting.length > 0) backOff(deps, app, next, waiting);
  else forgetBackOff(app);
  const done = Object.values(next.results).filter((result) => result.action !== 'failed').length;
  if (waiting.length === 0) next.message = `${done} objects applied`;
}

/** Runs of the same kind, in the order of the step. */
function groupsOf(tasks: Task[]): Task[][] {
  const groups: Task[][] = [];
  for (const task of tasks) {
    const last = groups.at(-1);
    const first = last?.[0];
    const same = first?.object.id.kind === task.object.id.kind && first.object.id.group === task.object.id.group;
    if (last !== undefined && same) last.push(task);
    else groups.push([task]);
  }
  return groups;
}

/** Returns a message when the task has to be tried again later. */
async function applyTask(
  deps: ReconcileDeps,
  app: AppRuntime,
  operation: OperationProgress,
  task: Task,
): Promise<string | undefined> {
  const { object } = task;
  const resultKey = resultKeyOf(task);
  const note = (outcome: Parameters<typeof resultOf>[1]) => (operation.results[resultKey] = resultOf(task, outcome));
  if (object.options?.skip === true) {
    note({ status: 'Synced', action: 'skipped', message: `${describeId(object.id)} skipped` });
    return undefined;
  }
  if (!deps.owners.claim(object.key, app.id)) {
    return noteShared(
      app,
      operation,
      task,
      `${describeId(object.id)} is part of application ${deps.owners.ownerOf(object.key)} as well; it is left alone`,
    );
  }
  const { id } = object;
  if (!operation.dryRun) deps.watch(id.group, id.kind, id.version, id.namespace);
  let text: string | undefined;
  if (object.hook !== undefined) {
    const prepared = await prepareHook(deps, app, operation, task);
    if (prepared.wait !== undefined) return prepared.wait;
    text = prepared.text;
  }
  const { dryRun, force } = operation;
  return asking(app, object.key, async () => {
    const outcome = await writeObject(deps, app, object, { dryRun, force, ...(text === undefined ? {} : { text }) });
    return noteOutcome(app, operation, task, outcome);
  });
}

/** Notes an outcome in the operation; a message says that the task has to be tried again later. */
function noteOutcome(
  app: AppRuntime,
  operation: OperationProgress,
  task: Task,
  outcome: WriteOutcome,
): string | undefined {
  if (outcome.state === 'transient') return outcome.message;
  if (outcome.state === 'shared') return noteShared(app, operation, task, outcome.message);
  const key = resultKeyOf(task);
  if (outcome.state === 'refused') {
    operation.results[key] = resultOf(task, { status: 'SyncFailed', action: 'failed', message: outcome.message });
    return undefined;
  }
  const { action, live } = outcome;
  const message = `${resourceName(task.object.id)} ${action}${operation.dryRun ? ' (dry run)' : ''}`;
  operation.results[key] = resultOf(task, { status: 'Synced', action, message });
  if (operation.dryRun) return undefined;
  takeWritten(app, task, live.metadata.uid ?? '');
  takeApplied(app, task.object.key, live);
  return undefined;
}

/** The inventory learns what was written; a foreign owner's claim is over. */
function takeWritten(app: AppRuntime, { object }: Task, uid: string): void {
  app.record.inventory.set(object.key, {
    uid,
    version: object.id.version,
    digest: object.digest,
    ...(object.hook === undefined ? {} : { hook: true }),
    ...(object.wave === 0 ? {} : { wave: object.wave }),
  });
  app.shared.delete(object.key);
  app.drifts.delete(object.key);
}

/** FT-91: the first owner keeps it; ours is a warning, or a failure where the policy wants that. */
function noteShared(app: AppRuntime, operation: OperationProgress, task: Task, message: string): undefined {
  const fails = app.root.policy.failOnSharedResource;
  operation.results[resultKeyOf(task)] = resultOf(task, {
    status: fails ? 'SyncFailed' : 'Synced',
    action: fails ? 'failed' : 'skipped',
    message,
  });
  app.shared.add(task.object.key);
  // It was never ours: the intent is withdrawn.
  if (app.record.inventory.get(task.object.key)?.uid === '') app.record.inventory.delete(task.object.key);
  return undefined;
}

function backOff(deps: ReconcileDeps, app: AppRuntime, operation: OperationProgress, waiting: string[]): void {
  const now = deps.clock.now();
  app.transient += 1;
  app.transientSince ??= now;
  const delay = Math.min(longestBackoffMs, firstBackoffMs * 2 ** (app.transient - 1)) * (0.5 + deps.random() / 2);
  operation.retryAt = now + delay;
  operation.message = `waiting: ${waiting.slice(0, 3).join('; ')}`;
}

function forgetBackOff(app: AppRuntime): void {
  app.transient = 0;
  app.transientSince = undefined;
}

/** Custom resources can be applied once their definition is established; asks every 50 ms, 10 s at most. */
async function waitEstablished(deps: ReconcileDeps, tasks: Task[]): Promise<void> {
  const kind = deps.cluster.kindOf({ group: 'apiextensions.k8s.io', kind: 'CustomResourceDefinition' });
  if (kind === undefined) return;
  const deadline = deps.clock.monotonic() + 10_000;
  const open = new Set(tasks.map((task) => task.object));
  while (open.size > 0 && deps.clock.monotonic() < deadline) {
    for (const object of open) {
      const live = await deps.cluster.get(kind, object.id);
      if (live === undefined || isEstablished(live['status'])) open.delete(object);
    }
    if (open.size > 0) await deps.clock.sleep(50);
  }
  await deps.cluster.discover();
}

function isEstablished(status: unknown): boolean {
  const conditions = (status as { conditions?: { type: string; status: string }[] } | undefined)?.conditions ?? [];
  return conditions.some((condition) => condition.type === 'Established' && condition.status === 'True');
}

/** After too long, what was taken for transient becomes a failure that the retry policy counts. */
export function failTransient(deps: ReconcileDeps, app: AppRuntime, tasks: Task[]): void {
  const { operation } = app.record;
  if (operation === undefined || app.transientSince === undefined) return;
  if (deps.clock.now() < app.transientSince + transientPatienceMs) return;
  const results = { ...operation.results };
  for (const task of tasks) {
    results[resultKeyOf(task)] ??= resultOf(task, {
      status: 'SyncFailed',
      action: 'failed',
      message: operation.message,
    });
  }
  app.record = { ...app.record, operation: { ...operation, results } };
  addEvent(app, deps.clock.now(), { type: 'Warning', reason: 'Pending', message: operation.message });
  forgetBackOff(app);
}

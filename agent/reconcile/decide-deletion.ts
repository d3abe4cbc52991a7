import { describeId } from '#shared/domain/kube-object.ts';
import type { AppRecord, InventoryEntry, OperationProgress } from '../state/record.ts';
import { decideLeaving, hooksToDelete } from './decide-operation.ts';
import type { Decision, Facts, Step } from './model.ts';
import { hookStateOf, resultKeyOf, withCompleted } from './tasks.ts';

/**
 * A deletion order (G-10): signed, of the newest generation, not expired. Runs PreDelete hooks, deletes what the inventory
 * holds, last wave first, runs PostDelete hooks, and forgets the application when all of it is gone (argo-cd.md §2.9).
 */
export function decideDeletion(facts: Facts): Decision {
  const { root, record, now } = facts;
  const order = root.deletion;
  if (order === undefined) return { do: 'wait' };
  if (record.deletion?.state === 'done') return { do: 'forget' };
  if (record.deletion?.state !== 'running') {
    if (Date.parse(order.until) <= now) {
      const message = `the deletion order of ${order.by} expired at ${order.until}: nothing was deleted`;
      return { do: 'wait', message, problem: true };
    }
    return { do: 'save', record: beginDeletion(facts) };
  }
  if (order.cascade !== 'orphan') {
    const next =
      decideHooks(facts, facts.desired.preDeleteSteps()) ??
      decideDeletes(facts) ??
      decideHooks(facts, facts.desired.postDeleteSteps());
    if (next !== undefined) return next;
    const hooks = hooksToDelete(facts, record.operation as OperationProgress, 'HookSucceeded');
    if (hooks.length > 0) return { do: 'delete-hooks', keys: hooks };
  }
  return { do: 'save', record: { ...record, deletion: { ...record.deletion, state: 'done' } } };
}

/** The intent: what hooks may create is in the inventory, and people see an operation. */
function beginDeletion(facts: Facts): AppRecord {
  const { root, record, now } = facts;
  const order = root.deletion as NonNullable<typeof root.deletion>;
  const inventory = new Map(record.inventory);
  for (const { object } of hookTasks(facts)) {
    const entry: InventoryEntry = { uid: '', version: object.id.version, digest: '', hook: true };
    if (order.cascade !== 'orphan' && !inventory.has(object.key)) inventory.set(object.key, entry);
  }
  const operation: OperationProgress = {
    phase: 'Running',
    message: 'deleting',
    generation: root.generation,
    revision: root.revision,
    startedAt: new Date(now).toISOString(),
    initiatedBy: { username: order.by },
    retryCount: 0,
    prune: false,
    force: false,
    dryRun: false,
    step: 0,
    results: {},
  };
  return { ...record, inventory, operation, deletion: { state: 'running' } };
}

function hookTasks(facts: Facts) {
  return [...facts.desired.preDeleteSteps(), ...facts.desired.postDeleteSteps()].flatMap((step) => step.tasks);
}

/** Runs the hooks of these steps one step after another; undefined once all have succeeded. */
function decideHooks(facts: Facts, steps: Step[]): Decision | undefined {
  const operation = facts.record.operation as OperationProgress;
  if (operation.retryAt !== undefined && operation.retryAt > facts.now) {
    return { do: 'wait', until: operation.retryAt, message: operation.message };
  }
  for (const { tasks } of steps) {
    const pending = tasks.filter((task) => operation.results[resultKeyOf(task)] === undefined);
    if (pending.length > 0) return { do: 'apply', operation, tasks: pending };
    for (const task of tasks) {
      const state = hookStateOf(facts, operation, task);
      const what = `hook ${describeId(task.object.id)}`;
      if (state.phase === 'Failed') return { do: 'wait', message: `${what} failed: ${state.message}`, problem: true };
      if (state.phase === 'Running') return { do: 'wait', message: `waiting for completion of ${what}` };
    }
    const noted = withCompleted(operation, tasks);
    if (noted.completed?.length !== operation.completed?.length) {
      return { do: 'save', record: { ...facts.record, operation: noted } };
    }
  }
  return undefined;
}

/** Deletes wave by wave, highest first, and waits until each is gone. Kept objects are not in the way. */
function decideDeletes(facts: Facts): Decision | undefined {
  const { record } = facts;
  const spared = new Set(record.deletion?.kept);
  for (const { object } of hookTasks(facts)) spared.add(object.key);
  const waveOf = (key: string) => record.inventory.get(key)?.wave ?? 0;
  const keys = [...record.inventory.keys()].filter((key) => !spared.has(key));
  const wave = Math.max(...keys.map(waveOf));
  const now = keys.filter((key) => waveOf(key) === wave);
  const open = now.filter((key) => record.inventory.get(key)?.deleting === undefined);
  if (open.length > 0) return { do: 'delete', keys: open };
  return decideLeaving(facts, now);
}

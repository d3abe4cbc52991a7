import { describeId } from '#shared/domain/kube-object.ts';
import type { Health, ResourceResult } from '#shared/domain/status.ts';
import type { AppRecord, OperationProgress } from '../state/record.ts';
import { extrasOf, standingOf } from './compare-state.ts';
import { decideMissing } from './decide-corrections.ts';
import type { Decision, Facts, Step, Task } from './model.ts';
import { hookStateOf, resultKeyOf, withCompleted, withFailedHooks } from './tasks.ts';

/** Before a prune: long enough for a newer generation to speak up (G-07; design.md §5). */
export const tombstoneDelayMs = 5000;

/** What a running operation does next. Waiting is an answer, not a blocked worker: events wake the application. */
export function decideOperation(facts: Facts): Decision {
  const operation = facts.record.operation as OperationProgress;
  if (operation.retryAt !== undefined && operation.retryAt > facts.now) {
    return { do: 'wait', until: operation.retryAt, message: operation.message };
  }
  if (operation.again === true) {
    const { again: _, retryAt: __, completed: ___, ...rest } = operation;
    return { do: 'keep', record: withOperation(facts.record, { ...rest, results: keptResults(operation) }) };
  }
  const steps = stepsOfOperation(facts, operation);
  const step = steps[operation.step];
  return step === undefined ? decideEnd(facts, operation) : decideStep(facts, operation, step, steps.length);
}

/** The steps of an operation: a selection runs no hooks (argo-cd.md §2.7), a failed one runs what is meant for failures. */
function stepsOfOperation(facts: Facts, operation: OperationProgress): Step[] {
  if (operation.failure !== undefined) return facts.desired.failSteps();
  const selected = operation.selected === undefined ? undefined : new Set(operation.selected);
  const steps = facts.desired.steps(selected === undefined && !operation.dryRun);
  if (selected === undefined) return steps;
  return steps
    .map((step) => ({ ...step, tasks: step.tasks.filter((task) => selected.has(task.object.key)) }))
    .filter((step) => step.tasks.length > 0);
}

function decideStep(facts: Facts, operation: OperationProgress, step: Step, count: number): Decision {
  const pending = step.tasks.filter((task) => isPending(facts, operation, task));
  // After a restart «not observed» may only mean «not listed yet»: applying then would write without need.
  const early = !facts.complete && facts.now < facts.patientUntil;
  if (early && pending.some((task) => isUncertain(facts, task))) {
    return { do: 'wait', until: facts.patientUntil, message: 'waiting for watches' };
  }
  if (pending.length > 0) return { do: 'apply', operation, tasks: pending };
  const refused = step.tasks.filter((task) => operation.results[resultKeyOf(task)]?.status === 'SyncFailed');
  if (refused.length > 0) {
    const only = refused.map((task) => operation.results[resultKeyOf(task)]?.message).slice(0, 3);
    return decideFailure(facts, operation, `one or more objects failed to apply, reason: ${only.join('; ')}`);
  }
  const last = operation.step === count - 1;
  const waits = !last || step.tasks.some((task) => task.object.hook !== undefined) || facts.root.policy.wait;
  if (waits && !operation.dryRun) {
    const tasks = facts.root.policy.wait && last ? allTasks(facts, operation, step) : step.tasks;
    const gate = gateOf(facts, operation, tasks);
    if (gate.failed !== undefined) return decideFailure(facts, withFailedHooks(facts, operation, tasks), gate.failed);
    if (gate.waiting !== undefined) {
      const { due, at } = decideMissing(facts, tasks);
      return due.length > 0 ? { do: 'correct', keys: due } : waitForHealth(facts, operation, gate.waiting, at);
    }
  }
  const { waitingSince: _, ...rest } = operation;
  const next = withOperation(facts.record, withCompleted({ ...rest, step: operation.step + 1 }, step.tasks));
  // The end is saved as the operation's completion; a border between steps is saved, because hooks must not run twice.
  return last ? { do: 'keep', record: next } : { do: 'save', record: next };
}

/** With Flux's `wait` the whole application must be healthy in the end, not only the last wave. */
function allTasks(facts: Facts, operation: OperationProgress, step: Step): Task[] {
  if (operation.selected !== undefined) return step.tasks;
  const others = facts.desired
    .steps(true)
    .flatMap((each) => each.tasks)
    .filter((task) => task.object.hook === undefined);
  return [...step.tasks.filter((task) => task.object.hook !== undefined), ...others];
}

function isPending(facts: Facts, operation: OperationProgress, task: Task): boolean {
  if (operation.results[resultKeyOf(task)] !== undefined) return false;
  if (task.object.hook !== undefined) return true;
  if (operation.dryRun) return true;
  const standing = standingOf({ ...facts, comparisons: noComparisons }, task.object);
  return standing !== 'same';
}

const noComparisons = new Map<string, never>();

function isUncertain(facts: Facts, task: Task): boolean {
  const entry = facts.record.inventory.get(task.object.key);
  return entry !== undefined && entry.digest === task.object.digest && !facts.observed.has(task.object.key);
}

interface Gate {
  waiting?: string;
  failed?: string;
}

/** Hooks must have completed, objects must be healthy; one that is Degraded ends the operation. */
function gateOf(facts: Facts, operation: OperationProgress, tasks: Task[]): Gate {
  const unready: Task[] = [];
  for (const task of tasks) {
    if (task.object.hook !== undefined) {
      const state = hookStateOf(facts, operation, task);
      if (state.phase === 'Failed') return { failed: `hook ${describeId(task.object.id)} failed: ${state.message}` };
      if (state.phase === 'Running') unready.push(task);
      continue;
    }
    if (task.object.options?.skip === true || task.object.options?.ignoreHealth === true) continue;
    const seen = facts.observed.get(task.object.key);
    const health: Health | undefined = seen === undefined ? { status: 'Missing' } : seen.health;
    if (health?.status === 'Degraded') {
      return { failed: `${describeId(task.object.id)} is degraded${health.message ? `: ${health.message}` : ''}` };
    }
    if (health !== undefined && health.status !== 'Healthy') unready.push(task);
  }
  const [first] = unready;
  if (first === undefined) return {};
  const what = first.object.hook === undefined ? 'healthy state' : 'completion of hook';
  const { group, kind, name } = first.object.id;
  const more = unready.length > 1 ? ` and ${unready.length - 1} more ${first.object.hook ? 'hooks' : 'resources'}` : '';
  return { waiting: `waiting for ${what} of ${group}/${kind}/${name}${more}` };
}

/** Waits for events, no longer than until `at` (ms since 1970) or the policy's time-out, which ends it. */
function waitForHealth(facts: Facts, operation: OperationProgress, message: string, at: number): Decision {
  const { now, root } = facts;
  const { timeoutSeconds } = root.policy;
  const since = operation.waitingSince;
  if (since === undefined) {
    return { do: 'keep', record: withOperation(facts.record, { ...operation, message, waitingSince: now }) };
  }
  if (timeoutSeconds !== undefined && now >= since + timeoutSeconds * 1000) {
    return decideFailure(facts, operation, `timed out after ${timeoutSeconds} s, ${message}`);
  }
  const until = Math.min(at, timeoutSeconds === undefined ? Infinity : since + timeoutSeconds * 1000);
  return { do: 'wait', message, ...(Number.isFinite(until) ? { until } : {}) };
}

/** Everything is applied: prune, clean up hooks, finish. Prunes come last of all (design.md §3.1, INV-20). */
function decideEnd(facts: Facts, operation: OperationProgress): Decision {
  if (operation.failure !== undefined) return endFailed(facts, operation, operation.failure);
  const selected = operation.selected === undefined ? undefined : new Set(operation.selected);
  const extras = extrasOf(facts).filter((key) => selected === undefined || selected.has(key));
  if (!operation.dryRun) {
    const open = extras.filter((key) => operation.results[key] === undefined);
    if (open.length > 0 && !operation.prune && facts.root.kind !== 'Kustomization')
      return { do: 'keep', record: withOperation(facts.record, skipPrunes(facts, operation, open)) };
    if (open.length > 0) {
      const due = Math.max(
        ...open.map((key) => (facts.record.inventory.get(key)?.tombstone?.since ?? facts.now) + tombstoneDelayMs),
      );
      if (due > facts.now) return { do: 'wait', until: due, message: `waiting to prune ${open.length} objects` };
      return { do: 'prune', operation, keys: open };
    }
    const failed = extras.filter((key) => operation.results[key]?.status === 'SyncFailed');
    if (failed.length > 0) {
      return decideFailure(
        facts,
        operation,
        `failed to prune: ${failed
          .map((key) => operation.results[key]?.message)
          .slice(0, 3)
          .join('; ')}`,
      );
    }
    const leaving = decideLeaving(facts, extras);
    if (leaving !== undefined) return leaving;
    const hooks = hooksToDelete(facts, operation, 'HookSucceeded');
    if (hooks.length > 0) return { do: 'delete-hooks', keys: hooks };
  }
  return { do: 'save', record: succeeded(facts, operation), event: 'finished' };
}

/** How often a deletion that takes long is asked about where no watch tells. */
const confirmEveryMs = 5000;

/** Objects whose deletion was accepted are waited for, and forgotten only when a read says that they are gone (INV-25). */
export function decideLeaving(facts: Facts, keys: string[]): Decision | undefined {
  const leaving = keys.flatMap((key) => {
    const since = facts.record.inventory.get(key)?.deleting;
    return since === undefined ? [] : [{ key, due: facts.observed.has(key) ? since + confirmEveryMs : 0 }];
  });
  if (leaving.length === 0) return undefined;
  const due = leaving.filter((entry) => entry.due <= facts.now);
  if (due.length > 0) return { do: 'confirm-gone', keys: due.map((entry) => entry.key) };
  const more = leaving.length > 1 ? ` and ${leaving.length - 1} more` : '';
  const until = Math.min(...leaving.map((entry) => entry.due));
  return { do: 'wait', until, message: `waiting for deletion of ${leaving[0]?.key}${more}` };
}

function skipPrunes(facts: Facts, operation: OperationProgress, keys: string[]): OperationProgress {
  const results = { ...operation.results };
  for (const key of keys) {
    const [group = '', kind = '', namespace = '', name = ''] = key.split('/');
    const version = facts.record.inventory.get(key)?.version ?? '';
    results[key] = {
      group,
      version,
      kind,
      namespace,
      name,
      status: 'PruneSkipped',
      message: 'ignored (requires pruning)',
      action: 'skipped',
      phase: 'Sync',
    };
  }
  return { ...operation, results };
}

/** Hook objects of this operation whose delete policy names the outcome and that still exist. */
export function hooksToDelete(
  facts: Facts,
  operation: OperationProgress,
  policy: 'HookSucceeded' | 'HookFailed',
): string[] {
  const keys: string[] = [];
  for (const object of facts.desired.objects.values()) {
    if (object.hook?.deletePolicies.includes(policy) !== true) continue;
    const entry = facts.record.inventory.get(object.key);
    if (entry === undefined || entry.uid === '' || entry.deleting !== undefined) continue;
    // PreDelete has no phase of its own.
    const phases = object.hook.phases.length === 0 ? (['PreSync'] as const) : object.hook.phases;
    const states = phases.map((phase) => hookStateOf(facts, operation, { object, phase, wave: object.wave }));
    const wanted = policy === 'HookSucceeded' ? 'Succeeded' : 'Failed';
    if (states.some((state) => state.phase === wanted)) keys.push(object.key);
  }
  return keys;
}

function succeeded(facts: Facts, operation: OperationProgress): AppRecord {
  const { record, root, now } = facts;
  const at = new Date(now).toISOString();
  const held = Object.values(operation.results).filter((result) => result.status === 'PruneSkipped').length;
  const { waitingSince: _, retryAt: __, ...rest } = operation;
  const message = operation.dryRun
    ? 'successfully synced (dry run)'
    : `successfully synced (${held > 0 ? `${held} objects not pruned` : 'all tasks run'})`;
  const done: OperationProgress = { ...rest, phase: 'Succeeded', message, finishedAt: at };
  const complete =
    !operation.dryRun &&
    [...facts.desired.objects.values()].every((object) => isApplied(facts, object.key, object.digest));
  return {
    ...record,
    operation: done,
    ...(complete ? { applied: { generation: root.generation, revision: root.revision, at } } : {}),
  };
}

function isApplied(facts: Facts, key: string, digest: string): boolean {
  const object = facts.desired.objects.get(key);
  if (object?.hook !== undefined || object?.options?.skip === true || object?.options?.ifNotPresent === true)
    return true;
  return facts.record.inventory.get(key)?.digest === digest;
}

/** Runs SyncFail hooks if there are any, then tries again or gives up, as the policy says. */
function decideFailure(facts: Facts, operation: OperationProgress, failure: string): Decision {
  if (operation.failure === undefined && facts.desired.failSteps().length > 0 && operation.selected === undefined) {
    const { waitingSince: _, ...rest } = operation;
    return { do: 'save', record: withOperation(facts.record, { ...rest, failure, step: 0 }) };
  }
  return endFailed(facts, operation, operation.failure ?? failure);
}

function endFailed(facts: Facts, operation: OperationProgress, failure: string): Decision {
  const hooks = hooksToDelete(facts, operation, 'HookFailed');
  if (hooks.length > 0) return { do: 'delete-hooks', keys: hooks };
  const { limit, seconds, factor, maxSeconds } = facts.root.policy.retry;
  const { failure: _, waitingSince: __, retryAt: ___, degraded: ____, ...rest } = operation;
  const retries = limit < 0 || operation.retryCount < limit;
  if (retries && !operation.dryRun) {
    const delay = Math.min(seconds * factor ** operation.retryCount, maxSeconds) * 1000;
    const retryCount = operation.retryCount + 1;
    const message = `${failure}. Retrying attempt #${retryCount} in ${Math.round(delay / 1000)} s.`;
    const next: OperationProgress = {
      ...rest,
      message,
      retryCount,
      retryAt: facts.now + delay,
      step: 0,
      again: true,
    };
    return { do: 'save', record: withOperation(facts.record, next), event: 'failed' };
  }
  const tried = operation.retryCount > 0 ? ` (retried ${operation.retryCount} times)` : '';
  const done: OperationProgress = {
    ...rest,
    phase: 'Failed',
    message: `${failure}${tried}`,
    finishedAt: new Date(facts.now).toISOString(),
  };
  return { do: 'save', record: withOperation(facts.record, done), event: 'failed' };
}

/** A new try starts over with what failed; what was applied stays applied. Hooks run again (argo-cd.md §2.6). */
function keptResults(operation: OperationProgress): Record<string, ResourceResult> {
  const kept = Object.entries(operation.results).filter(
    ([, result]) => result.status !== 'SyncFailed' && result.hookType === undefined && result.status !== 'PruneSkipped',
  );
  return Object.fromEntries(kept);
}

function withOperation(record: AppRecord, operation: OperationProgress): AppRecord {
  return { ...record, operation };
}

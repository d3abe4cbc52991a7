import type { ObjectId } from '#shared/domain/kube-object.ts';
import type { ResourceResult } from '#shared/domain/status.ts';
import type { OperationProgress } from '../state/record.ts';
import type { Facts, Task } from './model.ts';

/** Where an operation notes what a task did: objects by key, hooks by phase and key, because one may run in several. */
export function resultKeyOf(task: Task): string {
  return task.object.hook === undefined ? task.object.key : `${task.phase} ${task.object.key}`;
}

/** How far a hook has come: its health is its state (argo-cd.md §2.7 step 4); what is noted once stays. */
export function hookStateOf(
  facts: Pick<Facts, 'observed' | 'complete'>,
  operation: OperationProgress,
  task: Task,
): { phase: 'Running' | 'Succeeded' | 'Failed'; message: string } {
  const result = operation.results[resultKeyOf(task)];
  if (result === undefined) return { phase: 'Running', message: 'not started' };
  if (operation.completed?.includes(resultKeyOf(task)) === true) return { phase: 'Succeeded', message: '' };
  if (result.status === 'SyncFailed') return { phase: 'Failed', message: result.message };
  const seen = facts.observed.get(task.object.key);
  if (seen === undefined) {
    if (!facts.complete) return { phase: 'Running', message: 'not observed yet' };
    return { phase: 'Failed', message: 'it is gone, somebody deleted it' };
  }
  const message = seen.health?.message ?? '';
  if (seen.health === undefined || seen.health.status === 'Healthy') return { phase: 'Succeeded', message };
  if (seen.health.status === 'Degraded' || seen.health.status === 'Unknown') return { phase: 'Failed', message };
  return { phase: 'Running', message };
}

/** The result entry for a task. */
export function resultOf(
  task: Pick<Task, 'object' | 'phase'>,
  outcome: Pick<ResourceResult, 'status' | 'message' | 'action'>,
): ResourceResult {
  return {
    ...task.object.id,
    ...outcome,
    message: outcome.message.slice(0, 2000),
    phase: task.phase,
    ...(task.object.hook === undefined ? {} : { hookType: task.phase }),
  };
}

/** `deployment.apps/web`: how kubectl and Argo CD name an object in results. */
export function resourceName({ group, kind, name }: ObjectId): string {
  return `${kind.toLowerCase()}${group === '' ? '' : `.${group}`}/${name}`;
}

/** The operation with these hooks noted as completed. */
export function withCompleted(operation: OperationProgress, tasks: readonly Task[]): OperationProgress {
  const hooks = tasks.filter((task) => task.object.hook !== undefined).map(resultKeyOf);
  if (hooks.length === 0) return operation;
  return { ...operation, completed: [...new Set([...(operation.completed ?? []), ...hooks])] };
}

/** The operation with what became of hooks that failed after they were applied: until then their results say `created`. */
export function withFailedHooks(
  facts: Pick<Facts, 'observed' | 'complete'>,
  operation: OperationProgress,
  tasks: readonly Task[],
): OperationProgress {
  const results = { ...operation.results };
  for (const task of tasks) {
    const key = resultKeyOf(task);
    const result = results[key];
    if (task.object.hook === undefined || result === undefined || result.status === 'SyncFailed') continue;
    const state = hookStateOf(facts, operation, task);
    if (state.phase === 'Failed') results[key] = { ...result, action: 'failed', message: state.message.slice(0, 2000) };
  }
  return { ...operation, results };
}

import type { ApplicationDetail } from '#shared/messages/api.ts';
import type { Accepted } from '#shared/messages/api-changes.ts';

/** A change that the service accepted and the agent has not reported yet. */
export interface Pending {
  what: 'Sync' | 'Rollback' | 'Prune' | 'Deletion';
  generation: number;
}

/** What to wait for after an answer; undefined where the answer names no generation. */
export function pendingOf(what: Pending['what'], accepted: Accepted): Pending | undefined {
  return accepted.generation === undefined ? undefined : { what, generation: accepted.generation };
}

/** True once an operation of this generation or a later one is under way or done: from then on the operation itself is shown. */
export function isAnswered(pending: Pending, app: Pick<ApplicationDetail, 'operationState'>): boolean {
  return (app.operationState?.generation ?? 0) >= pending.generation;
}

import type { Application } from '#shared/domain/application.ts';
import type { ApplicationStatus, Condition, ConditionType } from '#shared/domain/status.ts';
import type { PublishJob } from '#shared/messages/publish-job.ts';
import { writeEvents } from '#shared/state/events.ts';
import { readHead } from '#shared/state/heads.ts';
import { isSourceFailure, updateStatus } from '#shared/state/status.ts';
import type { PublishDeps } from './handle-publish-job.ts';
import { keepPromise, rememberPromise } from './keep-promise.ts';

/** Shows why a revision did not become a snapshot; the head stays (INV-26). What an older job says does not count. */
export async function showFailure(
  deps: PublishDeps,
  job: PublishJob,
  application: Application,
  type: ConditionType,
  message: string,
): Promise<void> {
  const now = new Date(deps.clock.now()).toISOString();
  let shown = false;
  await rememberPromise(deps, job, application);
  await updateStatus(deps, job.organisation, application, now, (status) => {
    if (isOlder(status, job.generation)) return undefined;
    shown = status.sourceConditions[0]?.message !== message || status.sourceTicket === job.generation;
    const others = status.sourceConditions.filter((known) => !isSourceFailure(known));
    const sourceConditions = [conditionAt(type, message, now), ...others];
    return { ...status, sourceConditions, sourceTicket: job.generation };
  });
  const head = await readHead(deps.store, job.organisation, application.cluster, application.id);
  const decided = head?.value.decided ?? 0;
  if (decided > job.generation) {
    // A later plan has found all well, before there was anything to clear.
    await clearFailure(deps, { organisation: job.organisation, generation: decided }, application);
    if (job.intent.awaited) await keepPromise(deps, job.organisation, application, job.generation);
    return;
  }
  if (!shown) return;
  await writeFailure(deps, job, type, message);
}

/** A request that cannot be carried out says nothing about the source: it is only told. */
export async function showRefusal(deps: PublishDeps, job: PublishJob, message: string): Promise<void> {
  await writeFailure(deps, job, 'Refused', message);
}

async function writeFailure(deps: PublishDeps, job: PublishJob, reason: string, message: string): Promise<void> {
  const event = {
    at: job.at,
    type: 'Warning' as const,
    reason,
    message: message.slice(0, 4000),
    revision: job.intent.revision,
    generation: job.generation,
    by: job.intent.initiatedBy,
  };
  await writeEvents(deps.store, job.organisation, job.application, [event]);
  deps.metrics.count('publish_failures_total', { type: reason });
}

/** The inputs are as published again: what an older plan complained of is over. */
export async function clearFailure(
  deps: PublishDeps,
  job: Pick<PublishJob, 'organisation' | 'generation'>,
  application: Application,
): Promise<void> {
  const now = new Date(deps.clock.now()).toISOString();
  await updateStatus(deps, job.organisation, application, now, (status) => {
    const sourceConditions = status.sourceConditions.filter((known) => !isSourceFailure(known));
    return isOlder(status, job.generation) || sourceConditions.length === status.sourceConditions.length
      ? undefined
      : { ...status, sourceConditions, sourceTicket: job.generation };
  });
}

/** True where a later plan has had its word about the source. */
export function isOlder({ sourceTicket }: Pick<ApplicationStatus, 'sourceTicket'>, ticket: number): boolean {
  return (sourceTicket ?? 0) > ticket;
}

/** Trouble with permission or the declaration is InvalidSpecError in Argo CD, all else about sources ComparisonError. */
export function conditionOf(code: string): ConditionType {
  return code === 'not-permitted' || code === 'invalid-input' ? 'InvalidSpecError' : 'ComparisonError';
}

export function conditionAt(type: ConditionType, message: string, now: string): Condition {
  return { type, message: message.slice(0, 2000), lastTransitionTime: now };
}

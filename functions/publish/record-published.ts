import type { Application } from '#shared/domain/application.ts';
import type { SnapshotRoot } from '#shared/domain/snapshot.ts';
import type { ApplicationEvent } from '#shared/domain/status.ts';
import type { PublishJob } from '#shared/messages/publish-job.ts';
import { writeEvents } from '#shared/state/events.ts';
import { selfHealing } from '#shared/state/bring-back.ts';
import { applicationKey, sortKeys } from '#shared/state/keys.ts';
import { updateStatus } from '#shared/state/status.ts';
import type { Published, PublishDeps, StoredHistory } from './handle-publish-job.ts';
import { conditionAt, isOlder } from './show-failure.ts';

/** Writes history, status and an event about a generation that has become the head; the same however often it is done. */
export async function recordPublished(
  deps: PublishDeps,
  job: PublishJob,
  application: Application,
  published: Published,
): Promise<void> {
  const { root, warnings } = published;
  const now = new Date(deps.clock.now()).toISOString();
  const desired = {
    generation: root.generation,
    revision: root.revision,
    inputDigest: root.inputDigest,
    publishedAt: now,
    objectCount: root.objectCount,
    ...(root.commit === undefined ? {} : { commit: root.commit }),
  };
  const conditions = warnings
    .flatMap((warning) => {
      const type = warningTypes.find((each) => warning.startsWith(`${each}: `));
      return type === undefined ? [] : [conditionAt(type, warning.slice(type.length + 2), now)];
    })
    .slice(0, 20);
  const isRender = job.result.status === 'rendered';
  await Promise.all([
    writeHistory(deps, job, application, published, now),
    updateStatus(deps, job.organisation, application, now, (status) => ({
      ...status,
      ...((status.desired?.generation ?? 0) > root.generation ? {} : { desired }),
      // A request says nothing about the source.
      ...(!isRender || isOlder(status, job.generation)
        ? {}
        : { sourceConditions: conditions, sourceTicket: job.generation }),
    })),
    writeEvents(deps.store, job.organisation, application.id, eventsOf(job, root, warnings)),
  ]);
}

/** Warnings that stay with the application as conditions; others are events. */
const warningTypes = ['RepeatedResourceWarning', 'ExcludedResourceWarning'] as const;

/** Only what decides about the content becomes history: renders and rollbacks. */
async function writeHistory(
  deps: PublishDeps,
  job: PublishJob,
  application: Application,
  { root, content, decision }: Published,
  now: string,
): Promise<void> {
  const rollbackOf = job.result.status === 'repeat' ? job.result.of : undefined;
  if (job.result.status === 'repeat' && rollbackOf === undefined) return;
  const { chunks, objectCount, totalBytes, flags, inputDigest, revision, commit } = content;
  const history: StoredHistory = {
    id: root.generation,
    generation: root.generation,
    revision,
    publishedAt: now,
    initiatedBy: job.intent.initiatedBy,
    inputDigest,
    objectCount,
    cluster: root.cluster,
    content: {
      chunks,
      objectCount,
      totalBytes,
      flags,
      inputDigest,
      revision,
      ...(commit === undefined ? {} : { commit }),
    },
    ...(decision.declared === undefined ? {} : { declared: decision.declared }),
    ...(decision.guessed === undefined ? {} : { guessed: decision.guessed }),
    ...(commit === undefined ? {} : { commit }),
    ...(rollbackOf === undefined ? {} : { rollbackOf }),
  };
  // Absent only: a second delivery must not wipe out when it was deployed.
  await deps.store.put(
    {
      partition: applicationKey(job.organisation, application.id),
      sort: sortKeys.history(root.generation),
      revision: 1,
      value: history,
    },
    { absent: true },
  );
}

function eventsOf(job: PublishJob, root: SnapshotRoot, warnings: readonly string[]): ApplicationEvent[] {
  const base = {
    at: job.at,
    generation: root.generation,
    revision: root.revision,
    by: job.intent.initiatedBy,
  };
  const others = warnings.filter(
    (warning) => !warningTypes.some((type) => warning.startsWith(`${type}: `)) && warning !== 'uses-lookup',
  );
  return [
    { ...base, type: 'Normal', ...reasonOf(job, root) },
    ...(others.length === 0
      ? []
      : [
          {
            ...base,
            type: 'Warning' as const,
            reason: 'RenderWarning',
            message: others.join('\n').slice(0, 4000),
          },
        ]),
  ];
}

function reasonOf(job: PublishJob, root: SnapshotRoot): { reason: string; message: string } {
  const by = job.intent.initiatedBy;
  const short = root.revision.slice(0, 8);
  if (root.deletion)
    return {
      reason: 'DeletionOrdered',
      message: `deletion ordered by ${root.deletion.by} (${root.deletion.cascade})`,
    };
  const of = job.result.status === 'repeat' ? job.result.of : undefined;
  if (of !== undefined)
    return { reason: 'RolledBack', message: `generation ${of} (${short}) is desired again, by ${by}` };
  if (root.sync) return { reason: 'SyncRequested', message: `sync of ${short} asked for by ${root.sync.by}` };
  if (by === selfHealing)
    return { reason: 'DriftCorrected', message: 'the applications that it declares were declared again' };
  if (job.result.status === 'repeat') {
    return {
      reason: root.policy.suspended ? 'Suspended' : 'Resumed',
      message: `${root.policy.suspended ? 'suspended' : 'resumed'} by ${by}`,
    };
  }
  const subject = root.commit?.message.split('\n')[0] ?? '';
  return {
    reason: 'Published',
    message: `snapshot of ${short} with ${root.objectCount} objects${subject === '' ? '' : `: ${subject}`}`,
  };
}

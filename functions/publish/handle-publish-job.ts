import { HawserError, messageOf } from '#shared/errors.ts';
import type { Application } from '#shared/domain/application.ts';
import type { Project } from '#shared/domain/project.ts';
import type { SnapshotRoot } from '#shared/domain/snapshot.ts';
import type {
  ApplicationEvent,
  ApplicationStatus,
  Condition,
  ConditionType,
  HistoryEntry,
} from '#shared/domain/status.ts';
import type { PublishJob } from '#shared/messages/publish-job.ts';
import type { Log } from '#shared/ports/log.ts';
import type { Metrics } from '#shared/ports/metrics.ts';
import type { Queue } from '#shared/ports/queue.ts';
import type { Signer } from '#shared/ports/signer.ts';
import type { InputChunks, SnapshotChunks } from '#shared/state/chunks.ts';
import type { DeclareDeps } from '#shared/state/declare-context.ts';
import { serversOf } from '#shared/state/declare-application.ts';
import { writeEvents } from '#shared/state/events.ts';
import { moveHead } from '#shared/state/heads.ts';
import { applicationKey, inputsKey, sortKeys } from '#shared/state/keys.ts';
import { getApplication, getCluster, getProject, listClusters } from '#shared/state/registry.ts';
import { updateStatus } from '#shared/state/status.ts';
import { bindObjects } from './bind-objects.ts';
import { buildRoot, contentOf, cutChunks, type RootContent } from './build-root.ts';
import { publishRepeat } from './publish-repeat.ts';
import { registerChildren } from './register-children.ts';

export interface PublishDeps extends DeclareDeps {
  signer: Signer;
  publishJobs: Queue;
  inputs: InputChunks;
  snapshots: SnapshotChunks;
  log: Log;
  metrics: Metrics;
  defaultCluster(organisation: string): Promise<string>;
}

/** What a history row keeps: enough to bring the generation back. */
export interface StoredHistory extends HistoryEntry {
  content: RootContent;
}

/** Render outputs are found again for this long. */
const outputRetentionSeconds = 7 * 24 * 3600;

/**
 * Turns a render's output, or a repeat of an older one, into the newest snapshot of its application:
 * bind, check the fence, write chunks, then root and head (INV-10), then wake the agent, then tell people.
 * Any number of deliveries has the effect of one; a job that a later ticket has overtaken changes nothing (INV-04, INV-05).
 */
export function createPublishHandler(deps: PublishDeps): (job: PublishJob) => Promise<void> {
  return async function handlePublishJob(job) {
    const application = await getApplication(deps.store, job.organisation, job.application);
    if (application === undefined) return;
    const now = new Date(deps.clock.now()).toISOString();
    if (job.result.status === 'failed') {
      await showFailure(deps, job, application, conditionOf(job.result.code), job.result.message, now);
      return;
    }
    if (job.result.status === 'unchanged') {
      await clearFailure(deps, job, application, now);
      return;
    }
    try {
      const published = await publish(deps, job, application);
      if (published === undefined) return;
      deps.metrics.count('snapshots_published_total');
      await recordPublished(deps, job, application, published, now);
      if (published.declared !== undefined) await registerChildren(deps, job, application, published.declared);
    } catch (error) {
      if (!(error instanceof HawserError) || error.retry === 'later') throw error;
      await showFailure(deps, job, application, conditionOf(error.code), messageOf(error), now);
    }
  };
}

/** A generation that has become the head. */
export interface Published {
  root: SnapshotRoot;
  content: RootContent;
  warnings: string[];
  /** Objects to register; undefined where the content came from history. */
  declared?: Parameters<typeof registerChildren>[3];
}

async function publish(deps: PublishDeps, job: PublishJob, application: Application): Promise<Published | undefined> {
  const published =
    job.result.status === 'rendered'
      ? await publishRender(deps, job, application, job.result)
      : await publishRepeat(deps, job, application);
  const { id } = application;
  if (published === undefined) {
    deps.log.info({ application: id, generation: job.generation, trace: job.trace }, 'superseded by a later ticket');
    return undefined;
  }
  const { generation, revision, objectCount } = published.root;
  deps.log.info({ application: id, generation, revision, objects: objectCount, trace: job.trace }, 'published');
  return published;
}

async function publishRender(
  deps: PublishDeps,
  job: PublishJob,
  application: Application,
  result: Extract<PublishJob['result'], { status: 'rendered' }>,
): Promise<Published | undefined> {
  const { content, declared, warnings } = await renderedContent(deps, job, application, result);
  const { generation, intent } = job;
  const root = buildRoot(application, job, content, { generation, dependsOn: intent.dependsOn });
  return (await moveHead(deps, root)) ? { root, content, warnings, declared } : undefined;
}

async function renderedContent(
  deps: PublishDeps,
  job: PublishJob,
  application: Application,
  result: Extract<PublishJob['result'], { status: 'rendered' }>,
) {
  const output = await deps.inputs.read(job.organisation, result.output);
  if (output === undefined)
    throw new HawserError('snapshot-invalid', `render output ${result.output} is gone`, { retry: 'later' });
  const project = await requireProject(deps, job.organisation, application);
  const cluster = await getCluster(deps.store, job.organisation, application.cluster);
  if (cluster === undefined) throw new HawserError('not-found', `cluster ${application.cluster} is not registered`);
  const servers = serversOf(await listClusters(deps.store, job.organisation), application.cluster);
  const lines = splitLines(output);
  const bound = bindObjects(lines, { application, project, cluster, servers });
  const chunks = cutChunks(bound.texts);
  const digests = await Promise.all(
    chunks.map((chunk) => deps.snapshots.write(job.organisation, application.cluster, chunk)),
  );
  const warnings = [...result.warnings, ...bound.warnings];
  await deps.store.putMany([
    {
      partition: inputsKey(job.organisation),
      sort: sortKeys.output(job.intent.renderDigest),
      revision: 1,
      value: { output: result.output, warnings: result.warnings },
      expiresAt: Math.floor(deps.clock.now() / 1000) + outputRetentionSeconds,
    },
  ]);
  const flags = result.warnings.includes('uses-lookup') ? (['uses-lookup'] as const) : [];
  return { content: contentOf(job, bound.texts, chunks, digests, [...flags]), declared: bound.declared, warnings };
}

async function recordPublished(
  deps: PublishDeps,
  job: PublishJob,
  application: Application,
  published: Published,
  now: string,
): Promise<void> {
  const { root, content } = published;
  const desired = {
    generation: root.generation,
    revision: root.revision,
    inputDigest: root.inputDigest,
    publishedAt: now,
    objectCount: root.objectCount,
    ...(root.commit === undefined ? {} : { commit: root.commit }),
  };
  const rollbackOf = job.result.status === 'repeat' ? job.result.of : undefined;
  const history: StoredHistory = {
    id: root.generation,
    generation: root.generation,
    revision: root.revision,
    publishedAt: now,
    initiatedBy: job.intent.initiatedBy,
    inputDigest: root.inputDigest,
    objectCount: root.objectCount,
    content: {
      chunks: content.chunks,
      objectCount: content.objectCount,
      totalBytes: content.totalBytes,
      flags: content.flags,
      inputDigest: content.inputDigest,
      revision: content.revision,
      ...(content.commit === undefined ? {} : { commit: content.commit }),
    },
    ...(root.commit === undefined ? {} : { commit: root.commit }),
    ...(rollbackOf === undefined ? {} : { rollbackOf }),
  };
  const partition = applicationKey(job.organisation, application.id);
  const warnings = published.warnings.map((message) =>
    condition('RepeatedResourceWarning', message.replace(/^RepeatedResourceWarning: /, ''), now),
  );
  await Promise.all([
    root.sync === undefined && root.deletion === undefined
      ? deps.store.putMany([
          { partition, sort: sortKeys.history(root.generation), revision: root.generation, value: history },
        ])
      : Promise.resolve(),
    updateStatus(deps, job.organisation, application, now, (status) =>
      (status.desired?.generation ?? 0) > root.generation
        ? undefined
        : { ...status, desired, sourceConditions: warnings },
    ),
    writeEvents(deps.store, job.organisation, application.id, [publishedEvent(job, root, now)]),
  ]);
}

function publishedEvent(job: PublishJob, root: SnapshotRoot, now: string): ApplicationEvent {
  const base = {
    at: now,
    type: 'Normal' as const,
    generation: root.generation,
    revision: root.revision,
    by: job.intent.initiatedBy,
  };
  const short = root.revision.slice(0, 8);
  if (root.deletion)
    return {
      ...base,
      reason: 'DeletionOrdered',
      message: `deletion ordered by ${root.deletion.by} (${root.deletion.cascade})`,
    };
  if (root.sync) return { ...base, reason: 'SyncRequested', message: `sync of ${short} asked for by ${root.sync.by}` };
  if (job.result.status === 'repeat' && job.result.of !== undefined) {
    return {
      ...base,
      reason: 'RolledBack',
      message: `generation ${job.result.of} (${short}) is desired again, by ${job.intent.initiatedBy}`,
    };
  }
  const subject = root.commit?.message.split('\n')[0] ?? '';
  return {
    ...base,
    reason: 'Published',
    message: `snapshot of ${short} with ${root.objectCount} objects${subject === '' ? '' : `: ${subject}`}`,
  };
}

async function showFailure(
  deps: PublishDeps,
  job: PublishJob,
  application: Application,
  type: ConditionType,
  message: string,
  now: string,
): Promise<void> {
  let shown = false;
  await updateStatus(deps, job.organisation, application, now, (status) => {
    // An older job's failure says nothing about what is desired by now.
    if (isOlder(status, job.generation)) return undefined;
    shown = status.sourceConditions[0]?.message !== message;
    return { ...status, sourceConditions: [condition(type, message, now)], sourceTicket: job.generation };
  });
  if (!shown) return;
  const event: ApplicationEvent = {
    at: now,
    type: 'Warning',
    reason: type,
    message: message.slice(0, 4000),
    revision: job.intent.revision,
    generation: job.generation,
  };
  await writeEvents(deps.store, job.organisation, application.id, [event]);
  deps.metrics.count('publish_failures_total', { type });
}

/** The inputs are as published again: what an older plan complained of is over. */
async function clearFailure(deps: PublishDeps, job: PublishJob, application: Application, now: string): Promise<void> {
  await updateStatus(deps, job.organisation, application, now, (status) =>
    isOlder(status, job.generation) || status.sourceConditions.length === 0
      ? undefined
      : { ...status, sourceConditions: [], sourceTicket: job.generation },
  );
}

function isOlder(status: Pick<ApplicationStatus, 'desired' | 'sourceTicket'>, ticket: number): boolean {
  return Math.max(status.desired?.generation ?? 0, status.sourceTicket ?? 0) > ticket;
}

async function requireProject(deps: PublishDeps, organisation: string, application: Application): Promise<Project> {
  const project = await getProject(deps.store, organisation, application.project);
  if (project) return project;
  throw new HawserError('not-permitted', `project ${application.project} does not exist any more`, {
    hint: 'Apply its AppProject.',
  });
}

/** Trouble with permission or the declaration is InvalidSpecError in Argo CD, all else about sources ComparisonError. */
function conditionOf(code: string): ConditionType {
  return code === 'not-permitted' || code === 'invalid-input' ? 'InvalidSpecError' : 'ComparisonError';
}

function condition(type: ConditionType, message: string, now: string): Condition {
  return { type, message: message.slice(0, 8000), lastTransitionTime: now };
}

function splitLines(output: Uint8Array): string[] {
  const text = Buffer.from(output).toString('utf8');
  return text === '' ? [] : text.split('\n').filter((line) => line !== '');
}

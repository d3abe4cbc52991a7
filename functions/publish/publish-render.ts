import { HawserError } from '#shared/errors.ts';
import type { Application } from '#shared/domain/application.ts';
import type { Project } from '#shared/domain/project.ts';
import { isAnyLearned } from '#shared/domain/scope.ts';
import type { SnapshotFlag, SnapshotRoot } from '#shared/domain/snapshot.ts';
import type { PublishJob } from '#shared/messages/publish-job.ts';
import { serversOf } from '#shared/state/declare-application.ts';
import {
  announceHead,
  confirmHead,
  moveHead,
  readHead,
  rootOf,
  type Decision,
  type Head,
  givenByGit,
} from '#shared/state/heads.ts';
import { sendHints } from '#shared/state/hints.ts';
import { inputsKey, sortKeys } from '#shared/state/keys.ts';
import { getCluster, getProject, listClusters } from '#shared/state/registry.ts';
import { readStatus } from '#shared/state/status.ts';
import type { Row } from '#shared/ports/state-store.ts';
import { bindObjects } from './bind-objects.ts';
import { buildRoot, contentOf, cutChunks, type RootContent } from './build-root.ts';
import type { Published, PublishDeps } from './handle-publish-job.ts';
import { keepPromise, rememberPromise, showHead } from './keep-promise.ts';
import { clearFailure } from './show-failure.ts';

type Rendered = Extract<PublishJob['result'], { status: 'rendered' }>;

/** Render outputs are found again for this long. */
const outputRetentionSeconds = 7 * 24 * 3600;
/** How often the head may change under a publisher before the job is given back to the queue. */
const attempts = 8;

/**
 * Publishes a render's output, unless a later ticket has decided about the application (INV-05). Undefined where there
 * is nothing to record: superseded, or the head holds this content already.
 */
export async function publishRender(
  deps: PublishDeps,
  job: PublishJob,
  application: Application,
  result: Rendered,
): Promise<Published | undefined> {
  const { organisation, generation } = job;
  let fresh: Awaited<ReturnType<typeof bindOutput>> | undefined;
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const head = await readHead(deps.store, organisation, application.cluster, application.id);
    const mine = head?.value.contentOf === generation;
    if (!mine && head !== undefined && head.revision >= generation) {
      await giveWay(deps, job, application, head);
      return undefined;
    }
    fresh ??= await bindOutput(deps, job, application, result);
    if (fresh === undefined) return undefined;
    const { content, decision, warnings, declared } = fresh;
    const { dependsOn } = job.intent;
    const sync = await openSync(deps, job, application, head);
    const root = buildRoot(application, job, content, {
      generation,
      dependsOn,
      ...(sync === undefined ? {} : { sync }),
    });
    if (mine) {
      // Delivered again, by who may have died after moving the head. A request has taken the content over where the generation differs.
      const own = head.value.generation === generation;
      if (own) await announceHead(deps, root);
      return { root: own ? rootOf(head.value) : root, content, decision, warnings, declared };
    }
    if (
      head !== undefined &&
      givenByGit(head.value) === job.inputDigest &&
      !isAnyLearned(head.value.guessed, fresh.capabilities)
    ) {
      if (!(await confirmHead(deps.store, head, generation))) continue;
      await settleUnchanged(deps, job, application);
      return undefined;
    }
    const served = head?.value.served ?? [];
    if (await moveHead(deps, root, { ...decision, served }, head))
      return { root, content, decision, warnings, declared };
  }
  throw new HawserError('conflict', `application ${application.id} is being published by too many at once`, {
    retry: 'later',
  });
}

/**
 * What somebody asked for where nothing happens unasked, and what the agent has not told the end of: a push that comes in between
 * must not make it vanish. An agent that has begun with it ends it with what it was begun with.
 */
async function openSync(
  deps: PublishDeps,
  job: PublishJob,
  application: Application,
  head: Row<Head> | undefined,
): Promise<SnapshotRoot['sync']> {
  if (head === undefined || application.policy.automated || head.value.rolledBackFrom !== undefined) return undefined;
  const { sync, generation } = rootOf(head.value);
  if (sync === undefined || sync.confirmedPrunes !== undefined) return undefined;
  const status = await readStatus(deps.store, job.organisation, application.id);
  const { operation } = status ?? {};
  const isOver = operation !== undefined && operation.generation >= generation && operation.finishedAt !== undefined;
  return isOver ? undefined : sync;
}

/**
 * A later ticket has decided. That of a person's request knew nothing of this plan, which must not be lost (INV-02);
 * one that found this very content may have died before it could say that all is well.
 */
async function giveWay(deps: PublishDeps, job: PublishJob, application: Application, head: Row<Head>): Promise<void> {
  if (head.value.decided < job.generation) await planAgain(deps, job, application);
  else if (head.value.inputDigest === job.inputDigest) await settleUnchanged(deps, job, application);
  else if (job.intent.awaited) await keepPromise(deps, job.organisation, application, job.generation);
}

async function settleUnchanged(deps: PublishDeps, job: PublishJob, application: Application): Promise<void> {
  await clearFailure(deps, job, application);
  if (job.intent.awaited) await keepPromise(deps, job.organisation, application, job.generation);
}

/** Asks for a new plan of the application, with a ticket of its own. */
export async function planAgain(deps: PublishDeps, job: PublishJob, application: Application): Promise<void> {
  const repository = application.sources[0]?.repository;
  if (repository === undefined) return;
  const { organisation, trace } = job;
  await rememberPromise(deps, job, application);
  // Delivered again, by who may have died on another way than this one.
  await showHead(deps, organisation, application);
  await sendHints(deps, { organisation, trace }, new Map([[repository, new Set([application.id])]]), 'retry');
}

/** Output → objects with their marks → durable chunks. Undefined where the output is gone: it will be rendered again. */
async function bindOutput(deps: PublishDeps, job: PublishJob, application: Application, result: Rendered) {
  const { organisation } = job;
  const project = await requireProject(deps, organisation, application);
  const cluster = await getCluster(deps.store, organisation, application.cluster);
  if (cluster === undefined) throw new HawserError('not-found', `cluster ${application.cluster} is not registered`);
  const output = await firstOutput(deps, job, result);
  if (output === undefined) {
    await planAgain(deps, job, application);
    return undefined;
  }
  const servers = serversOf(await listClusters(deps.store, organisation), application.cluster);
  const bound = bindObjects(splitLines(output.text), { application, project, cluster, servers });
  const write = (text: Uint8Array) => deps.snapshots.write(organisation, application.cluster, text);
  const chunks = cutChunks(bound.texts);
  const digests = await Promise.all(chunks.map(write));
  const declared = bound.declared.length === 0 ? undefined : await write(Buffer.from(bound.declared.join('\n')));
  const flags: SnapshotFlag[] = output.flags;
  if (output.warnings.includes('uses-lookup')) flags.push('uses-lookup');
  const content: RootContent = contentOf(job, bound.texts, chunks, digests, flags);
  const decision: Omit<Decision, 'served'> = {
    contentOf: job.generation,
    decided: job.generation,
    ...(declared === undefined ? {} : { declared }),
    ...(bound.guessed.length === 0 ? {} : { guessed: bound.guessed }),
  };
  const { capabilities } = cluster;
  const warnings = [...output.warnings, ...bound.warnings];
  return { content, decision, declared: bound.declared, warnings, capabilities };
}

/**
 * The first output of a render digest is the one that counts: a render that gives another one for the same input is not
 * deterministic, and following it would roll the application out for nothing (INV-08, NT-50).
 */
async function firstOutput(
  deps: PublishDeps,
  job: PublishJob,
  result: Rendered,
): Promise<{ text: Uint8Array; warnings: string[]; flags: SnapshotFlag[] } | undefined> {
  const partition = inputsKey(job.organisation);
  const sort = sortKeys.output(job.intent.renderDigest);
  const text = await deps.inputs.read(job.organisation, result.output);
  const known = await deps.store.get<{ output: string; warnings: string[] }>(partition, sort);
  if (known !== undefined && known.value.output !== result.output) {
    const first = await deps.inputs.read(job.organisation, known.value.output);
    if (first !== undefined) return { text: first, warnings: known.value.warnings, flags: ['non-deterministic'] };
  }
  if (text === undefined) return undefined;
  const expiresAt = Math.floor(deps.clock.now() / 1000) + outputRetentionSeconds;
  const value = { output: result.output, warnings: result.warnings };
  const condition = known === undefined ? ({ absent: true } as const) : { revision: known.revision };
  const row = { partition, sort, revision: (known?.revision ?? 0) + 1, value, expiresAt };
  if (await deps.store.put(row, condition)) return { text, warnings: result.warnings, flags: [] };
  return firstOutput(deps, job, result);
}

async function requireProject(deps: PublishDeps, organisation: string, application: Application): Promise<Project> {
  const project = await getProject(deps.store, organisation, application.project);
  if (project) return project;
  throw new HawserError('not-permitted', `project ${application.project} does not exist any more`, {
    hint: 'Apply its AppProject.',
  });
}

/** The lines of a text; none for an empty one. */
export function splitLines(output: Uint8Array): string[] {
  const text = Buffer.from(output).toString('utf8');
  return text === '' ? [] : text.split('\n').filter((line) => line !== '');
}

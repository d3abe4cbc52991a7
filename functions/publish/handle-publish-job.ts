import { HawserError, messageOf } from '#shared/errors.ts';
import type { Application } from '#shared/domain/application.ts';
import type { SnapshotRoot } from '#shared/domain/snapshot.ts';
import type { HistoryEntry } from '#shared/domain/status.ts';
import type { PublishJob } from '#shared/messages/publish-job.ts';
import type { Log } from '#shared/ports/log.ts';
import type { Metrics } from '#shared/ports/metrics.ts';
import type { Queue } from '#shared/ports/queue.ts';
import type { Signer } from '#shared/ports/signer.ts';
import type { InputChunks, SnapshotChunks } from '#shared/state/chunks.ts';
import type { DeclareDeps } from '#shared/state/declare-context.ts';
import { readHead, renewHead, type Decision } from '#shared/state/heads.ts';
import type { Row } from '#shared/ports/state-store.ts';
import { getApplicationRow } from '#shared/state/registry.ts';
import { readStatus } from '#shared/state/status.ts';
import type { RootContent } from './build-root.ts';
import { keepPromise } from './keep-promise.ts';
import { leaveClusters } from './leave-clusters.ts';
import { planAgain, publishRender } from './publish-render.ts';
import { publishRepeat } from './publish-repeat.ts';
import { recordPublished } from './record-published.ts';
import { deleteChildren, registerChildren } from './register-children.ts';
import { clearFailure, conditionOf, showFailure, showRefusal } from './show-failure.ts';

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
export interface StoredHistory extends HistoryEntry, Pick<Decision, 'declared' | 'guessed'> {
  /** Where the chunks lie. */
  cluster: string;
  content: RootContent;
}

/** A generation that has become the head. */
export interface Published {
  root: SnapshotRoot;
  content: RootContent;
  decision: Pick<Decision, 'declared' | 'guessed'>;
  warnings: string[];
  /** JSON texts of the objects that the service registers itself. */
  declared: string[];
}

/**
 * Turns a render's output, or a repeat of an older one, into the newest snapshot of its application:
 * bind, check the fence, write chunks, then root and head (INV-10), then wake the agent, then tell people.
 * Any number of deliveries has the effect of one; a job that a later ticket has overtaken changes nothing (INV-04, INV-05).
 */
export function createPublishHandler(deps: PublishDeps): (job: PublishJob) => Promise<void> {
  return async function handlePublishJob(job) {
    const spec = await getApplicationRow(deps.store, job.organisation, job.application);
    if (spec === undefined) return;
    try {
      await handle(deps, job, spec);
    } catch (error) {
      if (!(error instanceof HawserError) || error.retry === 'later') throw error;
      if (job.result.status === 'repeat') await showRefusal(deps, job, messageOf(error));
      else await showFailure(deps, job, spec.value, conditionOf(error.code), messageOf(error));
    }
  };
}

async function handle(deps: PublishDeps, job: PublishJob, spec: Row<Application>): Promise<void> {
  const { result } = job;
  const application = spec.value;
  if (result.status === 'repeat') {
    await finish(deps, job, application, await publishRepeat(deps, job, result));
    return;
  }
  if (result.status === 'renew') {
    // A head that has moved meanwhile was signed with that move.
    const head = await readHead(deps.store, job.organisation, application.cluster, application.id);
    if (head !== undefined) await renewHead(deps, job.organisation, head);
    return;
  }
  // What is being deleted is not published any more, whatever was on its way.
  if (application.deleting !== undefined) return;
  if ((job.intent.specRevision ?? spec.revision) !== spec.revision) {
    // Declared anew since it was planned: bound to the new declaration it would be something else than its digest says (INV-08).
    await planAgain(deps, job, application);
    return;
  }
  if (result.status === 'rendered')
    await finish(deps, job, application, await publishRender(deps, job, application, result));
  else if (result.status === 'unchanged') await settleUnchanged(deps, job, application);
  else if (result.code === 'input-gone') await planAgain(deps, job, application);
  else await showFailure(deps, job, application, conditionOf(result.code), result.message);
}

/** What an earlier plan complained of is over, and what it promised to others cannot come any more. */
async function settleUnchanged(deps: PublishDeps, job: PublishJob, application: Application): Promise<void> {
  await clearFailure(deps, job, application);
  const status = await readStatus(deps.store, job.organisation, application.id);
  if (status?.owed !== undefined) await keepPromise(deps, job.organisation, application, status.owed);
}

async function finish(
  deps: PublishDeps,
  job: PublishJob,
  application: Application,
  published: Published | undefined,
): Promise<void> {
  const { id } = application;
  if (published === undefined) {
    deps.log.info({ application: id, generation: job.generation, trace: job.trace }, 'nothing to publish');
    return;
  }
  const { root } = published;
  const { generation, revision, objectCount } = root;
  deps.log.info({ application: id, generation, revision, objects: objectCount, trace: job.trace }, 'published');
  deps.metrics.count('snapshots_published_total');
  await recordPublished(deps, job, application, published);
  await leaveClusters(deps, job.organisation, application);
  if (root.deletion !== undefined) await deleteChildren(deps, job, application, root.deletion);
  else if (registers(root, job)) await registerChildren(deps, job, application, root, published.declared);
}

/** As in Argo CD, an application declares others when it is synced: by itself where it is automated, else when asked. */
function registers({ policy, sync }: SnapshotRoot, job: PublishJob): boolean {
  if (sync !== undefined) return sync.dryRun !== true && sync.resources === undefined;
  if (job.result.status === 'repeat' && job.result.of !== undefined) return true;
  return policy.automated && !policy.suspended;
}

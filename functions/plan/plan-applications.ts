import { HawserError } from '#shared/errors.ts';
import type { Application, Source } from '#shared/domain/application.ts';
import { digestOf } from '#shared/domain/digest.ts';
import { policyVersion } from '#shared/domain/fence.ts';
import { canonicalJson } from '#shared/domain/json.ts';
import { inParallel } from '#shared/domain/parallel.ts';
import { isAnyLearned } from '#shared/domain/scope.ts';
import type { PublishJob } from '#shared/messages/publish-job.ts';
import type { RenderJob } from '#shared/messages/render-job.ts';
import type { GitTree } from '#shared/ports/git-source.ts';
import type { ClosureRow } from '#shared/state/declare-application.ts';
import { confirmHead, readHead, takeTicket, type Head, givenByGit } from '#shared/state/heads.ts';
import { applicationKey, clusterKey, inputsKey, sortKeys } from '#shared/state/keys.ts';
import { isSourceFailure, type StatusForPlans } from '#shared/state/status.ts';
import { packBundles } from '#shared/state/bundle-codec.ts';
import { fetchFiles } from './closure/large-files.ts';
import { bundleOf, findClosures, inputDigestOf } from './closure/find-closure.ts';
import {
  asFailure,
  capabilitiesOf,
  closureContext,
  clusterOf,
  createContext,
  explain,
  projectDigest,
  treeOf,
  type Context,
  type PlanDeps,
  type Planned,
  type PlanRequest,
} from './plan-context.ts';
import { inDependencyOrder } from './dependency-order.ts';
import { recordClosures } from './record-closures.ts';

/** How many applications are walked and sent at once: their blobs come in one request. */
const batchSize = 100;

/** What a plan did, and what is left to do. */
export interface Outcome {
  renders: number;
  reused: number;
  unchanged: number;
  failed: number;
  /** Applications that read from other folders than before. */
  relisted: string[];
  /** Applications of which a source in another repository could not be read just now. */
  unread: string[];
}

/**
 * For each candidate: find its closure, take its digest, and ask for a render if the digest is new. A candidate whose
 * inputs are as they were costs one write, which keeps slower, older jobs from publishing over it (INV-05).
 */
export async function planApplications(deps: PlanDeps, request: PlanRequest): Promise<Outcome> {
  const counts: Outcome = { renders: 0, reused: 0, unchanged: 0, failed: 0, relisted: [], unread: [] };
  const context = createContext(deps, request);
  const candidates = inDependencyOrder(await loadCandidates(context, request.candidates));
  for (const { application } of candidates) for (const id of application.dependsOn) context.awaited.add(id);
  for (let start = 0; start < candidates.length; start += batchSize) {
    const batch = candidates.slice(start, start + batchSize);
    await walk(context, batch);
    const changed: Planned[] = [];
    await inParallel(batch, 16, async (planned) => {
      if ((await isUnchanged(context, planned)) && (await raiseFence(context, planned))) {
        counts.unchanged += 1;
        await sayUnchanged(context, planned);
        return;
      }
      changed.push(planned);
    });
    for (const planned of changed) context.changing.add(planned.application.id);
    await sendJobs(context, changed, counts);
    counts.relisted.push(...(await recordClosures(context, batch)));
  }
  return counts;
}

async function loadCandidates(context: Context, ids: string[]): Promise<Planned[]> {
  const { store } = context.deps;
  const { organisation } = context.request;
  const specs = await store.getMany<Application>(
    ids.map((id) => ({ partition: applicationKey(organisation, id), sort: sortKeys.spec })),
  );
  const usable = specs.filter((row) => row.value.invalid === undefined && row.value.deleting === undefined);
  const heads = await store.getMany<Head>(
    usable.map((row) => ({
      partition: clusterKey(organisation, row.value.cluster),
      sort: sortKeys.assignment(row.value.id),
    })),
  );
  const closures = await store.getMany<ClosureRow>(
    usable.map((row) => ({ partition: row.partition, sort: sortKeys.closure })),
  );
  const headOf = new Map(heads.map((row) => [`${row.partition} ${row.value.application}`, row]));
  const closureOf = new Map(closures.map((row) => [row.partition, row]));
  return usable.map((row) => ({
    application: row.value,
    specRevision: row.revision,
    head: headOf.get(`${clusterKey(organisation, row.value.cluster)} ${row.value.id}`),
    closureRow: closureOf.get(row.partition),
    closures: [],
    trees: [],
    renderDigest: '',
    inputDigest: '',
  }));
}

/** Finds the closures of a batch, all applications of one tree together, and their digests. */
async function walk(context: Context, batch: Planned[]): Promise<void> {
  const wanted: { planned: Planned; source: Source; index: number; tree: GitTree }[] = [];
  await inParallel(batch, 16, async (planned) => {
    for (const [index, source] of planned.application.sources.entries()) {
      try {
        const tree = await treeOf(context, source);
        planned.trees[index] = tree;
        wanted.push({ planned, source, index, tree });
      } catch (error) {
        // Another repository's trouble is this application's alone (INV-39).
        planned.failure ??= asFailure(error);
      }
    }
  });
  const byTree = Map.groupBy(wanted, (item) => item.tree);
  for (const [tree, items] of byTree) {
    const requests = await Promise.all(
      items.map(async ({ planned, source }) => ({
        source,
        context: await closureContext(context, planned.application),
      })),
    );
    const found = await findClosures(tree, requests);
    for (const [position, outcome] of found.entries()) {
      const item = items[position];
      if (item === undefined) continue;
      if (outcome instanceof HawserError && outcome.retry === 'later' && tree === context.request.at.tree)
        throw outcome;
      if (outcome instanceof HawserError) item.planned.failure ??= outcome;
      else item.planned.closures[item.index] = outcome;
    }
  }
  await inParallel(batch, 16, async (planned) => {
    if (planned.failure === undefined) await digest(context, planned);
  });
}

async function digest(context: Context, planned: Planned): Promise<void> {
  const { application } = planned;
  const cluster = await clusterOf(context, application.cluster);
  // Only charts can look at what a cluster offers; a new CRD must not render every kustomization again.
  const usesCapabilities = planned.closures.some((closure) => closure.tool === 'helm');
  planned.renderDigest = inputDigestOf(planned.closures, {
    versions: context.deps.toolVersions,
    policyVersion,
    capabilities: usesCapabilities ? capabilitiesOf(cluster) : undefined,
  });
  planned.inputDigest = digestOf([
    planned.renderDigest,
    application.id,
    application.cluster,
    application.destinationNamespace,
    application.project,
    await projectDigest(context, application.project),
    canonicalJson(application.policy),
    canonicalJson(application.dependsOn),
  ]);
}

/** The head holds what these inputs give, bound as it would be bound now; or somebody has rolled back from just that. */
async function isUnchanged(context: Context, { failure, head, inputDigest, application }: Planned): Promise<boolean> {
  if (failure !== undefined || head === undefined || givenByGit(head.value) !== inputDigest) return false;
  if (head.value.guessed === undefined) return true;
  return !isAnyLearned(head.value.guessed, (await clusterOf(context, application.cluster))?.capabilities);
}

/**
 * Moves the fence of an unchanged application to our ticket; false when it is another head by now, so that the publisher
 * must look. Where a later ticket has decided already, there is nothing to do: it has read what we have read, or newer.
 */
async function raiseFence(context: Context, { head, application }: Planned): Promise<boolean> {
  const { deps, request } = context;
  for (let known = head; known !== undefined;) {
    if (known.value.decided >= request.ticket) return true;
    // A request that came meanwhile has a later ticket, and took the content over as it was: the fence must rise above it.
    const overtaken = known.revision >= request.ticket;
    const fence = overtaken ? await takeTicket(deps.store, request.organisation) : request.ticket;
    if (await confirmHead(deps.store, known, request.ticket, fence)) return true;
    const content = known.value.contentOf;
    known = await readHead(deps.store, request.organisation, application.cluster, application.id);
    if (known?.value.contentOf !== content) return false;
  }
  return false;
}

/**
 * An application that complains of its source, although that is as published, is told so; and one that others wait for,
 * although nothing comes any more. It costs nothing where all is well.
 */
async function sayUnchanged(context: Context, planned: Planned): Promise<void> {
  const { deps, request } = context;
  const partition = applicationKey(request.organisation, planned.application.id);
  const status = (await deps.store.get<StatusForPlans>(partition, sortKeys.status))?.value;
  const isAwaited = (status?.owed ?? 0) > (planned.head?.value.generation ?? Infinity);
  if (status?.sourceConditions.some(isSourceFailure) !== true && !isAwaited) return;
  const job: PublishJob = { ...(await jobBase(context, planned)), result: { status: 'unchanged' } };
  await deps.publishJobs.send([JSON.stringify(job)], { group: request.organisation });
}

async function sendJobs(context: Context, changed: Planned[], counts: Outcome): Promise<void> {
  const { deps, request } = context;
  const outputs = await deps.store.getMany<{ output: string; warnings: string[] }>(
    changed
      .filter((planned) => planned.failure === undefined)
      .map((planned) => ({ partition: inputsKey(request.organisation), sort: sortKeys.output(planned.renderDigest) })),
  );
  const outputOf = new Map(outputs.map((row) => [row.sort, row.value]));
  const toRender = changed.filter(
    (planned) => planned.failure === undefined && !outputOf.has(sortKeys.output(planned.renderDigest)),
  );
  await fetchBlobs(context, toRender);
  await inParallel(changed, 16, async (planned) => {
    const base = await jobBase(context, planned);
    if (planned.failure) {
      counts.failed += 1;
      if (planned.failure.retry === 'later') counts.unread.push(planned.application.id);
      const result = { status: 'failed' as const, code: planned.failure.code, message: explain(planned.failure) };
      await deps.publishJobs.send([JSON.stringify({ ...base, result } satisfies PublishJob)], {
        group: request.organisation,
      });
      return;
    }
    const cached = outputOf.get(sortKeys.output(planned.renderDigest));
    if (cached && (await deps.chunks.read(request.organisation, cached.output)) !== undefined) {
      counts.reused += 1;
      const result = { status: 'rendered' as const, output: cached.output, warnings: cached.warnings };
      await deps.publishJobs.send([JSON.stringify({ ...base, result } satisfies PublishJob)], {
        group: request.organisation,
      });
      return;
    }
    counts.renders += 1;
    const { intent, ...rest } = base;
    const bundles = await Promise.all(
      planned.closures.map((closure, index) => bundleOf(planned.trees[index] as GitTree, closure)),
    );
    const bundle = await deps.chunks.write(request.organisation, packBundles(bundles));
    const job: RenderJob = { ...rest, bundle, publish: intent };
    await deps.renderJobs.send([JSON.stringify(job)], { group: request.organisation });
  });
}

/** All blobs of a batch in one request per tree; `bundleOf` then finds them at hand. */
async function fetchBlobs(context: Context, batch: Planned[]): Promise<void> {
  const readers = batch.flatMap((reader) =>
    reader.closures.map((closure, index) => ({ reader, closure, tree: reader.trees[index] as GitTree })),
  );
  for (const [tree, closures] of Map.groupBy(readers, (one) => one.tree)) {
    try {
      for (const [planned, refusal] of await fetchFiles(tree, closures)) planned.failure ??= refusal;
    } catch (error) {
      if (tree === context.request.at.tree) throw error;
      for (const { reader } of closures) reader.failure ??= asFailure(error);
    }
  }
}

async function jobBase(context: Context, planned: Planned) {
  const { request, deps } = context;
  const tree = planned.trees[0] ?? request.at.tree;
  const intent = {
    revision: tree.commit.sha,
    commit: tree.commit,
    dependsOn: await dependencies(context, planned.application),
    initiatedBy: request.initiatedBy,
    ...(context.awaited.has(planned.application.id) ? { awaited: true } : {}),
    renderDigest: planned.renderDigest,
    specRevision: planned.specRevision,
  };
  return {
    organisation: request.organisation,
    application: planned.application.id,
    generation: request.ticket,
    inputDigest: planned.inputDigest,
    intent,
    trace: request.trace,
    at: new Date(deps.clock.now()).toISOString(),
  };
}

/** A dependency that this same plan changes must be applied at our ticket; others as they are published now. */
async function dependencies(
  context: Context,
  application: Application,
): Promise<{ application: string; generation: number }[]> {
  const { store } = context.deps;
  const partition = clusterKey(context.request.organisation, application.cluster);
  return Promise.all(
    application.dependsOn.map(async (id) => {
      if (context.changing.has(id)) return { application: id, generation: context.request.ticket };
      const head = await store.get<Head>(partition, sortKeys.assignment(id));
      return { application: id, generation: head?.value.generation ?? 0 };
    }),
  );
}

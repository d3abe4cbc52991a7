import { HawserError, isRetryable, messageOf } from '#shared/errors.ts';
import type { Application, Source } from '#shared/domain/application.ts';
import type { Cluster } from '#shared/domain/cluster.ts';
import { digestOf } from '#shared/domain/digest.ts';
import { policyVersion } from '#shared/domain/fence.ts';
import { canonicalJson } from '#shared/domain/json.ts';
import { inParallel } from '#shared/domain/parallel.ts';
import type { PublishJob } from '#shared/messages/publish-job.ts';
import type { RenderJob } from '#shared/messages/render-job.ts';
import type { Bell } from '#shared/ports/bell.ts';
import type { Clock } from '#shared/ports/clock.ts';
import type { GitSource, GitTree } from '#shared/ports/git-source.ts';
import type { Log } from '#shared/ports/log.ts';
import type { Metrics } from '#shared/ports/metrics.ts';
import type { Queue } from '#shared/ports/queue.ts';
import type { SecretStore } from '#shared/ports/secret-store.ts';
import type { Row, StateStore } from '#shared/ports/state-store.ts';
import type { InputChunks } from '#shared/state/chunks.ts';
import type { ClosureRow } from '#shared/state/declare-application.ts';
import type { Head } from '#shared/state/heads.ts';
import { applicationKey, clusterKey, inputsKey, sortKeys } from '#shared/state/keys.ts';
import { getCluster, getProject, getRepository, repositoryAccess } from '#shared/state/registry.ts';
import { packBundles } from '#shared/domain/bundle-codec.ts';
import { bundleOf, findClosures, inputDigestOf, type Closure } from './closure/find-closure.ts';
import { updateIndex, type FolderListing } from './closure-index.ts';
import { normaliseSelector } from './selector.ts';

export interface PlanDeps {
  store: StateStore;
  secrets: SecretStore;
  git: GitSource;
  chunks: InputChunks;
  hints: Queue;
  renderJobs: Queue;
  publishJobs: Queue;
  bell: Bell;
  clock: Clock;
  log: Log;
  metrics: Metrics;
  /** Versions of the tools that render: part of every input digest (NT-162). */
  toolVersions: Record<string, string>;
}

export interface PlanRequest {
  organisation: string;
  ticket: number;
  trace: string;
  initiatedBy: string;
  at: { repository: string; selector: string; tree: GitTree };
  candidates: string[];
}

/** One application on its way through a plan. */
interface Planned {
  application: Application;
  specRevision: number;
  head: Row<Head> | undefined;
  closureRow: Row<ClosureRow> | undefined;
  closures: Closure[];
  trees: GitTree[];
  renderDigest: string;
  inputDigest: string;
  failure?: HawserError;
}

/** How many applications are walked and sent at once: their blobs come in one request. */
const batchSize = 100;

/**
 * For each candidate: find its closure, take its digest, and ask for a render if the digest is new. A candidate whose
 * inputs are as they were costs one write, which keeps slower, older jobs from publishing over it (INV-05).
 */
export async function planApplications(
  deps: PlanDeps,
  request: PlanRequest,
): Promise<{ renders: number; reused: number; unchanged: number; failed: number }> {
  const counts = { renders: 0, reused: 0, unchanged: 0, failed: 0 };
  const context = await createContext(deps, request);
  for (let start = 0; start < request.candidates.length; start += batchSize) {
    const batch = await loadCandidates(context, request.candidates.slice(start, start + batchSize));
    await walk(context, batch);
    const changed: Planned[] = [];
    await inParallel(batch, 16, async (planned) => {
      if (planned.failure === undefined && planned.head?.value.inputDigest === planned.inputDigest) {
        if (await raiseFence(context, planned)) {
          counts.unchanged += 1;
          return;
        }
      }
      changed.push(planned);
    });
    for (const planned of changed) context.changing.add(planned.application.id);
    await sendJobs(context, changed, counts);
    await recordClosures(context, batch);
  }
  return counts;
}

interface Context {
  deps: PlanDeps;
  request: PlanRequest;
  /** Applications that this plan publishes at its ticket; others' dependencies wait for exactly that. */
  changing: Set<string>;
  trees: Map<string, Promise<GitTree>>;
  clusters: Map<string, Promise<Cluster | undefined>>;
  projects: Map<string, Promise<string>>;
}

async function createContext(deps: PlanDeps, request: PlanRequest): Promise<Context> {
  const trees = new Map([[`${request.at.repository} ${request.at.selector}`, Promise.resolve(request.at.tree)]]);
  return { deps, request, changing: new Set(), trees, clusters: new Map(), projects: new Map() };
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
        planned.failure = asFailure(error);
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
      if (outcome instanceof HawserError) item.planned.failure ??= outcome;
      else item.planned.closures[item.index] = outcome;
    }
  }
  await inParallel(batch, 16, async (planned) => {
    if (planned.failure?.retry === 'later') throw planned.failure;
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

/** Moves the fence of an unchanged application to our ticket; false when somebody published meanwhile, so that it must be rendered. */
async function raiseFence(context: Context, planned: Planned): Promise<boolean> {
  const { head } = planned;
  if (head === undefined) return false;
  if (head.revision >= context.request.ticket) return true;
  const raised = { ...head, revision: context.request.ticket };
  return context.deps.store.put(raised, { revision: head.revision });
}

async function sendJobs(
  context: Context,
  changed: Planned[],
  counts: { renders: number; reused: number; failed: number },
): Promise<void> {
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
  await fetchBlobs(toRender);
  await inParallel(changed, 16, async (planned) => {
    const base = await jobBase(context, planned);
    if (planned.failure) {
      counts.failed += 1;
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
async function fetchBlobs(planned: Planned[]): Promise<void> {
  const wanted = new Map<GitTree, Set<string>>();
  for (const { closures, trees } of planned) {
    for (const [index, closure] of closures.entries()) {
      const tree = trees[index] as GitTree;
      const oids = wanted.get(tree) ?? new Set();
      for (const file of closure.files) oids.add(file.oid);
      wanted.set(tree, oids);
    }
  }
  for (const [tree, oids] of wanted) await tree.blobs([...oids]);
}

async function jobBase(context: Context, planned: Planned) {
  const { request, deps } = context;
  const tree = planned.trees[0] ?? request.at.tree;
  const intent = {
    revision: tree.commit.sha,
    commit: tree.commit,
    dependsOn: await dependencies(context, planned.application),
    initiatedBy: request.initiatedBy,
    renderDigest: planned.renderDigest,
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

async function recordClosures(context: Context, batch: Planned[]): Promise<void> {
  const { deps, request } = context;
  const changesBySelector = new Map<
    string,
    {
      where: { organisation: string; repository: string; selector: string };
      changes: Parameters<typeof updateIndex>[2][number][];
    }
  >();
  await inParallel(batch, 16, async (planned) => {
    const before = planned.closureRow?.value;
    const listed = planned.failure === undefined ? listingsOf(planned) : fallbackListings(planned);
    const next: ClosureRow = { specRevision: planned.specRevision, inputDigest: '', listed };
    if (before !== undefined && canonicalJson(before) === canonicalJson(next)) return;
    for (const key of new Set(
      [...(before?.listed ?? []), ...listed].map((item) => `${item.repository} ${item.selector}`),
    )) {
      const is = (item: ClosureRow['listed'][number]) => `${item.repository} ${item.selector}` === key;
      const [repository = '', ...selector] = key.split(' ');
      const entry = changesBySelector.get(key) ?? {
        where: { organisation: request.organisation, repository, selector: selector.join(' ') },
        changes: [],
      };
      entry.changes.push({
        application: planned.application.id,
        before: before?.listed.find(is)?.folders ?? [],
        after: listed.find(is)?.folders ?? [],
      });
      changesBySelector.set(key, entry);
    }
    const partition = applicationKey(request.organisation, planned.application.id);
    await deps.store.putMany([{ partition, sort: sortKeys.closure, revision: request.ticket, value: next }]);
  });
  for (const { where, changes } of changesBySelector.values()) await updateIndex(deps.store, where, changes);
}

function listingsOf(planned: Planned): ClosureRow['listed'] {
  return planned.application.sources.map((source, index) => {
    const closure = planned.closures[index];
    const folders = new Map<string, boolean>();
    for (const file of closure?.files ?? []) folders.set(file.path.split('/').slice(0, -1).join('/'), false);
    for (const folder of closure?.folders ?? [])
      folders.set(folder.path, folder.recursive || folders.get(folder.path) === true);
    return {
      repository: source.repository,
      selector: normaliseSelector(source.revision),
      folders: [...folders]
        .map(([path, recursive]) => ({ path, recursive }))
        .sort((a, b) => (a.path < b.path ? -1 : 1)),
    };
  });
}

/** An application that cannot be read must be looked at when anything at or around its path changes: that may be the mend. */
function fallbackListings(planned: Planned): ClosureRow['listed'] {
  const known = planned.closureRow?.value.listed ?? [];
  return planned.application.sources.map((source) => {
    const selector = normaliseSelector(source.revision);
    const before =
      known.find((item) => item.repository === source.repository && item.selector === selector)?.folders ?? [];
    const own: FolderListing = { path: source.path, recursive: true };
    const parent: FolderListing = { path: source.path.split('/').slice(0, -1).join('/'), recursive: false };
    const folders = new Map([...before, parent, own].map((folder) => [folder.path, folder] as const));
    return { repository: source.repository, selector, folders: [...folders.values()] };
  });
}

async function treeOf(context: Context, source: Source): Promise<GitTree> {
  const selector = normaliseSelector(source.revision);
  const key = `${source.repository} ${selector}`;
  const opened = context.trees.get(key) ?? openTree(context, source.repository, selector);
  context.trees.set(key, opened);
  return opened;
}

async function openTree(context: Context, id: string, selector: string): Promise<GitTree> {
  const { deps, request } = context;
  const repository = await getRepository(deps.store, request.organisation, id);
  if (repository === undefined) throw new HawserError('not-found', `repository ${id} is not registered`);
  const access = await repositoryAccess(deps.secrets, request.organisation, repository);
  return deps.git.open(access, (await deps.git.resolve(access, selector)).commit);
}

async function closureContext(context: Context, application: Application) {
  const cluster = await clusterOf(context, application.cluster);
  const { kubeVersion, apiVersions } = capabilitiesOf(cluster);
  return { applicationName: application.name, namespace: application.destinationNamespace, kubeVersion, apiVersions };
}

function capabilitiesOf(cluster: Cluster | undefined): { kubeVersion: string; apiVersions: string[] } {
  const capabilities = cluster?.capabilities;
  if (capabilities === undefined) return { kubeVersion: '', apiVersions: [] };
  const versions = new Set<string>();
  for (const { group, version, kind } of capabilities.kinds) {
    const apiVersion = group === '' ? version : `${group}/${version}`;
    versions.add(apiVersion).add(`${apiVersion}/${kind}`);
  }
  return { kubeVersion: capabilities.kubernetesVersion, apiVersions: [...versions].sort() };
}

function clusterOf(context: Context, id: string): Promise<Cluster | undefined> {
  const known = context.clusters.get(id) ?? getCluster(context.deps.store, context.request.organisation, id);
  context.clusters.set(id, known);
  return known;
}

function projectDigest(context: Context, name: string): Promise<string> {
  const known =
    context.projects.get(name) ??
    getProject(context.deps.store, context.request.organisation, name).then((project) =>
      digestOf([canonicalJson(project ?? null)]),
    );
  context.projects.set(name, known);
  return known;
}

function asFailure(error: unknown): HawserError {
  if (error instanceof HawserError) return error;
  return new HawserError('internal', messageOf(error), { cause: error, retry: isRetryable(error) ? 'later' : 'never' });
}

function explain(error: HawserError): string {
  return error.hint === undefined ? error.message : `${error.message}. ${error.hint}`;
}

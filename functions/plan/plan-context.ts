import { HawserError, isRetryable, messageOf } from '#shared/errors.ts';
import type { Application, Source } from '#shared/domain/application.ts';
import type { Cluster } from '#shared/domain/cluster.ts';
import { digestOf } from '#shared/domain/digest.ts';
import { canonicalJson } from '#shared/domain/json.ts';
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
import { getCluster, getProject, getRepository } from '#shared/state/registry.ts';
import { repositoryAccess } from '#shared/state/repository-access.ts';
import { type Closure } from './closure/find-closure.ts';
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
export interface Planned {
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

/** One plan on its way: what it has read once for all its applications. */
export interface Context {
  deps: PlanDeps;
  request: PlanRequest;
  /** Applications that this plan publishes at its ticket; others' dependencies wait for exactly that. */
  changing: Set<string>;
  /** Applications that others of this plan depend on. */
  awaited: Set<string>;
  trees: Map<string, Promise<GitTree>>;
  clusters: Map<string, Promise<Cluster | undefined>>;
  projects: Map<string, Promise<string>>;
}

export function createContext(deps: PlanDeps, request: PlanRequest): Context {
  const trees = new Map([[`${request.at.repository} ${request.at.selector}`, Promise.resolve(request.at.tree)]]);
  return { deps, request, changing: new Set(), awaited: new Set(), trees, clusters: new Map(), projects: new Map() };
}

export async function treeOf(context: Context, source: Source): Promise<GitTree> {
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
  const access = await repositoryAccess(deps, request.organisation, repository);
  return deps.git.open(access, (await deps.git.resolve(access, selector)).commit);
}

export async function closureContext(context: Context, application: Application) {
  const cluster = await clusterOf(context, application.cluster);
  const { kubeVersion, apiVersions } = capabilitiesOf(cluster);
  const { name, project, destinationNamespace } = application;
  return { applicationName: name, namespace: destinationNamespace, project, kubeVersion, apiVersions };
}

export function capabilitiesOf(cluster: Cluster | undefined): { kubeVersion: string; apiVersions: string[] } {
  const capabilities = cluster?.capabilities;
  if (capabilities === undefined) return { kubeVersion: '', apiVersions: [] };
  const versions = new Set<string>();
  for (const { group, version, kind } of capabilities.kinds) {
    const apiVersion = group === '' ? version : `${group}/${version}`;
    versions.add(apiVersion).add(`${apiVersion}/${kind}`);
  }
  return { kubeVersion: capabilities.kubernetesVersion, apiVersions: [...versions].sort() };
}

export function clusterOf(context: Context, id: string): Promise<Cluster | undefined> {
  const known = context.clusters.get(id) ?? getCluster(context.deps.store, context.request.organisation, id);
  context.clusters.set(id, known);
  return known;
}

export function projectDigest(context: Context, name: string): Promise<string> {
  const known =
    context.projects.get(name) ??
    getProject(context.deps.store, context.request.organisation, name).then((project) =>
      digestOf([canonicalJson(project ?? null)]),
    );
  context.projects.set(name, known);
  return known;
}

export function asFailure(error: unknown): HawserError {
  if (error instanceof HawserError) return error;
  return new HawserError('internal', messageOf(error), { cause: error, retry: isRetryable(error) ? 'later' : 'never' });
}

export function explain(error: HawserError): string {
  return error.hint === undefined ? error.message : `${error.message}. ${error.hint}`;
}

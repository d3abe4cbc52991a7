import type { Cluster } from '../domain/cluster.ts';
import type { Project } from '../domain/project.ts';
import { isJsonObject, textOf, type JsonObject } from '../domain/json.ts';
import type { ApplyResult } from '../messages/api-changes.ts';
import type { Bell } from '../ports/bell.ts';
import type { Clock } from '../ports/clock.ts';
import type { Queue } from '../ports/queue.ts';
import type { SecretStore } from '../ports/secret-store.ts';
import type { StateStore } from '../ports/state-store.ts';
import { ensureRepository, getProject, listClusters, type Repository } from './registry.ts';

export interface DeclareDeps {
  store: StateStore;
  secrets: SecretStore;
  hints: Queue;
  bell: Bell;
  clock: Clock;
  /** Webhook secret of repositories that are registered on the way; random when absent. */
  webhookSecret?: string;
}

export interface DeclareRequest {
  organisation: string;
  objects: readonly JsonObject[];
  /** The cluster that `in-cluster` and Flux objects mean. */
  homeCluster: string;
  /** The organisation's default cluster: ids of Flux objects for it carry no cluster name. */
  defaultCluster: string;
  /** The application that rendered them; absent when somebody handed them in. */
  parent?: string;
  /** Nobody waits for the answer: an application that cannot be is kept as an invalid one, as those of a parent are. */
  keepInvalid?: true;
  by: string;
  trace: string;
  dryRun?: boolean;
}

export type DeclareItem = ApplyResult['items'][number];

export interface DeclareContext {
  deps: DeclareDeps;
  request: DeclareRequest;
  /** Remembers that an application has to be planned once everything is written. */
  plan(repository: string, application: string): void;
  /** Remembers that a repository has to be read anew once everything is written. */
  refresh(repository: string): void;
  /** Remembers what to mark as done once everything is written and asked for. */
  settle(mark: () => Promise<unknown>): void;
  /** What many objects of a request ask alike, read once for all of them: projects come before applications. */
  clusters(): Promise<Cluster[]>;
  project(name: string): Promise<Project | undefined>;
  /** The repository of a URL, registered where it is not yet. */
  repository(url: string): Promise<Repository>;
}

/** Reads for one request; a failure is not remembered. */
export function createLookups(
  deps: DeclareDeps,
  { organisation }: DeclareRequest,
): Pick<DeclareContext, 'clusters' | 'project' | 'repository'> {
  const known = new Map<string, Promise<unknown>>();
  const once = <T>(key: string, read: () => Promise<T>): Promise<T> => {
    const before = known.get(key) as Promise<T> | undefined;
    if (before !== undefined) return before;
    const reading = read();
    known.set(key, reading);
    reading.catch(() => known.delete(key));
    return reading;
  };
  return {
    clusters: () => once('clusters', () => listClusters(deps.store, organisation)),
    project: (name) => once(`project ${name}`, () => getProject(deps.store, organisation, name)),
    repository: (url) => once(`repository ${url}`, () => ensureRepository(deps, organisation, url)),
  };
}

/** Kind, namespace and name as far as they are there. */
export function identity(object: JsonObject): { kind: string; namespace: string; name: string } {
  const metadata = isJsonObject(object['metadata']) ? object['metadata'] : {};
  return {
    kind: textOf(object['kind']),
    namespace: textOf(metadata['namespace']),
    name: textOf(metadata['name']),
  };
}

import type { ClusterKind } from '#shared/domain/cluster.ts';
import { keyOf, type KubeObject } from '#shared/domain/kube-object.ts';
import type { Log } from '#shared/ports/log.ts';
import type { Cluster } from './cluster/cluster.ts';
import type { WatchHandler } from './cluster/watch.ts';

/** What the watches tell. All calls are synchronous and in order. */
export interface WatchListener {
  /** `listing`: it is part of a list, thousands may follow. */
  seen(key: string, live: KubeObject, listing: boolean): void;
  /** `version` is that of the deletion: an object observed later is another one. */
  gone(key: string, version: number): void;
  /** A list is complete: what is not among `present` and was not observed after `version` is not there. */
  listed(
    scope: { group: string; kind: string; namespace: string },
    present: ReadonlySet<string>,
    version: number,
  ): void;
  /** Completeness of some kind changed. */
  changed(): void;
}

/** One watch per kind that is managed, for all applications. */
export interface WatchSet {
  /** Makes sure that this kind is watched; `namespace` matters only where the agent may not watch everywhere. */
  need(kind: ClusterKind, namespace: string): void;
  /** True once the kind (in this namespace) has listed and its watch holds. */
  isComplete(group: string, kind: string, namespace: string): boolean;
  stop(): Promise<void>;
}

interface Watched {
  namespace: string;
  complete: boolean;
  controller: AbortController;
  done: Promise<void>;
}

interface KindWatches {
  kind: ClusterKind;
  /** False once the cluster-wide watch was refused: then one watch per namespace. */
  clusterWide: boolean;
  watches: Map<string, Watched>;
  namespaces: Set<string>;
}

export interface WatchSetDeps {
  cluster: Pick<Cluster, 'watch'>;
  labelSelector: string;
  listener: WatchListener;
  log: Log;
}

/** Creates the set; watches start with the first `need`. */
export function createWatchSet(deps: WatchSetDeps): WatchSet {
  const kinds = new Map<string, KindWatches>();

  function start(entry: KindWatches, namespace: string): void {
    if (entry.watches.has(namespace)) return;
    const controller = new AbortController();
    const watched: Watched = { namespace, complete: false, controller, done: Promise.resolve() };
    entry.watches.set(namespace, watched);
    const target = { kind: entry.kind, namespace, labelSelector: deps.labelSelector };
    const handler = createHandler(deps, entry, watched, () => fallBack(entry));
    watched.done = deps.cluster.watch(target, handler, controller.signal);
  }

  /** The agent may not watch this kind everywhere: watch it where it has objects. */
  function fallBack(entry: KindWatches): void {
    if (!entry.clusterWide || !entry.kind.namespaced || entry.namespaces.size === 0) return;
    deps.log.info({ kind: entry.kind.kind }, 'watching by namespace: the cluster-wide watch is forbidden');
    entry.clusterWide = false;
    entry.watches.get('')?.controller.abort();
    entry.watches.delete('');
    for (const namespace of entry.namespaces) start(entry, namespace);
  }

  return {
    need(kind, namespace) {
      const key = `${kind.group}/${kind.kind}`;
      let entry = kinds.get(key);
      if (entry === undefined) {
        entry = { kind, clusterWide: true, watches: new Map(), namespaces: new Set() };
        kinds.set(key, entry);
      }
      if (kind.namespaced && namespace !== '') entry.namespaces.add(namespace);
      start(entry, entry.clusterWide ? '' : namespace);
    },
    isComplete(group, kind, namespace) {
      const entry = kinds.get(`${group}/${kind}`);
      return entry?.watches.get(entry.clusterWide ? '' : namespace)?.complete ?? false;
    },
    async stop() {
      const all = [...kinds.values()].flatMap((entry) => [...entry.watches.values()]);
      for (const watched of all) watched.controller.abort();
      await Promise.all(all.map((watched) => watched.done));
    },
  };
}

function createHandler(
  deps: WatchSetDeps,
  entry: KindWatches,
  watched: Watched,
  onForbidden: () => void,
): WatchHandler {
  const { listener } = deps;
  const { group, kind } = entry.kind;
  let present: Set<string> | undefined;
  const keyFor = (live: KubeObject) =>
    keyOf({ group, kind, namespace: live.metadata.namespace ?? '', name: live.metadata.name });
  return {
    listing() {
      present = new Set();
    },
    seen(live) {
      const key = keyFor(live);
      present?.add(key);
      listener.seen(key, live, present !== undefined);
    },
    removed(live) {
      listener.gone(keyFor(live), Number(live.metadata.resourceVersion));
    },
    listed(version) {
      const scope = { group, kind, namespace: watched.namespace };
      listener.listed(scope, present ?? new Set(), Number(version));
      present = undefined;
      watched.complete = true;
      listener.changed();
    },
    failed(error) {
      watched.complete = false;
      listener.changed();
      if (error.code === 'forbidden' && watched.namespace === '') onForbidden();
    },
  };
}

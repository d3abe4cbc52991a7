import type { ClusterCapabilities, ClusterKind } from '#shared/domain/cluster.ts';
import type { JsonObject } from '#shared/domain/json.ts';
import type { KubeObject, ObjectId } from '#shared/domain/kube-object.ts';
import type { Clock } from '#shared/ports/clock.ts';
import type { Log } from '#shared/ports/log.ts';
import { applyObject, createObject, type ApplyRequest, type Written } from './apply.ts';
import { deleteObject, type DeleteRequest, type Deleted } from './delete.ts';
import { createDiscovery } from './discover.ts';
import { getObject, listPages, type ListRequest } from './read.ts';
import type { Requests } from './requests.ts';
import { createOwn, patchOwn } from './write.ts';
import { watchKind, type WatchHandler, type WatchTarget } from './watch.ts';

/** The agent's only view of its cluster. Every call may throw `cluster-unreachable`; what the API server refuses is data. */
export interface Cluster {
  /** The kind as the cluster serves it now; the group's preferred version where none is given. */
  kindOf(id: { group: string; kind: string; version?: string }): ClusterKind | undefined;
  /** True while discovery of this group failed: nothing of it may be concluded absent (G-12). */
  isGroupBroken(group: string): boolean;
  /** Reads the kinds again; changes `kindOf`. */
  discover(): Promise<ClusterCapabilities>;
  /** Server-side apply of the object's own text. */
  apply(request: ApplyRequest): Promise<Written>;
  /** Create or replace the object as a whole (`Replace=true`). */
  replace(request: ApplyRequest): Promise<Written>;
  get(kind: ClusterKind, id: ObjectId): Promise<KubeObject | undefined>;
  list(kind: ClusterKind, request?: ListRequest): AsyncIterable<KubeObject[]>;
  delete(request: DeleteRequest): Promise<Deleted>;
  /** Lists, then watches, for ever; every gap is closed by a new list. Ends with the signal. */
  watch(target: WatchTarget, handler: WatchHandler, signal: AbortSignal): Promise<void>;
  /** Creates one of the agent's own objects. */
  create(kind: ClusterKind, object: KubeObject): Promise<Written>;
  /** Merge patch of one of the agent's own objects. */
  patch(kind: ClusterKind, at: { namespace: string; name: string }, patch: JsonObject): Promise<Written>;
  /** Requests sent, by method. */
  requestCounts(): Record<string, number>;
}

/** Creates the adapter. */
export function createCluster(deps: { requests: Requests; clock: Clock; log: Log }): Cluster {
  const { requests } = deps;
  const discovery = createDiscovery(requests);
  return {
    kindOf: (id) => discovery.kindOf(id),
    isGroupBroken: (group) => discovery.isGroupBroken(group),
    discover: () => discovery.discover(),
    apply: (request) => applyObject(requests, request),
    replace: (request) => createObject(requests, request),
    get: (kind, id) => getObject(requests, kind, id),
    list: (kind, request) => listPages(requests, kind, request ?? {}),
    delete: (request) => deleteObject(requests, request),
    create: (kind, object) => createOwn(requests, kind, object),
    patch: (kind, at, patch) => patchOwn(requests, kind, at, patch),
    watch: (target, handler, signal) => watchKind(deps, target, handler, signal),
    requestCounts: () => requests.counts,
  };
}

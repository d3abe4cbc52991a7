import type { ApplyRequest, Written } from '#agent/cluster/apply.ts';
import type { Cluster } from '#agent/cluster/cluster.ts';
import type { WatchHandler, WatchTarget } from '#agent/cluster/watch.ts';
import { HawserError } from '#shared/errors.ts';
import type { ClusterKind } from '#shared/domain/cluster.ts';
import { isJsonObject, type Json, type JsonObject } from '#shared/domain/json.ts';
import { keyOf, type KubeObject, type ObjectId } from '#shared/domain/kube-object.ts';

export interface ModelOptions {
  /** Called before a request takes effect; a returned refusal is answered instead. */
  before?: (call: ModelCall) => Written | undefined;
  /** Called once a request took effect, before its answer is there: what watches tell in this time is quicker than the answer. */
  after?: (call: ModelCall) => void;
}

export interface ModelCall {
  verb: 'apply' | 'replace' | 'create' | 'patch' | 'delete' | 'get' | 'list';
  key: string;
  dryRun: boolean;
}

/** A cluster in memory, with server-side apply as far as one manager needs it; what survives when an agent dies. */
export interface ModelCluster {
  objects: Map<string, KubeObject>;
  /** Everything that changed something, in order. */
  writes: ModelCall[];
  reads: ModelCall[];
  options: ModelOptions;
  /** Somebody else's change. */
  edit(key: string, change: (object: KubeObject) => void): void;
  remove(key: string): void;
  put(object: KubeObject): void;
  /** A connection of one agent: after `crashAfter` writes took effect it answers nothing any more. */
  connect(options?: { crashAfter?: number }): { cluster: Cluster; crashed: Promise<void>; cut(): void };
}

const kinds: ClusterKind[] = [
  ['', 'v1', 'ConfigMap', 'configmaps', true],
  ['', 'v1', 'Secret', 'secrets', true],
  ['', 'v1', 'Namespace', 'namespaces', false],
  ['', 'v1', 'PersistentVolumeClaim', 'persistentvolumeclaims', true],
  ['apps', 'v1', 'Deployment', 'deployments', true],
  ['batch', 'v1', 'Job', 'jobs', true],
].map(([group, version, kind, plural, namespaced]) => ({ group, version, kind, plural, namespaced }) as ClusterKind);

/** Creates an empty cluster. */
export function createModelCluster(options: ModelOptions = {}): ModelCluster {
  const objects = new Map<string, KubeObject>();
  /** What each object's appliers said last, by field manager. */
  const applied = new Map<string, JsonObject>();
  const watchers = new Set<{ target: WatchTarget; handler: WatchHandler }>();
  const writes: ModelCall[] = [];
  const reads: ModelCall[] = [];
  let version = 100;
  let uids = 0;

  const model: ModelCluster = { objects, writes, reads, options, edit, remove, put, connect };

  function matches(target: WatchTarget, object: KubeObject): boolean {
    const same =
      keyOf({ ...target.kind, namespace: '', name: '' }) === keyOf({ ...groupKind(object), namespace: '', name: '' });
    const label = object.metadata.labels?.[target.labelSelector];
    return same && label !== undefined && (target.namespace === '' || target.namespace === object.metadata.namespace);
  }

  function store(key: string, object: KubeObject): KubeObject {
    version += 1;
    const stored = structuredClone(object);
    stored.metadata.resourceVersion = String(version);
    objects.set(key, stored);
    for (const { target, handler } of watchers) if (matches(target, stored)) handler.seen(structuredClone(stored));
    return structuredClone(stored);
  }

  function erase(key: string): void {
    const object = objects.get(key);
    if (object === undefined) return;
    objects.delete(key);
    applied.delete(key);
    version += 1;
    const last = structuredClone(object);
    last.metadata.resourceVersion = String(version);
    for (const { target, handler } of watchers) if (matches(target, object)) handler.removed(structuredClone(last));
  }

  function edit(key: string, change: (object: KubeObject) => void): void {
    const object = objects.get(key);
    if (object === undefined) throw new Error(`no ${key}`);
    const changed = structuredClone(object);
    change(changed);
    store(key, changed);
  }

  function remove(key: string): void {
    erase(key);
  }

  function put(object: KubeObject): void {
    uids += 1;
    const metadata = { ...object.metadata, uid: `uid-${uids}`, managedFields: [{ manager: 'somebody' }] };
    store(keyOf(idFrom(object)), { ...object, metadata } as unknown as KubeObject);
  }

  function applyTo(request: ApplyRequest): Written {
    const key = keyOf({
      ...request.kind,
      namespace: request.kind.namespaced ? request.namespace : '',
      name: request.name,
    });
    const desired = JSON.parse(request.text) as KubeObject;
    const live = objects.get(key);
    if (live?.metadata.deletionTimestamp !== undefined) {
      return { ok: false, reason: 'conflict', status: 409, message: 'it is being deleted' };
    }
    const base =
      live === undefined ? {} : (removeFields(structuredClone(live), applied.get(key) ?? {}, desired) as JsonObject);
    const merged = merge(base, desired) as unknown as KubeObject;
    merged.metadata = {
      ...merged.metadata,
      name: request.name,
      ...(request.kind.namespaced ? { namespace: request.namespace } : {}),
      uid: live?.metadata.uid ?? `uid-${uids + 1}`,
      managedFields: [{ manager: request.fieldManager }],
    } as KubeObject['metadata'];
    const same =
      live !== undefined &&
      JSON.stringify(sorted(live)) ===
        JSON.stringify(
          sorted({ ...merged, metadata: { ...merged.metadata, resourceVersion: live.metadata.resourceVersion } }),
        );
    if (request.dryRun === true) return { ok: true, object: structuredClone(merged), created: live === undefined };
    if (live === undefined) uids += 1;
    applied.set(key, desired);
    return { ok: true, object: same ? structuredClone(live) : store(key, merged), created: live === undefined };
  }

  function connect({ crashAfter = Infinity }: { crashAfter?: number } = {}): ReturnType<ModelCluster['connect']> {
    let left = crashAfter;
    let dead = false;
    let crash: () => void = () => undefined;
    const crashed = new Promise<void>((resolve) => (crash = resolve));
    const mine = new Set<{ target: WatchTarget; handler: WatchHandler }>();
    const cut = () => {
      dead = true;
      for (const watcher of mine) watchers.delete(watcher);
      crash();
    };
    const forever = () => new Promise<never>(() => undefined);

    /** Takes effect, and then perhaps the answer never arrives. */
    async function write<T>(call: ModelCall, effect: () => T): Promise<T | Written> {
      await Promise.resolve();
      if (dead) return forever();
      const refused = options.before?.(call);
      if (refused !== undefined) return refused;
      const answer = effect();
      options.after?.(call);
      if (!call.dryRun) {
        writes.push(call);
        left -= 1;
      } else reads.push(call);
      if (left <= 0) {
        cut();
        return forever();
      }
      return answer;
    }

    async function read<T>(call: ModelCall, effect: () => T): Promise<T> {
      await Promise.resolve();
      if (dead) return forever();
      reads.push(call);
      if (options.before?.(call) !== undefined)
        throw new HawserError('internal', `${call.verb} ${call.key} was refused`, { retry: 'later' });
      const answer = effect();
      options.after?.(call);
      return answer;
    }

    const keyFor = (kind: ClusterKind, namespace: string, name: string) =>
      keyOf({ ...kind, namespace: kind.namespaced ? namespace : '', name });
    const cluster: Cluster = {
      kindOf: ({ group, kind }) => kinds.find((candidate) => candidate.group === group && candidate.kind === kind),
      isGroupBroken: () => false,
      discover: async () => ({ kubernetesVersion: 'v1.35.0', uid: 'model', kinds }),
      apply: (request) =>
        write(
          {
            verb: 'apply',
            key: keyFor(request.kind, request.namespace, request.name),
            dryRun: request.dryRun === true,
          },
          () => applyTo(request),
        ) as Promise<Written>,
      replace: (request) =>
        write(
          {
            verb: 'replace',
            key: keyFor(request.kind, request.namespace, request.name),
            dryRun: request.dryRun === true,
          },
          () => applyTo(request),
        ) as Promise<Written>,
      get: (kind, id: ObjectId) =>
        read({ verb: 'get', key: keyFor(kind, id.namespace, id.name), dryRun: false }, () =>
          structuredClone(objects.get(keyFor(kind, id.namespace, id.name))),
        ),
      async *list(kind, request = {}) {
        const all = await read({ verb: 'list', key: kind.kind, dryRun: false }, () =>
          [...objects.values()].filter(
            (object) =>
              object.kind === kind.kind &&
              hasLabels(object, request.labelSelector) &&
              (request.namespace ?? object.metadata.namespace) === object.metadata.namespace,
          ),
        );
        yield structuredClone(all);
      },
      delete(request) {
        const key = keyFor(request.kind, request.namespace, request.name);
        return write({ verb: 'delete', key, dryRun: false }, () => {
          const live = objects.get(key);
          if (live === undefined || live.metadata.uid !== request.uid) return { ok: true, state: 'gone' } as const;
          if (request.resourceVersion !== undefined && live.metadata.resourceVersion !== request.resourceVersion) {
            return { ok: false, reason: 'conflict', status: 409, message: 'changed' } as const;
          }
          erase(key);
          return { ok: true, state: 'accepted' } as const;
        }) as ReturnType<Cluster['delete']>;
      },
      create(kind, object) {
        const key = keyFor(kind, object.metadata.namespace ?? '', object.metadata.name);
        return write({ verb: 'create', key, dryRun: false }, (): Written => {
          if (objects.has(key)) return { ok: false, reason: 'conflict', status: 409, message: 'exists' };
          uids += 1;
          const stored = store(key, { ...object, metadata: { ...object.metadata, uid: `uid-${uids}` } });
          return { ok: true, object: stored, created: true };
        });
      },
      patch(kind, at, patch) {
        const key = keyFor(kind, at.namespace, at.name);
        return write({ verb: 'patch', key, dryRun: false }, (): Written => {
          const live = objects.get(key);
          if (live === undefined) return { ok: false, reason: 'not-found', status: 404, message: 'gone' };
          const wanted = isJsonObject(patch['metadata']) ? patch['metadata']['resourceVersion'] : undefined;
          if (wanted !== undefined && wanted !== live.metadata.resourceVersion)
            return { ok: false, reason: 'conflict', status: 409, message: 'changed' };
          return {
            ok: true,
            object: store(key, mergePatch(structuredClone(live), patch) as unknown as KubeObject),
            created: false,
          };
        });
      },
      async watch(target, handler, signal) {
        const watcher = { target, handler };
        await Promise.resolve();
        if (dead || signal.aborted) return;
        handler.listing();
        for (const object of objects.values()) if (matches(target, object)) handler.seen(structuredClone(object));
        handler.listed(String(version));
        watchers.add(watcher);
        mine.add(watcher);
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
        watchers.delete(watcher);
      },
      requestCounts: () => ({}),
    };
    return { cluster, crashed, cut };
  }

  return model;
}

function groupKind(object: KubeObject): { group: string; kind: string } {
  return { group: object.apiVersion.includes('/') ? (object.apiVersion.split('/')[0] ?? '') : '', kind: object.kind };
}

function idFrom(object: KubeObject): ObjectId {
  return { ...groupKind(object), namespace: object.metadata.namespace ?? '', name: object.metadata.name };
}

function hasLabels(object: KubeObject, selector: string | undefined): boolean {
  return (selector ?? '').split(',').every((term) => {
    const [name = '', value] = term.split('=');
    return (
      name === '' ||
      (value === undefined ? object.metadata.labels?.[name] !== undefined : object.metadata.labels?.[name] === value)
    );
  });
}

function merge(into: Json | undefined, from: Json | undefined): Json | undefined {
  if (!isJsonObject(into) || !isJsonObject(from)) return from;
  const result: JsonObject = { ...into };
  for (const [name, value] of Object.entries(from)) result[name] = merge(result[name], value);
  return result;
}

/** Drops what was applied before and is not applied any more. */
function removeFields(live: Json | undefined, before: Json | undefined, now: Json | undefined): Json | undefined {
  if (!isJsonObject(live) || !isJsonObject(before)) return live;
  const wanted = isJsonObject(now) ? now : {};
  for (const [name, value] of Object.entries(before)) {
    if (wanted[name] === undefined) delete live[name];
    else live[name] = removeFields(live[name], value, wanted[name]);
  }
  return live;
}

function mergePatch(into: JsonObject, patch: JsonObject): JsonObject {
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete into[name];
    else if (isJsonObject(value) && isJsonObject(into[name])) into[name] = mergePatch(into[name], value);
    else into[name] = value;
  }
  return into;
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, inner]) => [name, sorted(inner)]),
  );
}

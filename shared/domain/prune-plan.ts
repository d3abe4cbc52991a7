import type { SyncPolicy } from './application.ts';
import { digestOf } from './digest.ts';
import type { InventoryEntry } from './inventory.ts';
import { managersOf } from './managed-fields.ts';
import { isJsonObject } from './json.ts';
import type { KubeObject } from './kube-object.ts';
import type { PruneHold } from './status.ts';

/** What pruning needs to know of a live object. */
export interface LiveObject {
  uid: string;
  resourceVersion: string;
  labels: Readonly<Record<string, string>>;
  annotations: Readonly<Record<string, string>>;
  /** Field managers that own anything in it. */
  managers: readonly string[];
  deletionTimestamp?: string;
  /** A controller made it (an owner reference with `controller: true`). */
  controlled?: boolean;
  /** Of a CustomResourceDefinition: how many objects of its kind exist; absent where nobody has counted. */
  instances?: number;
  /** Of a PersistentVolume, or of the volume behind a claim. */
  reclaimPolicy?: string;
}

/** Everything that one prune decision looks at. Times are ms since 1970. */
export interface PruneInput {
  application: string;
  /** The application's owner mark. */
  owner: string;
  /** What has been established about the snapshot that no longer holds the candidates. */
  root: {
    /** Signature, binding and every digest hold. */
    verified: boolean;
    /** All chunks are there. */
    complete: boolean;
    generation: number;
    /** The newest generation of this application that the agent knows of. */
    newestGeneration: number;
    /** The generation all of whose objects were applied in this round. */
    appliedGeneration: number;
    objectCount: number;
  };
  /** One entry per object of the snapshot, hooks included. */
  desired: readonly { key: string; uid?: string; hook?: boolean }[];
  inventory: readonly InventoryEntry[];
  /** `missing`: a read said NotFound. `unknown` (or absent): nobody has looked, or looking failed. */
  live: ReadonlyMap<string, LiveObject | 'missing' | 'unknown'>;
  /** What went wrong in this round: applies, discovery, lists, watches. */
  roundErrors: readonly string[];
  /** API groups that could not be listed or discovered. */
  failedGroups: ReadonlySet<string>;
  policy: Pick<SyncPolicy, 'prune' | 'allowEmpty' | 'suspended'>;
  now: number;
  /** Since when, and since which generation, a key is not desired any more. */
  tombstones: ReadonlyMap<string, { since: number; generation: number }>;
  /** Shared by all applications of the cluster. */
  clusterBudget: { managedObjects: number; prunesLast10Min: number };
  /** Which other application of this cluster desires a key, or did within ten minutes (G-09). */
  otherOwners: ReadonlyMap<string, string>;
  /** Somebody confirmed exactly one list; `until` as in the sync request (ISO 8601). */
  confirmed?: { listDigest: string; until: string };
  /** Keys of this application that were deleted on behalf of this generation already: the list is judged as a whole. */
  alreadyPruned?: readonly string[];
  options?: PruneOptions;
}

export interface PruneOptions {
  /** How long a key must have been gone from the desired set; default 5,000 (design.md §5). */
  tombstoneMs?: number;
  /** Largest part of an application that may go unasked; default 0.2. */
  applicationShare?: number;
  /** …and as many objects may always go; default 5. */
  applicationMinimum?: number;
}

export interface PruneItem {
  key: string;
  version: string;
  /** Preconditions of the delete (INV-24). */
  uid: string;
  resourceVersion: string;
  wave: number;
}

/** What to do about everything that the inventory holds and the snapshot does not. Every candidate appears exactly once. */
export interface PruneDecision {
  /** In the order in which they are to be deleted. */
  delete: PruneItem[];
  /** Not before `until`. */
  wait: { key: string; until: number }[];
  /** Left alone, and why; `byWish` where whoever declared it wants it to stay. */
  skip: { key: string; guard: string; reason: string; byWish?: true }[];
  /** Another application has it now: the entry goes, the object stays (G-09). */
  handOver: { key: string; to: string }[];
  /** Confirmed gone: the entry goes (INV-25). */
  forget: string[];
  /** Somebody must confirm this list first; nothing is deleted. */
  hold?: PruneHold;
  /** Why nothing could be decided at all; nothing changes. */
  blocked?: { guard: string; reason: string };
}

/** Digest of a list of keys that somebody may confirm: bound to the application, so that it is void for any other (G-13). */
export function pruneListDigest(application: string, keys: Iterable<string>): string {
  return digestOf(['prunes', application, ...[...new Set(keys)].sort()]);
}

/** What pruning needs of a live object. */
export function liveObjectOf(object: KubeObject): LiveObject {
  const { metadata } = object;
  const owners = metadata['ownerReferences'];
  const controlled =
    Array.isArray(owners) && owners.some((owner) => isJsonObject(owner) && owner['controller'] === true);
  const spec = isJsonObject(object['spec']) ? object['spec'] : {};
  const reclaimPolicy = spec['persistentVolumeReclaimPolicy'];
  return {
    uid: metadata.uid ?? '',
    resourceVersion: metadata.resourceVersion ?? '',
    labels: metadata.labels ?? {},
    annotations: metadata.annotations ?? {},
    managers: managersOf(object),
    ...(metadata.deletionTimestamp === undefined ? {} : { deletionTimestamp: metadata.deletionTimestamp }),
    ...(controlled ? { controlled } : {}),
    ...(typeof reclaimPolicy === 'string' ? { reclaimPolicy } : {}),
  };
}

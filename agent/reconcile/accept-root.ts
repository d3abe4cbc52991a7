import { HawserError } from '#shared/errors.ts';
import type { SnapshotRoot } from '#shared/domain/snapshot.ts';
import type { AppRecord, InventoryEntry, OperationProgress } from '../state/record.ts';
import type { StoredVersion } from '../state/state-store.ts';
import type { Desired } from './model.ts';
import type { AppRuntime } from './runtime.ts';

/** A snapshot that is complete and verified: what an agent may act on (INV-16). */
export interface VerifiedSnapshot {
  root: SnapshotRoot;
  /** Packed JSON of the signed root, as it is stored. */
  packedRoot: Buffer;
  /** SHA-256 of the root's text. */
  rootDigest: string;
  /** Gzipped, by digest. */
  chunks: Map<string, Buffer>;
  desired: Desired;
}

/** An application that this cluster has not had before. */
export function newRuntime(snapshot: VerifiedSnapshot): AppRuntime {
  const record: AppRecord = {
    application: snapshot.root.application,
    generation: snapshot.root.generation,
    rootDigest: snapshot.rootDigest,
    inventory: new Map(),
  };
  return runtimeOf(snapshot, record, undefined, false);
}

/** An application as it was stored. */
export function restoreRuntime(snapshot: VerifiedSnapshot, record: AppRecord, version: StoredVersion): AppRuntime {
  return runtimeOf(snapshot, { ...record, inventory: sharingTexts(record, snapshot.desired) }, version, true);
}

/** Keys and digests that are equal become the same strings: with tens of thousands of objects that is megabytes. */
function sharingTexts(record: AppRecord, desired: Desired): AppRecord['inventory'] {
  const shared = new Map<string, InventoryEntry>();
  for (const [key, entry] of record.inventory) {
    const object = desired.objects.get(key);
    const { version, digest } = entry;
    const same = object !== undefined && object.digest === digest && object.id.version === version;
    shared.set(object?.key ?? key, same ? { ...entry, version: object.id.version, digest: object.digest } : entry);
  }
  return shared;
}

function runtimeOf(
  snapshot: VerifiedSnapshot,
  record: AppRecord,
  version: StoredVersion | undefined,
  saved: boolean,
): AppRuntime {
  return {
    id: snapshot.root.application,
    root: snapshot.root,
    packedRoot: snapshot.packedRoot,
    chunks: snapshot.chunks,
    desired: snapshot.desired,
    record,
    version,
    saved,
    observed: new Map(),
    suspects: new Map(),
    comparisons: new Map(),
    drifts: new Map(),
    asking: new Map(),
    corrections: new Map(),
    conditions: new Map(),
    events: [],
    shared: new Set(),
    transient: 0,
    transientSince: undefined,
    deleted: false,
  };
}

/**
 * Takes in a newer generation, between two actions and never during one: an action holds on to what it was decided from.
 * Throws `snapshot-invalid` for one that is not newer: an agent never goes back (INV-15).
 * Nothing is written here; the next decision persists it together with the intent.
 */
export function acceptSnapshot(app: AppRuntime, snapshot: VerifiedSnapshot, now: number): void {
  if (snapshot.root.generation <= app.record.generation) {
    const text = `generation ${snapshot.root.generation} of ${app.id} is not newer than ${app.record.generation}`;
    throw new HawserError('snapshot-invalid', text);
  }
  const { desired } = snapshot;
  const before = app.desired;
  app.root = snapshot.root;
  app.packedRoot = snapshot.packedRoot;
  app.chunks = snapshot.chunks;
  app.desired = desired;
  app.saved = false;
  const { deletion: _, hold, operation, ...record } = app.record;
  // A hold on something that is desired again is over; else it stands until the next round judges anew.
  const stands = hold !== undefined && hold.objects.every((key) => !desired.objects.has(key));
  app.record = {
    ...record,
    ...(stands ? { hold } : {}),
    ...(operation === undefined ? {} : { operation: superseded(operation, snapshot.root.generation, now) }),
    generation: snapshot.root.generation,
    rootDigest: snapshot.rootDigest,
  };
  app.transient = 0;
  app.transientSince = undefined;
  app.shared.clear();
  app.corrections.clear();
  app.suspects.clear();
  doubtChanged(app, before, desired);
  for (const [key, comparison] of app.comparisons) {
    if (desired.objects.get(key)?.digest !== comparison.digest) app.comparisons.delete(key);
  }
  for (const key of app.drifts.keys()) {
    if (desired.objects.get(key)?.digest !== app.record.inventory.get(key)?.digest) app.drifts.delete(key);
  }
}

/** An operation that a newer generation overtook: what it has not done, the newer one does (FT-92). */
function superseded(operation: OperationProgress, generation: number, now: number): OperationProgress {
  if (operation.phase !== 'Running') return operation;
  const { retryAt: _, waitingSince: __, ...rest } = operation;
  const message = `superseded by generation ${generation}`;
  return { ...rest, phase: 'Failed', message, finishedAt: new Date(now).toISOString() };
}

/**
 * While another text was desired, live changes of these objects were not judged. Where what is desired now is what was
 * applied before, nothing will be applied: so they are looked at again.
 */
function doubtChanged(app: AppRuntime, before: Desired, desired: Desired): void {
  for (const [key, seen] of app.observed) {
    const object = desired.objects.get(key);
    if (object === undefined || before.objects.get(key)?.digest === object.digest) continue;
    if (app.record.inventory.get(key)?.digest === object.digest && seen.drift === 'none') seen.drift = 'suspect';
  }
}

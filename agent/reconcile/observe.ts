import { computeHealth } from '#shared/domain/health.ts';
import type { KubeObject } from '#shared/domain/kube-object.ts';
import type { Health } from '#shared/domain/status.ts';
import { isOwned } from './claims.ts';
import type { Observation } from './model.ts';
import type { AppRuntime } from './runtime.ts';
import { shapeOf } from './shape.ts';

/** What an event changed: `drift` asks for a decision, `health` only for a report unless somebody waits for it. */
export type Change = 'nothing' | 'health' | 'drift';

/** Tells whether a live object differs from what is desired in a field that we own; a local check, no request. */
export type LocalCheck = (app: AppRuntime, key: string, live: KubeObject) => boolean;

/**
 * Asks about one object and takes the answer in; `ask` does both. Answers and watch events come over different connections, so
 * a deletion may be told before the answer of a request that it came after, and it is told once: what is told while `ask` runs
 * is kept for it. One request at a time asks about an object.
 */
export async function asking<T>(app: AppRuntime, key: string, ask: () => Promise<T>): Promise<T> {
  app.asking.set(key, -Infinity);
  try {
    return await ask();
  } finally {
    app.asking.delete(key);
  }
}

/** True where a watch has told, since the request for this answer began, that what the answer shows is gone. */
export function isGoneSince(app: AppRuntime, key: string, live: KubeObject): boolean {
  return Number(live.metadata.resourceVersion) <= (app.asking.get(key) ?? -Infinity);
}

/**
 * Takes in a live object from a watch. Events older than what is known are dropped, also those of an object that had the name
 * before (FT-101). Without `hold` a suspect is read again when it is verified: a list may hold thousands.
 */
export function takeSeen(app: AppRuntime, key: string, live: KubeObject, differs: LocalCheck, hold = true): Change {
  const before = app.observed.get(key);
  const { uid = '', resourceVersion = '' } = live.metadata;
  if (before !== undefined && Number(resourceVersion) <= Number(before.resourceVersion)) return 'nothing';
  const next = observationOf(live);
  if (before?.uid === uid && before.shape === next.shape) next.drift = before.drift;
  else if (isComparable(app, key) && !next.terminating && differs(app, key, live)) next.drift = 'suspect';
  // The snapshot's own key, not an equal one: each would be kept.
  app.observed.set(app.desired.objects.get(key)?.key ?? key, next);
  if (next.drift === 'suspect' && hold) app.suspects.set(key, live);
  else app.suspects.delete(key);
  confirmCreation(app, key, live);
  const entry = app.record.inventory.get(key);
  const foreign = entry !== undefined && entry.uid !== '' && entry.uid !== uid;
  if (next.drift === 'suspect' || foreign || next.terminating !== before?.terminating) return 'drift';
  return sameHealth(before?.health, next.health) && before !== undefined ? 'nothing' : 'health';
}

/**
 * An intent whose outcome a crash kept from us: what bears our mark and was written by us under that key is what we
 * created (INV-17).
 */
function confirmCreation(app: AppRuntime, key: string, live: KubeObject): void {
  const entry = app.record.inventory.get(key);
  const { uid = '' } = live.metadata;
  if (entry?.uid === '' && isOwned(live, uid, app.root.owner)) app.record.inventory.set(key, { ...entry, uid });
}

/**
 * Takes in an object that a write answered with (within `asking`): it is as desired. The watch may have been quicker with what
 * happened to it since: that is newer, and nothing tells of it again. Where it has been deleted, or made anew by somebody else,
 * that stands; where more than its status has changed, it is looked at.
 */
export function takeApplied(app: AppRuntime, key: string, live: KubeObject): void {
  const seen = takeRead(app, key, live);
  app.suspects.delete(key);
  app.comparisons.delete(key);
  const { uid, resourceVersion } = live.metadata;
  if (seen === undefined || seen.uid !== uid || seen.resourceVersion === resourceVersion) return;
  seen.drift = seen.shape === shapeOf(live) ? 'none' : 'suspect';
}

/** Takes in an object that a request answered with (within `asking`), unless something newer is known; returns what is. */
export function takeRead(app: AppRuntime, key: string, live: KubeObject): Observation | undefined {
  const seen = app.observed.get(key);
  const isOld = seen !== undefined && Number(seen.resourceVersion) > Number(live.metadata.resourceVersion);
  if (isOld || isGoneSince(app, key, live)) return seen;
  const read = observationOf(live);
  app.observed.set(key, read);
  return read;
}

/** Takes in that at this version an object is not there (any more). One that is observed later is another one (FT-101). */
export function takeGone(app: AppRuntime, key: string, version: number): Change {
  const told = app.asking.get(key);
  if (told !== undefined) app.asking.set(key, Math.max(told, version));
  const seen = app.observed.get(key);
  if (seen !== undefined && Number(seen.resourceVersion) > version) return 'nothing';
  app.suspects.delete(key);
  app.comparisons.delete(key);
  return app.observed.delete(key) || app.record.inventory.get(key)?.deleting !== undefined ? 'drift' : 'nothing';
}

/** What is kept of a live object. */
export function observationOf(live: KubeObject): Observation {
  const health = computeHealth(live);
  return {
    uid: live.metadata.uid ?? '',
    resourceVersion: live.metadata.resourceVersion ?? '',
    ...(health === undefined ? {} : { health: shared(health) }),
    shape: shapeOf(live),
    drift: 'none',
    ...(live.metadata.deletionTimestamp === undefined ? {} : { terminating: true }),
  };
}

const healthy: Health = Object.freeze({ status: 'Healthy' });

/** Tens of thousands of objects are healthy: they share one value. */
function shared(health: Health): Health {
  return health.status === 'Healthy' && health.message === undefined ? healthy : health;
}

/** Only what was applied as it is desired now can drift; the rest waits for its operation. */
function isComparable(app: AppRuntime, key: string): boolean {
  const object = app.desired.objects.get(key);
  if (object === undefined || object.hook !== undefined || object.options?.skip || object.options?.ifNotPresent)
    return false;
  return app.record.inventory.get(key)?.digest === object.digest;
}

function sameHealth(a: Health | undefined, b: Health | undefined): boolean {
  return a?.status === b?.status && a?.message === b?.message;
}

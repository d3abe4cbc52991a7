import { compareAppliedDryRun, ownedDifferences } from '#shared/domain/drift.ts';
import type { KubeObject } from '#shared/domain/kube-object.ts';
import { inParallel } from '#shared/domain/parallel.ts';
import { redactText } from '#shared/domain/redact.ts';
import { fieldManager, ownerLabel } from '#shared/domain/tracking.ts';
import type { Drift, FieldDifference } from '#shared/domain/status.ts';
import type { IgnoreRule } from '#shared/domain/application.ts';
import type { ReconcileDeps } from './deps.ts';
import { ensureNamespace } from './ensure-namespace.ts';
import type { DesiredObject } from './model.ts';
import { asking, isGoneSince, observationOf, takeApplied, takeGone } from './observe.ts';
import { addEvent, type AppRuntime } from './runtime.ts';
import { noteCorrection, noteFailedCorrection } from './fights.ts';
import { kindFor, writeObject } from './write-object.ts';

const perApplication = 8;
const fieldsShown = 50;

/** Makes sure of suspects: one dry-run apply each, compared with the live object. What proves equal is remembered by its shape. */
export async function verifySuspects(deps: ReconcileDeps, app: AppRuntime, keys: string[]): Promise<void> {
  await inParallel(keys, perApplication, async (key) => {
    const object = app.desired.objects.get(key);
    const seen = app.observed.get(key);
    if (object === undefined || seen === undefined) return;
    const live = app.suspects.get(key) ?? (await readLive(deps, object));
    if (live === undefined || live.metadata.resourceVersion !== seen.resourceVersion) return;
    const fields = await dryRunDifferences(deps, app, object, live);
    // A newer event came while we asked: it has its own verdict.
    if (app.observed.get(key) !== seen) return;
    // The watch will tell it, too; until then nothing else can be done about it.
    if (fields === 'gone') {
      takeGone(app, key, Number(live.metadata.resourceVersion));
      return;
    }
    app.suspects.delete(key);
    seen.drift = fields === 'same' ? 'none' : 'confirmed';
    if (fields === 'same') return;
    noteDrift(deps, app, object, 'modified', fields);
  });
}

/** Sets drifted and deleted objects right by applying them. */
export async function correctDrift(deps: ReconcileDeps, app: AppRuntime, keys: string[]): Promise<void> {
  // With a deleted namespace everything in it is gone.
  if (keys.some((key) => !app.observed.has(key))) await ensureNamespace(deps, app);
  await inParallel(keys, perApplication, async (key) => {
    const object = app.desired.objects.get(key);
    if (object !== undefined) await asking(app, key, () => correctObject(deps, app, object));
  });
}

async function correctObject(deps: ReconcileDeps, app: AppRuntime, object: DesiredObject): Promise<void> {
  const { key } = object;
  if (!app.observed.has(key)) noteDrift(deps, app, object, 'deleted', []);
  const outcome = await writeObject(deps, app, object, { dryRun: false, force: false });
  const now = deps.clock.now();
  const drift = app.drifts.get(key);
  if (outcome.state !== 'applied') {
    noteFailedCorrection(app, key, now);
    if (drift !== undefined) app.drifts.set(key, { ...drift, note: outcome.message });
    return;
  }
  const { uid = '' } = outcome.live.metadata;
  const entry = app.record.inventory.get(key);
  // A new uid has to be persisted; an edit that was undone changes nothing that is stored.
  if (entry?.uid !== uid) app.uidsChanged = true;
  app.record.inventory.set(key, { ...entry, uid, version: object.id.version, digest: object.digest });
  takeApplied(app, key, outcome.live);
  noteCorrection(app, key, now);
  if (drift === undefined) return;
  const { note: _, ...rest } = drift;
  app.drifts.set(key, { ...rest, correctedAt: new Date(now).toISOString() });
  addEvent(app, now, {
    reason: 'DriftCorrected',
    message: `${drift.change === 'deleted' ? 'recreated' : 'corrected'} after ${drift.change === 'deleted' ? 'it was deleted' : `${drift.fields.length} fields differed`}`,
    object: key,
  });
}

/** Compares objects that nobody may apply yet with the live ones: what a sync would change. */
export async function compareUnapplied(deps: ReconcileDeps, app: AppRuntime, keys: string[]): Promise<void> {
  await inParallel(keys, perApplication, async (key) => {
    const object = app.desired.objects.get(key);
    if (object !== undefined) await asking(app, key, () => compareObject(deps, app, object));
  });
}

async function compareObject(deps: ReconcileDeps, app: AppRuntime, object: DesiredObject): Promise<void> {
  const { digest, key } = object;
  const live = await readLive(deps, object);
  const fields = live === undefined ? 'gone' : await dryRunDifferences(deps, app, object, live, [ownMark]);
  const at = new Date(deps.clock.now()).toISOString();
  if (live === undefined || fields === 'gone' || isGoneSince(app, key, live)) {
    app.comparisons.set(key, { digest, state: 'missing', fields: [], at });
    return;
  }
  const { health } = observationOf(live);
  app.comparisons.set(key, {
    digest,
    state: fields === 'same' ? 'same' : 'different',
    fields: fields === 'same' ? [] : fields,
    at,
    ...(health === undefined ? {} : { health }),
  });
}

/** The local check of owned fields: no request. */
export function differsLocally(deps: ReconcileDeps, app: AppRuntime, key: string, live: KubeObject): boolean {
  const object = app.desired.objects.get(key);
  if (object === undefined) return false;
  const desired = deps.texts.objectOf(app, object);
  return ownedDifferences(desired, live, { ignore: app.root.policy.ignoreDifferences, limit: 1 }).length > 0;
}

/** Our mark is no change that anybody waits for: an object that lacks only it is as desired. */
const ownMark: IgnoreRule = {
  group: '*',
  kind: '*',
  jsonPointers: [`/metadata/labels/${ownerLabel.replaceAll('/', '~1')}`],
};

/**
 * Asks the API server what an apply would change; `gone` where it would create the object. A refusal is a difference that cannot
 * be applied: shown as it is.
 */
async function dryRunDifferences(
  deps: ReconcileDeps,
  app: AppRuntime,
  object: DesiredObject,
  live: KubeObject,
  more: readonly IgnoreRule[] = [],
): Promise<FieldDifference[] | 'same' | 'gone'> {
  const kind = await kindFor(deps, object);
  const desired = deps.texts.objectOf(app, object);
  const options = { ignore: [...app.root.policy.ignoreDifferences, ...more], limit: fieldsShown };
  if (kind === undefined) return ownedDifferences(desired, live, options);
  const { namespace, name } = object.id;
  const text = deps.texts.textOf(app, object);
  const written = await deps.cluster.apply({ kind, namespace, name, text, fieldManager, force: true, dryRun: true });
  if (!written.ok) {
    const local = ownedDifferences(desired, live, options);
    if (local.length > 0) return local;
    return [{ path: '', desired: JSON.stringify(`refused: ${redactText(written.message, desired)}`) }];
  }
  if (written.created) return 'gone';
  const fields = compareAppliedDryRun(live, written.object, options);
  return fields.length === 0 ? 'same' : fields;
}

async function readLive(deps: ReconcileDeps, object: DesiredObject): Promise<KubeObject | undefined> {
  const kind = await kindFor(deps, object);
  return kind === undefined ? undefined : deps.cluster.get(kind, object.id);
}

function noteDrift(
  deps: ReconcileDeps,
  app: AppRuntime,
  object: DesiredObject,
  change: Drift['change'],
  fields: FieldDifference[],
): void {
  const now = deps.clock.now();
  const before = app.drifts.get(object.key);
  const open = before !== undefined && before.correctedAt === undefined;
  const heals = app.root.policy.automated && app.root.policy.selfHeal;
  const seenAt = open ? before.seenAt : new Date(now).toISOString();
  app.drifts.set(object.key, { ...object.id, change, fields, seenAt, ...(heals ? {} : { note: 'self-heal is off' }) });
  if (!open)
    addEvent(app, now, {
      type: 'Warning',
      reason: 'DriftDetected',
      message:
        change === 'deleted'
          ? 'it was deleted'
          : fields
              .map((field) => field.path)
              .slice(0, 10)
              .join(', '),
      object: object.key,
    });
}

import { describeId, type KubeObject } from '#shared/domain/kube-object.ts';
import { redactText } from '#shared/domain/redact.ts';
import { fieldManager } from '#shared/domain/tracking.ts';
import { respectIgnored, rulesFor } from '#shared/domain/ignore-rules.ts';
import { losslessText, parseLossless } from '#shared/domain/lossless.ts';
import type { ClusterKind } from '#shared/domain/cluster.ts';
import type { Refused } from '../cluster/refusal.ts';
import { foreignOwner } from './claims.ts';
import type { ReconcileDeps } from './deps.ts';
import type { DesiredObject } from './model.ts';
import type { AppRuntime } from './runtime.ts';

/** What became of one write. `transient` may be cured by time alone and does not count as a failure of the operation. */
export type WriteOutcome =
  | { state: 'applied'; live: KubeObject; action: 'created' | 'configured' | 'unchanged' }
  | { state: 'refused'; message: string }
  | { state: 'shared'; message: string }
  | { state: 'transient'; message: string };

export interface WriteOptions {
  dryRun: boolean;
  /** Recreate when an immutable field changed: somebody asked for force. */
  force: boolean;
  text?: string;
}

/** Kinds whose deletion loses data: never recreated by force (FT-67). */
const neverRecreated = new Set(['PersistentVolumeClaim', 'PersistentVolume', 'Namespace', 'CustomResourceDefinition']);

/** Applies (or replaces) one object and says what happened. Throws only `cluster-unreachable`. */
export async function writeObject(
  deps: ReconcileDeps,
  app: AppRuntime,
  object: DesiredObject,
  options: WriteOptions,
): Promise<WriteOutcome> {
  const kind = await kindFor(deps, object);
  if (kind === undefined) {
    return {
      state: 'transient',
      message: `${describeId(object.id)}: the cluster does not know ${object.id.kind} in ${object.id.group || 'core'}/${object.id.version}`,
    };
  }
  const text = options.text ?? (await textFor(deps, app, kind, object));
  const known = (app.record.inventory.get(object.key)?.uid ?? '') !== '';
  const { namespace, name } = object.id;
  // Read now: the watch may tell of our own write before its answer is here.
  const before = app.observed.get(object.key)?.resourceVersion;
  // What is new to us is applied politely first: a conflict means that somebody else has it, and then we look who.
  const request = { kind, namespace, name, text, fieldManager, force: known, dryRun: options.dryRun };
  const replaces = app.root.policy.replace || object.options?.replace === true;
  let written = replaces ? await deps.cluster.replace(request) : await deps.cluster.apply(request);
  if (!written.ok && written.reason === 'conflict' && !replaces) {
    const foreign = known ? undefined : await foreignClaim(deps, app, kind, object);
    if (foreign !== undefined) return { state: 'shared', message: foreign };
    written = await deps.cluster.apply({ ...request, force: true });
  }
  if (!written.ok && written.reason === 'immutable' && mayRecreate(app, object, options)) {
    return recreate(deps, app, kind, object, text);
  }
  if (!written.ok && written.reason === 'namespace-missing') {
    deps.namespaces.delete(namespace);
    delete app.namespaceReady;
    const comes = app.root.policy.createNamespace && namespace === app.root.destinationNamespace;
    if (comes) return { state: 'transient', message: `${describeId(object.id)}: ${written.message}` };
  }
  if (!written.ok) return refusalOutcome(deps, app, object, written);
  if (!known && !written.created) {
    const claim = foreignOwner(written.object, deps.texts.objectOf(app, object), app.root.owner);
    if (claim !== undefined) return { state: 'shared', message: sharedMessage(object, claim) };
  }
  const action = written.created
    ? 'created'
    : before === written.object.metadata.resourceVersion
      ? 'unchanged'
      : 'configured';
  return { state: 'applied', live: written.object, action };
}

/**
 * The signed text as it is; with `RespectIgnoreDifferences` ignored fields take over the live values, so that applying
 * leaves them alone (argo-cd.md §2.7).
 */
async function textFor(
  deps: ReconcileDeps,
  app: AppRuntime,
  kind: ClusterKind,
  object: DesiredObject,
): Promise<string> {
  const text = deps.texts.textOf(app, object);
  const { respectIgnoreDifferences, ignoreDifferences } = app.root.policy;
  if (!respectIgnoreDifferences || rulesFor(ignoreDifferences, object.id).length === 0) return text;
  const live = await deps.cluster.get(kind, object.id);
  if (live === undefined) return text;
  return losslessText(respectIgnored(ignoreDifferences, parseLossless(text) as KubeObject, live));
}

/** The kind as the cluster serves it; asks the cluster again where it is not known. */
export async function kindFor(deps: ReconcileDeps, object: DesiredObject): Promise<ClusterKind | undefined> {
  const known = deps.cluster.kindOf(object.id);
  if (known !== undefined) return known;
  await deps.cluster.discover();
  return deps.cluster.kindOf(object.id);
}

async function foreignClaim(
  deps: ReconcileDeps,
  app: AppRuntime,
  kind: ClusterKind,
  object: DesiredObject,
): Promise<string | undefined> {
  const live = await deps.cluster.get(kind, object.id);
  const claim = live === undefined ? undefined : foreignOwner(live, deps.texts.objectOf(app, object), app.root.owner);
  return claim === undefined ? undefined : sharedMessage(object, claim);
}

function sharedMessage(object: DesiredObject, owner: string): string {
  return `${describeId(object.id)} is part of ${owner} as well; it is left alone`;
}

function mayRecreate(app: AppRuntime, object: DesiredObject, options: WriteOptions): boolean {
  const wanted = options.force || app.root.policy.force || object.options?.force === true;
  return wanted && !options.dryRun && !neverRecreated.has(object.id.kind);
}

/** Deletes the object, waits until it is gone (10 s at most), creates it anew. */
async function recreate(
  deps: ReconcileDeps,
  app: AppRuntime,
  kind: ClusterKind,
  object: DesiredObject,
  text: string,
): Promise<WriteOutcome> {
  const { namespace, name } = object.id;
  const live = await deps.cluster.get(kind, object.id);
  if (live?.metadata.uid !== undefined) {
    const { uid } = live.metadata;
    const deleted = await deps.cluster.delete({ kind, namespace, name, uid, propagation: 'background' });
    if (!deleted.ok) return refusalOutcome(deps, app, object, deleted);
    const deadline = deps.clock.monotonic() + 10_000;
    while ((await deps.cluster.get(kind, object.id))?.metadata.uid === uid) {
      if (deps.clock.monotonic() > deadline)
        return { state: 'transient', message: `waiting for deletion of ${describeId(object.id)}` };
      await deps.clock.sleep(100);
    }
  }
  const written = await deps.cluster.apply({ kind, namespace, name, text, fieldManager, force: true });
  if (!written.ok) return refusalOutcome(deps, app, object, written);
  deps.log.info({ application: app.id, object: object.key }, 'recreated by force');
  return { state: 'applied', live: written.object, action: 'created' };
}

function refusalOutcome(deps: ReconcileDeps, app: AppRuntime, object: DesiredObject, refused: Refused): WriteOutcome {
  const what = describeId(object.id);
  // The server quotes what it refuses, and that may be the value of a Secret (NT-90).
  const message = redactText(refused.message, deps.texts.objectOf(app, object));
  switch (refused.reason) {
    case 'kind-missing':
      return { state: 'transient', message: `${what}: the cluster does not know this kind yet` };
    case 'namespace-terminating':
      return { state: 'refused', message: `${what}: its namespace is being deleted` };
    case 'immutable':
      return {
        state: 'refused',
        message: `${what}: ImmutableField: ${message} (set Force=true or force: true to have it recreated)`,
      };
    case 'namespace-missing':
      return {
        state: 'refused',
        message: `${what}: ${message} (declare it as a Namespace; with Argo CD CreateNamespace=true creates the destination namespace)`,
      };
    default:
      return { state: 'refused', message: `${what}: ${message}` };
  }
}

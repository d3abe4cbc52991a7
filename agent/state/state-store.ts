import { HawserError, messageOf } from '#shared/errors.ts';
import type { ClusterKind } from '#shared/domain/cluster.ts';
import type { JsonObject } from '#shared/domain/json.ts';
import type { KubeObject } from '#shared/domain/kube-object.ts';
import { parentName } from '#shared/domain/tracking.ts';
import type { Log } from '#shared/ports/log.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { AppState } from './record.ts';
import { layOut, partsOf, readLayout, type Layout } from './secret-layout.ts';

/** What a save left behind; the next save needs it. */
export interface StoredVersion {
  resourceVersion: string;
  /** Data keys of the parent Secret that are there. */
  keys: Set<string>;
  /** What is there is damaged or of unknown origin: the next save writes all of it again. */
  rewrite?: boolean;
  /** Names of its parts. */
  parts: Set<string>;
  annotations: string;
}

/** `state` is missing where what is stored cannot be read (FT-55). */
export interface Loaded {
  state?: AppState;
  version: StoredVersion;
}

type OnDamaged = (application: string, error: HawserError) => void;

/** Persisted state of applications: one Secret each (the ApplySet parent), and parts where it outgrows one. */
export interface AgentStateStore {
  /** Calls back for every application found; a damaged one is reported with its error, never dropped silently. */
  loadAll(onLoaded: (state: AppState, version: StoredVersion) => void, onDamaged: OnDamaged): Promise<void>;
  /** One application, as another writer left it. */
  load(application: string): Promise<Loaded | undefined>;
  /**
   * Writes the state: one request, unless parts are needed. `withSnapshot` says that root and chunks changed.
   * Throws `conflict` when somebody else wrote since `version` (INV-18), `apply-failed` when refused.
   */
  save(state: AppState, version: StoredVersion | undefined, withSnapshot: boolean): Promise<StoredVersion>;
  /** Forgets an application (after a deletion order was carried out). */
  drop(application: string): Promise<void>;
}

export const secretKind: ClusterKind = {
  group: '',
  version: 'v1',
  kind: 'Secret',
  plural: 'secrets',
  namespaced: true,
};
const managedBy = 'app.kubernetes.io/managed-by';
const applicationLabel = 'hawser.dev/application';
const partLabel = 'hawser.dev/part-of-application';

export interface StateStoreDeps {
  cluster: Cluster;
  namespace: string;
  log: Log;
  /** Labels and annotations of an ApplySet parent (KEP-3659) for this state. */
  parentMarks: (state: AppState) => { labels: Record<string, string>; annotations: Record<string, string> };
}

/** Creates the store. */
export function createStateStore(deps: StateStoreDeps): AgentStateStore {
  const { cluster, namespace } = deps;
  return {
    loadAll: (onLoaded, onDamaged) => loadAll(deps, onLoaded, onDamaged),
    async load(application) {
      const secret = await cluster.get(secretKind, idIn(namespace, parentName(application)));
      return secret === undefined ? undefined : readSecret(deps, secret, () => undefined);
    },
    save: (state, version, withSnapshot) => save(deps, state, version, withSnapshot),
    drop: (application) => drop(deps, application),
  };
}

function partName(application: string, suffix: string): string {
  return `${parentName(application)}.${suffix}`;
}

function idIn(namespace: string, name: string) {
  return { group: '', kind: 'Secret', namespace, name };
}

async function loadAll(
  deps: StateStoreDeps,
  onLoaded: (state: AppState, version: StoredVersion) => void,
  onDamaged: OnDamaged,
): Promise<void> {
  const labelSelector = `${managedBy}=hawser,${applicationLabel}`;
  // Small pages: a Secret may be a mebibyte.
  for await (const page of deps.cluster.list(secretKind, { namespace: deps.namespace, labelSelector, limit: 50 })) {
    for (const secret of page) {
      const { state, version } = await readSecret(deps, secret, onDamaged);
      if (state !== undefined) onLoaded(state, version);
    }
  }
}

async function readSecret(deps: StateStoreDeps, secret: KubeObject, onDamaged: OnDamaged): Promise<Loaded> {
  const main = dataOf(secret);
  const application = secret.metadata.labels?.[applicationLabel] ?? '';
  const layout: Layout = { main, parts: new Map() };
  const problem = await readParts(deps, application, layout);
  const version: StoredVersion = {
    resourceVersion: secret.metadata.resourceVersion ?? '',
    keys: new Set(main.keys()),
    parts: new Set(layout.parts.keys()),
    annotations: '',
  };
  try {
    if (problem === undefined) return { state: readLayout(layout), version };
  } catch (error) {
    onDamaged(application, damage(application, messageOf(error)));
    return { version: { ...version, rewrite: true } };
  }
  onDamaged(application, damage(application, problem));
  return { version: { ...version, rewrite: true } };
}

async function readParts(deps: StateStoreDeps, application: string, layout: Layout): Promise<string | undefined> {
  let suffixes: string[];
  try {
    suffixes = partsOf(layout.main);
  } catch (error) {
    return messageOf(error);
  }
  for (const suffix of suffixes) {
    const part = await deps.cluster.get(secretKind, idIn(deps.namespace, partName(application, suffix)));
    const bytes = part === undefined ? undefined : dataOf(part).get('part');
    if (bytes !== undefined) layout.parts.set(suffix, bytes);
  }
  return undefined;
}

function damage(application: string, reason: string): HawserError {
  return new HawserError('snapshot-invalid', `The stored state of ${application} is damaged: ${reason}`);
}

function dataOf(secret: KubeObject): Map<string, Buffer> {
  const data = (secret['data'] ?? {}) as Record<string, string>;
  return new Map(Object.entries(data).map(([name, value]) => [name, Buffer.from(value, 'base64')]));
}

async function save(
  deps: StateStoreDeps,
  state: AppState,
  version: StoredVersion | undefined,
  withSnapshot: boolean,
): Promise<StoredVersion> {
  const { application } = state.record;
  const layout = layOut(state);
  for (const [suffix, bytes] of layout.parts) {
    if (version?.parts.has(suffix) !== true) await createPart(deps, application, suffix, bytes);
  }
  // Which kinds and namespaces an application has changes only with its snapshot.
  const marks = withSnapshot || version === undefined ? deps.parentMarks(state) : undefined;
  const annotations = marks === undefined ? (version?.annotations ?? '') : JSON.stringify(marks);
  const written =
    version === undefined
      ? await deps.cluster.create(secretKind, parentOf(deps, application, layout, marks ?? noMarks))
      : await deps.cluster.patch(
          secretKind,
          { namespace: deps.namespace, name: parentName(application) },
          patchOf(layout, version, withSnapshot, annotations === version.annotations ? undefined : marks),
        );
  if (!written.ok) {
    const text = `The state of ${application} could not be stored: ${written.message}`;
    const conflict = written.reason === 'conflict' || written.reason === 'not-found';
    throw new HawserError(conflict ? 'conflict' : 'apply-failed', text, {
      retry: 'later',
      data: { reason: written.reason },
    });
  }
  await removeParts(
    deps,
    application,
    [...(version?.parts ?? [])].filter((suffix) => !layout.parts.has(suffix)),
  );
  return {
    resourceVersion: written.object.metadata.resourceVersion ?? '',
    keys: new Set(layout.main.keys()),
    parts: new Set(layout.parts.keys()),
    annotations,
  };
}

const noMarks = { labels: {}, annotations: {} };

async function createPart(deps: StateStoreDeps, application: string, suffix: string, bytes: Buffer): Promise<void> {
  const written = await deps.cluster.create(secretKind, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: partName(application, suffix),
      namespace: deps.namespace,
      labels: { [managedBy]: 'hawser', [partLabel]: application },
    },
    type: 'hawser.dev/part',
    immutable: true,
    data: { part: bytes.toString('base64') },
  });
  // Named after its content: one that exists is the same.
  if (written.ok || written.reason === 'conflict') return;
  throw new HawserError('apply-failed', `A part of the state of ${application}: ${written.message}`, {
    retry: 'later',
  });
}

function parentOf(
  deps: StateStoreDeps,
  application: string,
  layout: Layout,
  marks: { labels: Record<string, string>; annotations: Record<string, string> },
): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: parentName(application),
      namespace: deps.namespace,
      labels: { [managedBy]: 'hawser', [applicationLabel]: application, ...marks.labels },
      annotations: marks.annotations,
    },
    type: 'hawser.dev/application',
    data: Object.fromEntries([...layout.main].map(([name, bytes]) => [name, bytes.toString('base64')])),
  };
}

/** Only what changed: the record always, the root with a new snapshot, chunks by their digest (they never change). */
function patchOf(
  layout: Layout,
  version: StoredVersion,
  withSnapshot: boolean,
  marks: { labels: Record<string, string>; annotations: Record<string, string> } | undefined,
): JsonObject {
  const data: JsonObject = {};
  for (const [name, bytes] of layout.main) {
    const same =
      version.rewrite !== true &&
      version.keys.has(name) &&
      (name.startsWith('chunk.') || (name === 'root' && !withSnapshot));
    if (!same) data[name] = bytes.toString('base64');
  }
  for (const name of version.keys) if (!layout.main.has(name)) data[name] = null;
  return { metadata: { resourceVersion: version.resourceVersion, ...marks }, data };
}

async function removeParts(deps: StateStoreDeps, application: string, suffixes: string[]): Promise<void> {
  for (const suffix of suffixes) {
    const part = await deps.cluster.get(secretKind, idIn(deps.namespace, partName(application, suffix)));
    if (part?.metadata.uid === undefined) continue;
    const { uid, name } = part.metadata;
    await deps.cluster.delete({ kind: secretKind, namespace: deps.namespace, name, uid, propagation: 'background' });
  }
}

async function drop(deps: StateStoreDeps, application: string): Promise<void> {
  const secret = await deps.cluster.get(secretKind, idIn(deps.namespace, parentName(application)));
  const parts = secret === undefined ? [] : partsOf(dataOf(secret));
  if (secret?.metadata.uid !== undefined) {
    const { uid, name } = secret.metadata;
    await deps.cluster.delete({ kind: secretKind, namespace: deps.namespace, name, uid, propagation: 'background' });
  }
  await removeParts(deps, application, parts);
}

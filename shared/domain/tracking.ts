import { createHash } from 'node:crypto';
import { HawserError } from '../errors.ts';
import { isJsonObject, type JsonObject } from './json.ts';
import { annotationOf, type KubeObject, type ObjectId, splitApiVersion } from './kube-object.ts';
import { losslessText, parseLossless } from './lossless.ts';

/** The field manager of every write of the agent. Load-bearing: ownership of fields hangs on it, so it never changes. */
export const fieldManager = 'hawser';

/** The label that says which application owns an object (KEP-3659); its value is `ownerMark`. */
export const ownerLabel = 'applyset.kubernetes.io/part-of';

/** Label selector of everything that some ApplySet owns; whose it is, the label's value says. */
export const ownerSelector = ownerLabel;

/** Where the agent keeps its own objects, and the parents of its ApplySets among them. */
export const agentNamespace = 'hawser-system';

/** Argo CD's tracking annotation (argo-cd.md §2.4). */
export const argoTrackingAnnotation = 'argocd.argoproj.io/tracking-id';

/** Flux's owner labels (flux.md §2.4). */
export const fluxOwnerLabels = {
  name: 'kustomize.toolkit.fluxcd.io/name',
  namespace: 'kustomize.toolkit.fluxcd.io/namespace',
} as const;

/** Name of the Secret in `agentNamespace` that is the ApplySet parent of an application. */
export function parentName(application: string): string {
  return `hawser-app-${application}`;
}

/** Value of the owner label of an application's objects: the id of its ApplySet (KEP-3659, v1 of the id format). */
export function ownerMark(application: string): string {
  const parent = `${parentName(application)}.${agentNamespace}.Secret.`;
  return `applyset-${createHash('sha256').update(parent).digest('base64url')}-v1`;
}

/** Labels and annotations that make the parent Secret an ApplySet for other tools (`kubectl apply --prune --applyset`). */
export function parentMarks(application: string, contained: readonly ObjectId[]): Marks {
  const kinds = new Set(contained.map(({ group, kind }) => (group === '' ? kind : `${kind}.${group}`)));
  const namespaces = new Set(contained.map(({ namespace }) => namespace));
  namespaces.delete('');
  namespaces.delete(agentNamespace);
  return {
    labels: { 'applyset.kubernetes.io/id': ownerMark(application) },
    annotations: {
      'applyset.kubernetes.io/tooling': `${fieldManager}/v1`,
      'applyset.kubernetes.io/contains-group-kinds': [...kinds].sort().join(','),
      ...(namespaces.size === 0
        ? {}
        : { 'applyset.kubernetes.io/additional-namespaces': [...namespaces].sort().join(',') }),
    },
  };
}

/** Labels and annotations to put on an object. `namespace` sets the object's namespace; '' takes it away (cluster scope). */
export interface Marks {
  labels: Record<string, string>;
  annotations: Record<string, string>;
  namespace?: string;
}

/**
 * Adds marks to an object's JSON text; a mark wins over what the object says.
 * The result is canonical (sorted keys) and keeps every number as it was written.
 * Throws `object-invalid` where the text is no JSON object.
 */
export function markObject(text: string, marks: Marks): string {
  const object = parseObject(text);
  const metadata: JsonObject = isJsonObject(object['metadata']) ? { ...object['metadata'] } : {};
  addAll(metadata, 'labels', marks.labels);
  addAll(metadata, 'annotations', marks.annotations);
  if (marks.namespace === '') delete metadata['namespace'];
  else if (marks.namespace !== undefined) metadata['namespace'] = marks.namespace;
  return losslessText({ ...object, metadata });
}

function parseObject(text: string): JsonObject {
  let parsed: unknown;
  try {
    parsed = parseLossless(text);
  } catch (error) {
    // The parser's message quotes the text, and that may be a Secret.
    if (!(error instanceof SyntaxError || error instanceof RangeError)) throw error;
    throw new HawserError('object-invalid', 'The rendered object is not JSON');
  }
  if (!isJsonObject(parsed)) throw new HawserError('object-invalid', 'The rendered object is not a JSON object');
  return parsed;
}

function addAll(metadata: JsonObject, field: 'labels' | 'annotations', added: Record<string, string>): void {
  const present = metadata[field];
  if (Object.keys(added).length === 0) return;
  metadata[field] = { ...(isJsonObject(present) ? present : {}), ...added };
}

/** Argo CD's tracking id of an object: `<app>:<group>/<kind>:<namespace>/<name>`. */
export function argoTrackingId(application: string, id: ObjectId): string {
  return `${application}:${id.group}/${id.kind}:${id.namespace}/${id.name}`;
}

/** Who an object says it belongs to. Several may claim it; adoption decides which claims it honours. */
export interface Tracking {
  /** Value of our owner label. */
  owner?: string;
  /** `self`: the id names the very object that carries it; copies made by operators do not (argo-cd.md §2.4). */
  argo?: { application: string; self: boolean };
  flux?: { kind: 'Kustomization' | 'HelmRelease'; name: string; namespace: string };
  helm?: { release: string; namespace: string };
}

/** Reads every mark of ownership that is known: ours, Argo CD's, Flux's, Helm's. */
export function readTracking(object: KubeObject): Tracking {
  const labels = object.metadata.labels ?? {};
  const owner = labels[ownerLabel];
  const argo = readArgo(object, labels);
  const flux = readFlux(labels);
  const release = annotationOf(object, 'meta.helm.sh/release-name');
  return {
    ...(owner === undefined ? {} : { owner }),
    ...(argo === undefined ? {} : { argo }),
    ...(flux === undefined ? {} : { flux }),
    ...(release === undefined
      ? {}
      : { helm: { release, namespace: annotationOf(object, 'meta.helm.sh/release-namespace') ?? '' } }),
  };
}

function readArgo(object: KubeObject, labels: Record<string, string>): Tracking['argo'] {
  const trackingId = annotationOf(object, argoTrackingAnnotation);
  if (trackingId === undefined) {
    const application = labels['argocd.argoproj.io/instance'];
    return application === undefined ? undefined : { application, self: true };
  }
  const match = /^([^:]+):([^/:]*)\/([^:]+):([^/]*)\/(.+)$/.exec(trackingId);
  if (match === null) return undefined;
  const [, application = '', group, kind, namespace, name] = match;
  const own = splitApiVersion(object.apiVersion);
  const sameNamespace = object.metadata.namespace === undefined || object.metadata.namespace === namespace;
  const self = group === own.group && kind === object.kind && name === object.metadata.name && sameNamespace;
  return { application, self };
}

function readFlux(labels: Record<string, string>): Tracking['flux'] {
  for (const [kind, prefix] of [
    ['Kustomization', 'kustomize.toolkit.fluxcd.io'],
    ['HelmRelease', 'helm.toolkit.fluxcd.io'],
  ] as const) {
    const name = labels[`${prefix}/name`];
    const namespace = labels[`${prefix}/namespace`];
    if (name !== undefined && namespace !== undefined) return { kind, name, namespace };
  }
  return undefined;
}

import { HawserError } from '#shared/errors.ts';
import type { Application } from '#shared/domain/application.ts';
import type { Cluster } from '#shared/domain/cluster.ts';
import { declaredRole } from '#shared/domain/declared-kinds.ts';
import { objectViolation } from '#shared/domain/fence.ts';
import { isJsonObject, textOf } from '#shared/domain/json.ts';
import { describeId, idOf, keyOf, type KubeObject, type ObjectId } from '#shared/domain/kube-object.ts';
import type { Project } from '#shared/domain/project.ts';
import { isNamespaced } from '#shared/domain/scope.ts';
import {
  argoTrackingAnnotation,
  argoTrackingId,
  fluxOwnerLabels,
  markObject,
  ownerLabel,
  ownerMark,
  type Marks,
} from '#shared/domain/tracking.ts';

/** Rendered objects, bound to their application: ready to be signed. */
export interface BoundObjects {
  /** Canonical JSON texts for the cluster. */
  texts: string[];
  /** JSON texts of objects that the service registers instead of sending them (app of apps). */
  declared: string[];
  warnings: string[];
  /** Kinds (`group/Kind`) of which nobody knew whether they live in namespaces. */
  guessed: string[];
}

interface Binding {
  application: Application;
  project: Project;
  cluster: Cluster;
  servers: readonly string[];
}

/**
 * Gives each rendered object its namespace and its marks, and holds it against the project's fence.
 * The renderer's output is hostile input: it is parsed, checked and bound from the publisher's own record (INV-09).
 * Throws `not-permitted` or `object-invalid` naming every object that is in the way (at most ten).
 */
export function bindObjects(outputs: readonly string[], context: Binding): BoundObjects {
  const parsed = outputs.map((text, index) => ({ text, object: parseObject(text, index) }));
  const scopes = scopesOf(parsed.map((item) => item.object));
  const bound: BoundObjects = { texts: [], declared: [], warnings: [], guessed: [] };
  const violations: string[] = [];
  const guessed = new Set<string>();
  const seen = new Map<string, number>();
  for (const { text, object } of parsed) {
    const isDeclared = declaredRole(object) !== undefined;
    const { id, namespaced, guess } = placeObject(object, context, isDeclared, scopes);
    if (guess !== undefined) guessed.add(guess);
    const violation = violationOf(context, id, namespaced);
    if (violation !== undefined) {
      violations.push(`${describeId(id)}: ${violation}`);
      continue;
    }
    if (isDeclared) {
      bound.declared.push(text);
      continue;
    }
    const marked = markObject(text, { namespace: id.namespace, ...marksOf(context.application, id) });
    const before = id.name === '' ? undefined : seen.get(keyOf(id));
    if (before === undefined) {
      seen.set(keyOf(id), bound.texts.length);
      bound.texts.push(marked);
    } else {
      // Argo CD's rule: the last one wins (argo-cd.md §1.1).
      bound.texts[before] = marked;
      bound.warnings.push(`${repeatedWarning}${describeId(id)} appears more than once; the last one counts`);
    }
  }
  if (violations.length > 0) {
    const more = violations.length > 10 ? `; and ${violations.length - 10} more` : '';
    throw new HawserError('not-permitted', `${violations.slice(0, 10).join('; ')}${more}`);
  }
  return { ...bound, guessed: [...guessed].sort() };
}

/** What a warning about an object that appears twice starts with. */
const repeatedWarning = 'RepeatedResourceWarning: ';

function parseObject(text: string, index: number): KubeObject {
  let object: unknown;
  try {
    object = JSON.parse(text);
  } catch {
    // The parser's message quotes the text, and that may be a Secret.
  }
  const metadata = isJsonObject(object) ? object['metadata'] : undefined;
  const isObject =
    isJsonObject(object) &&
    isJsonObject(metadata) &&
    textOf(object['apiVersion']) !== '' &&
    textOf(object['kind']) !== '' &&
    (textOf(metadata['name']) !== '' || textOf(metadata['generateName']) !== '') &&
    (metadata['namespace'] == null || typeof metadata['namespace'] === 'string');
  if (!isObject) {
    const kind = isJsonObject(object) ? textOf(object['kind']) : '';
    throw new HawserError(
      'object-invalid',
      `rendered object ${index + 1}${kind === '' ? '' : ` (${kind})`} is no Kubernetes object: it needs apiVersion, kind and metadata.name`,
    );
  }
  return object as KubeObject;
}

/** Where an object goes. What the service registers itself counts as namespaced, as its kinds are in Argo CD and Flux. */
function placeObject(
  object: KubeObject,
  { application, cluster }: Binding,
  isDeclared: boolean,
  scopes: ReadonlyMap<string, boolean>,
): { id: ObjectId; namespaced: boolean; guess?: string } {
  const { group, kind, namespace } = idOf(object);
  // A hook may have `generateName` instead.
  const name = textOf(object.metadata['name']);
  const wanted = namespace || application.destinationNamespace;
  if (isDeclared) return { id: { group, kind, namespace: wanted || 'default', name }, namespaced: true };
  const known = isNamespaced({ group, kind }, cluster.capabilities, scopes);
  const namespaced = known ?? wanted !== '';
  return {
    id: { group, kind, namespace: namespaced ? wanted : '', name },
    namespaced,
    ...(known === undefined ? { guess: `${group}/${kind}` } : {}),
  };
}

function violationOf(
  { application, project, servers }: Binding,
  id: ObjectId,
  namespaced: boolean,
): string | undefined {
  if (namespaced && id.namespace === '') {
    return 'it has no namespace and the application names none (set spec.destination.namespace, or metadata.namespace)';
  }
  return objectViolation(project, application.cluster, servers, id, namespaced);
}

function marksOf(application: Application, id: ObjectId): Pick<Marks, 'labels' | 'annotations'> {
  const owner = { [ownerLabel]: ownerMark(application.id) };
  if (application.kind === 'Application') {
    const name = application.namespace === 'argocd' ? application.name : `${application.namespace}_${application.name}`;
    const tracking = argoTrackingId(name, { ...id, namespace: id.namespace || application.destinationNamespace });
    // Argo CD marks no CRDs (argo-cd.md §2.3).
    return {
      labels: owner,
      annotations: id.kind === 'CustomResourceDefinition' ? {} : { [argoTrackingAnnotation]: tracking },
    };
  }
  return {
    labels: {
      ...owner,
      [fluxOwnerLabels.name]: application.name,
      [fluxOwnerLabels.namespace]: application.namespace,
    },
    annotations: {},
  };
}

/** Scope of the kinds that this very render defines: `group/Kind` → namespaced. */
function scopesOf(objects: readonly KubeObject[]): Map<string, boolean> {
  const scopes = new Map<string, boolean>();
  for (const object of objects) {
    if (object.kind !== 'CustomResourceDefinition') continue;
    const spec = object['spec'];
    const names = isJsonObject(spec) ? spec['names'] : undefined;
    if (!isJsonObject(spec) || !isJsonObject(names)) continue;
    scopes.set(`${textOf(spec['group'])}/${textOf(names['kind'])}`, spec['scope'] === 'Namespaced');
  }
  return scopes;
}

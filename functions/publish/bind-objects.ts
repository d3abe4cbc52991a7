import { HawserError } from '#shared/errors.ts';
import type { Application } from '#shared/domain/application.ts';
import type { Cluster } from '#shared/domain/cluster.ts';
import { declaredRole } from '#shared/domain/declared-kinds.ts';
import { objectViolation } from '#shared/domain/fence.ts';
import type { JsonObject } from '#shared/domain/json.ts';
import { describeId, idOf, keyOf, type KubeObject, type ObjectId } from '#shared/domain/kube-object.ts';
import type { Project } from '#shared/domain/project.ts';
import { markObject, ownerMark } from '#shared/domain/tracking.ts';
import { isNamespaced } from './scope.ts';

/** Rendered objects, bound to their application: ready to be signed. */
export interface BoundObjects {
  /** Canonical JSON texts for the cluster. */
  texts: string[];
  /** Objects that the service registers instead of sending them (app of apps). */
  declared: JsonObject[];
  warnings: string[];
}

/** The label that says which application owns an object (KEP-3659); its value is `ownerMark`. */
const ownerLabel = 'applyset.kubernetes.io/part-of';

/**
 * Gives each rendered object its namespace and its marks, and holds it against the project's fence.
 * The renderer's output is hostile input: it is parsed, checked and bound from the publisher's own record (INV-09).
 * Throws `not-permitted` or `object-invalid` naming every object that is in the way (at most ten).
 */
export function bindObjects(
  outputs: readonly string[],
  context: { application: Application; project: Project; cluster: Cluster; servers: readonly string[] },
): BoundObjects {
  const { application, project, cluster, servers } = context;
  const parsed = outputs.map((text) => ({ text, object: JSON.parse(text) as KubeObject }));
  const scopes = scopesOf(parsed.map((item) => item.object));
  const bound: BoundObjects = { texts: [], declared: [], warnings: [] };
  const violations: string[] = [];
  const seen = new Map<string, number>();
  for (const { text, object } of parsed) {
    if (declaredRole(object) !== undefined) {
      bound.declared.push(object);
      continue;
    }
    const id = idOf(object);
    const namespaced =
      isNamespaced(id, cluster.capabilities, scopes) ??
      (id.namespace !== '' || application.destinationNamespace !== '');
    const placed: ObjectId = { ...id, namespace: namespaced ? id.namespace || application.destinationNamespace : '' };
    if (namespaced && placed.namespace === '') {
      violations.push(
        `${describeId(placed)}: it has no namespace and the application names none (set spec.destination.namespace, or metadata.namespace)`,
      );
      continue;
    }
    const violation = objectViolation(project, application.cluster, servers, placed, namespaced);
    if (violation !== undefined) {
      violations.push(`${describeId(placed)}: ${violation}`);
      continue;
    }
    const marked = markObject(text, { namespace: placed.namespace, ...marksOf(application, placed) });
    const before = object.metadata.name ? seen.get(keyOf(placed)) : undefined;
    if (before === undefined) {
      seen.set(keyOf(placed), bound.texts.length);
      bound.texts.push(marked);
    } else {
      // Argo CD's rule: the last one wins (argo-cd.md §1.1).
      bound.texts[before] = marked;
      bound.warnings.push(`RepeatedResourceWarning: ${describeId(placed)} appears more than once; the last one counts`);
    }
  }
  if (violations.length > 0) {
    const more = violations.length > 10 ? `; and ${violations.length - 10} more` : '';
    throw new HawserError('not-permitted', `${violations.slice(0, 10).join('; ')}${more}`);
  }
  return bound;
}

function marksOf(
  application: Application,
  id: ObjectId,
): { labels: Record<string, string>; annotations: Record<string, string> } {
  const owner = { [ownerLabel]: ownerMark(application.id) };
  if (application.kind === 'Application') {
    const name = application.namespace === 'argocd' ? application.name : `${application.namespace}_${application.name}`;
    const namespace = id.namespace || application.destinationNamespace;
    const tracking = `${name}:${id.group}/${id.kind}:${namespace}/${id.name}`;
    // Argo CD marks no CRDs (argo-cd.md §2.3).
    return {
      labels: owner,
      annotations: id.kind === 'CustomResourceDefinition' ? {} : { 'argocd.argoproj.io/tracking-id': tracking },
    };
  }
  return {
    labels: {
      ...owner,
      'kustomize.toolkit.fluxcd.io/name': application.name,
      'kustomize.toolkit.fluxcd.io/namespace': application.namespace,
    },
    annotations: {},
  };
}

/** Scope of the kinds that this very render defines: `group/Kind` → namespaced. */
function scopesOf(objects: readonly KubeObject[]): Map<string, boolean> {
  const scopes = new Map<string, boolean>();
  for (const object of objects) {
    if (object.kind !== 'CustomResourceDefinition') continue;
    const spec = object['spec'] as { group?: string; scope?: string; names?: { kind?: string } } | undefined;
    if (spec?.group && spec.names?.kind) scopes.set(`${spec.group}/${spec.names.kind}`, spec.scope === 'Namespaced');
  }
  return scopes;
}

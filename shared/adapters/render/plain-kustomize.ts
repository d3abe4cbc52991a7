import { resolveWithin } from './bundle-files.ts';
import type { FoundDocument } from './collect-objects.ts';
import { stringAt, type JsonMap } from './json-tree.ts';
import { findKustomizations, type Kustomization } from './kustomize-graph.ts';
import { decodeText } from './read-documents.ts';
import type { RenderContext } from './render-context.ts';
import { splitDocuments } from './yaml-subset.ts';
import { yamlToPlainTree } from './yaml-to-json.ts';

/**
 * What `kustomize build` answers for a kustomization that only lists resources (as do those that it lists), without
 * starting it: such a build reads objects, sorts them and prints them. Proved equal to the real tool by
 * `test/contract/plain-kustomize.embedded.test.ts`; undefined for everything outside what is proved, and for
 * everything that kustomize might refuse: then the tool itself says what is wrong.
 */
export function renderPlainKustomization(context: RenderContext): FoundDocument[] | undefined {
  const objects: PlainObject[] = [];
  if (!collectFolder(context, context.path, objects, new Set())) return undefined;
  const identities = new Set(objects.map(({ identity }) => identity));
  if (identities.size !== objects.length) return undefined;
  return objects.toSorted(compareObjects).map(({ tree, file }) => ({ tree, where: `file ${file}` }));
}

interface PlainObject {
  tree: JsonMap;
  file: string;
  /** Coarser than kustomize's, which knows what has no namespace: what is there twice by this is left to it. */
  identity: string;
  order: number;
  /** kustomize's legacy sort keys. */
  type: string;
  place: string;
}

/** False as soon as anything is not plain. */
function collectFolder(context: RenderContext, folder: string, objects: PlainObject[], visited: Set<string>): boolean {
  if (visited.has(folder)) return false;
  visited.add(folder);
  const [kustomization, ...others] = findKustomizations(context, folder);
  if (kustomization === undefined || others.length > 0) return false;
  const resources = plainResources(kustomization);
  return resources?.every((reference) => collectResource(context, folder, reference, objects, visited)) === true;
}

function collectResource(
  context: RenderContext,
  folder: string,
  reference: string,
  objects: PlainObject[],
  visited: Set<string>,
): boolean {
  const target = resolveWithin(folder, reference);
  if (target === undefined) return false;
  const bytes = context.files.get(target);
  if (bytes === undefined) return collectFolder(context, target, objects, visited);
  const isBelow = folder === '' || target.startsWith(`${folder}/`);
  return isBelow && collectFile(context, target, bytes, objects);
}

/** The references of a kustomization that says nothing else. */
function plainResources({ tree, isPlain }: Kustomization): string[] | undefined {
  if (!isPlain) return undefined;
  const known = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    resources: tree.get('resources'),
  };
  for (const [key, value] of tree)
    if (!Object.hasOwn(known, key) || known[key as keyof typeof known] !== value) return undefined;
  const { resources } = known;
  const references = Array.isArray(resources)
    ? resources.filter((item) => typeof item === 'string' && item !== '')
    : [];
  return Array.isArray(resources) && references.length > 0 && references.length === resources.length
    ? (references as string[])
    : undefined;
}

function collectFile(context: RenderContext, file: string, bytes: Uint8Array, objects: PlainObject[]): boolean {
  const text = decodeText(bytes, `file ${file}`);
  // kustomize keeps a missing line end at the end of a file, and splits only at bare separators as kubectl does.
  if (!text.endsWith('\n') || text.includes('\r') || /^---.*\S/m.test(text.replaceAll(/^---$/gm, ''))) return false;
  for (const document of splitDocuments(text)) {
    const tree = yamlToPlainTree(document.text, context.limits);
    const object = tree instanceof Map ? plainObject(tree, file) : undefined;
    if (object === undefined) return false;
    objects.push(object);
  }
  return true;
}

/** Kinds whose references kustomize rewrites as a whole, or that it takes for something of its own. */
const specialKinds =
  /List$|^(?:ClusterRoleBinding|RoleBinding|ValidatingWebhookConfiguration|MutatingWebhookConfiguration|APIService|Kustomization|Component)$/;
const specialAnnotation = /(?:^|[.])(?:config|kustomize\.config)\.(?:k8s|kubernetes)\.io\//;

function plainObject(tree: JsonMap, file: string): PlainObject | undefined {
  const metadata = tree.get('metadata');
  const apiVersion = stringAt(tree, 'apiVersion') ?? '';
  const kind = stringAt(tree, 'kind') ?? '';
  if (
    !(metadata instanceof Map) ||
    !/^[\w./-]+$/.test(apiVersion) ||
    !/^[A-Za-z]\w*$/.test(kind) ||
    specialKinds.test(kind)
  )
    return undefined;
  const name = metadata.get('name');
  const namespace = metadata.get('namespace') ?? '';
  if (typeof name !== 'string' || typeof namespace !== 'string' || !/^[\w.:-]+$/.test(name)) return undefined;
  if (metadata.has('namespace') && !/^[a-z0-9-]+$/.test(namespace)) return undefined;
  if (!isTextMap(metadata, 'labels') || !isTextMap(metadata, 'annotations')) return undefined;
  const slash = apiVersion.indexOf('/');
  const group = slash < 0 ? '' : apiVersion.slice(0, slash);
  const version = apiVersion.slice(slash + 1);
  return {
    tree,
    file,
    identity: `${kind}/${name}`,
    order: orderOf(kind),
    type: [group === '' ? '~G' : group, version, kind].join('_'),
    place: [namespace === '' ? '~X' : namespace, name].join('|'),
  };
}

/** Absent, or texts by text: kustomize drops empty ones and refuses others. */
function isTextMap(metadata: JsonMap, key: string): boolean {
  if (!metadata.has(key)) return true;
  const map = metadata.get(key);
  if (!(map instanceof Map) || map.size === 0) return false;
  return [...map].every(([name, value]) => typeof value === 'string' && !specialAnnotation.test(name));
}

/** kustomize's legacy order, which is its default. */
const firstKinds = [
  'Namespace',
  'ResourceQuota',
  'StorageClass',
  'CustomResourceDefinition',
  'ServiceAccount',
  'PodSecurityPolicy',
  'Role',
  'ClusterRole',
  'RoleBinding',
  'ClusterRoleBinding',
  'ConfigMap',
  'Secret',
  'Endpoints',
  'Service',
  'LimitRange',
  'PriorityClass',
  'PersistentVolume',
  'PersistentVolumeClaim',
  'Deployment',
  'StatefulSet',
  'CronJob',
  'PodDisruptionBudget',
];

function orderOf(kind: string): number {
  const index = firstKinds.indexOf(kind);
  return index < 0 ? firstKinds.length : index;
}

function compareObjects(a: PlainObject, b: PlainObject): number {
  return a.order - b.order || compareText(a.type, b.type) || compareText(a.place, b.place);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

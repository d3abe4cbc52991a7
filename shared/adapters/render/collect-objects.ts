import { HawserError } from '../../errors.ts';
import { canonicalText, stringAt, type JsonMap, type JsonTree } from './json-tree.ts';
import { limitError, type RenderLimits } from './limits.ts';

/** A document and how people find it: `file web.yaml, document 2 (line 14)`. */
export interface FoundDocument {
  tree: JsonTree;
  where: string;
}

/**
 * Canonical JSON of the objects in the documents, in their order: lists are exploded, null documents dropped, of objects
 * that are there twice the last stays (`RepeatedResourceWarning`). Throws `object-invalid` naming what is missing where,
 * or `render-limit`.
 */
export function collectObjects(documents: FoundDocument[], limits: RenderLimits, warnings: string[]): string[] {
  const objects = new Map<string, string>();
  const repeats = new Map<string, number>();
  let size = 0;
  let nameless = 0;
  for (const found of documents.flatMap(explode)) {
    const { key, name } = identify(found);
    const text = canonicalText(found.tree);
    if (text.length > limits.objectSize || Buffer.byteLength(text) > limits.objectSize) {
      throw limitError('objectSize', limits.objectSize, `${name} (${found.where})`);
    }
    size += text.length;
    if (size > limits.output) throw limitError('output', limits.output);
    const repeated = name !== '' && objects.delete(key);
    if (repeated) repeats.set(key, (repeats.get(key) ?? 1) + 1);
    objects.set(name === '' ? `${key}#${(nameless += 1)}` : key, text);
    if (objects.size > limits.objects) throw limitError('objects', limits.objects);
  }
  for (const [key, times] of repeats) {
    warnings.push(`RepeatedResourceWarning: Resource ${key} appeared ${times} times among application resources.`);
  }
  return [...objects.values()];
}

/** `List` kinds become their items (argo-cd.md §1.1). */
function explode(found: FoundDocument): FoundDocument[] {
  const { tree, where } = found;
  if (tree === null) return [];
  if (!(tree instanceof Map) || stringAt(tree, 'kind')?.endsWith('List') !== true) return [found];
  const items = tree.get('items');
  if (!Array.isArray(items)) return [found];
  return items.flatMap((item, index) => explode({ tree: item, where: `${where}, item ${index + 1}` }));
}

/** Argo CD's resource key and a name for people; the name is '' for objects that the server will name. */
function identify({ tree, where }: FoundDocument): { key: string; name: string } {
  if (!(tree instanceof Map)) throw invalid(where, 'is not an object but a plain value or list', []);
  const metadata = tree.get('metadata');
  const apiVersion = stringAt(tree, 'apiVersion') ?? '';
  const kind = stringAt(tree, 'kind') ?? '';
  const name = stringAt(metadata, 'name') ?? '';
  const missing = [
    ...(apiVersion === '' ? ['apiVersion'] : []),
    ...(kind === '' ? ['kind'] : []),
    ...(name === '' && (stringAt(metadata, 'generateName') ?? '') === '' ? ['metadata.name'] : []),
  ];
  if (missing.length > 0) {
    const mistaken = missing.filter((path) => isPlain(at(tree, path)));
    const what =
      mistaken.length === 0
        ? `has no ${missing.join(', no ')}`
        : `has a ${mistaken.map((path) => `${path} that YAML reads as ${canonicalText(at(tree, path))}, not as text`).join(', a ')}`;
    throw invalid(`${where}${describe(tree)}`, what, missing, mistaken.length > 0);
  }
  const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
  const namespace = stringAt(metadata, 'namespace') ?? '';
  return { key: `${group}/${kind}/${namespace}/${name}`, name: name === '' ? '' : `${kind} ${name}` };
}

function describe(tree: JsonMap): string {
  const kind = stringAt(tree, 'kind') ?? '';
  const name = stringAt(tree.get('metadata'), 'name') ?? '';
  return kind === '' && name === '' ? '' : ` (${[kind, name].filter((word) => word !== '').join(' ')})`;
}

function at(tree: JsonMap, path: string): JsonTree {
  const [first = '', second] = path.split('.');
  const value = tree.get(first) ?? null;
  return second === undefined || !(value instanceof Map) ? value : (value.get(second) ?? null);
}

/** A boolean or a number, where people meant a text: `name: y`, `name: 0123`. */
function isPlain(value: JsonTree): boolean {
  return value !== null && typeof value !== 'string' && !Array.isArray(value) && !(value instanceof Map);
}

function invalid(where: string, what: string, missing: string[], isUnquoted = false): HawserError {
  return new HawserError('object-invalid', `${where} ${what}`, {
    data: { where, missing },
    hint: isUnquoted ? 'Put it in quotes.' : 'Every object needs apiVersion, kind and metadata.name.',
  });
}

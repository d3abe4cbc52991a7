import type { FluxOptions, KustomizeOptions } from '../../domain/application.ts';
import { HawserError } from '../../errors.ts';
import { listAt, stringAt, treeOf, type JsonMap, type JsonTree } from './json-tree.ts';

/** True when anything would be written. */
export function hasKustomizeEdits(options: KustomizeOptions | FluxOptions): boolean {
  return Object.values(options as Record<string, unknown>).some((value) =>
    typeof value === 'string'
      ? value !== ''
      : typeof value === 'object' && value !== null && Object.keys(value).length > 0,
  );
}

/**
 * Writes Argo CD's overrides into a kustomization as `kustomize edit set|add` 5.7 does (argo-cd.md §2.3): images and
 * replicas replace those of the same name and are sorted, labels and annotations refuse to overwrite without `force`,
 * patches and components are appended.
 */
export function editLikeArgo(tree: JsonMap, options: KustomizeOptions, exists: (component: string) => boolean): void {
  if (options.namePrefix) tree.set('namePrefix', options.namePrefix);
  if (options.nameSuffix) tree.set('nameSuffix', options.nameSuffix);
  if (options.images?.length) tree.set('images', mergeByName(tree, 'images', options.images.map(parseImage)));
  if (options.replicas?.length) {
    tree.set(
      'replicas',
      mergeByName(
        tree,
        'replicas',
        options.replicas.map((replica) => treeOf(replica) as JsonMap),
      ),
    );
  }
  if (options.commonLabels && Object.keys(options.commonLabels).length > 0)
    addLabels(tree, options, options.commonLabels);
  if (options.commonAnnotations) {
    addPairs(
      childMap(tree, 'commonAnnotations'),
      options.commonAnnotations,
      'annotation',
      options.forceCommonAnnotations === true,
    );
  }
  if (options.namespace) tree.set('namespace', options.namespace);
  append(tree, 'patches', (options.patches ?? []).map(treeOf));
  addComponents(tree, options, exists);
}

/** Writes what a Flux Kustomization adds, as kustomize-controller generates it (flux.md §2.2). */
export function editLikeFlux(tree: JsonMap, options: FluxOptions, exists: (component: string) => boolean): void {
  if (options.targetNamespace) tree.set('namespace', options.targetNamespace);
  if (options.namePrefix) tree.set('namePrefix', options.namePrefix);
  if (options.nameSuffix) tree.set('nameSuffix', options.nameSuffix);
  append(tree, 'patches', (options.patches ?? []).map(treeOf));
  for (const component of options.components ?? []) {
    if (component.startsWith('/') || component.includes('://')) {
      throw new HawserError('render-failed', `component path '${component}' must be local and relative`, {
        data: { component },
      });
    }
  }
  addComponents(tree, options, exists);
  for (const image of options.images ?? []) mergeFluxImage(tree, image);
}

/** `newTag` and `digest` choose the version together: setting one clears the other. */
function mergeFluxImage(tree: JsonMap, image: NonNullable<FluxOptions['images']>[number]): void {
  const existing = listAt(tree, 'images').find((entry) => stringAt(entry, 'name') === image.name);
  if (!(existing instanceof Map)) return append(tree, 'images', [treeOf(image)]);
  if (image.newName) existing.set('newName', image.newName);
  if (!image.newTag && !image.digest) return;
  existing.delete('newTag');
  existing.delete('digest');
  if (image.newTag) existing.set('newTag', image.newTag);
  if (image.digest) existing.set('digest', image.digest);
}

/** `[name=]image[:tag][@digest]`, where `*` keeps what the file says. */
function parseImage(argument: string): JsonMap {
  const equals = argument.indexOf('=');
  const { name, tag, digest } = splitImage(argument.slice(equals + 1));
  if (equals < 0 && tag === '' && digest === '') {
    throw new HawserError(
      'render-failed',
      `kustomize image ${JSON.stringify(argument.slice(0, 200))} names no tag, digest or new image`,
      {
        hint: 'Write name:tag, name@digest or name=new-name:tag.',
      },
    );
  }
  const image: JsonMap = new Map([['name', equals < 0 ? name : argument.slice(0, equals)]]);
  if (equals >= 0) image.set('newName', name);
  if (tag !== '') image.set('newTag', tag);
  if (digest !== '') image.set('digest', digest);
  return image;
}

/** Kustomize's split: a colon before the first slash belongs to the registry's port. */
function splitImage(image: string): { name: string; tag: string; digest: string } {
  const slash = Math.max(image.indexOf('/'), 0);
  const at = image.indexOf('@', slash);
  const colon = image.indexOf(':', slash);
  if (at >= 0 && (colon < 0 || at < colon)) return { name: image.slice(0, at), tag: '', digest: image.slice(at + 1) };
  if (colon < 0) return { name: image, tag: '', digest: '' };
  if (at < 0) return { name: image.slice(0, colon), tag: image.slice(colon + 1), digest: '' };
  return { name: image.slice(0, colon), tag: image.slice(colon + 1, at), digest: image.slice(at + 1) };
}

/** Entries by name: the new ones win (`*` takes the old value), all sorted by name. */
function mergeByName(tree: JsonMap, key: string, added: JsonMap[]): JsonTree[] {
  const byName = new Map(added.map((entry) => [stringAt(entry, 'name') ?? '', entry]));
  for (const existing of listAt(tree, key)) {
    const name = stringAt(existing, 'name') ?? '';
    const entry = byName.get(name);
    if (entry === undefined) byName.set(name, existing as JsonMap);
    else if (existing instanceof Map) keepStarred(entry, existing);
  }
  for (const entry of byName.values()) keepStarred(entry, new Map());
  return [...byName.entries()].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map(([, entry]) => entry);
}

function keepStarred(entry: JsonMap, existing: JsonMap): void {
  for (const field of ['newName', 'newTag', 'digest']) {
    if (entry.get(field) !== '*') continue;
    const old = existing.get(field);
    if (old === undefined) entry.delete(field);
    else entry.set(field, old);
  }
}

function addLabels(tree: JsonMap, options: KustomizeOptions, labels: Record<string, string>): void {
  const force = options.forceCommonLabels === true;
  if (options.labelWithoutSelector !== true) {
    if (options.labelIncludeTemplates === true) {
      throw new HawserError('render-failed', 'labelIncludeTemplates needs labelWithoutSelector');
    }
    return addPairs(childMap(tree, 'commonLabels'), labels, 'label', force);
  }
  const templates = options.labelIncludeTemplates === true;
  const entries = listAt(tree, 'labels');
  const same = entries.find(
    (entry) =>
      entry instanceof Map &&
      entry.get('includeSelectors') !== true &&
      (entry.get('includeTemplates') === true) === templates,
  );
  if (same instanceof Map) return addPairs(childMap(same, 'pairs'), labels, 'label', force);
  const entry: JsonMap = new Map([['pairs', treeOf(labels)]]);
  if (templates) entry.set('includeTemplates', true);
  append(tree, 'labels', [entry]);
}

function addPairs(map: JsonMap, pairs: Record<string, string>, kind: string, force: boolean): void {
  for (const [key, value] of Object.entries(pairs)) {
    if (map.has(key) && !force) {
      throw new HawserError('render-failed', `${kind} ${key} already in kustomization file. Use --force to override.`, {
        hint: `Set ${kind === 'label' ? 'forceCommonLabels' : 'forceCommonAnnotations'} on the source's kustomize options.`,
      });
    }
    map.set(key, value);
  }
}

function addComponents(
  tree: JsonMap,
  { components = [], ignoreMissingComponents }: Pick<KustomizeOptions, 'components' | 'ignoreMissingComponents'>,
  exists: (component: string) => boolean,
): void {
  const present = new Set(listAt(tree, 'components'));
  const wanted = components.filter(
    (component) => !present.has(component) && (ignoreMissingComponents !== true || exists(component)),
  );
  append(tree, 'components', wanted);
}

function append(tree: JsonMap, key: string, items: JsonTree[]): void {
  if (items.length > 0) tree.set(key, [...listAt(tree, key), ...items]);
}

function childMap(tree: JsonMap, key: string): JsonMap {
  const existing = tree.get(key);
  if (existing instanceof Map) return existing;
  const created: JsonMap = new Map();
  tree.set(key, created);
  return created;
}

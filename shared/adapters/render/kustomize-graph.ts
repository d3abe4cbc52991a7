import { HawserError } from '../../errors.ts';
import { isRemoteReference, resolveWithin } from './bundle-files.ts';
import { canonicalText, listAt, stringAt, type JsonMap, type JsonTree } from './json-tree.ts';
import { decodeText, readDocument } from './read-documents.ts';
import type { RenderContext } from './render-context.ts';
import { splitDocuments } from './yaml-subset.ts';
import { yamlToPlainTree } from './yaml-to-json.ts';

/** A kustomization file of the bundle as kustomize will read it. */
export interface Kustomization {
  /** Path of the file within the bundle. */
  file: string;
  /** Its folder, '' for the root. */
  folder: string;
  tree: JsonMap;
  /** True where every YAML reader reads the file alike (`yamlToPlainTree`). */
  isPlain: boolean;
}

/** The file names that kustomize looks for, in its order. */
const fileNames = ['kustomization.yaml', 'kustomization.yml', 'Kustomization'];

/** Reads the kustomization file of a folder. Throws `render-failed` where there is none, `object-invalid` where it cannot be read. */
export function openKustomization(context: RenderContext, folder: string): Kustomization {
  const kustomization = findKustomization(context, folder);
  if (kustomization !== undefined) return kustomization;
  throw new HawserError('render-failed', `there is no kustomization.yaml in ${folder === '' ? 'the root' : folder}`, {
    data: { folder },
  });
}

/** All kustomization files of a folder, in kustomize's order; it refuses to build where there are several. */
export function findKustomizations(context: RenderContext, folder: string): Kustomization[] {
  return fileNames.flatMap((name) => {
    const file = folder === '' ? name : `${folder}/${name}`;
    const bytes = context.files.get(file);
    if (bytes === undefined) return [];
    const kustomization = context.kustomizations.get(file) ?? readKustomization(context, { file, folder }, bytes);
    context.kustomizations.set(file, kustomization);
    return [kustomization];
  });
}

/** Puts an edited kustomization in the place of the user's file, for this job. JSON is YAML. */
export function saveKustomization(context: RenderContext, kustomization: Kustomization): void {
  context.files.set(kustomization.file, Buffer.from(canonicalText(kustomization.tree)));
  context.kustomizations.set(kustomization.file, kustomization);
}

/**
 * Walks the kustomizations that a build would read, before it runs (NT-60…NT-63): every reference must be a file or
 * folder of the bundle, so nothing is fetched and nothing outside can be read, whatever the sandbox allows.
 * Answers whether some kustomization reads a file outside its own folder, which kustomize refuses unless told otherwise.
 */
export function checkKustomizeGraph(context: RenderContext): { readsBeyondRoot: boolean } {
  const walk: Walk = { context, folders: foldersOf(context), visited: new Set(), beyond: false };
  visitFolder(walk, context.path);
  return { readsBeyondRoot: walk.beyond };
}

interface Walk {
  context: RenderContext;
  /** Every folder of the bundle. */
  folders: Set<string>;
  visited: Set<string>;
  beyond: boolean;
}

/** Fields that list files or folders with further kustomizations or objects. */
const accumulated = ['resources', 'bases', 'components'];
/** Fields that list plugin configurations: inline YAML, files or folders. */
const plugins = ['generators', 'transformers', 'validators'];

function visitFolder(walk: Walk, folder: string): void {
  const pending = [folder];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (walk.visited.has(next)) continue;
    walk.visited.add(next);
    const kustomization = findKustomization(walk.context, next);
    if (kustomization === undefined) {
      if (next === folder) openKustomization(walk.context, folder);
      continue;
    }
    pending.push(...checkKustomization(walk, kustomization));
  }
}

/** Checks one file and returns the folders that it leads to. */
function checkKustomization(walk: Walk, { tree, file, folder }: Kustomization): string[] {
  refuseHelmCharts(tree, file);
  const folders: string[] = [];
  const refer = (reference: JsonTree | undefined, field: string): string | undefined => {
    if (typeof reference !== 'string') return undefined;
    const target = requireLocal(walk, { folder, file, field }, reference);
    if (walk.folders.has(target)) folders.push(target);
    else if (folder !== '' && !target.startsWith(`${folder}/`)) walk.beyond = true;
    return target;
  };
  for (const field of accumulated) for (const reference of listAt(tree, field)) refer(reference, field);
  for (const field of plugins) {
    for (const reference of listAt(tree, field)) {
      if (isInline(reference)) checkPlugin(walk, { folder, file, field }, reference);
      else checkPluginFile(walk, { folder, file, field }, refer(reference, field));
    }
  }
  for (const field of ['crds', 'configurations']) for (const reference of listAt(tree, field)) refer(reference, field);
  for (const reference of listAt(tree, 'patchesStrategicMerge'))
    if (!isInline(reference)) refer(reference, 'patchesStrategicMerge');
  for (const field of ['patches', 'patchesJson6902', 'replacements']) {
    for (const entry of listAt(tree, field)) {
      // Old files have plain strings in `patches`.
      if (typeof entry === 'string' && !isInline(entry)) refer(entry, field);
      else refer(stringAt(entry, 'path'), `${field}.path`);
    }
  }
  refer(stringAt(tree.get('openapi'), 'path'), 'openapi.path');
  for (const field of ['configMapGenerator', 'secretGenerator']) {
    for (const entry of listAt(tree, field)) checkSources(entry, (reference) => refer(reference, field));
  }
  return folders;
}

/** `files: [key=path]`, `envs: [path]`, `env: path` of a generator. */
function checkSources(entry: JsonTree, refer: (reference: JsonTree | undefined) => void): void {
  for (const source of listAt(entry, 'files')) {
    refer(typeof source === 'string' && source.includes('=') ? source.slice(source.indexOf('=') + 1) : source);
  }
  for (const source of listAt(entry, 'envs')) refer(source);
  refer(stringAt(entry, 'env'));
}

interface Place {
  folder: string;
  file: string;
  field: string;
}

/** The path within the bundle that a reference means. Throws `render-failed` for remote, absolute, escaping and missing ones. */
function requireLocal(walk: Walk, place: Place, reference: string): string {
  const shown = JSON.stringify(reference.slice(0, 200));
  const where = `${place.file}: ${place.field}: ${shown}`;
  const data = { file: place.file, reference: reference.slice(0, 500) };
  if (isRemoteReference(reference)) {
    throw new HawserError('render-failed', `${where} is remote; rendering has no network`, {
      data,
      hint: 'Copy it into the repository and refer to the copy.',
    });
  }
  const target = reference.startsWith('/') ? undefined : resolveWithin(place.folder, reference);
  if (target === undefined)
    throw new HawserError('render-failed', `${where} leads out of the repository`, {
      data,
      hint: 'Use a relative path inside the repository.',
    });
  if (walk.context.files.has(target) || walk.folders.has(target)) return target;
  throw new HawserError('render-failed', `${where} does not exist`, {
    data,
    hint: 'Check the path; it is relative to the kustomization.',
  });
}

/** Plugin configurations may name files in any field of theirs: no value may look like a way out. */
function checkPlugin(walk: Walk, place: Place, text: string): void {
  for (const document of splitDocuments(text)) {
    for (const tree of readDocument(walk.context, document, `${place.file}: ${place.field}`))
      checkPluginTree(place, tree, '');
  }
}

function checkPluginFile(walk: Walk, place: Place, target: string | undefined): void {
  const bytes = target === undefined ? undefined : walk.context.files.get(target);
  if (bytes !== undefined && target !== undefined)
    checkPlugin(walk, { ...place, file: target }, decodeText(bytes, `file ${target}`));
}

function checkPluginTree(place: Place, tree: JsonTree, key: string): void {
  if (Array.isArray(tree)) for (const item of tree) checkPluginTree(place, item, key);
  if (tree instanceof Map) {
    if (stringAt(tree, 'kind') === 'HelmChartInflationGenerator') throw helmRefused(place.file);
    for (const [name, inner] of tree) checkPluginTree(place, inner, name);
  }
  if (typeof tree !== 'string' || !/^(?:path|paths|files|envs?|file|configHome|chartHome)$/.test(key)) return;
  const reference = tree.includes('=') ? tree.slice(tree.indexOf('=') + 1) : tree;
  if (
    isRemoteReference(reference) ||
    reference.startsWith('/') ||
    resolveWithin(place.folder, reference) === undefined
  ) {
    throw new HawserError(
      'render-failed',
      `${place.file}: ${key}: ${JSON.stringify(tree.slice(0, 200))} leads out of the repository`,
      {
        data: { file: place.file },
      },
    );
  }
}

function refuseHelmCharts(tree: JsonMap, file: string): void {
  if (['helmCharts', 'helmChartInflationGenerator'].some((key) => tree.has(key))) throw helmRefused(file);
}

function helmRefused(file: string): HawserError {
  return new HawserError('unsupported', `${file}: Helm charts inside a kustomization are not rendered`, {
    data: { file },
    hint: 'Declare the chart as an application of its own, or commit its rendered output.',
  });
}

function isInline(reference: JsonTree): reference is string {
  return typeof reference === 'string' && (reference.includes('\n') || /^\s*[{[]|:\s/.test(reference));
}

function findKustomization(context: RenderContext, folder: string): Kustomization | undefined {
  return findKustomizations(context, folder)[0];
}

function readKustomization(
  context: RenderContext,
  place: { file: string; folder: string },
  bytes: Uint8Array,
): Kustomization {
  const { file } = place;
  const [document, ...more] = splitDocuments(decodeText(bytes, `file ${file}`));
  if (document === undefined) return { ...place, tree: new Map(), isPlain: false };
  const plain = more.length === 0 ? yamlToPlainTree(document.text, context.limits) : undefined;
  if (plain instanceof Map) return { ...place, tree: plain, isPlain: true };
  // kubectl wants a kind and kustomize does not; a later `kind` of the file's own wins.
  const text = /^kind\s*:/m.test(document.text) ? document.text : `kind: Kustomization\n${document.text}`;
  const line = document.line - (text === document.text ? 0 : 1);
  const [tree = null] = readDocument(context, { text, line }, `file ${file}`);
  if (tree instanceof Map) return { ...place, tree, isPlain: false };
  throw new HawserError('object-invalid', `file ${file} is not a kustomization but a plain value or list`, {
    data: { file },
  });
}

function foldersOf({ files }: RenderContext): Set<string> {
  const folders = new Set<string>(['']);
  for (const file of files.keys()) {
    for (let slash = file.lastIndexOf('/'); slash > 0; slash = file.lastIndexOf('/', slash - 1)) {
      const folder = file.slice(0, slash);
      if (folders.has(folder)) break;
      folders.add(folder);
    }
  }
  return folders;
}

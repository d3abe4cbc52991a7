import { HawserError } from '#shared/errors.ts';
import { isJsonObject } from '#shared/domain/json.ts';
import type { JsonObject } from '#shared/domain/json.ts';
import type { TreeEntry } from '#shared/ports/git-source.ts';
import { inlinePlugins, isRemote, pluginReferences, referencesOf, remoteError } from './kustomization-references.ts';
import type { Reference } from './kustomization-references.ts';
import { readYaml } from './read-yaml.ts';
import { childOf, folderOf, resolvePath, shown } from './repository-path.ts';
import { addFile, addFolder, entryAt, notFound, readEntry } from './walk.ts';
import type { Walk } from './walk.ts';

/** Options of an application that name further paths, relative to its own. */
export interface KustomizePaths {
  components?: string[];
  ignoreMissingComponents?: boolean;
  patches?: JsonObject[];
}

const names = ['kustomization.yaml', 'kustomization.yml', 'Kustomization'];
const BASES = 500;

/** Folders that this walk has entered; `above` are those on the way to the one it is in. */
interface Visit {
  entered: Set<string>;
  above: readonly string[];
}

/** Walks the graph of a kustomization and adds all that it reads. */
export async function walkKustomize(walk: Walk, options: KustomizePaths): Promise<void> {
  const { path } = walk.source;
  const visit: Visit = { entered: new Set(), above: [] };
  await walkBase(walk, path, visit, shown(path));
  await walkOptions(walk, options, visit);
}

/** Walks what an application's own options name: components and patches beside those of its kustomization. */
export async function walkOptions(walk: Walk, options: KustomizePaths, visit: Visit): Promise<void> {
  const { path } = walk.source;
  const where = "the application's kustomize options";
  for (const component of options.components ?? []) {
    if (isRemote(component)) throw remoteError(component, `${where}: components`);
    const folder = resolvePath(path, component, where);
    const entry = await entryAt(walk, folder, where);
    if (entry === undefined && options.ignoreMissingComponents === true) {
      addFolder(walk, folder, false);
      walk.warnings.push(`component ${component} does not exist and is left out`);
    } else {
      await walkBase(walk, folder, { ...visit, above: [] }, `${where}: components`);
    }
  }
  for (const patch of options.patches ?? []) {
    const file = patch['path'];
    if (typeof file === 'string' && file !== '')
      await addReferenced(walk, path, { path: file, field: 'patches[].path' }, where);
  }
}

/** The kustomization file of a folder, `undefined` where it has none; two of them are an error, as in kustomize. */
export async function findKustomization(walk: Walk, folder: string): Promise<TreeEntry | undefined> {
  const found: TreeEntry[] = [];
  for (const name of names) {
    const entry = await walk.tree.entry(childOf(folder, name));
    if (entry !== undefined && entry.type !== 'tree') found.push(entry);
  }
  if (found.length <= 1) return found[0];
  const paths = found.map((entry) => entry.path).join(', ');
  throw new HawserError('source-invalid', `${shown(folder)} has more than one kustomization: ${paths}`, {
    data: { paths: found.map((entry) => entry.path) },
    hint: 'Keep one of them.',
  });
}

/** Adds a folder with a kustomization and everything that it names. */
export async function walkBase(walk: Walk, folder: string, visit: Visit, where: string): Promise<void> {
  if (visit.above.includes(folder)) {
    const cycle = [...visit.above.slice(visit.above.indexOf(folder)), folder].map((path) => shown(path)).join(' → ');
    throw new HawserError('source-invalid', `Kustomizations name each other in a circle: ${cycle}`, {
      data: { cycle },
    });
  }
  if (visit.entered.has(folder)) return;
  visit.entered.add(folder);
  if (visit.entered.size > BASES) {
    throw new HawserError(
      'source-too-large',
      `${shown(walk.source.path)} builds on more than ${BASES} kustomizations`,
      {
        data: { bases: BASES },
      },
    );
  }
  addFolder(walk, folder, false);
  const entry = await findKustomization(walk, folder);
  if (entry === undefined) throw await withoutKustomization(walk, folder, where);
  addFile(walk, entry, where);
  const [kustomization = {}] = readYaml(await readEntry(walk, entry), entry.path);
  const below: Visit = { entered: visit.entered, above: [...visit.above, folder] };
  const references = referencesOf(kustomization, entry.path);
  for (const reference of references.files) await addReferenced(walk, folder, reference, entry.path);
  for (const reference of references.resources) await addResource(walk, folder, reference, below, entry.path);
  for (const reference of references.components) await addComponent(walk, folder, reference, below, entry.path);
  for (const reference of references.plugins) await addPlugin(walk, folder, reference, below, entry.path);
  for (const text of inlinePlugins(kustomization)) {
    for (const config of readYaml(Buffer.from(text), entry.path))
      await addPluginFiles(walk, folder, config, entry.path);
  }
}

async function addReferenced(walk: Walk, folder: string, reference: Reference, where: string): Promise<TreeEntry> {
  const { path, entry } = await resolve(walk, folder, reference, where);
  if (entry.type !== 'blob') {
    throw new HawserError('source-invalid', `${where}: ${reference.field} names ${path}, which is a folder`, {
      data: { path },
    });
  }
  addFile(walk, entry, where);
  return entry;
}

async function addResource(
  walk: Walk,
  folder: string,
  reference: Reference,
  visit: Visit,
  where: string,
): Promise<void> {
  const { path, entry } = await resolve(walk, folder, reference, where);
  if (entry.type === 'tree') await walkBase(walk, path, visit, `${where}: ${reference.field}`);
  else addFile(walk, entry, where);
}

async function addComponent(
  walk: Walk,
  folder: string,
  reference: Reference,
  visit: Visit,
  where: string,
): Promise<void> {
  const { path } = await resolve(walk, folder, reference, where);
  await walkBase(walk, path, visit, `${where}: ${reference.field}`);
}

async function addPlugin(walk: Walk, folder: string, reference: Reference, visit: Visit, where: string): Promise<void> {
  const { path, entry } = await resolve(walk, folder, reference, where);
  if (entry.type === 'tree') return walkBase(walk, path, visit, `${where}: ${reference.field}`);
  addFile(walk, entry, where);
  for (const config of readYaml(await readEntry(walk, entry), path)) await addPluginFiles(walk, folder, config, path);
}

async function addPluginFiles(walk: Walk, folder: string, config: unknown, where: string): Promise<void> {
  // A config may hold a `path` that is no file (a field path of a replacement): what is not there is left to kustomize.
  for (const reference of pluginReferences(config, where)) {
    const path = resolvePath(folder, reference.path, where);
    const entry = await entryAt(walk, path, where);
    if (entry?.type === 'blob') addFile(walk, entry, where);
    else if (isJsonObject(config)) addFolder(walk, folderOf(path), false);
  }
}

async function resolve(walk: Walk, folder: string, { path, field }: Reference, where: string) {
  const resolved = resolvePath(folder, path, `${where}: ${field}`);
  const entry = await entryAt(walk, resolved, `${where}: ${field}`);
  if (entry !== undefined) return { path: resolved, entry };
  throw await notFound(walk, resolved, `${where}: ${field} names ${path}, which does not exist`);
}

async function withoutKustomization(walk: Walk, folder: string, where: string): Promise<HawserError> {
  const entry = await walk.tree.entry(folder);
  const reason = entry?.type === 'tree' ? 'has no kustomization.yaml' : 'does not exist';
  return notFound(walk, childOf(folder, names[0] ?? ''), `${where}: ${shown(folder)} ${reason}`);
}

import type { FluxOptions } from '#shared/domain/application.ts';
import type { TreeEntry } from '#shared/ports/git-source.ts';
import type { RenderTool } from '#shared/ports/renderer.ts';
import { fluxDefaultIgnores, parseGitIgnore } from './ignore-rules.ts';
import type { IgnoreRules } from './ignore-rules.ts';
import { findKustomization, walkBase, walkOptions } from './kustomize.ts';
import { childOf, folderOf, relativeTo, shown } from './repository-path.ts';
import { addFile, addFolder, entryAt, everythingBelow, notFound, readEntry } from './walk.ts';
import type { Walk } from './walk.ts';

interface IgnoreFile {
  folder: string;
  rules: IgnoreRules;
}

const ignoreName = '.sourceignore';

/**
 * What a Flux Kustomization reads (flux.md §2.2): its own kustomization, or where the folder has none, all YAML below it,
 * folders with a kustomization of their own as one resource each.
 */
export async function walkFlux(walk: Walk, options: FluxOptions): Promise<RenderTool> {
  const { path } = walk.source;
  const entry = await entryAt(walk, path, 'the application');
  if (entry?.type !== 'tree')
    throw await notFound(walk, path, `There is no folder ${shown(path)}`, 'Correct spec.path.');
  const visit = { entered: new Set<string>(), above: [] };
  const hasKustomization = (await findKustomization(walk, path)) !== undefined;
  const manifests = hasKustomization ? [] : await addManifests(walk, visit);
  if (hasKustomization) await walkBase(walk, path, visit, shown(path));
  await walkOptions(walk, options, visit);
  return { tool: 'flux', options, hasKustomization, manifests };
}

async function addManifests(walk: Walk, visit: Parameters<typeof walkBase>[2]): Promise<string[]> {
  const { path } = walk.source;
  const ignores = await ignoresAbove(walk, path);
  const manifests: string[] = [];
  addFolder(walk, path, true);
  async function enter(entry: TreeEntry): Promise<boolean> {
    if (isIgnored(ignores, entry)) return false;
    if ((await findKustomization(walk, entry.path)) !== undefined) {
      manifests.push(entry.path);
      await walkBase(walk, entry.path, visit, shown(path));
      return false;
    }
    await addIgnores(walk, entry.path, ignores);
    return true;
  }
  for await (const entry of everythingBelow(walk, path, enter)) {
    if (entry.type === 'tree' || !/\.ya?ml$/.test(entry.path) || isIgnored(ignores, entry)) continue;
    addFile(walk, entry, shown(path));
    manifests.push(entry.path);
  }
  return manifests;
}

/** The default exclusions and the `.sourceignore` files from the root down to the folder. */
async function ignoresAbove(walk: Walk, path: string): Promise<IgnoreFile[]> {
  const ignores: IgnoreFile[] = [{ folder: '', rules: parseGitIgnore(fluxDefaultIgnores) }];
  const folders = [path];
  for (let folder = path; folder !== ''; folder = folderOf(folder)) folders.unshift(folderOf(folder));
  for (const folder of new Set(folders)) await addIgnores(walk, folder, ignores);
  return ignores;
}

async function addIgnores(walk: Walk, folder: string, ignores: IgnoreFile[]): Promise<void> {
  const entry = await walk.tree.entry(childOf(folder, ignoreName));
  // A new one would change what is read.
  addFolder(walk, folder, false);
  if (entry?.type !== 'blob') return;
  addFile(walk, entry, shown(folder));
  ignores.push({ folder, rules: parseGitIgnore(new TextDecoder().decode(await readEntry(walk, entry))) });
}

/** The last rule that speaks decides, deeper files after those above. */
function isIgnored(ignores: readonly IgnoreFile[], entry: TreeEntry): boolean {
  let ignored = false;
  for (const { folder, rules } of ignores) {
    if (folder !== '' && !entry.path.startsWith(`${folder}/`)) continue;
    ignored = rules(relativeTo(folder, entry.path), entry.type === 'tree') ?? ignored;
  }
  return ignored;
}

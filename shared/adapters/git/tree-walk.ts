import { HawserError } from '../../errors.ts';
import type { TreeEntry } from '../../ports/git-source.ts';
import type { NamedEntry } from './git-object.ts';
import type { GitLimits } from './limits.ts';
import { createPacer } from './pacer.ts';
import type { NamedTree } from './tree-cache.ts';

/** Entries of a tree by its id. */
export type ReadTree = (oid: string) => Promise<NamedTree>;

/** What is at `path`; undefined where nothing is, or where the way leads through a link or a submodule. */
export async function findEntry(root: string, path: string, read: ReadTree): Promise<TreeEntry | undefined> {
  let found: TreeEntry = { path: '', type: 'tree', oid: root, executable: false };
  if (path === '') return found;
  for (const name of path.split('/')) {
    if (found.type !== 'tree') return undefined;
    const child = (await read(found.oid)).find(name);
    if (child === undefined) return undefined;
    found = placed(found.path, child);
  }
  return found;
}

/** Direct children by name. */
export async function listEntries(root: string, path: string, read: ReadTree): Promise<TreeEntry[]> {
  const entry = await findEntry(root, path, read);
  if (entry?.type !== 'tree') {
    throw new HawserError('path-not-found', `There is no folder ${path}`, { data: { path } });
  }
  const children = (await read(entry.oid)).entries.map((child) => placed(path, child));
  return children.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

/**
 * Paths of files that differ, entering only folders whose ids differ. undefined where there are too many to name,
 * as between unrelated trees (and as in a tree bomb, NT-28).
 */
export async function compareTrees(
  from: string,
  to: string,
  read: ReadTree,
  limits: GitLimits,
): Promise<string[] | undefined> {
  const paths: string[] = [];
  const pending: { path: string; from?: string; to?: string }[] = [{ path: '', from, to }];
  const pace = createPacer();
  let folders = 0;
  for (let pair = pending.pop(); pair !== undefined; pair = pending.pop()) {
    folders += 1;
    if (folders > limits.changedPaths || paths.length > limits.changedPaths) return undefined;
    if (pair.path.split('/').length > limits.depth) {
      throw new HawserError('source-too-large', `Folders are nested deeper than ${limits.depth} (LIM-05)`, {
        data: { limit: 'LIM-05', depth: limits.depth },
      });
    }
    const before = new Map(
      (pair.from === undefined ? [] : (await read(pair.from)).entries).map((entry) => [entry.name, entry]),
    );
    const after = new Map(
      (pair.to === undefined ? [] : (await read(pair.to)).entries).map((entry) => [entry.name, entry]),
    );
    for (const name of new Set([...before.keys(), ...after.keys()])) {
      const difference = compareEntries(join(pair.path, name), before.get(name), after.get(name));
      if (difference.file) paths.push(join(pair.path, name));
      if (difference.folder !== undefined) pending.push(difference.folder);
    }
    await pace();
  }
  return paths.sort();
}

function compareEntries(path: string, before: NamedEntry | undefined, after: NamedEntry | undefined) {
  const isSame = before?.oid === after?.oid && before?.type === after?.type && before?.executable === after?.executable;
  if (isSame) return { file: false };
  const from = before?.type === 'tree' ? before.oid : undefined;
  const to = after?.type === 'tree' ? after.oid : undefined;
  const file = (before !== undefined && from === undefined) || (after !== undefined && to === undefined);
  if (from === undefined && to === undefined) return { file };
  return { file, folder: { path, ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) } };
}

function placed(folder: string, { name, type, oid, executable }: NamedEntry): TreeEntry {
  return { path: join(folder, name), type, oid, executable };
}

function join(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}

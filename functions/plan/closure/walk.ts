import { HawserError } from '#shared/errors.ts';
import type { Source } from '#shared/domain/application.ts';
import type { GitTree, TreeEntry } from '#shared/ports/git-source.ts';
import type { BatchReader } from './batch-reader.ts';
import { isTooLargeFile, tooLargeFile } from './large-files.ts';
import { checkPath, folderOf, refuseLink, shown } from './repository-path.ts';

/** One file that a render reads. */
export interface ClosureFile {
  /** Where the render finds it; that of the repository but for local chart dependencies, which are put under `charts/`. */
  path: string;
  oid: string;
  executable: boolean;
}

/** What one walk has found so far. */
export interface Walk {
  tree: GitTree;
  reader: BatchReader;
  source: Source;
  files: Map<string, ClosureFile>;
  /** Folders whose listing decides; true where everything below counts. */
  folders: Map<string, boolean>;
  warnings: string[];
}

const FILES = 20_000;
const SIBLINGS = 8;

/** Starts a walk. */
export function startWalk(tree: GitTree, reader: BatchReader, source: Source): Walk {
  return { tree, reader, source, files: new Map(), folders: new Map(), warnings: [] };
}

/** Adds a file to the closure. */
export function addFile(walk: Walk, entry: TreeEntry, where: string, path = entry.path): void {
  if (entry.type === 'link' || entry.type === 'submodule') throw refuseLink(entry.type, entry.path, where);
  checkPath(path, where);
  walk.files.set(path, { path, oid: entry.oid, executable: entry.executable });
  if (walk.files.size <= FILES) return;
  throw new HawserError('source-too-large', `${shown(walk.source.path)} needs more than ${FILES} files (LIM-05)`, {
    data: { limit: 'LIM-05', files: FILES },
  });
}

/** Notes that new files in this folder (or anywhere below) change the closure. */
export function addFolder(walk: Walk, path: string, recursive: boolean): void {
  walk.folders.set(path, recursive || walk.folders.get(path) === true);
}

/** What is at a path; links and submodules on the way or at its end are refused. */
export async function entryAt(walk: Walk, path: string, where: string): Promise<TreeEntry | undefined> {
  const entry = await walk.tree.entry(path);
  if (entry === undefined) {
    for (let folder = folderOf(path); folder !== ''; folder = folderOf(folder)) {
      const above = await walk.tree.entry(folder);
      if (above?.type === 'link' || above?.type === 'submodule') throw refuseLink(above.type, folder, where);
      if (above !== undefined) break;
    }
    return undefined;
  }
  if (entry.type === 'link' || entry.type === 'submodule') throw refuseLink(entry.type, path, where);
  return entry;
}

/** The contents of a file of the closure. */
export async function readEntry(walk: Walk, entry: TreeEntry): Promise<Uint8Array> {
  try {
    return await walk.reader.read(entry.oid);
  } catch (error) {
    throw isTooLargeFile(error) ? tooLargeFile(entry.path, error) : error;
  }
}

/** Everything below a folder in the order of its names, folders with what they hold where they stand. */
export async function* everythingBelow(
  walk: Walk,
  folder: string,
  enter: (entry: TreeEntry) => boolean | Promise<boolean>,
): AsyncGenerator<TreeEntry, void, undefined> {
  // A tree bomb has more paths than anybody can count (NT-28).
  let seen = 0;
  const pending = (await walk.tree.list(folder)).toReversed();
  for (let entry = pending.pop(); entry !== undefined; entry = pending.pop()) {
    seen += 1;
    if (seen > FILES) {
      throw new HawserError('source-too-large', `${shown(folder)} holds more than ${FILES} files (LIM-05)`, {
        data: { limit: 'LIM-05', files: FILES },
        hint: 'Point the path at a folder that holds the manifests only.',
      });
    }
    yield entry;
    if (entry.type === 'tree' && (await enter(entry))) {
      checkPath(entry.path, shown(folder));
      pending.push(...(await walk.tree.list(entry.path)).toReversed());
    }
  }
}

/** `path-not-found` that says what does exist there. */
export async function notFound(walk: Walk, path: string, sentence: string, hint?: string): Promise<HawserError> {
  const { revision } = walk.source;
  let folder = folderOf(path);
  while (folder !== '' && (await walk.tree.entry(folder))?.type !== 'tree') folder = folderOf(folder);
  const names = (await walk.tree.list(folder)).map(
    (entry) => entry.path.slice(folder === '' ? 0 : folder.length + 1) + (entry.type === 'tree' ? '/' : ''),
  );
  const wanted = path.slice(folder === '' ? 0 : folder.length + 1).split('/', 1)[0] ?? '';
  const nearest = names
    .sort((a, b) => likeness(b, wanted) - likeness(a, wanted) || (a < b ? -1 : 1))
    .slice(0, SIBLINGS);
  const there = nearest.length === 0 ? 'nothing' : nearest.join(', ');
  return new HawserError(
    'path-not-found',
    `${sentence} (revision ${revision || 'HEAD'}, commit ${walk.tree.commit.sha.slice(0, 8)})`,
    {
      data: { path, revision, commit: walk.tree.commit.sha, folder, nearest },
      hint: `${hint === undefined ? '' : `${hint} `}In ${shown(folder)} there is: ${there}.`,
    },
  );
}

/** How many characters two names share at their beginnings and ends; enough to put a typing error's original first. */
function likeness(name: string, wanted: string): number {
  const bare = name.replace(/\/$/, '');
  let head = 0;
  while (head < bare.length && bare[head] === wanted[head]) head += 1;
  let tail = 0;
  while (tail < bare.length - head && bare.at(-1 - tail) === wanted.at(-1 - tail)) tail += 1;
  return head + tail;
}

import { existsSync } from 'node:fs';
import { lstat, readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { HawserError } from '#shared/errors.ts';
import type { GitTree, TreeEntry } from '#shared/ports/git-source.ts';

/** As in a repository: larger files are refused (LIM-06). */
const largestFile = 10 * 1024 * 1024;

/** A folder of this machine, read as if it were committed as it is; object ids are paths, because nothing is compared. */
export function createFolderTree(root: string): GitTree {
  return {
    commit: { sha: 'working-tree', author: '', email: '', message: '', time: '' },
    rootOid: 'working-tree',
    entry,
    async list(path) {
      const names = await readdir(join(root, path)).catch(() => {
        throw new HawserError('path-not-found', `there is no folder ${JSON.stringify(path)}`);
      });
      const entries = await Promise.all(
        names
          .toSorted()
          .filter((name) => name !== '.git')
          .map((name) => entry(path === '' ? name : `${path}/${name}`)),
      );
      return entries.filter((one) => one !== undefined);
    },
    async blobs(paths) {
      return new Map(await Promise.all(paths.map(async (path) => [path, await read(path)] as const)));
    },
  };

  async function entry(path: string): Promise<TreeEntry | undefined> {
    try {
      // Links are links, as in Git: what they point to is not followed.
      const found = await lstat(join(root, path));
      const type = found.isSymbolicLink() ? 'link' : found.isDirectory() ? 'tree' : 'blob';
      return { path, type, oid: path, executable: type === 'blob' && (found.mode & 0o100) !== 0 };
    } catch {
      return undefined;
    }
  }

  async function read(path: string): Promise<Uint8Array> {
    const file = join(root, path);
    const { size } = await stat(file);
    if (size <= largestFile) return readFile(file);
    throw new HawserError('source-too-large', `${path} is larger than 10 MiB (LIM-06)`);
  }
}

/** The repository that a folder belongs to: the nearest folder upwards with `.git`, else the folder itself. */
export function repositoryRoot(folder: string): string {
  for (let at = folder; ; at = dirname(at)) {
    if (existsSync(join(at, '.git'))) return at;
    if (dirname(at) === at) return folder;
  }
}

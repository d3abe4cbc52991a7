import { createHash } from 'node:crypto';

import { HawserError } from '#shared/errors.ts';
import type { GitTree, TreeEntry } from '#shared/ports/git-source.ts';

/** What a path holds. */
export type MemoryFile = string | { link: string } | { executable: string } | { submodule: string };

/** A tree in memory that counts how it is asked. */
export interface MemoryTree extends GitTree {
  /** The ids of every `blobs` call. */
  requests: string[][];
}

/** A GitTree over files in memory; `limits.blobBytes` stands for LIM-06. */
export function memoryTree(files: Record<string, MemoryFile>, limits: { blobBytes?: number } = {}): MemoryTree {
  const entries = new Map<string, TreeEntry>();
  const contents = new Map<string, Uint8Array>();
  const requests: string[][] = [];
  for (const [path, file] of Object.entries(files)) {
    const content = Buffer.from(typeof file === 'string' ? file : (Object.values(file)[0] ?? ''));
    const oid = createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
    contents.set(oid, content);
    entries.set(path, { path, oid, ...kindOf(file) });
    for (let folder = path; folder.includes('/');) {
      folder = folder.slice(0, folder.lastIndexOf('/'));
      entries.set(folder, {
        path: folder,
        type: 'tree',
        oid: createHash('sha1').update(folder).digest('hex'),
        executable: false,
      });
    }
  }
  const rootOid = createHash('sha1')
    .update([...contents.keys()].join())
    .digest('hex');
  entries.set('', { path: '', type: 'tree', oid: rootOid, executable: false });
  const all = [...entries.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  const folderOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')));
  const children = Map.groupBy(
    all.filter(({ path }) => path !== ''),
    ({ path }) => folderOf(path),
  );

  return {
    commit: {
      sha: rootOid,
      author: 'Ada',
      email: 'ada@example.com',
      message: 'Change something',
      time: '2026-01-01T00:00:00.000Z',
    },
    rootOid,
    requests,
    entry: (path) => Promise.resolve(entries.get(path)),
    async list(path) {
      if (entries.get(path)?.type !== 'tree') throw new HawserError('path-not-found', `no folder ${path}`);
      return [...(children.get(path) ?? [])];
    },
    async blobs(oids) {
      requests.push([...oids]);
      return new Map(oids.map((oid) => [oid, read(oid)]));
    },
  };

  function read(oid: string): Uint8Array {
    const content = contents.get(oid);
    if (content === undefined) throw new Error(`no object ${oid}`);
    if (content.length > (limits.blobBytes ?? Number.POSITIVE_INFINITY))
      throw new HawserError('source-too-large', 'a file is too large (LIM-06)');
    return content;
  }
}

function kindOf(file: MemoryFile): Pick<TreeEntry, 'type' | 'executable'> {
  if (typeof file === 'string') return { type: 'blob', executable: false };
  if ('link' in file) return { type: 'link', executable: false };
  return 'submodule' in file ? { type: 'submodule', executable: false } : { type: 'blob', executable: true };
}

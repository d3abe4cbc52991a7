import { HawserError } from '#shared/errors.ts';

const PATH_BYTES = 512;
const DEPTH = 32;

/**
 * Resolves a path as a person wrote it against a folder of the repository, on names alone, never on a file system (NT-21).
 *
 * @param folder Folder that it is relative to, '' for the root.
 * @param where What the reader has to look at: the file and the entry.
 * @returns The path from the root, without dots and slashes at its ends.
 */
export function resolvePath(folder: string, path: string, where: string): string {
  if (path.startsWith('/')) throw unsafe(where, path, 'is absolute', 'Write it relative to the folder it is named in.');
  const parts = folder === '' ? [] : folder.split('/');
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined)
      throw unsafe(where, path, 'leads out of the repository', 'Keep it inside of the repository.');
  }
  const resolved = parts.join('/');
  checkPath(resolved, where);
  return resolved;
}

/** Refuses names that mean something else on some file system (NT-23), and what is past LIM-05. */
export function checkPath(path: string, where: string): void {
  const parts = path.split('/');
  if (Buffer.byteLength(path) > PATH_BYTES || parts.length > DEPTH) {
    throw new HawserError(
      'source-too-large',
      `${where}: the path is longer than ${PATH_BYTES} bytes or deeper than ${DEPTH} folders (LIM-05)`,
      {
        data: { limit: 'LIM-05', bytes: PATH_BYTES, depth: DEPTH },
      },
    );
  }
  const bad = parts.find((part) => isUnsafeName(part));
  if (bad !== undefined)
    throw unsafe(where, path, `has a name that is not allowed (${JSON.stringify(bad)})`, 'Rename it.');
}

/** Refuses links and submodules: their content is not in this tree, or is another path's (NT-20, NT-24). */
export function refuseLink(type: 'link' | 'submodule', path: string, where: string): HawserError {
  const what = type === 'link' ? 'a symbolic link (OutOfBoundsSymlink)' : 'a submodule';
  return new HawserError('unsafe-path', `${where}: ${path} is ${what}; neither links nor submodules are followed`, {
    data: { path, type },
    hint: 'Put the file itself in its place.',
  });
}

/** The folder of a path. */
export function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

/** A child of a folder. */
export function childOf(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}

/** The way from one folder to a path, with `..` where it is not below. */
export function relativeTo(folder: string, path: string): string {
  const from = folder === '' ? [] : folder.split('/');
  const to = path === '' ? [] : path.split('/');
  let shared = 0;
  while (shared < from.length && shared < to.length && from[shared] === to[shared]) shared += 1;
  return [...from.slice(shared).map(() => '..'), ...to.slice(shared)].join('/') || '.';
}

/** A path as people know it: the root has a name. */
export function shown(path: string): string {
  return path === '' ? 'the root of the repository' : path;
}

/** Names that are `.git` to some file system: other case, trailing dots, NTFS streams and short names, hidden characters. */
function isUnsafeName(name: string): boolean {
  if (/[\p{Cc}\p{Cf}\\]/u.test(name)) return true;
  const folded = name
    .normalize('NFKC')
    .toLowerCase()
    .replace(/:.*$/, '')
    .replace(/[. ]+$/, '');
  return folded === '.git' || /^git~\d+$/.test(folded);
}

function unsafe(where: string, path: string, reason: string, hint: string): HawserError {
  return new HawserError('unsafe-path', `${where}: the path ${JSON.stringify(path.slice(0, 200))} ${reason}`, {
    data: { path: path.slice(0, 200) },
    hint,
  });
}

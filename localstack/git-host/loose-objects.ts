import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';

const SIZE_LIMIT = 1024 * 1024;

/** What a push event says about a commit. */
export interface Commit {
  tree: string;
  parents: string[];
  author: Person;
  committer: Person;
  message: string;
}

/** An author or committer; `date` in seconds since 1970, `zone` like `+0200`. */
export interface Person {
  name: string;
  email: string;
  date: number;
  zone: string;
}

/** Reads commits and trees straight from loose object files: what a small push has just written. */
export interface LooseObjects {
  commit(oid: string): Commit | undefined;
  /** Entry name → kind and object id. */
  tree(oid: string): Map<string, TreeEntry> | undefined;
  /** The commit that a tag object leads to; other ids as they are. */
  peel(oid: string): string;
}

/** One entry of a tree. */
export interface TreeEntry {
  isTree: boolean;
  oid: string;
}

/**
 * Opens the loose objects of a repository, for at most `budget` reads.
 * Packed, too large or one too many: `undefined`. Whoever calls must do without, never wait.
 */
export function openLooseObjects(repository: string, budget: number): LooseObjects {
  let left = budget;

  function read(oid: string, kind: string): Buffer | undefined {
    if (left <= 0) return undefined;
    left -= 1;
    try {
      const path = join(repository, 'objects', oid.slice(0, 2), oid.slice(2));
      if (statSync(path).size > SIZE_LIMIT) return undefined;
      const bytes = inflateSync(readFileSync(path), { maxOutputLength: 4 * SIZE_LIMIT });
      const end = bytes.indexOf(0);
      return bytes.toString('latin1', 0, end).startsWith(`${kind} `) ? bytes.subarray(end + 1) : undefined;
    } catch {
      return undefined;
    }
  }

  return {
    commit(oid) {
      const content = read(oid, 'commit');
      return content === undefined ? undefined : parseCommit(content.toString('utf8'));
    },
    tree(oid) {
      const content = read(oid, 'tree');
      return content === undefined ? undefined : parseTree(content, oid.length / 2);
    },
    peel(oid) {
      const tag = read(oid, 'tag')?.toString('utf8');
      return (tag === undefined ? undefined : /^object ([0-9a-f]+)\n/.exec(tag)?.[1]) ?? oid;
    },
  };
}

function parseCommit(text: string): Commit | undefined {
  const end = text.indexOf('\n\n');
  const head = end < 0 ? text : text.slice(0, end);
  const tree = /^tree ([0-9a-f]+)$/m.exec(head)?.[1];
  const author = parsePerson(/^author (.*)$/m.exec(head)?.[1]);
  const committer = parsePerson(/^committer (.*)$/m.exec(head)?.[1]);
  if (tree === undefined || author === undefined || committer === undefined) return undefined;
  const parents = [...head.matchAll(/^parent ([0-9a-f]+)$/gm)].map((match) => match[1] ?? '');
  return { tree, parents, author, committer, message: end < 0 ? '' : text.slice(end + 2).trimEnd() };
}

function parsePerson(text: string | undefined): Person | undefined {
  const match = /^(.*?) ?<([^>]*)> (\d+) ([+-]\d{4})$/.exec(text ?? '');
  if (match === null) return undefined;
  const [, name = '', email = '', date = '0', zone = '+0000'] = match;
  return { name, email, date: Number(date), zone };
}

function parseTree(content: Buffer, oidLength: number): Map<string, TreeEntry> {
  const entries = new Map<string, TreeEntry>();
  let at = 0;
  while (at < content.length) {
    const space = content.indexOf(0x20, at);
    const end = content.indexOf(0, space);
    if (space < 0 || end < 0) break;
    const mode = content.toString('latin1', at, space);
    at = end + 1 + oidLength;
    entries.set(content.toString('utf8', space + 1, end), {
      isTree: mode === '40000',
      oid: content.toString('hex', end + 1, at),
    });
  }
  return entries;
}

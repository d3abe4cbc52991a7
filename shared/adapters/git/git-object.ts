import { createHash } from 'node:crypto';

import { HawserError } from '../../errors.ts';
import type { CommitInfo } from '../../domain/status.ts';
import type { TreeEntryType } from '../../ports/git-source.ts';

export type ObjectType = 'commit' | 'tree' | 'blob' | 'tag';

/** One entry of a tree object; order as stored. */
export interface NamedEntry {
  name: string;
  type: TreeEntryType;
  executable: boolean;
  oid: string;
}

/** What a commit object says. */
export interface Commit {
  tree: string;
  info: CommitInfo;
}

const MESSAGE_BYTES = 4096;

/** The id of an object: SHA-1 over its type, size and content. */
export function oidOf(type: ObjectType, content: Uint8Array): string {
  return createHash('sha1').update(`${type} ${content.length}\0`).update(content).digest('hex');
}

/** Entries of a tree object. Names that no file system could hold make the tree `unsafe-path` (NT-23). */
export function parseTree(content: Buffer): NamedEntry[] {
  const entries: NamedEntry[] = [];
  let at = 0;
  while (at < content.length) {
    const space = content.indexOf(0x20, at);
    const end = content.indexOf(0, space);
    if (space < 0 || end < 0 || end + 21 > content.length) throw damagedTree();
    const mode = content.toString('latin1', at, space);
    const name = content.toString('utf8', space + 1, end);
    if (name === '' || name === '.' || name === '..' || name.includes('/')) {
      throw new HawserError('unsafe-path', `A folder holds an entry with the name ${JSON.stringify(name)}`);
    }
    at = end + 21;
    entries.push({
      name,
      type: typeOfMode(mode),
      executable: mode === '100755',
      oid: content.toString('hex', end + 1, at),
    });
  }
  return entries;
}

/** Reads a commit object; times are the author's, in UTC. */
export function parseCommit(oid: string, content: Buffer): Commit {
  const end = content.indexOf('\n\n');
  const head = content.toString('latin1', 0, end < 0 ? content.length : end);
  const tree = /^tree ([0-9a-f]{40})$/m.exec(head)?.[1];
  if (tree === undefined) throw new HawserError('source-invalid', `Commit ${oid} is damaged: it names no tree`);
  const decoder = decoderFor(/^encoding (\S+)$/m.exec(head)?.[1]);
  const author = /^author (.*?) ?<([^>\n]*)> (-?\d{1,12})/m.exec(
    decoder.decode(content.subarray(0, end < 0 ? undefined : end)),
  );
  const message = end < 0 ? Buffer.alloc(0) : content.subarray(end + 2);
  return {
    tree,
    info: {
      sha: oid,
      author: author?.[1] ?? '',
      email: author?.[2] ?? '',
      message: cut(decoder.decode(message)),
      time: isoTime(Number(author?.[3] ?? 0)),
    },
  };
}

function typeOfMode(mode: string): TreeEntryType {
  if (mode === '40000' || mode === '040000') return 'tree';
  if (mode === '120000') return 'link';
  return mode === '160000' ? 'submodule' : 'blob';
}

function decoderFor(label = 'utf-8'): { decode(bytes: Uint8Array): string } {
  try {
    return new TextDecoder(label);
  } catch {
    return new TextDecoder();
  }
}

function cut(message: string): string {
  const text = message.replaceAll('\0', '').trimEnd();
  const bytes = Buffer.from(text);
  if (bytes.length <= MESSAGE_BYTES) return text;
  // The last character may be cut in half; its remains decode to replacement characters.
  return bytes.toString('utf8', 0, MESSAGE_BYTES).replace(/\uFFFD+$/, '');
}

function isoTime(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? new Date(0).toISOString() : date.toISOString();
}

function damagedTree(): HawserError {
  return new HawserError('source-invalid', 'A tree object is damaged');
}

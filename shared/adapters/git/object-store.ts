import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';

import { messageOf } from '../../errors.ts';
import type { Log } from '../../ports/log.ts';
import { bytesSource, createSpool, fileSource } from './byte-source.ts';
import type { ByteSource } from './byte-source.ts';
import { isOid } from './ref.ts';
import { oidOf } from './git-object.ts';
import type { ObjectType } from './git-object.ts';
import { inflateAt } from './inflate.ts';
import { createPacer } from './pacer.ts';
import { encodeEntryHead, readEntryHead } from './pack-entry.ts';
import type { PackedObject } from './pack-reader.ts';

/**
 * The objects of one repository that are at hand: a folder of packs that hold whole objects only, and an index in memory.
 *
 * Nothing on disk is trusted: opening a folder hashes every object in it, and so does every read (NT-30). Whatever is
 * wrong makes the whole folder worthless, for it is only a cache.
 * It is closed under folders: where a tree is at hand, so is everything below it but files.
 */
export interface ObjectStore {
  has(oid: string): boolean;
  /** undefined where absent; throws a plain Error where damaged. */
  read(oid: string): { type: ObjectType; content: Buffer } | undefined;
  /** Ids of commits that start with these digits. */
  commitsLike(prefix: string): string[];
  /** Bytes that a file takes here; undefined where it is not at hand. */
  storedBytes(oid: string): number | undefined;
  writer(): ObjectWriter;
  packCount(): number;
  /** Makes one pack of what is to be kept and removes the others; packs that come meanwhile stay. */
  keepOnly(oids: Iterable<string>): Promise<void>;
  clear(): void;
  /** Resolves once everything that was written is on disk (or has failed to get there, which costs a fetch later). */
  settled(): Promise<void>;
}

/** Collects objects for one new pack; nothing is visible before `commit`. */
export interface ObjectWriter {
  add(object: PackedObject): void;
  commit(): void;
  discard(): void;
}

interface StoredPack {
  source: ByteSource;
  path: string;
}

interface Place {
  pack: StoredPack;
  offset: number;
  used: number;
  size: number;
  type: ObjectType;
}

const MAGIC = Buffer.from('hawser1\n');
const END = Buffer.from('the end\n');
const EXTENSION = '.objects';
/** Packs up to this size live in memory: reading them from files would cost a descriptor each. */
const IN_MEMORY = 64 * 1024;

/** Opens the folder (creating it), checking all that it holds; a damaged one is emptied. */
export async function openObjectStore(folder: string, log: Log): Promise<ObjectStore> {
  const index = new Map<string, Place>();
  const packs = new Set<StoredPack>();
  let saving: Promise<void> = Promise.resolve();
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  await load();

  async function load(): Promise<void> {
    try {
      for (const name of readdirSync(folder)) {
        if (name.startsWith('tmp-')) rmSync(join(folder, name), { force: true });
        else if (name.endsWith(EXTENSION)) await loadPack(join(folder, name));
      }
    } catch (error) {
      log.warn({ folder, error: messageOf(error) }, 'Git cache is damaged and thrown away');
      clear();
    }
  }

  async function loadPack(path: string): Promise<void> {
    const { size } = statSync(path);
    const source = size <= IN_MEMORY ? bytesSource(readFileSync(path)) : fileSource(path, size);
    const pack = { source, path };
    packs.add(pack);
    for (const [oid, place] of await scan(pack)) index.set(oid, place);
  }

  function clear(): void {
    for (const pack of packs) pack.source.dispose();
    packs.clear();
    index.clear();
    // Temporary files belong to fetches that are under way.
    for (const name of readdirSync(folder)) if (!name.startsWith('tmp-')) rmSync(join(folder, name), { force: true });
  }

  function writer(): ObjectWriter {
    const spool = createSpool(folder);
    const added = new Map<string, Omit<Place, 'pack'>>();
    spool.write(MAGIC);
    return {
      add({ oid, type, content, deflated }) {
        if (added.has(oid) || index.has(oid)) return;
        const body = deflated ?? deflateSync(content, { level: 1 });
        const head = encodeEntryHead(type, content.length);
        added.set(oid, { offset: spool.size() + head.length, used: body.length, size: content.length, type });
        spool.write(head);
        // A copy: what came over the network is a part of a far larger buffer.
        spool.write(Buffer.from(body));
      },
      commit() {
        if (added.size === 0) return spool.dispose();
        spool.write(trailer(added.size));
        const pack = keep(spool.finish());
        for (const [oid, place] of added) index.set(oid, { ...place, pack });
      },
      discard: () => spool.dispose(),
    };
  }

  function keep(source: ByteSource & { path?: string }): StoredPack {
    const pack = { source, path: join(folder, `${randomUUID()}${EXTENSION}`) };
    packs.add(pack);
    if (source.path === undefined) saving = saving.then(() => save(pack));
    else renameSync(source.path, pack.path);
    return pack;
  }

  /** Writes a pack that is in memory, after the fetch that brought it: losing it costs another fetch. */
  async function save(pack: StoredPack): Promise<void> {
    const { size } = pack.source;
    const temporary = join(folder, `tmp-${randomUUID()}`);
    try {
      if (!packs.has(pack)) return;
      await writeFile(temporary, pack.source.read(0, size), { mode: 0o600 });
      if (!packs.has(pack)) return rmSync(temporary, { force: true });
      await rename(temporary, pack.path);
      if (size > IN_MEMORY) pack.source = fileSource(pack.path, size);
    } catch (error) {
      log.warn({ folder, error: messageOf(error) }, 'Git cache cannot be written');
    }
  }

  async function keepOnly(oids: Iterable<string>): Promise<void> {
    const old = new Set(packs);
    const spool = createSpool(folder);
    const kept = new Map<string, Omit<Place, 'pack'>>();
    const pace = createPacer();
    spool.write(MAGIC);
    for (const oid of oids) {
      const place = index.get(oid);
      if (place === undefined || !old.has(place.pack) || kept.has(oid)) continue;
      const head = encodeEntryHead(place.type, place.size);
      kept.set(oid, { ...place, offset: spool.size() + head.length });
      spool.write(head);
      spool.write(Buffer.from(place.pack.source.read(place.offset, place.used)));
      await pace();
    }
    spool.write(trailer(kept.size));
    // A clear in between has made this void.
    if (![...old].every((pack) => packs.has(pack))) return spool.dispose();
    const pack = keep(spool.finish());
    for (const [oid, place] of index) if (old.has(place.pack)) index.delete(oid);
    for (const [oid, place] of kept) index.set(oid, { ...place, pack });
    for (const gone of old) {
      packs.delete(gone);
      gone.source.dispose();
    }
    await saving;
    for (const gone of old) rmSync(gone.path, { force: true });
  }

  return {
    has: (oid) => index.has(oid),
    read(oid) {
      const place = index.get(oid);
      return place === undefined ? undefined : { type: place.type, content: readPlace(oid, place) };
    },
    commitsLike: (prefix) =>
      [...index].filter(([oid, { type }]) => type === 'commit' && oid.startsWith(prefix)).map(([oid]) => oid),
    storedBytes: (oid) => index.get(oid)?.used,
    writer,
    packCount: () => packs.size,
    keepOnly,
    clear,
    settled: () => saving,
  };
}

function readPlace(oid: string, { pack, offset, size, type }: Place): Buffer {
  const { content } = inflateAt(pack.source, offset, size);
  if (oidOf(type, content) !== oid) throw new Error(`stored object ${oid} is damaged`);
  return content;
}

/** Reads every object of a stored pack; throws where anything is wrong. */
async function scan(pack: StoredPack): Promise<Map<string, Place>> {
  const { source } = pack;
  const places = new Map<string, Place>();
  const end = source.size - END.length - 4;
  const tail = source.read(Math.max(0, end), END.length + 4);
  if (!source.read(0, MAGIC.length).equals(MAGIC) || !tail.subarray(0, END.length).equals(END))
    throw new Error('pack is not whole');
  const pace = createPacer();
  for (let at = MAGIC.length; at < end;) {
    const { dataOffset, size, type } = readEntryHead(source, at);
    if (type === 'delta') throw new Error('pack holds a delta');
    const { content, used } = inflateAt(source, dataOffset, size);
    places.set(oidOf(type, content), { pack, offset: dataOffset, used, size, type });
    at = dataOffset + used;
    await pace();
  }
  if (places.size !== tail.readUInt32BE(END.length)) throw new Error('pack is not whole');
  return places;
}

function trailer(count: number): Buffer {
  const bytes = Buffer.alloc(END.length + 4);
  END.copy(bytes);
  bytes.writeUInt32BE(count, END.length);
  return bytes;
}

/** The commits whose trees are wholly at hand, newest use first, as noted beside the packs. */
export function readOpenedCommits(folder: string): string[] {
  try {
    const commits: unknown = JSON.parse(readFileSync(join(folder, 'commits.json'), 'utf8'));
    return Array.isArray(commits) ? commits.filter((oid): oid is string => typeof oid === 'string' && isOid(oid)) : [];
  } catch {
    return [];
  }
}

/** Notes them; never throws, for it only saves fetches after a restart. */
export async function writeOpenedCommits(folder: string, commits: readonly string[]): Promise<void> {
  const temporary = join(folder, `tmp-${randomUUID()}`);
  try {
    await writeFile(temporary, JSON.stringify(commits), { mode: 0o600 });
    await rename(temporary, join(folder, 'commits.json'));
  } catch {
    rmSync(temporary, { force: true });
  }
}

import { createHash } from 'node:crypto';

import { HawserError } from '../../errors.ts';
import type { ByteSource } from './byte-source.ts';
import { applyDelta, deltaTargetSize } from './delta.ts';
import { oidOf } from './git-object.ts';
import type { ObjectType } from './git-object.ts';
import { inflateAt, skipAt } from './inflate.ts';
import type { GitLimits } from './limits.ts';
import { readEntryHead } from './pack-entry.ts';
import type { PackEntry } from './pack-entry.ts';
import { createPacer } from './pacer.ts';

/** One whole object of a received pack; its id was computed from its content, never taken from the sender (NT-30). */
export interface PackedObject {
  oid: string;
  type: ObjectType;
  content: Buffer;
  /** The content as it came, where it came as a whole. */
  deflated?: Buffer;
}

export interface PackReport {
  objects: number;
  /** Deltas whose base is neither in the pack nor at hand. */
  unresolved: number;
  /** Files past LIM-06, left out. */
  oversized: number;
}

export interface PackReadOptions {
  limits: GitLimits;
  /** Objects at hand, for deltas of thin packs. */
  base(oid: string): { type: ObjectType; content: Buffer } | undefined;
  visit(object: PackedObject): void;
}

interface Reading extends PackReadOptions {
  source: ByteSource;
  /** Deltas that wait, by where or what their base is. */
  byOffset: Map<number, PackEntry[]>;
  byOid: Map<string, PackEntry[]>;
  /** Whole objects, by offset. */
  whole: Map<number, { entry: PackEntry; type: ObjectType; oid: string }>;
  report: PackReport;
  pace: () => Promise<void>;
}

interface Frame {
  type: ObjectType;
  content: Buffer;
  children: PackEntry[];
}

const SMALL = 1024 * 1024;
const OBJECTS = 1_000_000;
const CHAIN_BYTES = 128 * 1024 * 1024;

/**
 * Reads every object of a pack (gitformat-pack), within limits that hold before anything is inflated.
 *
 * Two passes: whole objects first, then the trees of deltas from their bases down, so that memory holds one chain only.
 * Errors: `repository-unreachable` (retry later) where the pack is damaged, `source-too-large`.
 */
export async function readPack(source: ByteSource, options: PackReadOptions): Promise<PackReport> {
  const reading: Reading = {
    ...options,
    source,
    byOffset: new Map(),
    byOid: new Map(),
    whole: new Map(),
    report: { objects: 0, unresolved: 0, oversized: 0 },
    pace: createPacer(),
  };
  try {
    await checkTrailer(reading);
    await readEntries(reading);
    await resolveInside(reading);
    await resolveOutside(reading);
  } catch (error) {
    throw error instanceof HawserError ? error : damaged(error);
  }
  for (const waiting of [...reading.byOffset.values(), ...reading.byOid.values()])
    reading.report.unresolved += waiting.length;
  return reading.report;
}

async function checkTrailer({ source, pace }: Reading): Promise<void> {
  const hash = createHash('sha1');
  const end = source.size - 20;
  for (let at = 0; at < end; at += SMALL) {
    hash.update(source.read(at, Math.min(SMALL, end - at)));
    await pace();
  }
  if (end < 12 || !hash.digest().equals(source.read(end, 20))) throw new Error('checksum differs');
}

async function readEntries(reading: Reading): Promise<void> {
  const { source, limits, pace } = reading;
  const head = source.read(0, 12);
  const count = head.readUInt32BE(8);
  if (head.toString('latin1', 0, 4) !== 'PACK' || head.readUInt32BE(4) !== 2)
    throw new Error('not a pack of version 2');
  if (count > OBJECTS) throw tooLarge(`${count} objects`);
  let at = 12;
  let unpacked = 0;
  for (let index = 0; index < count; index += 1) {
    const entry = readEntryHead(source, at);
    unpacked += entry.size;
    if (unpacked > limits.unpackedBytes) throw tooLarge(`more than ${limits.unpackedBytes} bytes`);
    const used = isTooLarge(reading, entry.type, entry.size)
      ? await skipAt(source, entry.dataOffset, entry.size)
      : readEntry(reading, entry);
    at = entry.dataOffset + used;
    await pace();
  }
  if (at !== source.size - 20) throw new Error('pack has a wrong length');
}

/** Hands on a whole object, notes a delta; gives the bytes that it takes. */
function readEntry(reading: Reading, entry: PackEntry): number {
  const { content, used } = inflateAt(reading.source, entry.dataOffset, entry.size);
  if (entry.type !== 'delta') {
    const oid = emit(reading, entry.type, content, reading.source.read(entry.dataOffset, used));
    reading.whole.set(entry.offset, { entry, type: entry.type, oid });
  } else if (entry.baseOffset !== undefined) {
    wait(reading.byOffset, entry.baseOffset, entry);
  } else if (entry.baseOid !== undefined) {
    wait(reading.byOid, entry.baseOid, entry);
  }
  return used;
}

async function resolveInside(reading: Reading): Promise<void> {
  for (const [offset, { entry, type, oid }] of reading.whole) {
    if (!reading.byOffset.has(offset) && !reading.byOid.has(oid)) continue;
    const { content } = inflateAt(reading.source, entry.dataOffset, entry.size);
    await resolveBelow(reading, { type, content, children: takeChildren(reading, offset, oid) });
  }
}

async function resolveOutside(reading: Reading): Promise<void> {
  for (const oid of Array.from(reading.byOid.keys())) {
    const base = reading.base(oid);
    if (base === undefined) continue;
    const children = reading.byOid.get(oid);
    reading.byOid.delete(oid);
    if (children !== undefined) await resolveBelow(reading, { ...base, children });
  }
}

/** Resolves everything that builds on one object, depth first. */
async function resolveBelow(reading: Reading, root: Frame): Promise<void> {
  const stack = [root];
  let held = root.content.length;
  for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
    const child = frame.children.pop();
    if (child === undefined) {
      stack.pop();
      held -= frame.content.length;
      continue;
    }
    const delta = inflateAt(reading.source, child.dataOffset, child.size).content;
    if (isTooLarge(reading, frame.type, deltaTargetSize(delta))) continue;
    const content = applyDelta(frame.content, delta);
    const oid = emit(reading, frame.type, content);
    const children = takeChildren(reading, child.offset, oid);
    if (children.length > 0) {
      held += content.length;
      if (held > CHAIN_BYTES) throw tooLarge('chains of deltas that are too long');
      stack.push({ type: frame.type, content, children });
    }
    await reading.pace();
  }
}

function takeChildren(reading: Reading, offset: number, oid: string): PackEntry[] {
  const children = [...(reading.byOffset.get(offset) ?? []), ...(reading.byOid.get(oid) ?? [])];
  reading.byOffset.delete(offset);
  reading.byOid.delete(oid);
  return children;
}

function emit(reading: Reading, type: ObjectType, content: Buffer, deflated?: Buffer): string {
  const oid = oidOf(type, content);
  reading.report.objects += 1;
  reading.visit({ oid, type, content, ...(deflated === undefined ? {} : { deflated }) });
  return oid;
}

/** Files past the limit are left out, and missed only where they are asked for; anything else past its limit is an error. */
function isTooLarge(reading: Reading, type: PackEntry['type'], size: number): boolean {
  const { blobBytes, treeBytes } = reading.limits;
  if (type === 'tree' && size > treeBytes) throw tooLarge(`a folder of ${size} bytes`);
  if ((type === 'commit' || type === 'tag') && size > SMALL) throw tooLarge(`a ${type} of ${size} bytes`);
  const isOver = type === 'blob' ? size > blobBytes : size > treeBytes;
  if (isOver) reading.report.oversized += 1;
  return isOver;
}

function wait<K>(map: Map<K, PackEntry[]>, key: K, entry: PackEntry): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [entry]);
  else list.push(entry);
}

function tooLarge(what: string): HawserError {
  return new HawserError('source-too-large', `The pack holds ${what} (LIM-03)`, { data: { limit: 'LIM-03' } });
}

function damaged(cause: unknown): HawserError {
  return new HawserError('repository-unreachable', 'The pack that the Git host sent is damaged', {
    retry: 'later',
    cause,
  });
}

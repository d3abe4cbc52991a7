import type { ByteSource } from './byte-source.ts';
import type { ObjectType } from './git-object.ts';

/** Head of one entry of a pack (gitformat-pack). */
export interface PackEntry {
  /** Where the entry starts, and where its zlib stream does. */
  offset: number;
  dataOffset: number;
  /** Bytes once inflated; of the delta, where it is one. */
  size: number;
  type: ObjectType | 'delta';
  baseOffset?: number;
  baseOid?: string;
}

const types: readonly (ObjectType | undefined)[] = [undefined, 'commit', 'tree', 'blob', 'tag'];
const OFFSET_DELTA = 6;
const REFERENCE_DELTA = 7;
const HEAD_BYTES = 64;

/** Reads the head at `offset`; throws a plain Error where it is damaged. */
export function readEntryHead(source: ByteSource, offset: number): PackEntry {
  const bytes = source.read(offset, HEAD_BYTES);
  let at = 0;
  function next(): number {
    const byte = bytes[at];
    at += 1;
    if (byte === undefined) throw new Error('pack ends in the middle of an entry');
    return byte;
  }
  const first = next();
  const kind = (first >> 4) & 7;
  let size = first & 15;
  let factor = 16;
  for (let byte = first; (byte & 0x80) !== 0 && factor < 2 ** 46; factor *= 128) {
    byte = next();
    size += (byte & 0x7f) * factor;
  }
  const type = types[kind];
  if (type !== undefined) return { offset, dataOffset: offset + at, size, type };
  if (kind === REFERENCE_DELTA) {
    const baseOid = bytes.toString('hex', at, at + 20);
    return { offset, dataOffset: offset + at + 20, size, type: 'delta', baseOid };
  }
  if (kind !== OFFSET_DELTA) throw new Error(`pack has an entry of type ${kind}`);
  let byte = next();
  let distance = byte & 0x7f;
  while ((byte & 0x80) !== 0 && distance < 2 ** 40) {
    byte = next();
    distance = (distance + 1) * 128 + (byte & 0x7f);
  }
  if (distance <= 0 || distance > offset) throw new Error('delta points outside of the pack');
  return { offset, dataOffset: offset + at, size, type: 'delta', baseOffset: offset - distance };
}

/** The head of a whole object, as it is written. */
export function encodeEntryHead(type: ObjectType, size: number): Buffer {
  const bytes = [(types.indexOf(type) << 4) | (size & 15)];
  for (let rest = Math.floor(size / 16); rest > 0; rest = Math.floor(rest / 128)) {
    const last = bytes.length - 1;
    bytes[last] = (bytes[last] ?? 0) | 0x80;
    bytes.push(rest & 0x7f);
  }
  return Buffer.from(bytes);
}

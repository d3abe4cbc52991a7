import { sha256 } from '#shared/domain/digest.ts';
import { HawserError } from '#shared/errors.ts';
import { pack, unpackText } from './pack.ts';
import { decodeRecord, encodeRecord, type AppState } from './record.ts';

/** A Secret may hold 1 MiB; some room is left for its metadata. */
export const secretCapacity = 900 * 1024;

/** Secret data of one application: the parent's own, and parts that did not fit. Values are raw bytes. */
export interface Layout {
  main: Map<string, Buffer>;
  /** By Secret name suffix, which is the content's hash: parts never change. */
  parts: Map<string, Buffer>;
}

/** Which parts make up a blob that does not lie in the parent. */
type PartsIndex = Record<string, string[]>;

/** Lays an application's state out: the record and root first, then chunks, in parts of their own where space ends. */
export function layOut(state: AppState): Layout {
  const blobs: [string, Buffer][] = [
    ['record', pack(encodeRecord(state.record))],
    ['root', state.packedRoot],
    ...[...state.chunks].map(([digest, bytes]): [string, Buffer] => [`chunk.${digest}`, bytes]),
  ];
  const main = new Map<string, Buffer>();
  const parts = new Map<string, Buffer>();
  const index: PartsIndex = {};
  let room = secretCapacity - 16 * 1024;
  for (const [name, bytes] of blobs) {
    if (bytes.length <= room) {
      main.set(name, bytes);
      room -= bytes.length;
      continue;
    }
    index[name] = [];
    for (let at = 0; at < bytes.length; at += secretCapacity) {
      const piece = bytes.subarray(at, at + secretCapacity);
      const suffix = sha256(piece).slice(0, 20);
      parts.set(suffix, piece);
      index[name].push(suffix);
    }
  }
  if (parts.size > 0) main.set('parts', Buffer.from(JSON.stringify(index)));
  return { main, parts };
}

/** Names of the parts that a parent's data needs. */
export function partsOf(main: Map<string, Buffer>): string[] {
  const index = main.get('parts');
  return index === undefined ? [] : Object.values(JSON.parse(index.toString('utf8')) as PartsIndex).flat();
}

/**
 * Puts an application's state together again. Throws `snapshot-invalid` when something is missing or damaged;
 * whether chunks match the signed root is checked by the caller, as for every snapshot.
 */
export function readLayout(layout: Layout): AppState {
  const text = layout.main.get('parts');
  const index = text === undefined ? {} : (JSON.parse(text.toString('utf8')) as PartsIndex);
  const blob = (name: string): Buffer => {
    const inline = layout.main.get(name);
    if (inline !== undefined) return inline;
    const pieces = (index[name] ?? []).map((suffix) => layout.parts.get(suffix));
    if (pieces.length === 0 || pieces.includes(undefined)) {
      throw new HawserError('snapshot-invalid', `The stored state lacks ${name}`);
    }
    return Buffer.concat(pieces as Buffer[]);
  };
  const record = decodeRecord(unpackText(blob('record')));
  const packedRoot = blob('root');
  const names = [...layout.main.keys(), ...Object.keys(index)].filter((name) => name.startsWith('chunk.'));
  return { record, packedRoot, chunks: new Map(names.map((name) => [name.slice('chunk.'.length), blob(name)])) };
}

import { gunzipSync, gzipSync } from 'node:zlib';
import { sha256 } from '../domain/digest.ts';
import type { ChunkStore } from '../ports/chunk-store.ts';
import type { Cipher } from '../ports/signer.ts';
import { blocksKey, inputsKey } from './keys.ts';

/** Most bytes that one chunk may inflate to; more is an attack or a bug. */
const maxInflated = 64 * 1024 * 1024;

/** Content-addressed bytes of one cluster's snapshots, compressed, then encrypted for that cluster alone. */
export interface SnapshotChunks {
  /** Writes it, or renews its age; returns the digest (SHA-256 of `text`). */
  write(organisation: string, cluster: string, text: Uint8Array): Promise<string>;
  /** The text, verified against the digest; undefined when absent or damaged. */
  read(organisation: string, cluster: string, digest: string): Promise<Uint8Array | undefined>;
}

/** Bundles and render outputs by digest; the same care, one partition per organisation. */
export interface InputChunks {
  write(organisation: string, bytes: Uint8Array): Promise<string>;
  read(organisation: string, digest: string): Promise<Uint8Array | undefined>;
}

/** SnapshotChunks over a chunk store. The encryption context is the partition, so a chunk cannot be moved to another cluster. */
export function createSnapshotChunks(store: ChunkStore, cipher: Cipher): SnapshotChunks {
  return {
    write: (organisation, cluster, text) => writeChunk(store, cipher, blocksKey(organisation, cluster), text),
    read: (organisation, cluster, digest) => readChunk(store, cipher, blocksKey(organisation, cluster), digest),
  };
}

/** InputChunks over a chunk store. */
export function createInputChunks(store: ChunkStore, cipher: Cipher): InputChunks {
  return {
    write: (organisation, bytes) => writeChunk(store, cipher, inputsKey(organisation), bytes),
    read: (organisation, digest) => readChunk(store, cipher, inputsKey(organisation), digest),
  };
}

async function writeChunk(store: ChunkStore, cipher: Cipher, partition: string, bytes: Uint8Array): Promise<string> {
  const digest = sha256(bytes);
  // Written even where it is present: that renews its age, so that retention never takes what is being published (INV-14).
  await store.put(partition, digest, await cipher.seal(partition, gzipSync(bytes, { level: 4 })));
  return digest;
}

async function readChunk(
  store: ChunkStore,
  cipher: Cipher,
  partition: string,
  digest: string,
): Promise<Uint8Array | undefined> {
  const sealed = await store.get(partition, digest);
  if (sealed === undefined) return undefined;
  const bytes = gunzipSync(await cipher.open(partition, sealed), { maxOutputLength: maxInflated });
  return sha256(bytes) === digest ? bytes : undefined;
}

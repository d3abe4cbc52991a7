import { gunzipSync, gzipSync } from 'node:zlib';

/**
 * Packs what is kept in memory and in the cluster. Small texts get a small window: setting up a full one costs more time
 * and memory than packing them.
 */
export function pack(content: string | Uint8Array): Buffer {
  const small = content.length < 8192;
  const packed = gzipSync(content, small ? { level: 6, windowBits: 13, memLevel: 6, chunkSize: 4096 } : { level: 6 });
  // zlib hands out a slice of a larger block, and the whole block would stay.
  const exact = Buffer.allocUnsafeSlow(packed.length);
  packed.copy(exact);
  return exact;
}

/** The text that was packed; throws on damaged bytes. */
export function unpackText(packed: Uint8Array): string {
  return gunzipSync(packed).toString('utf8');
}

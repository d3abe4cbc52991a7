import { hkdfSync, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { HawserError } from '../../errors.ts';
import type { Cipher } from '../../ports/signer.ts';
import { readOrCreatePrivateFile } from './private-file.ts';
import { seal, unseal } from '../../domain/sealing.ts';

const keyBytes = 32;
/** Derived keys kept at hand; one per context (cluster), made again in microseconds. */
const maxDerived = 10_000;

/**
 * AES-256-GCM with a key per context, derived by HKDF from the master key in `dir/cipher.key` (0600, made at first use).
 * The context is part of both the key and the authenticated data.
 * `open` throws `snapshot-invalid` where the bytes were changed or sealed for another context.
 */
export function createFileCipher({ dir }: { dir: string }): Cipher {
  const path = join(dir, 'cipher.key');
  const derived = new Map<string, Promise<Uint8Array>>();

  return {
    async seal(context, plain) {
      return seal(await keyOf(context), context, plain);
    },
    async open(context, sealed) {
      const plain = unseal(await keyOf(context), context, sealed);
      if (plain !== undefined) return plain;
      throw new HawserError('snapshot-invalid', `sealed bytes cannot be opened for ${context}`, {
        hint: `They were changed, sealed for another context, or sealed with another key than ${path}.`,
      });
    },
  };

  function keyOf(context: string): Promise<Uint8Array> {
    let key = derived.get(context);
    if (key === undefined) {
      if (derived.size >= maxDerived) derived.clear();
      key = derive(path, context);
      derived.set(context, key);
      // A failure (disk not there yet) is not remembered.
      key.catch(() => derived.delete(context));
    }
    return key;
  }
}

async function derive(path: string, context: string): Promise<Uint8Array> {
  const master = await readOrCreatePrivateFile(path, () => randomBytes(keyBytes));
  requireKey(master, path);
  return new Uint8Array(hkdfSync('sha256', master, '', `hawser-cipher-v1\n${context}`, keyBytes));
}

/** Throws where a key file does not hold a key: nothing may ever be sealed under a part of one. */
export function requireKey(key: Uint8Array, path: string): void {
  if (key.length === keyBytes) return;
  throw new HawserError('internal', `key file ${path} has ${key.length} bytes instead of ${keyBytes}`, {
    hint: 'Restore it from a backup; what was sealed with it cannot be opened otherwise.',
  });
}

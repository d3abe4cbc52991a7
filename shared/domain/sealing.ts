import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

const algorithm = 'aes-256-gcm';
const format = 1;
const nonceBytes = 12;
const tagBytes = 16;

/** AES-256-GCM under a random nonce: format byte, nonce, tag, cipher text. `context` is authenticated, not stored. */
export function seal(key: Uint8Array, context: string, plain: Uint8Array): Uint8Array {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv(algorithm, key, nonce).setAAD(Buffer.from(context));
  const text = cipher.update(plain);
  cipher.final();
  return Buffer.concat([Uint8Array.of(format), nonce, cipher.getAuthTag(), text]);
}

/** The plain bytes, or undefined where key, context or a single bit differ. */
export function unseal(key: Uint8Array, context: string, sealed: Uint8Array): Uint8Array | undefined {
  if (sealed[0] !== format || sealed.length < 1 + nonceBytes + tagBytes) return undefined;
  const nonce = sealed.subarray(1, 1 + nonceBytes);
  const tag = sealed.subarray(1 + nonceBytes, 1 + nonceBytes + tagBytes);
  const decipher = createDecipheriv(algorithm, key, nonce, { authTagLength: tagBytes })
    .setAAD(Buffer.from(context))
    .setAuthTag(tag);
  const plain = decipher.update(sealed.subarray(1 + nonceBytes + tagBytes));
  try {
    decipher.final();
  } catch {
    return undefined;
  }
  return plain;
}

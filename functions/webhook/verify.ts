import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Proof } from './providers/provider.ts';

/**
 * Whether one of the proofs shows knowledge of one of the secrets (two while a secret is being rotated, FT-07).
 * Compares in constant time over buffers of one length; blank secrets verify nothing (NT-05).
 */
export function isProven(proofs: readonly Proof[], secrets: readonly string[], body: Uint8Array): boolean {
  const usable = secrets.filter((secret) => secret.trim() !== '');
  // No short cut once something fits: which secret fitted must not show either.
  return proofs.flatMap((proof) => usable.map((secret) => fits(proof, secret, body))).includes(true);
}

/** Whether the body is needed to judge these proofs; where not, a wrong one is refused before anything is read. */
export function needsBody(proofs: readonly Proof[]): boolean {
  return proofs.some((proof) => proof.kind === 'mac');
}

function fits(proof: Proof, secret: string, body: Uint8Array): boolean {
  if (proof.kind === 'secret') return timingSafeEqual(fingerprint(proof.value), fingerprint(secret));
  const key = proof.keyOf(secret);
  if (key === undefined || key.length === 0) return false;
  const expected = createHmac('sha256', key).update(proof.prefix).update(body).digest();
  return expected.length === proof.mac.length && timingSafeEqual(expected, proof.mac);
}

/** Equal length for any two texts, so that not even the length of a secret shows. */
function fingerprint(text: string): Buffer {
  return createHmac('sha256', 'hawser webhook token').update(text).digest();
}

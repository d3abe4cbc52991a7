import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { certificateText, type SigningCertificate } from './snapshot.ts';

/** An Ed25519 key that signs snapshots for a day, and what the root key says of it. Times in ms since 1970. */
export interface DayKey {
  privateKey: KeyObject;
  certificate: SigningCertificate;
  notBefore: number;
  notAfter: number;
}

const hourMs = 3_600_000;
/** Valid this long before it is made (agents' clocks may be behind) and this long after its day (work under way). */
const overlapMs = hourMs;
const dayMs = 24 * hourMs;

/** A new day key without its certificate's signature, and the text that the root key has to sign for it. */
export function draftDayKey(
  organisation: string,
  now: number,
): { text: string; certified: (signature: Uint8Array) => DayKey } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const notBefore = now - overlapMs;
  const notAfter = now + dayMs + overlapMs;
  const claims = {
    organisation,
    publicKey: publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
    notBefore: new Date(notBefore).toISOString(),
    notAfter: new Date(notAfter).toISOString(),
  };
  return {
    text: certificateText(claims),
    certified: (signature) => ({
      privateKey,
      certificate: { ...claims, signature: Buffer.from(signature).toString('base64') },
      notBefore,
      notAfter,
    }),
  };
}

/** Whether it may sign now. */
export function isValidDayKey(day: DayKey, now: number): boolean {
  return now >= day.notBefore && now < day.notAfter;
}

/** Whether half of its life is left, so that what it signs now can be verified for hours. */
export function isFreshDayKey(day: DayKey, now: number): boolean {
  return isValidDayKey(day, now) && day.notAfter - now >= dayMs / 2;
}

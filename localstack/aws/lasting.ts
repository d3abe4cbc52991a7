import { generateKeyPairSync } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * What outlives the emulators, so that a cluster of the user's own takes the next start for the service that it knows:
 * agents pin the root key, and never go back a generation.
 */
export interface Lasting {
  /** PKCS #8 in DER, base64. */
  rootKey: string;
  /** Starts before this one. */
  earlierStarts: number;
}

/** More tickets than one start takes. */
const ticketsEach = 1_000_000;

/** Reads `DIR/lasting.json` and counts this start there, before anything can be published: a crash loses nothing. */
export function beginLasting(dataDir: string): Lasting {
  const file = join(dataDir, 'lasting.json');
  const before = existsSync(file)
    ? (JSON.parse(readFileSync(file, 'utf8')) as Lasting & { starts: number })
    : undefined;
  const rootKey = before?.rootKey ?? newRootKey();
  const earlierStarts = before?.starts ?? 0;
  writeFileSync(`${file}.new`, `${JSON.stringify({ rootKey, starts: earlierStarts + 1 }, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
  return { rootKey, earlierStarts };
}

/** The last ticket that counts as taken when this start begins: all that follow are above those of earlier starts. */
export function ticketsBefore({ earlierStarts }: Lasting): number {
  return earlierStarts * ticketsEach;
}

function newRootKey(): string {
  return generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64');
}

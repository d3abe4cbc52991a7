import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { draftDayKey, isFreshDayKey, isValidDayKey, type DayKey } from '../../domain/day-key.ts';
import { requireId } from '../../domain/ids.ts';
import type { SigningCertificate } from '../../domain/snapshot.ts';
import { HawserError } from '../../errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Signer } from '../../ports/signer.ts';
import { readOrCreatePrivateFile, readPrivateFile, writePrivateFile } from './private-file.ts';

/**
 * Per organisation a root key in `dir/ORG.root.pem` and the day key that it certified in `dir/ORG.day.json`, both 0600.
 * A day key is made anew when less than half of its life is left; restarts go on with the one on disk.
 * Throws `invalid-input` for what is no organisation id, `internal` for a key file that holds no Ed25519 key.
 */
export function createFileSigner({ dir, clock }: { dir: string; clock: Clock }): Signer {
  const roots = new Map<string, Promise<KeyObject>>();
  const days = new Map<string, DayKey>();
  const renewals = new Map<string, Promise<DayKey>>();

  return {
    async sign(organisation, text) {
      const { privateKey, certificate } = await dayKeyOf(requireId(organisation, 'organisation'));
      return { signature: sign(null, Buffer.from(text), privateKey).toString('base64'), certificate };
    },
    async rootPublicKey(organisation) {
      return publicKeyText(await rootOf(requireId(organisation, 'organisation')));
    },
  };

  function rootOf(organisation: string): Promise<KeyObject> {
    let root = roots.get(organisation);
    if (root === undefined) {
      root = loadRoot(join(dir, `${organisation}.root.pem`));
      roots.set(organisation, root);
      // A failure (disk full) is not remembered.
      root.catch(() => roots.delete(organisation));
    }
    return root;
  }

  async function dayKeyOf(organisation: string): Promise<DayKey> {
    const current = days.get(organisation);
    if (current !== undefined && isFreshDayKey(current, clock.now())) return current;
    let renewal = renewals.get(organisation);
    if (renewal === undefined) {
      renewal = renew(organisation).finally(() => renewals.delete(organisation));
      renewals.set(organisation, renewal);
    }
    try {
      return await renewal;
    } catch (error) {
      // A full disk does not stop publishing as long as the old key is valid.
      if (current !== undefined && isValidDayKey(current, clock.now())) return current;
      throw error;
    }
  }

  async function renew(organisation: string): Promise<DayKey> {
    const path = join(dir, `${organisation}.day.json`);
    const root = await rootOf(organisation);
    const stored = await loadDayKey(path, organisation, root);
    const day =
      stored !== undefined && isFreshDayKey(stored, clock.now()) ? stored : makeDayKey(organisation, root, clock.now());
    if (day !== stored) await writePrivateFile(path, dayKeyFile(day, root));
    days.set(organisation, day);
    return day;
  }
}

function makeDayKey(organisation: string, root: KeyObject, now: number): DayKey {
  const { text, certified } = draftDayKey(organisation, now);
  return certified(sign(null, Buffer.from(text), root));
}

async function loadRoot(path: string): Promise<KeyObject> {
  const pem = await readOrCreatePrivateFile(path, () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    return Buffer.from(privateKey.export({ type: 'pkcs8', format: 'pem' }));
  });
  const key = parseKey(pem.toString());
  if (key !== undefined) return key;
  // Never replaced by a new one: agents have pinned it.
  throw new HawserError('internal', `${path} holds no Ed25519 private key`, {
    hint: 'Restore it from a backup; with another root key every agent has to be registered again.',
  });
}

/** undefined where it is missing, damaged, or of another root: a day key is easily made again. */
async function loadDayKey(path: string, organisation: string, root: KeyObject): Promise<DayKey | undefined> {
  const content = await readPrivateFile(path);
  if (content === undefined) return undefined;
  try {
    const {
      privateKey: pem,
      root: rootKey,
      certificate,
    } = JSON.parse(content.toString()) as {
      privateKey: string;
      root: string;
      certificate: SigningCertificate;
    };
    const privateKey = parseKey(pem);
    if (privateKey === undefined || rootKey !== publicKeyText(root) || certificate.organisation !== organisation)
      return undefined;
    return {
      privateKey,
      certificate,
      notBefore: Date.parse(certificate.notBefore),
      notAfter: Date.parse(certificate.notAfter),
    };
  } catch {
    return undefined;
  }
}

function dayKeyFile(day: DayKey, root: KeyObject): Uint8Array {
  const privateKey = day.privateKey.export({ type: 'pkcs8', format: 'pem' });
  return Buffer.from(JSON.stringify({ privateKey, root: publicKeyText(root), certificate: day.certificate }));
}

function parseKey(pem: string): KeyObject | undefined {
  try {
    const key = createPrivateKey(pem);
    return key.asymmetricKeyType === 'ed25519' ? key : undefined;
  } catch {
    return undefined;
  }
}

function publicKeyText(privateKey: KeyObject): string {
  return createPublicKey(privateKey).export({ type: 'spki', format: 'der' }).toString('base64');
}

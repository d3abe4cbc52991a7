import { createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { GetPublicKeyCommand, type KMSClient, SignCommand } from '@aws-sdk/client-kms';
import { draftDayKey, isFreshDayKey, isValidDayKey, type DayKey } from '../../domain/day-key.ts';
import { requireId } from '../../domain/ids.ts';
import { HawserError } from '../../errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Signer } from '../../ports/signer.ts';
import { toAwsError } from './aws-error.ts';

export interface KmsSignerDeps {
  client: KMSClient;
  clock: Clock;
  /** Key id, ARN or alias of an organisation's root key; default `rootKeyAlias`. */
  keyIdOf?: (organisation: string) => string;
}

/** The alias under which an organisation's root key is found (`create-root-key.ts`). */
export function rootKeyAlias(organisation: string): string {
  return `alias/hawser/root/${organisation}`;
}

/**
 * Per organisation an Ed25519 root key that never leaves KMS (ECC_NIST_EDWARDS25519, `kms:Sign` and `kms:GetPublicKey`), and a
 * day key in memory that it certified: one call for each process and half day. A process that ends takes its day key along.
 * As long as a day key is valid, KMS may be down (FT-48). Throws `invalid-input` for what is no organisation id,
 * `internal` for a key of another kind.
 */
export function createKmsSigner(deps: KmsSignerDeps): Signer {
  const roots = new Map<string, Promise<KeyObject>>();
  const days = new Map<string, DayKey>();
  const renewals = new Map<string, Promise<DayKey>>();
  const keyIdOf = deps.keyIdOf ?? rootKeyAlias;

  return {
    async sign(organisation, text) {
      const { privateKey, certificate } = await dayKeyOf(requireId(organisation, 'organisation'));
      return { signature: sign(null, Buffer.from(text), privateKey).toString('base64'), certificate };
    },
    async rootPublicKey(organisation) {
      const key = await rootOf(requireId(organisation, 'organisation'));
      return key.export({ type: 'spki', format: 'der' }).toString('base64');
    },
  };

  function rootOf(organisation: string): Promise<KeyObject> {
    let root = roots.get(organisation);
    if (root === undefined) {
      root = readRoot(deps.client, keyIdOf(organisation));
      roots.set(organisation, root);
      // A failure is not remembered.
      root.catch(() => roots.delete(organisation));
    }
    return root;
  }

  async function dayKeyOf(organisation: string): Promise<DayKey> {
    const current = days.get(organisation);
    if (current !== undefined && isFreshDayKey(current, deps.clock.now())) return current;
    let renewal = renewals.get(organisation);
    if (renewal === undefined) {
      renewal = certify(organisation).finally(() => renewals.delete(organisation));
      renewals.set(organisation, renewal);
    }
    try {
      return await renewal;
    } catch (error) {
      if (current !== undefined && isValidDayKey(current, deps.clock.now())) return current;
      throw error;
    }
  }

  async function certify(organisation: string): Promise<DayKey> {
    const { text, certified } = draftDayKey(organisation, deps.clock.now());
    const root = await rootOf(organisation);
    const signature = await signWithRoot(deps.client, keyIdOf(organisation), Buffer.from(text));
    requireMatch(verify(null, Buffer.from(text), root, signature), keyIdOf(organisation));
    const day = certified(signature);
    days.set(organisation, day);
    return day;
  }
}

/** RAW, because Ed25519 signs the text itself; KMS takes up to 4,096 bytes. */
async function signWithRoot(client: KMSClient, keyId: string, text: Uint8Array): Promise<Uint8Array> {
  const command = new SignCommand({
    KeyId: keyId,
    Message: text,
    MessageType: 'RAW',
    SigningAlgorithm: 'ED25519_SHA_512',
  });
  const { Signature: signature } = await client.send(command).catch((error: unknown) => {
    throw toAwsError(error, `KMS key ${keyId}: sign`);
  });
  return signature ?? new Uint8Array();
}

async function readRoot(client: KMSClient, keyId: string): Promise<KeyObject> {
  const answer = await client.send(new GetPublicKeyCommand({ KeyId: keyId })).catch((error: unknown) => {
    throw toAwsError(error, `KMS key ${keyId}: read the public key`);
  });
  const key = parseKey(answer.PublicKey ?? new Uint8Array());
  if (key !== undefined) return key;
  throw new HawserError('internal', `KMS key ${keyId} is ${answer.KeySpec}, a root key is ECC_NIST_EDWARDS25519`, {
    hint: 'Point the alias at an Ed25519 key; agents that pinned another key have to be registered again.',
  });
}

function parseKey(der: Uint8Array): KeyObject | undefined {
  try {
    const key = createPublicKey({ key: Buffer.from(der), format: 'der', type: 'spki' });
    return key.asymmetricKeyType === 'ed25519' ? key : undefined;
  } catch {
    return undefined;
  }
}

/** A rotated alias: the new key signs what agents, which pinned the old one, would refuse. */
function requireMatch(matches: boolean, keyId: string): void {
  if (matches) return;
  throw new HawserError('internal', `KMS key ${keyId} signs with another key than the public one it gave`, {
    hint: 'See whether its alias was moved; agents that pinned the old key have to be registered again.',
  });
}

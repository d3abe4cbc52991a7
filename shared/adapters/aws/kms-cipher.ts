import { DecryptCommand, GenerateDataKeyCommand, type KMSClient } from '@aws-sdk/client-kms';
import { HawserError } from '../../errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Cipher } from '../../ports/signer.ts';
import { seal, unseal } from '../../domain/sealing.ts';
import { nameOf, toAwsError } from './aws-error.ts';

export interface KmsCipherDeps {
  client: KMSClient;
  clock: Clock;
  /** Id, ARN or alias of a symmetric key. */
  keyId: string;
}

interface DataKey {
  plain: Uint8Array;
  /** As KMS encrypted it, bound to the context; stored with what it seals. */
  wrapped: Uint8Array;
}

/** A stolen data key opens what minutes of one context brought; a cold cache costs a call. */
const keepMs = 5 * 60_000;
const maxUses = 10_000;
/** Keys kept at hand, for sealing and for opening each. */
const maxKeys = 1000;
const format = 2;
const headerBytes = 3;

/** What KMS says of a wrapped key that was changed, or wrapped for another context or by another key. */
const notOurs = new Set(['InvalidCiphertextException', 'IncorrectKeyException', 'ValidationException']);

/**
 * Envelope encryption: AES-256-GCM with a data key per context, which KMS wraps under the encryption context
 * `{ "hawser:context": CONTEXT }`, so that KMS itself refuses to open for one cluster what was sealed for another.
 * Sealed bytes: format, length of the wrapped key, wrapped key, sealed text. Data keys are kept for five minutes and 10,000 uses.
 * `open` throws `snapshot-invalid` where the bytes were changed or sealed for another context, `unavailable` where KMS is.
 */
export function createKmsCipher(deps: KmsCipherDeps): Cipher {
  const sealing = new Map<string, { key: Promise<DataKey>; until: number; uses: number }>();
  const opening = new Map<string, { plain: Promise<Uint8Array>; until: number }>();

  return {
    async seal(context, plain) {
      if (context === '') throw new HawserError('invalid-input', 'nothing is sealed for no context');
      const key = await sealingKey(context);
      const header = Buffer.alloc(headerBytes);
      header.writeUInt8(format, 0);
      header.writeUInt16BE(key.wrapped.length, 1);
      return Buffer.concat([header, key.wrapped, seal(key.plain, context, plain)]);
    },

    async open(context, sealed) {
      const parts = split(sealed);
      if (parts === undefined || context === '') throw cannotOpen(context);
      const key = await openingKey(context, parts.wrapped);
      const plain = unseal(key, context, parts.text);
      if (plain === undefined) throw cannotOpen(context);
      return plain;
    },
  };

  function sealingKey(context: string): Promise<DataKey> {
    const known = sealing.get(context);
    if (known !== undefined && known.until > deps.clock.monotonic() && known.uses < maxUses) {
      known.uses += 1;
      return known.key;
    }
    makeRoom(sealing);
    const made = { key: generate(deps, context), until: deps.clock.monotonic() + keepMs, uses: 1 };
    sealing.set(context, made);
    // A failure is not remembered.
    made.key.catch(() => sealing.get(context) === made && sealing.delete(context));
    return made.key;
  }

  function openingKey(context: string, wrapped: Uint8Array): Promise<Uint8Array> {
    const name = `${Buffer.from(wrapped).toString('base64')} ${context}`;
    const known = opening.get(name);
    if (known !== undefined && known.until > deps.clock.monotonic()) return known.plain;
    makeRoom(opening);
    const made = { plain: unwrap(deps, context, wrapped), until: deps.clock.monotonic() + keepMs };
    opening.set(name, made);
    made.plain.catch(() => opening.get(name) === made && opening.delete(name));
    return made.plain;
  }
}

async function generate({ client, keyId }: KmsCipherDeps, context: string): Promise<DataKey> {
  const command = new GenerateDataKeyCommand({
    KeyId: keyId,
    KeySpec: 'AES_256',
    EncryptionContext: { 'hawser:context': context },
  });
  const answer = await client.send(command).catch((error: unknown) => {
    throw toAwsError(error, `KMS key ${keyId}: make a data key`);
  });
  const { Plaintext: plain, CiphertextBlob: wrapped } = answer;
  if (plain?.length !== 32 || wrapped === undefined) {
    throw new HawserError('internal', `KMS key ${keyId} made a data key of ${plain?.length ?? 0} bytes instead of 32`);
  }
  return { plain, wrapped };
}

async function unwrap({ client, keyId }: KmsCipherDeps, context: string, wrapped: Uint8Array): Promise<Uint8Array> {
  const command = new DecryptCommand({
    KeyId: keyId,
    CiphertextBlob: wrapped,
    EncryptionContext: { 'hawser:context': context },
  });
  const answer = await client.send(command).catch((error: unknown) => {
    if (notOurs.has(nameOf(error))) throw cannotOpen(context, error);
    throw toAwsError(error, `KMS key ${keyId}: open a data key`);
  });
  if (answer.Plaintext?.length !== 32) throw cannotOpen(context);
  return answer.Plaintext;
}

function split(sealed: Uint8Array): { wrapped: Uint8Array; text: Uint8Array } | undefined {
  if (sealed.length < headerBytes || sealed[0] !== format) return undefined;
  const length = ((sealed[1] ?? 0) << 8) | (sealed[2] ?? 0);
  const text = sealed.subarray(headerBytes + length);
  if (length === 0 || text.length === 0) return undefined;
  return { wrapped: sealed.subarray(headerBytes, headerBytes + length), text };
}

function makeRoom(keys: Map<string, unknown>): void {
  const oldest = keys.keys().next();
  if (keys.size >= maxKeys && oldest.done !== true) keys.delete(oldest.value);
}

function cannotOpen(context: string, cause?: unknown): HawserError {
  return new HawserError('snapshot-invalid', `sealed bytes cannot be opened for ${context}`, {
    hint: 'They were changed, sealed for another context, or sealed with another KMS key.',
    ...(cause === undefined ? {} : { cause }),
  });
}

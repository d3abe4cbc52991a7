import { KMSClient } from '@aws-sdk/client-kms';
import { clientSettings } from '#shared/adapters/aws/client-settings.ts';
import { createKmsCipher } from '#shared/adapters/aws/kms-cipher.ts';
import { createKmsSigner } from '#shared/adapters/aws/kms-signer.ts';
import type { ChunkStore } from '#shared/ports/chunk-store.ts';
import type { Cipher } from '#shared/ports/signer.ts';
import { createInputChunks, createSnapshotChunks } from '#shared/state/chunks.ts';
import type { Core } from './core.ts';

/** Seals and opens under the key that wraps data keys. */
export function openCipher({ settings, clock }: Core<'cipherKey'>): Cipher {
  return createKmsCipher({ client: new KMSClient(clientSettings()), clock, keyId: settings.cipherKey });
}

/** Encrypted chunks. */
export function openChunks(core: Core<'cipherKey'>, { chunkStore }: { chunkStore: ChunkStore }) {
  const cipher = openCipher(core);
  return { inputs: createInputChunks(chunkStore, cipher), snapshots: createSnapshotChunks(chunkStore, cipher) };
}

/** Root keys: only publish's role may sign, the api's may read the public key. */
export function openSigner({ settings, clock }: Core<'rootKeyPrefix'>) {
  const client = new KMSClient(clientSettings());
  return createKmsSigner({ client, clock, keyIdOf: (organisation) => `${settings.rootKeyPrefix}${organisation}` });
}

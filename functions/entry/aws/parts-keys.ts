import { KMSClient } from '@aws-sdk/client-kms';
import { clientSettings } from '#shared/adapters/aws/client-settings.ts';
import { createKmsCipher } from '#shared/adapters/aws/kms-cipher.ts';
import { createKmsSigner } from '#shared/adapters/aws/kms-signer.ts';
import type { ChunkStore } from '#shared/ports/chunk-store.ts';
import { createInputChunks, createSnapshotChunks } from '#shared/state/chunks.ts';
import type { Core } from './core.ts';

/** Encrypted chunks. */
export function openChunks({ settings, clock }: Core<'cipherKey'>, { chunkStore }: { chunkStore: ChunkStore }) {
  const cipher = createKmsCipher({ client: new KMSClient(clientSettings()), clock, keyId: settings.cipherKey });
  return { inputs: createInputChunks(chunkStore, cipher), snapshots: createSnapshotChunks(chunkStore, cipher) };
}

/** Root keys: only publish's role may sign, the api's may read the public key. */
export function openSigner({ settings, clock }: Core<'rootKeyPrefix'>) {
  const client = new KMSClient(clientSettings());
  return createKmsSigner({ client, clock, keyIdOf: (organisation) => `${settings.rootKeyPrefix}${organisation}` });
}

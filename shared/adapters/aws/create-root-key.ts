import { CreateAliasCommand, CreateKeyCommand, DescribeKeyCommand, type KMSClient } from '@aws-sdk/client-kms';
import { nameOf } from './aws-error.ts';
import { rootKeyAlias } from './kms-signer.ts';

/** Makes an organisation's root key where its alias is not there yet; returns the key id. Such a key is never rotated: agents pin it. */
export async function createRootKey(
  client: KMSClient,
  organisation: string,
  alias: string = rootKeyAlias(organisation),
): Promise<string> {
  return createKey(client, alias, {
    KeySpec: 'ECC_NIST_EDWARDS25519',
    KeyUsage: 'SIGN_VERIFY',
    Description: `Hawser: root key of organisation ${organisation}`,
  });
}

/** Makes the key that wraps data keys where its alias is not there yet; returns the key id. */
export async function createCipherKey(client: KMSClient, alias: string): Promise<string> {
  return createKey(client, alias, {
    KeySpec: 'SYMMETRIC_DEFAULT',
    KeyUsage: 'ENCRYPT_DECRYPT',
    Description: 'Hawser: wraps the keys that encrypt snapshots',
  });
}

async function createKey(
  client: KMSClient,
  alias: string,
  kind: {
    KeySpec: 'ECC_NIST_EDWARDS25519' | 'SYMMETRIC_DEFAULT';
    KeyUsage: 'SIGN_VERIFY' | 'ENCRYPT_DECRYPT';
    Description: string;
  },
): Promise<string> {
  const found = await client.send(new DescribeKeyCommand({ KeyId: alias })).catch((error: unknown) => {
    if (nameOf(error) !== 'NotFoundException') throw error;
  });
  if (found?.KeyMetadata?.KeyId !== undefined) return found.KeyMetadata.KeyId;
  const made = await client.send(new CreateKeyCommand(kind));
  const id = made.KeyMetadata?.KeyId ?? '';
  await client.send(new CreateAliasCommand({ AliasName: alias, TargetKeyId: id }));
  return id;
}

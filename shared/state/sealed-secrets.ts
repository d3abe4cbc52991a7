import { randomUUID } from 'node:crypto';
import { HawserError } from '../errors.ts';
import { requireId } from '../domain/ids.ts';
import type { SecretStore } from '../ports/secret-store.ts';
import type { Cipher } from '../ports/signer.ts';
import type { StateStore } from '../ports/state-store.ts';
import { secretsKey, sortKeys } from './keys.ts';
import { updateRow } from './update.ts';

interface SealedSecret {
  version: string;
  /** Base64 of the sealed JSON text `{ name, value }`: the name too, so that no row can stand in for another. */
  sealed: string;
}

/**
 * Secrets as rows of the table, sealed for their organisation (the first part of a name). For the many of little weight,
 * which would cost more in a store that bills by the secret: the keys that webhooks are signed with, one per repository.
 * Throws `snapshot-invalid` for a row that was changed, moved, or sealed for somebody else.
 */
export function createSealedSecretStore({ store, cipher }: { store: StateStore; cipher: Cipher }): SecretStore {
  async function get(name: string): Promise<{ value: string; version: string } | undefined> {
    const { partition, sort } = rowOf(name);
    const row = await store.get<SealedSecret>(partition, sort);
    if (row === undefined) return undefined;
    const opened = await cipher.open(partition, Buffer.from(row.value.sealed, 'base64'));
    const secret = JSON.parse(Buffer.from(opened).toString()) as { name: string; value: string };
    if (secret.name === name) return { value: secret.value, version: row.value.version };
    throw new HawserError('snapshot-invalid', `the row of secret ${name} holds another secret`, {
      hint: 'Put the secret again.',
    });
  }

  return {
    get,
    async put(name, value) {
      if ((await get(name))?.value === value) return;
      const { partition, sort } = rowOf(name);
      const sealed = Buffer.from(await cipher.seal(partition, Buffer.from(JSON.stringify({ name, value }))));
      const secret: SealedSecret = { version: randomUUID(), sealed: sealed.toString('base64') };
      await updateRow<SealedSecret>(store, partition, sort, () => secret);
    },
    async remove(name) {
      const { partition, sort } = rowOf(name);
      await store.remove(partition, sort);
    },
  };
}

/** Two stores as one: `chooses` says which names belong to the first. */
export function splitSecretStore(
  chooses: (name: string) => boolean,
  first: SecretStore,
  second: SecretStore,
): SecretStore {
  const storeOf = (name: string) => (chooses(name) ? first : second);
  return {
    get: (name) => storeOf(name).get(name),
    put: (name, value) => storeOf(name).put(name, value),
    remove: (name) => storeOf(name).remove(name),
  };
}

function rowOf(name: string): { partition: string; sort: string } {
  const [organisation = ''] = name.split('/');
  return { partition: secretsKey(requireId(organisation, 'organisation')), sort: sortKeys.secret(name) };
}

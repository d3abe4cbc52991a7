import { afterAll, describe, expect, it } from 'vitest';
import { createFileCipher } from '#shared/adapters/embedded/file-cipher.ts';
import type { Row } from '#shared/ports/state-store.ts';
import { secretsKey, sortKeys } from '#shared/state/keys.ts';
import { createSealedSecretStore, splitSecretStore } from '#shared/state/sealed-secrets.ts';
import { openMemoryStore } from '#test/kit/store.ts';
import { temporaryFolder } from '#test/kit/temp.ts';

const folder = await temporaryFolder();
afterAll(folder.remove);

function open() {
  const store = openMemoryStore();
  return { store, secrets: createSealedSecretStore({ store, cipher: createFileCipher({ dir: folder.path }) }) };
}

describe('secrets as sealed rows', () => {
  it('NT-93: hold no value in the clear', async () => {
    const { store, secrets } = open();
    await secrets.put('acme/webhook/shop', 'canary-value');

    const { rows } = await store.query(secretsKey('acme'));

    expect(rows).toHaveLength(1);
    expect(JSON.stringify(rows)).not.toContain('canary-value');
    expect(JSON.stringify(rows)).not.toContain(Buffer.from('canary-value').toString('base64').slice(0, 12));
  });

  it('NT-154: a row that was moved to another name or organisation opens nothing', async () => {
    const { store, secrets } = open();
    await secrets.put('acme/webhook/shop', 'of the shop');
    const row = (await store.get(secretsKey('acme'), sortKeys.secret('acme/webhook/shop'))) as Row;

    await store.put({ ...row, sort: sortKeys.secret('acme/webhook/other') });
    await store.put({ ...row, partition: secretsKey('umbrella'), sort: sortKeys.secret('umbrella/webhook/shop') });

    await expect(secrets.get('acme/webhook/other')).rejects.toMatchObject({ code: 'snapshot-invalid' });
    await expect(secrets.get('umbrella/webhook/shop')).rejects.toMatchObject({ code: 'snapshot-invalid' });
    expect((await secrets.get('acme/webhook/shop'))?.value).toBe('of the shop');
  });

  it('refuse a name that begins with no organisation', async () => {
    await expect(open().secrets.get('../webhook')).rejects.toMatchObject({ code: 'invalid-input' });
  });
});

describe('two stores as one', () => {
  it('asks each for its own names only', async () => {
    const [sealed, other] = [open().secrets, open().secrets];
    const both = splitSecretStore((name) => name.includes('/webhook/'), sealed, other);
    await both.put('acme/webhook/shop', 'signs');
    await both.put('acme/repository/shop', 'reads');

    expect((await sealed.get('acme/webhook/shop'))?.value).toBe('signs');
    expect(await sealed.get('acme/repository/shop')).toBeUndefined();
    expect((await other.get('acme/repository/shop'))?.value).toBe('reads');
    await both.remove('acme/webhook/shop');
    expect(await sealed.get('acme/webhook/shop')).toBeUndefined();
  });
});

import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createFileCipher } from '#shared/adapters/embedded/file-cipher.ts';
import { createFileSecretStore } from '#shared/adapters/embedded/file-secret-store.ts';
import { createFileSigner } from '#shared/adapters/embedded/file-signer.ts';
import { seal, unseal } from '#shared/domain/sealing.ts';
import { createFakeClock } from '#test/kit/clock.ts';
import { temporaryFolder } from '#test/kit/temp.ts';

const hour = 3_600_000;

async function folder(): Promise<string> {
  const made = await temporaryFolder();
  onTestFinished(made.remove);
  return join(made.path, 'keys');
}

async function expectPrivate(dir: string, names: string[]): Promise<void> {
  expect((await readdir(dir)).sort()).toEqual(names.toSorted());
  for (const name of names) expect((await stat(join(dir, name))).mode & 0o777, name).toBe(0o600);
  expect((await stat(dir)).mode & 0o777).toBe(0o700);
}

describe('the file signer', () => {
  it('goes on with its keys after a restart', async () => {
    const dir = await folder();
    const clock = createFakeClock();
    const first = createFileSigner({ dir, clock });
    const [before, root] = [await first.sign('acme', 'x'), await first.rootPublicKey('acme')];

    const second = createFileSigner({ dir, clock });

    expect((await second.sign('acme', 'x')).certificate).toEqual(before.certificate);
    expect(await second.rootPublicKey('acme')).toBe(root);
    await expectPrivate(dir, ['acme.day.json', 'acme.root.pem']);
  });

  it('makes a day key anew when less than half of its life is left, and no earlier', async () => {
    const dir = await folder();
    const clock = createFakeClock();
    const signer = createFileSigner({ dir, clock });
    const first = (await signer.sign('acme', 'x')).certificate;

    await clock.advance(12 * hour);
    expect((await signer.sign('acme', 'x')).certificate).toEqual(first);
    await clock.advance(2 * hour);
    const second = (await signer.sign('acme', 'x')).certificate;

    expect(second.publicKey).not.toBe(first.publicKey);
    expect(Date.parse(second.notBefore)).toBeLessThan(Date.parse(first.notAfter));
    expect(await createFileSigner({ dir, clock }).sign('acme', 'x')).toMatchObject({ certificate: second });
  });

  it('makes a day key anew when the clock was set back or far ahead (FT-36)', async () => {
    const dir = await folder();
    const clock = createFakeClock();
    const signer = createFileSigner({ dir, clock });
    const start = clock.now();
    const keys = [(await signer.sign('acme', 'x')).certificate];
    for (const years of [-10, 10]) {
      clock.setNow(start + years * 365 * 24 * hour);
      keys.push((await signer.sign('acme', 'x')).certificate);
      expect(Date.parse(keys.at(-1)?.notBefore ?? '')).toBeLessThan(clock.now());
      expect(Date.parse(keys.at(-1)?.notAfter ?? '')).toBeGreaterThan(clock.now());
    }

    expect(new Set(keys.map((certificate) => certificate.publicKey)).size).toBe(3);
  });

  it('replaces a damaged or foreign day key, and never a root key', async () => {
    const dir = await folder();
    const clock = createFakeClock();
    const root = await createFileSigner({ dir, clock }).rootPublicKey('acme');
    await createFileSigner({ dir, clock }).sign('acme', 'x');
    await createFileSigner({ dir, clock }).sign('other', 'x');

    await writeFile(join(dir, 'acme.day.json'), '{"cut');
    expect((await createFileSigner({ dir, clock }).sign('acme', 'x')).certificate.organisation).toBe('acme');
    await writeFile(join(dir, 'acme.day.json'), await readFile(join(dir, 'other.day.json')));
    expect((await createFileSigner({ dir, clock }).sign('acme', 'x')).certificate.organisation).toBe('acme');
    expect(await createFileSigner({ dir, clock }).rootPublicKey('acme')).toBe(root);

    await writeFile(join(dir, 'acme.root.pem'), '');
    const damaged = createFileSigner({ dir, clock });
    await expect(damaged.sign('acme', 'x')).rejects.toMatchObject({
      code: 'internal',
      hint: expect.stringContaining('backup'),
    });
    expect(await readFile(join(dir, 'acme.root.pem'), 'utf8')).toBe('');
  });

  it('gives one root key to two processes that start at the same time', async () => {
    const dir = await folder();
    const clock = createFakeClock();
    const signers = Array.from({ length: 8 }, () => createFileSigner({ dir, clock }));

    const roots = await Promise.all(signers.map((signer) => signer.rootPublicKey('acme')));

    expect(new Set(roots).size).toBe(1);
    await expectPrivate(dir, ['acme.root.pem']);
  });

  it('goes on signing with a valid day key where a new one cannot be stored', async () => {
    const dir = await folder();
    const clock = createFakeClock();
    const signer = createFileSigner({ dir, clock });
    const { certificate } = await signer.sign('acme', 'x');
    // A folder in the place of the file cannot be replaced by a file.
    await rm(join(dir, 'acme.day.json'));
    await mkdir(join(dir, 'acme.day.json'));

    await clock.advance(14 * hour);
    expect((await signer.sign('acme', 'x')).certificate).toEqual(certificate);
    await clock.advance(12 * hour);

    await expect(signer.sign('acme', 'x')).rejects.toMatchObject({ name: 'HawserError' });
  });
});

describe('the file secret store', () => {
  it('keeps secrets and versions over a restart, and nothing readable on disk', async () => {
    const dir = await folder();
    const first = createFileSecretStore({ dir });
    await first.put('repository/demo', 'hunter2-canary');
    await first.put('webhook/demo', 'other');
    const before = await first.get('repository/demo');

    const second = createFileSecretStore({ dir });

    expect(await second.get('repository/demo')).toEqual(before);
    await expectPrivate(dir, ['secrets.enc', 'secrets.key']);
    const file = await readFile(join(dir, 'secrets.enc'));
    for (const text of ['hunter2-canary', 'repository', 'demo']) expect(file.includes(text), text).toBe(false);
  });

  it('takes every name as a name', async () => {
    const store = createFileSecretStore({ dir: await folder() });
    for (const name of ['constructor', '__proto__', 'toString', '../../etc/passwd', '']) {
      expect(await store.get(name)).toBeUndefined();
      await store.put(name, `of ${name}`);
      expect((await store.get(name))?.value).toBe(`of ${name}`);
      await store.remove(name);
      expect(await store.get(name)).toBeUndefined();
    }
  });

  it('says what to do when file and key do not belong together, and leaves both alone', async () => {
    const dir = await folder();
    await createFileSecretStore({ dir }).put('a', 'b');
    const file = await readFile(join(dir, 'secrets.enc'));
    await writeFile(join(dir, 'secrets.key'), Buffer.alloc(32, 7));

    const store = createFileSecretStore({ dir });

    await expect(store.get('a')).rejects.toMatchObject({ code: 'internal', hint: expect.stringContaining('backup') });
    await expect(store.put('a', 'c')).rejects.toMatchObject({ code: 'internal' });
    expect((await readFile(join(dir, 'secrets.enc'))).equals(file)).toBe(true);
    await writeFile(join(dir, 'secrets.key'), 'short');
    await expect(createFileSecretStore({ dir }).get('a')).rejects.toMatchObject({ code: 'internal' });
  });

  it('keeps the old secrets when a change cannot be written, and goes on when it can', async () => {
    const dir = await folder();
    const store = createFileSecretStore({ dir });
    await store.put('a', 'old');
    await rename(join(dir, 'secrets.enc'), join(dir, 'aside'));
    await mkdir(join(dir, 'secrets.enc'));

    await expect(store.put('a', 'new')).rejects.toMatchObject({ name: 'HawserError' });
    expect((await store.get('a'))?.value).toBe('old');
    await rm(join(dir, 'secrets.enc'), { recursive: true });
    await store.put('a', 'new');

    expect((await createFileSecretStore({ dir }).get('a'))?.value).toBe('new');
    expect((await readdir(dir)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});

describe('the file cipher', () => {
  it('opens after a restart what it sealed before', async () => {
    const dir = await folder();
    const sealed = await createFileCipher({ dir }).seal('acme/production', Buffer.from('text'));

    expect(Buffer.from(await createFileCipher({ dir }).open('acme/production', sealed)).toString()).toBe('text');
    await expectPrivate(dir, ['cipher.key']);
  });

  it('refuses to work with a part of a key', async () => {
    const dir = await folder();
    await createFileCipher({ dir }).seal('a', Buffer.from('text'));
    await writeFile(join(dir, 'cipher.key'), 'short');

    await expect(createFileCipher({ dir }).seal('a', Buffer.from('text'))).rejects.toMatchObject({ code: 'internal' });
  });

  it('shares its folder with the signer and the secrets', async () => {
    const dir = await folder();
    await Promise.all([
      createFileCipher({ dir }).seal('a', Buffer.from('text')),
      createFileSigner({ dir, clock: createFakeClock() }).sign('acme', 'x'),
      createFileSecretStore({ dir }).put('a', 'b'),
    ]);

    await expectPrivate(dir, ['acme.day.json', 'acme.root.pem', 'cipher.key', 'secrets.enc', 'secrets.key']);
  });
});

describe('sealing', () => {
  it('binds the context by itself, also under one key', () => {
    const key = Buffer.alloc(32, 1);
    const sealed = seal(key, 'acme/production', Buffer.from('text'));

    expect(Buffer.from(unseal(key, 'acme/production', sealed) ?? []).toString()).toBe('text');
    expect(unseal(key, 'acme/staging', sealed)).toBeUndefined();
    expect(unseal(Buffer.alloc(32, 2), 'acme/production', sealed)).toBeUndefined();
  });
});

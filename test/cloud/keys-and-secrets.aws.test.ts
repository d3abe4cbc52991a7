import { inspect } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createCipherKey, createRootKey } from '#shared/adapters/aws/create-root-key.ts';
import { createKmsCipher } from '#shared/adapters/aws/kms-cipher.ts';
import { createKmsSigner, rootKeyAlias } from '#shared/adapters/aws/kms-signer.ts';
import { createSecretStore } from '#shared/adapters/aws/secrets-manager-secret-store.ts';
import { createSystemClock } from '#shared/adapters/embedded/system-clock.ts';
import { defaultPolicy } from '#shared/domain/application.ts';
import { sha256 } from '#shared/domain/digest.ts';
import { ownerMark } from '#shared/domain/tracking.ts';
import { verifyRoot } from '#shared/domain/verify-snapshot.ts';
import { describeCipher } from '#test/contract/cipher.contract.ts';
import { describeSecretStore } from '#test/contract/secret-store.contract.ts';
import { describeSigner } from '#test/contract/signer.contract.ts';
import { createFakeClock } from '#test/kit/clock.ts';
import { describeOnAws, kmsAt, secretsManagerAt, type AwsEmulators } from './aws-emulators.ts';
import { startFaultProxy, type FaultProxy } from './fault-proxy.ts';

const clock = createSystemClock();
const cipherAlias = 'alias/hawser/cipher';
const hour = 3_600_000;

await describeOnAws('KMS and Secrets Manager', ['localstack'], (aws) => {
  describeSecretStore('Secrets Manager', async () => {
    const client = secretsManagerAt((await aws.endpoints()).localstack);
    return { store: createSecretStore({ client, clock }), close: async () => client.destroy() };
  });

  describeCipher('KMS', async () => {
    const client = kmsAt((await aws.endpoints()).localstack);
    await createCipherKey(client, cipherAlias);
    return { cipher: createKmsCipher({ client, clock, keyId: cipherAlias }), close: async () => client.destroy() };
  });

  describeSigner('KMS', async () => {
    const client = kmsAt((await aws.endpoints()).localstack);
    for (const organisation of ['acme', 'other']) await createRootKey(client, organisation);
    return {
      signer: createKmsSigner({ client, clock }),
      now: () => clock.now(),
      close: async () => client.destroy(),
    };
  });

  describe('the KMS signer', () => {
    it('signs roots that agents accept', async () => {
      const { client } = await throughProxy(aws);
      await createRootKey(client, 'acme');
      const signer = createKmsSigner({ client, clock });
      const root = JSON.stringify(snapshotRoot());

      const signed = { root, ...(await signer.sign('acme', root)) };

      const rootPublicKey = await signer.rootPublicKey('acme');
      const expected = { organisation: 'acme', cluster: 'one', rootPublicKey, appliedGeneration: 0, now: clock.now() };
      expect(verifyRoot(signed, expected)).toEqual(snapshotRoot());
      expect(() => verifyRoot({ ...signed, root: `${root} ` }, expected)).toThrow('signature');
    });

    it('goes on with its day key while KMS is down, and certifies a new one as soon as it is back (FT-48)', async () => {
      const { client, proxy } = await throughProxy(aws);
      await createRootKey(client, 'acme');
      const fake = createFakeClock();
      const signer = createKmsSigner({ client, clock: fake });
      const before = await signer.sign('acme', 'x');
      proxy.faults = () => ({ refuse: { status: 500, error: 'KMSInternalException' } });

      await fake.advance(14 * hour);
      expect((await signer.sign('acme', 'y')).certificate).toEqual(before.certificate);
      await fake.advance(12 * hour);
      await expect(signer.sign('acme', 'z')).rejects.toMatchObject({ code: 'unavailable', retry: 'later' });
      proxy.faults = () => undefined;

      const after = await signer.sign('acme', 'z');
      expect(Date.parse(after.certificate.notBefore)).toBeGreaterThan(Date.parse(before.certificate.notBefore));
      expect(proxy.calls.filter(({ operation }) => operation === 'GetPublicKey')).toHaveLength(1);
    });

    it('refuses a root key that agents could not verify', async () => {
      const { client } = await throughProxy(aws);
      await createCipherKey(client, cipherAlias);
      const symmetric = createKmsSigner({ client, clock, keyIdOf: () => cipherAlias });
      const absent = createKmsSigner({ client, clock });

      await expect(symmetric.sign('acme', 'x')).rejects.toMatchObject({ code: 'internal', retry: 'never' });
      await expect(absent.sign('nobody', 'x')).rejects.toMatchObject({
        code: 'unavailable',
        message: expect.stringContaining(rootKeyAlias('nobody')),
      });
    });
  });

  describe('the KMS cipher', () => {
    it('asks KMS once for many chunks of one cluster, and again after minutes', async () => {
      const { client, proxy } = await throughProxy(aws);
      await createCipherKey(client, cipherAlias);
      const fake = createFakeClock();
      const cipher = createKmsCipher({ client, clock: fake, keyId: cipherAlias });
      const made = () => proxy.calls.filter(({ operation }) => operation === 'GenerateDataKey');

      await Promise.all(Array.from({ length: 50 }, () => cipher.seal('T#acme#C#one#B', Buffer.from('x'))));
      await cipher.seal('T#acme#C#two#B', Buffer.from('x'));
      expect(made().map(({ input }) => input.EncryptionContext)).toEqual([
        { 'hawser:context': 'T#acme#C#one#B' },
        { 'hawser:context': 'T#acme#C#two#B' },
      ]);
      await fake.advance(6 * 60_000);
      await cipher.seal('T#acme#C#one#B', Buffer.from('x'));

      expect(made()).toHaveLength(3);
    });

    it('says which key is missing, and waits for it: what was sealed is not broken for that (FT-48)', async () => {
      const { client } = await throughProxy(aws);
      await createCipherKey(client, cipherAlias);
      const sealed = await createKmsCipher({ client, clock, keyId: cipherAlias }).seal('here', Buffer.from('x'));
      const astray = createKmsCipher({ client, clock, keyId: 'alias/hawser/astray' });

      for (const failing of [astray.seal('here', Buffer.from('x')), astray.open('here', sealed)])
        await expect(failing).rejects.toMatchObject({
          code: 'unavailable',
          retry: 'later',
          message: expect.stringContaining('KMS key alias/hawser/astray'),
          hint: expect.stringContaining('See that the table, queue or key is there'),
        });
    });

    it('opens many chunks with one call, also in another process', async () => {
      const { client, proxy } = await throughProxy(aws);
      await createCipherKey(client, cipherAlias);
      const sealing = createKmsCipher({ client, clock, keyId: cipherAlias });
      const sealed = await Promise.all(['a', 'b', 'c'].map((text) => sealing.seal('here', Buffer.from(text))));

      const opening = createKmsCipher({ client, clock, keyId: cipherAlias });
      const opened = await Promise.all(sealed.map((bytes) => opening.open('here', bytes)));

      expect(opened.map((bytes) => Buffer.from(bytes).toString())).toEqual(['a', 'b', 'c']);
      expect(proxy.calls.filter(({ operation }) => operation === 'Decrypt')).toHaveLength(1);
    });

    it('says «later», not «changed», while KMS does not answer (FT-48)', async () => {
      const { client, proxy } = await throughProxy(aws);
      await createCipherKey(client, cipherAlias);
      const sealed = await createKmsCipher({ client, clock, keyId: cipherAlias }).seal('here', Buffer.from('x'));
      const cipher = createKmsCipher({ client, clock, keyId: cipherAlias });

      for (const error of [
        'ThrottlingException',
        'DisabledException',
        'KMSInvalidStateException',
        'AccessDeniedException',
      ]) {
        proxy.faults = () => ({ refuse: { status: 400, error } });
        await expect(cipher.open('here', sealed), error).rejects.toMatchObject({ code: 'unavailable', retry: 'later' });
        await expect(cipher.seal('there', sealed), error).rejects.toMatchObject({
          code: 'unavailable',
          retry: 'later',
        });
      }
      proxy.faults = () => undefined;

      expect(Buffer.from(await cipher.open('here', sealed)).toString()).toBe('x');
    });
  });

  describe('the secret store', () => {
    it('waits until the name of a removed secret is free again', async () => {
      const { proxy } = await throughProxy(aws);
      const client = secretsManagerAt(proxy.url);
      const store = createSecretStore({ client, clock, random: () => 0 });
      let left = 3;
      proxy.faults = ({ operation }) => {
        if (operation !== 'CreateSecret' || left === 0) return undefined;
        left -= 1;
        return { refuse: { status: 400, error: 'InvalidRequestException', message: 'scheduled for deletion' } };
      };

      await store.put('repository/again', 'value');

      expect((await store.get('repository/again'))?.value).toBe('value');
    });

    it('says nothing of a value when it fails, and refuses what Secrets Manager cannot hold', async () => {
      const { proxy } = await throughProxy(aws);
      const client = secretsManagerAt(proxy.url);
      const store = createSecretStore({ client, clock });
      proxy.faults = () => ({ refuse: { status: 500, error: 'InternalServiceError' } });

      const error = await store.put('repository/x', 'hunter2').catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'unavailable', retry: 'later' });
      expect(inspect(error, { depth: 10 })).not.toContain('hunter2');
      await expect(store.put('repository/x', 'x'.repeat(65_537))).rejects.toMatchObject({ code: 'too-large' });
      await expect(store.put('repository/x', '')).rejects.toMatchObject({ code: 'invalid-input' });
    });
  });
});

async function throughProxy(aws: AwsEmulators): Promise<{ client: ReturnType<typeof kmsAt>; proxy: FaultProxy }> {
  const proxy = await startFaultProxy((await aws.endpoints()).localstack);
  const client = kmsAt(proxy.url);
  onTestFinished(async () => {
    client.destroy();
    await proxy.stop();
  });
  return { client, proxy };
}

function snapshotRoot() {
  return {
    format: 1,
    organisation: 'acme',
    cluster: 'one',
    application: 'shop',
    displayName: 'shop',
    kind: 'Application',
    generation: 7,
    revision: 'abc',
    inputDigest: sha256('input'),
    destinationNamespace: 'shop',
    policy: defaultPolicy,
    chunks: [],
    objectCount: 0,
    totalBytes: 0,
    flags: [],
    dependsOn: [],
    owner: ownerMark('shop'),
  };
}

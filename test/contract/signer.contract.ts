import { createPublicKey, verify } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { certificateText, type SigningCertificate } from '#shared/domain/snapshot.ts';
import type { Signer } from '#shared/ports/signer.ts';

/** What every signer must do. `now` is the time that its certificates are made for (ms since 1970). */
export function describeSigner(
  name: string,
  open: () => Promise<{ signer: Signer; now: () => number; close: () => Promise<void> }>,
  { organisations = ['acme', 'other'] }: { organisations?: [string, string] } = {},
): void {
  describe(`signer: ${name}`, () => {
    const [acme, other] = organisations;
    let signer: Signer;
    let now: () => number;
    let close: () => Promise<void>;
    beforeAll(async () => ({ signer, now, close } = await open()));
    afterAll(() => close());

    const text = '{"format":1,"organisation":"acme","text":"ü 𝄞"}';

    it('signs with a day key that the root key certifies, so that the root key alone is enough to verify (INV-12)', async () => {
      const { signature, certificate } = await signer.sign(acme, text);
      const root = await signer.rootPublicKey(acme);

      expect(certificate.organisation).toBe(acme);
      expect(verifies(certificate.publicKey, text, signature)).toBe(true);
      expect(isCertified(root, certificate)).toBe(true);
    });

    it('certifies a day key for about a day, valid now', async () => {
      const { certificate } = await signer.sign(acme, text);
      const [from, until] = [Date.parse(certificate.notBefore), Date.parse(certificate.notAfter)];

      expect(from).toBeLessThanOrEqual(now());
      // Half of its life is left at least, so that what is published now can be verified for hours.
      expect(until - now()).toBeGreaterThanOrEqual(12 * 3_600_000);
      expect(until - from).toBeLessThanOrEqual(48 * 3_600_000);
    });

    it('makes no key per signature: a thousand snapshots cost no thousand calls of the root key', async () => {
      const signed = await Promise.all(Array.from({ length: 50 }, (_, index) => signer.sign(acme, `${text}${index}`)));

      expect(new Set(signed.map(({ certificate }) => certificate.signature)).size).toBe(1);
      expect(new Set(signed.map(({ signature }) => signature)).size).toBe(50);
    });

    it('shows a change of the text, of the certificate, and of the organisation', async () => {
      const { signature, certificate } = await signer.sign(acme, text);
      const root = await signer.rootPublicKey(acme);

      expect(verifies(certificate.publicKey, `${text} `, signature)).toBe(false);
      expect(isCertified(root, { ...certificate, notAfter: '2099-01-01T00:00:00.000Z' })).toBe(false);
      expect(isCertified(root, { ...certificate, organisation: other })).toBe(false);
    });

    it('has a root key per organisation that does not change', async () => {
      const [root, foreign] = [await signer.rootPublicKey(acme), await signer.rootPublicKey(other)];
      const { certificate } = await signer.sign(other, text);

      expect(await signer.rootPublicKey(acme)).toBe(root);
      expect(foreign).not.toBe(root);
      expect(isCertified(foreign, certificate)).toBe(true);
      expect(isCertified(root, certificate)).toBe(false);
    });

    it.each(['', '../acme', 'Acme', 'a/b', 'x'.repeat(64)])(
      'refuses %j, which is no organisation',
      async (organisation) => {
        await expect(signer.sign(organisation, text)).rejects.toMatchObject({ code: 'invalid-input' });
        await expect(signer.rootPublicKey(organisation)).rejects.toMatchObject({ code: 'invalid-input' });
      },
    );
  });
}

function isCertified(rootPublicKey: string, certificate: SigningCertificate): boolean {
  return verifies(rootPublicKey, certificateText(certificate), certificate.signature);
}

function verifies(publicKey: string, text: string, signature: string): boolean {
  const key = createPublicKey({ key: Buffer.from(publicKey, 'base64'), type: 'spki', format: 'der' });
  expect(key.asymmetricKeyType).toBe('ed25519');
  return verify(null, Buffer.from(text), key, Buffer.from(signature, 'base64'));
}

import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Cipher } from '#shared/ports/signer.ts';

/** What every cipher must do. */
export function describeCipher(
  name: string,
  open: () => Promise<{ cipher: Cipher; close: () => Promise<void> }>,
): void {
  describe(`cipher: ${name}`, () => {
    let cipher: Cipher;
    let close: () => Promise<void>;
    beforeAll(async () => ({ cipher, close } = await open()));
    afterAll(() => close());

    const context = 'acme/production';

    it.each([0, 1, 300 * 1024, 1024 * 1024])('opens %i bytes that it sealed', async (size) => {
      const plain = randomBytes(size);

      const sealed = await cipher.seal(context, plain);

      expect(Buffer.from(await cipher.open(context, sealed)).equals(plain)).toBe(true);
    });

    it('hides the text, and never seals alike twice', async () => {
      const plain = Buffer.from('password: hunter2');

      const [one, two] = [await cipher.seal(context, plain), await cipher.seal(context, plain)];

      expect(Buffer.from(one).includes(plain)).toBe(false);
      expect(Buffer.from(one).equals(two)).toBe(false);
    });

    it.each(['acme/staging', 'other/production', 'acme/production ', '', 'acme'])(
      'does not open for %j what was sealed for another cluster',
      async (foreign) => {
        const sealed = await cipher.seal(context, Buffer.from('secret'));

        await expect(cipher.open(foreign, sealed)).rejects.toMatchObject({ code: 'snapshot-invalid', retry: 'never' });
      },
    );

    it('opens nothing that was changed or cut, whichever byte it is (NT-154)', async () => {
      const sealed = await cipher.seal(context, Buffer.from('secret'));

      for (let index = 0; index < sealed.length; index += 1) {
        const changed = Uint8Array.from(sealed);
        changed[index] = (changed[index] ?? 0) ^ 1;
        await expect(cipher.open(context, changed), `byte ${index}`).rejects.toMatchObject({
          code: 'snapshot-invalid',
        });
        await expect(cipher.open(context, sealed.subarray(0, index)), `cut at ${index}`).rejects.toMatchObject({
          code: 'snapshot-invalid',
        });
      }
    });
  });
}

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SecretStore } from '#shared/ports/secret-store.ts';

const fresh = (kind = 'repository'): string => `${kind}/${randomUUID()}`;

/** What every secret store must do. */
export function describeSecretStore(
  name: string,
  open: () => Promise<{ store: SecretStore; close: () => Promise<void> }>,
): void {
  describe(`secret store: ${name}`, () => {
    let store: SecretStore;
    let close: () => Promise<void>;
    beforeAll(async () => ({ store, close } = await open()));
    afterAll(() => close());

    it('has no value where none was put', async () => {
      expect(await store.get(fresh())).toBeUndefined();
    });

    it.each(['a', 'p@ss:word/ü𝄞\\"', '-----BEGIN KEY-----\nabc\n-----END KEY-----\n', ' spaces ', 'x'.repeat(20_000)])(
      'gives back a value as it was (%#)',
      async (value) => {
        const secret = fresh();

        await store.put(secret, value);

        expect((await store.get(secret))?.value).toBe(value);
      },
    );

    it('gives a changed value a new version, which it keeps until the next change', async () => {
      const secret = fresh();
      await store.put(secret, 'first');
      const first = await store.get(secret);
      const again = await store.get(secret);
      await store.put(secret, 'second');
      const second = await store.get(secret);
      await store.put(secret, 'first');
      const third = await store.get(secret);

      expect(again).toEqual(first);
      expect(second?.value).toBe('second');
      expect(new Set([first?.version, second?.version, third?.version]).size).toBe(3);
      expect(first?.version).not.toBe('');
    });

    it('keeps names apart that look alike', async () => {
      const id = randomUUID();
      const names = [`webhook/${id}`, `webhook-${id}`, `webhook/${id}/1`, `webhook--${id}`, `webhook/x${id}`];
      for (const secret of names) await store.put(secret, `of ${secret}`);

      for (const secret of names) expect((await store.get(secret))?.value).toBe(`of ${secret}`);
    });

    it('forgets what is removed, and takes it calmly when nothing is there', async () => {
      const [kept, removed] = [fresh(), fresh()];
      await store.put(kept, 'kept');
      await store.put(removed, 'removed');
      const before = await store.get(removed);

      await store.remove(removed);
      await store.remove(removed);
      await store.remove(fresh());

      expect(await store.get(removed)).toBeUndefined();
      expect((await store.get(kept))?.value).toBe('kept');
      await store.put(removed, 'again');
      expect(await store.get(removed)).toMatchObject({ value: 'again' });
      expect((await store.get(removed))?.version).not.toBe(before?.version);
    });

    it('loses none of many that are put at the same time', async () => {
      const names = Array.from({ length: 20 }, () => fresh('webhook'));

      await Promise.all(names.map((secret) => store.put(secret, `of ${secret}`)));

      expect(await Promise.all(names.map(async (secret) => (await store.get(secret))?.value))).toEqual(
        names.map((secret) => `of ${secret}`),
      );
    });
  });
}

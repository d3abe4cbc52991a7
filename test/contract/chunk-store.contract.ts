import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256 } from '#shared/domain/digest.ts';
import type { ChunkStore } from '#shared/ports/chunk-store.ts';

const partition = (): string => `T#${randomUUID()}#B`;

/** What every chunk store must do. `largest`: bytes of the largest chunk that is tried; the port promises 64 MiB. */
export function describeChunkStore(
  name: string,
  open: () => Promise<{ store: ChunkStore; close: () => Promise<void> }>,
  { largest = 64 * 1024 * 1024 }: { largest?: number } = {},
): void {
  describe(`chunk store: ${name}`, () => {
    let store: ChunkStore;
    let close: () => Promise<void>;
    beforeAll(async () => ({ store, close } = await open()));
    afterAll(() => close());

    it.each([0, 1, 300 * 1024 - 1, 300 * 1024, 300 * 1024 + 1, 1024 * 1024 + 7])(
      'gives back %i bytes as they were',
      async (size) => {
        const at = partition();
        const bytes = new Uint8Array(randomBytes(size));
        const digest = sha256(bytes);

        await store.put(at, digest, bytes);

        const read = await store.get(at, digest);
        expect(read?.byteLength).toBe(size);
        expect(sha256(read ?? '')).toBe(digest);
      },
    );

    it(`gives back the largest chunk (${largest} bytes)`, async () => {
      const at = partition();
      const bytes = Buffer.alloc(largest, randomBytes(1_000_003));

      await store.put(at, 'large', bytes);

      expect(sha256((await store.get(at, 'large')) ?? '')).toBe(sha256(bytes));
    });

    it('refuses what is larger than 64 MiB', async () => {
      const at = partition();

      await expect(store.put(at, 'larger', new Uint8Array(64 * 1024 * 1024 + 1))).rejects.toMatchObject({
        code: 'too-large',
      });

      expect(await store.get(at, 'larger')).toBeUndefined();
    });

    it('has nothing where nothing was put, and keeps partitions apart', async () => {
      const at = partition();
      await store.put(at, 'a', Buffer.from('mine'));

      expect(await store.get(at, 'b')).toBeUndefined();
      expect(await store.get(partition(), 'a')).toBeUndefined();
      expect(await store.has(partition(), ['a'])).toEqual(new Set());
    });

    it('never changes the bytes of a digest', async () => {
      const at = partition();
      await store.put(at, 'a', Buffer.from('first'));

      await store.put(at, 'a', Buffer.from('first'));
      await Promise.all(Array.from({ length: 10 }, () => store.put(at, 'a', Buffer.from('first'))));

      expect(Buffer.from((await store.get(at, 'a')) ?? []).toString()).toBe('first');
      expect((await store.list(at)).chunks.map((chunk) => chunk.digest)).toEqual(['a']);
    });

    it('keeps the bytes as they were when they were handed in', async () => {
      const at = partition();
      const bytes = Buffer.from('before');
      const written = store.put(at, 'a', bytes);
      bytes.fill('x');
      await written;

      expect(Buffer.from((await store.get(at, 'a')) ?? []).toString()).toBe('before');
    });

    it('says which of many digests it has', async () => {
      const at = partition();
      const digests = Array.from({ length: 120 }, (_, index) => sha256(`chunk ${index}`));
      const there = digests.filter((_, index) => index % 3 === 0);
      await Promise.all(there.map((digest) => store.put(at, digest, Buffer.from(digest))));

      expect(await store.has(at, digests)).toEqual(new Set(there));
      expect(await store.has(at, [])).toEqual(new Set());
    });

    it('lists each digest once, with when it was written', async () => {
      const at = partition();
      const before = Date.now();
      const digests = Array.from({ length: 40 }, (_, index) => sha256(`chunk ${index}`));
      await Promise.all(digests.map((digest) => store.put(at, digest, Buffer.from(digest))));

      const listed: { digest: string; writtenAt: number }[] = [];
      let after: string | undefined;
      do {
        const page = await store.list(at, after);
        listed.push(...page.chunks);
        after = page.next;
      } while (after !== undefined);

      expect(listed.map((chunk) => chunk.digest).sort()).toEqual(digests.toSorted());
      // A minute for clocks that differ.
      for (const { writtenAt } of listed) expect(Math.abs(writtenAt - before)).toBeLessThan(60_000);
      expect((await store.list(partition())).chunks).toEqual([]);
    });

    it('removes what it is told to and nothing else', async () => {
      const at = partition();
      for (const digest of ['a', 'b', 'c']) await store.put(at, digest, Buffer.from(digest));

      await store.remove(at, ['a', 'c', 'absent']);
      await store.remove(at, []);

      expect(await store.has(at, ['a', 'b', 'c'])).toEqual(new Set(['b']));
      await store.put(at, 'a', Buffer.from('again'));
      expect(Buffer.from((await store.get(at, 'a')) ?? []).toString()).toBe('again');
    });

    it('spares what was written since, when told how old it must be (INV-14, FT-47)', async () => {
      const at = partition();
      await store.put(at, 'a', Buffer.from('a'));
      const [written] = (await store.list(at)).chunks;

      await store.remove(at, ['a'], { writtenBefore: written?.writtenAt ?? 0 });
      expect(await store.has(at, ['a'])).toEqual(new Set(['a']));
      await store.remove(at, ['a'], { writtenBefore: (written?.writtenAt ?? 0) + 1 });
      expect(await store.has(at, ['a'])).toEqual(new Set());
    });
  });
}

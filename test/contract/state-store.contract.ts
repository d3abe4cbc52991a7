import { randomUUID } from 'node:crypto';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StateStore } from '#shared/ports/state-store.ts';
import { explains, operations, run, type Event } from './state-store-model.ts';

/** A partition of its own, so that suites can share a table. */
const partition = (): string => `T#${randomUUID()}`;
const past = (): number => Math.floor(Date.now() / 1000) - 60;
const future = (): number => Math.floor(Date.now() / 1000) + 3600;

/** What every state store must do. `runs` bounds the property tests (emulators are slow). */
export function describeStateStore(
  name: string,
  open: () => Promise<{ store: StateStore; close: () => Promise<void> }>,
  { runs = 50 }: { runs?: number } = {},
): void {
  describe(`state store: ${name}`, () => {
    let store: StateStore;
    let close: () => Promise<void>;
    beforeAll(async () => ({ store, close } = await open()));
    afterAll(() => close());

    describe('rows', () => {
      it('gives back exactly what was written', async () => {
        const row = {
          partition: partition(),
          sort: 'APP#shop',
          revision: 7,
          expiresAt: future(),
          value: { text: 'a"\\\n\u0000\u2028ü𝄞', list: [1, -0.5, 1e21, true, null, []], nested: { '': { deep: {} } } },
        };

        await store.put(row);

        expect(await store.get(row.partition, row.sort)).toEqual(row);
      });

      it('has no row where none was written', async () => {
        const at = partition();
        await store.put({ partition: at, sort: 'a', revision: 1, value: {} });

        expect(await store.get(at, 'b')).toBeUndefined();
        expect(await store.get(partition(), 'a')).toBeUndefined();
      });

      it('replaces the whole row, expiry included', async () => {
        const at = partition();
        await store.put({ partition: at, sort: 'a', revision: 3, value: { old: 1 }, expiresAt: future() });

        await store.put({ partition: at, sort: 'a', revision: 1, value: { fresh: 2 } });

        expect(await store.get(at, 'a')).toEqual({ partition: at, sort: 'a', revision: 1, value: { fresh: 2 } });
      });

      it('holds the value as it was when it was handed in', async () => {
        const at = partition();
        const value = { count: 1 };
        const written = store.put({ partition: at, sort: 'a', revision: 1, value });
        value.count = 2;
        await written;

        const read = await store.get<{ count: number }>(at, 'a');
        if (read !== undefined) read.value.count = 3;

        expect((await store.get(at, 'a'))?.value).toEqual({ count: 1 });
      });

      it('takes values of 300 KiB and refuses larger ones (LIM-17)', async () => {
        const at = partition();
        const envelope = JSON.stringify({ text: '' }).length;
        const value = { text: 'x'.repeat(300 * 1024 - envelope) };

        await store.put({ partition: at, sort: 'a', revision: 1, value });

        expect((await store.get(at, 'a'))?.value).toEqual(value);
        await expect(
          store.put({ partition: at, sort: 'b', revision: 1, value: { text: `${value.text}x` } }),
        ).rejects.toMatchObject({
          code: 'too-large',
        });
        // The limit counts bytes, not characters.
        await expect(
          store.put({ partition: at, sort: 'b', revision: 1, value: { text: 'ü'.repeat(160_000) } }),
        ).rejects.toMatchObject({
          code: 'too-large',
        });
        expect(await store.get(at, 'b')).toBeUndefined();
      });

      it('reads many rows, each once, leaving out those that are not there', async () => {
        const at = partition();
        const sorts = Array.from({ length: 150 }, (_, index) => `row#${index}`);
        await store.putMany(sorts.map((sort, index) => ({ partition: at, sort, revision: index, value: { index } })));

        const rows = await store.getMany([
          ...sorts.map((sort) => ({ partition: at, sort })),
          { partition: at, sort: 'row#0' },
          { partition: at, sort: 'absent' },
          { partition: partition(), sort: 'row#0' },
        ]);

        expect(rows.map((row) => row.sort).sort()).toEqual([...sorts].sort());
        expect(await store.getMany([])).toEqual([]);
        expect(await store.putMany([])).toBeUndefined();
      });
    });

    describe('conditions', () => {
      it('writes under `absent` only where nothing is', async () => {
        const at = partition();

        expect(
          await store.put({ partition: at, sort: 'a', revision: 1, value: { first: true } }, { absent: true }),
        ).toBe(true);
        expect(await store.put({ partition: at, sort: 'a', revision: 2, value: {} }, { absent: true })).toBe(false);
        expect(await store.get(at, 'a')).toMatchObject({ revision: 1, value: { first: true } });
      });

      it('writes under `revision` only over that revision', async () => {
        const at = partition();
        expect(await store.put({ partition: at, sort: 'a', revision: 1, value: {} }, { revision: 0 })).toBe(false);
        await store.put({ partition: at, sort: 'a', revision: 4, value: {} });

        expect(await store.put({ partition: at, sort: 'a', revision: 5, value: {} }, { revision: 3 })).toBe(false);
        expect(await store.put({ partition: at, sort: 'a', revision: 5, value: {} }, { revision: 4 })).toBe(true);
        expect(await store.put({ partition: at, sort: 'a', revision: 6, value: {} }, { revision: 4 })).toBe(false);
        expect((await store.get(at, 'a'))?.revision).toBe(5);
      });

      it('writes under `revisionBelow` over lower revisions and where nothing is, so a head never goes back (INV-06)', async () => {
        const at = partition();

        expect(
          await store.put({ partition: at, sort: 'a', revision: 8, value: { generation: 8 } }, { revisionBelow: 8 }),
        ).toBe(true);
        expect(
          await store.put({ partition: at, sort: 'a', revision: 7, value: { generation: 7 } }, { revisionBelow: 7 }),
        ).toBe(false);
        expect(
          await store.put({ partition: at, sort: 'a', revision: 8, value: { generation: 0 } }, { revisionBelow: 8 }),
        ).toBe(false);
        expect(
          await store.put({ partition: at, sort: 'a', revision: 9, value: { generation: 9 } }, { revisionBelow: 9 }),
        ).toBe(true);
        expect(await store.get(at, 'a')).toMatchObject({ revision: 9, value: { generation: 9 } });
      });

      it('removes under a condition, and calls what is already gone removed', async () => {
        const at = partition();
        await store.put({ partition: at, sort: 'a', revision: 2, value: {} });

        expect(await store.remove(at, 'a', { revision: 1 })).toBe(false);
        expect(await store.remove(at, 'a', { revisionBelow: 2 })).toBe(false);
        expect(await store.get(at, 'a')).toBeDefined();
        expect(await store.remove(at, 'a', { revision: 2 })).toBe(true);
        expect(await store.get(at, 'a')).toBeUndefined();
        expect(await store.remove(at, 'a', { revision: 2 })).toBe(true);
        expect(await store.remove(at, 'a')).toBe(true);
      });

      it('lets one of many writers win', async () => {
        const at = partition();

        const wins = await Promise.all(
          Array.from({ length: 30 }, (_, writer) =>
            store.put({ partition: at, sort: 'a', revision: 1, value: { writer } }, { absent: true }),
          ),
        );

        expect(wins.filter(Boolean)).toHaveLength(1);
        expect((await store.get(at, 'a'))?.value).toEqual({ writer: wins.indexOf(true) });
      });

      it('ends at the highest generation, whatever the order of publishers (FT-42)', async () => {
        await fc.assert(
          fc.asyncProperty(
            fc.uniqueArray(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 12 }),
            async (generations) => {
              const at = partition();

              const won = await Promise.all(
                generations.map((revision) =>
                  store.put(
                    { partition: at, sort: 'HEAD', revision, value: { revision } },
                    { revisionBelow: revision },
                  ),
                ),
              );

              const highest = Math.max(...generations);
              expect(won[generations.indexOf(highest)]).toBe(true);
              expect(await store.get(at, 'HEAD')).toMatchObject({ revision: highest, value: { revision: highest } });
            },
          ),
          { numRuns: Math.min(runs, 20) },
        );
      });

      it('loses no update between writers that read, change and write under `revision`', async () => {
        const at = partition();
        await store.put({ partition: at, sort: 'list', revision: 0, value: { tags: [] } });
        async function append(tag: string): Promise<void> {
          for (;;) {
            const row = await store.get<{ tags: string[] }>(at, 'list');
            if (row === undefined) throw new Error('the row is gone');
            const value = { tags: [...row.value.tags, tag] };
            if (await store.put({ ...row, revision: row.revision + 1, value }, { revision: row.revision })) return;
          }
        }
        const tags = Array.from({ length: 12 }, (_, index) => `tag-${index}`);

        await Promise.all(tags.map(append));

        const end = await store.get<{ tags: string[] }>(at, 'list');
        expect(end?.revision).toBe(tags.length);
        expect(end?.value.tags.toSorted()).toEqual(tags.toSorted());
      });

      it('is linearisable: what concurrent clients saw has one order that explains it', async () => {
        await fc.assert(
          fc.asyncProperty(fc.array(operations, { minLength: 2, maxLength: 4 }), async (clients) => {
            const key = { partition: partition(), sort: 'row' };
            const events: Event[] = [];

            await Promise.all(clients.map((list, client) => run(store, key, client, list, events)));

            expect(explains(events), JSON.stringify(events)).toBe(true);
          }),
          { numRuns: runs },
        );
      });
    });

    describe('expiry', () => {
      it('treats an expired row as absent', async () => {
        const at = partition();
        const row = { partition: at, sort: 'a', revision: 9, value: { old: true }, expiresAt: past() };
        await store.putMany([row, { ...row, sort: 'b' }, { ...row, sort: 'c', expiresAt: future() }]);

        expect(await store.get(at, 'a')).toBeUndefined();
        expect(
          (
            await store.getMany([
              { partition: at, sort: 'a' },
              { partition: at, sort: 'c' },
            ])
          ).map((found) => found.sort),
        ).toEqual(['c']);
        expect((await store.query(at)).rows.map((found) => found.sort)).toEqual(['c']);
        expect(await store.put({ partition: at, sort: 'a', revision: 1, value: {} }, { revision: 9 })).toBe(false);
        expect(await store.put({ partition: at, sort: 'a', revision: 1, value: {} }, { absent: true })).toBe(true);
        expect(await store.put({ partition: at, sort: 'b', revision: 1, value: {} }, { revisionBelow: 1 })).toBe(true);
        expect(await store.remove(at, 'a', { revision: 9 })).toBe(false);
      });
    });

    describe('increment', () => {
      it('counts from 0 and keeps the value', async () => {
        const at = partition();

        expect(await store.increment(at, 'TICKET')).toBe(1);
        expect(await store.increment(at, 'TICKET', 10)).toBe(11);
        expect((await store.get(at, 'TICKET'))?.revision).toBe(11);

        await store.put({ partition: at, sort: 'HEAD', revision: 4, value: { kept: true } });
        expect(await store.increment(at, 'HEAD')).toBe(5);
        expect(await store.get(at, 'HEAD')).toMatchObject({ revision: 5, value: { kept: true } });
      });

      it('never gives the same ticket twice, and later callers get higher ones (INV-05)', async () => {
        const at = partition();
        const seen: number[][] = await Promise.all(
          Array.from({ length: 10 }, async () => {
            const own: number[] = [];
            for (let turn = 0; turn < 10; turn += 1) own.push(await store.increment(at, 'TICKET'));
            return own;
          }),
        );

        for (const own of seen) expect(own).toEqual(own.toSorted((a, b) => a - b));
        expect(seen.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
      });
    });

    describe('query', () => {
      it('gives one partition in order of the bytes of its sort keys', async () => {
        const at = partition();
        const sorts = [
          'APP#a',
          'APP#a-b',
          'APP#ab',
          'APP#b',
          'APP',
          'APQ',
          'EVENT#2026-01-01T00:00:00.000Z#x',
          'Z',
          'a',
          'ref/ü',
          'ref/￭',
          'ref/𝄞',
        ];
        await store.putMany(sorts.map((sort) => ({ partition: at, sort, revision: 1, value: {} })));
        await store.put({ partition: `${at}x`, sort: 'APP#foreign', revision: 1, value: {} });
        const inOrder = sorts.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));

        expect((await store.query(at)).rows.map((row) => row.sort)).toEqual(inOrder);
        expect((await store.query(at, { descending: true })).rows.map((row) => row.sort)).toEqual(inOrder.toReversed());
        expect((await store.query(at, { prefix: 'APP#' })).rows.map((row) => row.sort)).toEqual([
          'APP#a',
          'APP#a-b',
          'APP#ab',
          'APP#b',
        ]);
        expect((await store.query(at, { prefix: 'APP#a' })).rows.map((row) => row.sort)).toEqual([
          'APP#a',
          'APP#a-b',
          'APP#ab',
        ]);
        expect((await store.query(at, { after: 'APP#a', prefix: 'APP#' })).rows.map((row) => row.sort)).toEqual([
          'APP#a-b',
          'APP#ab',
          'APP#b',
        ]);
        expect(
          (await store.query(at, { after: 'APP#ab', prefix: 'APP#', descending: true })).rows.map((row) => row.sort),
        ).toEqual(['APP#a-b', 'APP#a']);
        expect(await store.query(partition())).toEqual({ rows: [] });
      });

      it('pages through everything exactly once, in both directions', async () => {
        const at = partition();
        const sorts = Array.from({ length: 60 }, (_, index) => `row#${String(index).padStart(3, '0')}`);
        await store.putMany(
          sorts.map((sort) => ({ partition: at, sort, revision: 1, value: { filler: 'x'.repeat(100) } })),
        );

        await fc.assert(
          fc.asyncProperty(fc.integer({ min: 1, max: 61 }), fc.boolean(), async (limit, descending) => {
            const seen: string[] = [];
            let after: string | undefined;
            do {
              const page = await store.query(at, {
                prefix: 'row#',
                limit,
                descending,
                ...(after === undefined ? {} : { after }),
              });
              expect(page.rows.length).toBeLessThanOrEqual(limit);
              seen.push(...page.rows.map((row) => row.sort));
              after = page.next;
            } while (after !== undefined);
            expect(seen).toEqual(descending ? sorts.toReversed() : sorts);
          }),
          { numRuns: Math.min(runs, 15) },
        );
      });

      it('pages through more than a backend gives at once', async () => {
        const at = partition();
        // About 2 MB: more than one page of DynamoDB.
        const rows = Array.from({ length: 200 }, (_, index) => ({
          partition: at,
          sort: `${index}`,
          revision: 1,
          value: { filler: 'x'.repeat(10_000) },
        }));
        await store.putMany(rows);

        const seen: string[] = [];
        let after: string | undefined;
        do {
          const page = await store.query(at, after === undefined ? {} : { after });
          seen.push(...page.rows.map((row) => row.sort));
          after = page.next;
        } while (after !== undefined);

        expect(seen).toEqual(rows.map((row) => row.sort).toSorted());
      });
    });
  });
}

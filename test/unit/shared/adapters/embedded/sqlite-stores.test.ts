import { describe, expect, it, onTestFinished } from 'vitest';
import type { Database } from '#shared/adapters/embedded/database.ts';
import { createChunkStore } from '#shared/adapters/embedded/sqlite-chunk-store.ts';
import { createStateStore } from '#shared/adapters/embedded/sqlite-state-store.ts';
import { openTestDatabase } from '#test/contract/embedded-database.ts';
import { explains, type Event } from '#test/contract/state-store-model.ts';
import { createFakeClock, settle, type FakeClock } from '#test/kit/clock.ts';

async function open(): Promise<{ database: Database; clock: FakeClock }> {
  const clock = createFakeClock();
  const { database, close } = await openTestDatabase(clock);
  onTestFinished(close);
  return { database, clock };
}

describe('rows in SQLite', () => {
  it('expire to the second of the injected clock and are removed from the file as others are written', async () => {
    const { database, clock } = await open();
    const store = createStateStore(database);
    const expiresAt = clock.now() / 1000 + 10;
    await store.putMany(
      Array.from({ length: 20 }, (_, index) => ({
        partition: 'p',
        sort: `${index}`,
        revision: 1,
        value: {},
        expiresAt,
      })),
    );
    const stored = (): unknown => database.read((prepare) => prepare('SELECT count(*) AS n FROM rows').get()?.['n']);

    await clock.advance(9_999);
    expect((await store.query('p')).rows).toHaveLength(20);
    await clock.advance(1);
    expect((await store.query('p')).rows).toEqual([]);
    expect(stored()).toBe(20);
    await clock.advance(60_000);
    await store.put({ partition: 'p', sort: 'new', revision: 1, value: {} });
    await settle();

    expect(stored()).toBe(1);
  });

  it('come in pages of a thousand where no limit is given, so that nobody relies on getting all at once', async () => {
    const { database } = await open();
    const store = createStateStore(database);
    await store.putMany(
      Array.from({ length: 1001 }, (_, index) => ({
        partition: 'p',
        sort: String(index).padStart(5, '0'),
        revision: 1,
        value: {},
      })),
    );

    const first = await store.query('p');

    expect(first.rows).toHaveLength(1000);
    expect(first.next).toBe('00999');
    expect((await store.query('p', { after: '00999' })).rows.map((row) => row.sort)).toEqual(['01000']);
  });

  it('refuse a value that JSON cannot hold', async () => {
    const { database } = await open();

    await expect(
      createStateStore(database).put({ partition: 'p', sort: 's', revision: 1, value: undefined }),
    ).rejects.toMatchObject({ code: 'invalid-input' });
  });
});

describe('chunks in SQLite', () => {
  it('count as written again when they are put again an hour later, so that retention spares what is in use', async () => {
    const { database, clock } = await open();
    const chunks = createChunkStore(database);
    const writtenAt = async (): Promise<number | undefined> => (await chunks.list('p')).chunks[0]?.writtenAt;
    const first = clock.now();
    await chunks.put('p', 'a', Buffer.from('bytes'));

    await clock.advance(60_000);
    await chunks.put('p', 'a', Buffer.from('bytes'));
    expect(await writtenAt()).toBe(first);
    await clock.advance(3_600_000);
    await chunks.put('p', 'a', Buffer.from('bytes'));

    expect(await writtenAt()).toBe(clock.now());
  });

  it('come in pages of a thousand digests', async () => {
    const { database } = await open();
    const chunks = createChunkStore(database);
    await Promise.all(
      Array.from({ length: 1001 }, (_, index) => chunks.put('p', String(index).padStart(5, '0'), Buffer.from('x'))),
    );

    const first = await chunks.list('p');

    expect(first.chunks).toHaveLength(1000);
    expect((await chunks.list('p', first.next)).chunks.map((chunk) => chunk.digest)).toEqual(['01000']);
  });
});

describe('the model of the contract suite', () => {
  it('accepts either order of what overlaps', () => {
    const put = event(0, 0, 10, { do: 'put', revision: 1 }, true);
    expect(explains([put, event(1, 5, 6, { do: 'get' }, null)])).toBe(true);
    expect(explains([put, event(1, 5, 6, { do: 'get' }, { revision: 1, mark: '0.0' })])).toBe(true);
  });

  it('rejects a read that misses an earlier write, two winners of one place, and a number given twice', () => {
    expect(explains([event(0, 0, 1, { do: 'put', revision: 1 }, true), event(1, 2, 3, { do: 'get' }, null)])).toBe(
      false,
    );
    const claim = (client: number): Event =>
      event(client, 0, 10, { do: 'put', revision: 1, condition: { absent: true } }, true);
    expect(explains([claim(0), claim(1)])).toBe(false);
    expect(
      explains([event(0, 0, 10, { do: 'increment', by: 1 }, 1), event(1, 0, 10, { do: 'increment', by: 1 }, 1)]),
    ).toBe(false);
  });
});

function event(client: number, start: number, end: number, operation: Event['operation'], answer: unknown): Event {
  return { client, start, end, operation, mark: `${client}.${start}`, answer };
}

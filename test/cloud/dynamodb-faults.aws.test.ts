import { randomBytes } from 'node:crypto';
import { GetItemCommand, QueryCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import * as fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createTable } from '#shared/adapters/aws/create-table.ts';
import { createChunkStore } from '#shared/adapters/aws/dynamodb-chunk-store.ts';
import { createStateStore } from '#shared/adapters/aws/dynamodb-state-store.ts';
import { createSystemClock } from '#shared/adapters/embedded/system-clock.ts';
import { createFakeClock } from '#test/kit/clock.ts';
import { describeOnAws, dynamodbAt } from './aws-emulators.ts';
import { first, startFaultProxy, type Call, type Fault, type Json } from './fault-proxy.ts';

const table = 'faults';
const hour = 3_600_000;
const throttled: Fault = { refuse: { status: 400, error: 'ProvisionedThroughputExceededException' } };
const text = (bytes: number) => randomBytes(Math.ceil(bytes * 0.75)).toString('base64');

await describeOnAws('DynamoDB that throttles, does half and loses answers', ['dynamodb'], (aws) => {
  async function open() {
    const endpoint = (await aws.endpoints()).dynamodb;
    const proxy = await startFaultProxy(endpoint);
    const [client, direct] = [dynamodbAt(proxy.url), dynamodbAt(endpoint)];
    onTestFinished(async () => {
      client.destroy();
      direct.destroy();
      await proxy.stop();
    });
    await createTable(direct, table);
    const deps = { client, table, clock: createSystemClock() };
    const at = `T#${randomBytes(6).toString('hex')}`;
    return { proxy, direct, deps, store: createStateStore(deps), chunks: createChunkStore(deps), at };
  }

  describe('the state store', () => {
    it('writes again what a batch left undone, until nothing is left (FT-45)', async () => {
      const { proxy, store, at } = await open();
      proxy.faults = (call) => (call.operation === 'BatchWriteItem' ? halfDone(call) : undefined);
      const rows = Array.from({ length: 60 }, (_, index) => ({
        partition: at,
        sort: `${index}`,
        revision: 1,
        value: {},
      }));

      await store.putMany(rows);

      proxy.faults = () => undefined;
      expect((await store.query(at)).rows).toHaveLength(60);
      expect(proxy.calls.filter(({ operation }) => operation === 'BatchWriteItem').length).toBeGreaterThan(3);
    });

    it('reads again what a batch left unread', async () => {
      const { proxy, store, at } = await open();
      const keys = Array.from({ length: 130 }, (_, index) => ({ partition: at, sort: `${index}` }));
      await store.putMany(keys.map((key) => ({ ...key, revision: 1, value: {} })));
      proxy.faults = (call) => (call.operation === 'BatchGetItem' ? halfRead(call) : undefined);

      expect((await store.getMany(keys)).map((row) => row.sort).sort()).toEqual(keys.map(({ sort }) => sort).sort());
    });

    it('never calls a batch done that AWS leaves undone for ever (FT-45)', async () => {
      const { proxy, deps, at } = await open();
      const store = createStateStore({ ...deps, random: () => 0 });
      const undone = (input: Json) => (output: Json) => ({ ...output, UnprocessedItems: input.RequestItems });
      proxy.faults = ({ operation, input }) =>
        operation === 'BatchWriteItem'
          ? { input: (sent) => ({ ...sent, RequestItems: { [table]: [filler(at)] } }), output: undone(input) }
          : undefined;

      await expect(store.putMany([{ partition: at, sort: 'a', revision: 1, value: {} }])).rejects.toMatchObject({
        code: 'unavailable',
        retry: 'later',
      });
      expect(await store.get(at, 'a')).toBeUndefined();
    });

    it('goes on after short throttling, and says «later» when it lasts (FT-44)', async () => {
      const { proxy, store, at } = await open();
      const row = { partition: at, sort: 'a', revision: 1, value: {} };
      proxy.faults = first(2, 'PutItem', throttled);

      expect(await store.put(row, { absent: true })).toBe(true);
      expect(proxy.calls.filter(({ operation }) => operation === 'PutItem')).toHaveLength(3);

      proxy.faults = () => throttled;
      for (const attempt of [
        () => store.put(row),
        () => store.get(at, 'a'),
        () => store.increment(at, 'a'),
        () => store.query(at),
        () => store.getMany([row]),
        () => store.putMany([row]),
        () => store.remove(at, 'a'),
      ]) {
        await expect(attempt()).rejects.toMatchObject({ code: 'unavailable', retry: 'later' });
      }
    });

    it('says «later» for an error of the service or missing rights, and «never» for what is refused', async () => {
      const { proxy, store, at } = await open();

      for (const [status, error, code] of [
        [500, 'InternalServerError', 'unavailable'],
        [400, 'AccessDeniedException', 'unavailable'],
        [400, 'ResourceNotFoundException', 'unavailable'],
        [400, 'ValidationException', 'internal'],
      ] as const) {
        proxy.faults = () => ({ refuse: { status, error } });
        await expect(store.get(at, 'a'), error).rejects.toMatchObject({
          code,
          retry: code === 'internal' ? 'never' : 'later',
          data: { error },
        });
      }
    });

    it('knows its own write again when the answer was lost (FT-41)', async () => {
      const { proxy, store, at } = await open();

      for (const [sort, condition] of [
        ['absent', { absent: true }],
        ['below', { revisionBelow: 7 }],
      ] as const) {
        proxy.faults = first(1, 'PutItem', { cutAfter: true });
        expect(await store.put({ partition: at, sort, revision: 7, value: { sort } }, condition), sort).toBe(true);
      }
      proxy.faults = first(1, 'PutItem', { cutAfter: true });
      const next = { partition: at, sort: 'below', revision: 8, value: {} };
      expect(await store.put(next, { revision: 7 })).toBe(true);
      expect(await store.put(next, { revision: 7 })).toBe(false);
      expect(proxy.calls.filter(({ operation }) => operation === 'PutItem')).toHaveLength(7);
    });

    it('does not take the write of another for its own (FT-41, FT-42)', async () => {
      const { proxy, store, at } = await open();
      const head = (revision: number) => ({ partition: at, sort: 'HEAD', revision, value: { revision } });
      await store.put(head(8), { revisionBelow: 8 });
      proxy.faults = first(1, 'PutItem', { cutAfter: true });

      expect(await store.put(head(7), { revisionBelow: 7 })).toBe(false);
      expect(await store.put(head(8), { revisionBelow: 8 })).toBe(false);
      expect((await store.get(at, 'HEAD'))?.revision).toBe(8);
    });

    it('gives no ticket twice when answers are lost; a gap is all (INV-05)', async () => {
      const { proxy, store, at } = await open();
      proxy.faults = first(2, 'UpdateItem', { cutAfter: true });

      const tickets = [await store.increment(at, 'TICKET'), await store.increment(at, 'TICKET')];

      expect(tickets[0]).toBeGreaterThan(0);
      expect(tickets[1]).toBeGreaterThan(tickets[0] ?? Infinity);
    });

    it('takes 300 KiB that cannot be compressed, and more of them than one read gives', async () => {
      const { store, at } = await open();
      const keys = Array.from({ length: 70 }, (_, index) => ({ partition: at, sort: `${index}`.padStart(3, '0') }));
      const rows = keys.map((key) => ({ ...key, revision: 1, value: text(300 * 1024 - 10) }));

      await store.putMany(rows);

      const byKey = (await store.getMany(keys)).toSorted((a, b) => (a.sort < b.sort ? -1 : 1));
      expect(byKey).toEqual(rows);
      expect(await store.query(at, { limit: 20 })).toEqual({ rows: rows.slice(0, 20), next: '019' });
      expect((await store.query(at, { limit: 70 })).next).toBeUndefined();
    });

    it('compresses what is larger than 8 KiB, and leaves the rest readable', async () => {
      const { direct, store, at } = await open();
      await store.put({ partition: at, sort: 'small', revision: 1, value: { text: 'x'.repeat(8000) } });
      await store.put({ partition: at, sort: 'large', revision: 1, value: { text: 'x'.repeat(200_000) } });

      expect((await raw(direct, at, 'small'))?.['value']?.S).toBe(JSON.stringify({ text: 'x'.repeat(8000) }));
      expect((await raw(direct, at, 'large'))?.['value']?.B?.length).toBeLessThan(2000);
      expect((await store.get(at, 'large'))?.value).toEqual({ text: 'x'.repeat(200_000) });
    });

    it('fills a page although most rows of it have expired', async () => {
      const { store, at } = await open();
      const rows = Array.from({ length: 120 }, (_, index) => ({
        partition: at,
        sort: String(index).padStart(3, '0'),
        revision: 1,
        value: {},
        ...(index % 10 === 9 ? {} : { expiresAt: 1 }),
      }));
      await store.putMany(rows);

      expect((await store.query(at, { limit: 5 })).rows.map(({ sort }) => sort)).toEqual([
        '009',
        '019',
        '029',
        '039',
        '049',
      ]);
      expect(await store.query(at, { limit: 0 })).toEqual({ rows: [] });
      expect((await store.query(at, { limit: 12 })).next).toBeUndefined();
    });

    it('starts anywhere: before, in or behind the prefix, at keys that are not there', async () => {
      const { store, at } = await open();
      const sorts = ['A#1', 'B#1', 'B#3', 'B#5', 'C#1'];
      await store.putMany(sorts.map((sort) => ({ partition: at, sort, revision: 1, value: {} })));

      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom('', 'B#', 'B', 'D#'),
          fc.constantFrom('A', 'A#1', 'B', 'B#', 'B#1', 'B#2', 'B#5', 'B#9', 'B$', 'C', 'Z'),
          fc.boolean(),
          async (prefix, after, descending) => {
            const { rows } = await store.query(at, { prefix, after, descending });

            const wanted = sorts.filter(
              (sort) => sort.startsWith(prefix) && (descending ? sort < after : sort > after),
            );
            expect(rows.map(({ sort }) => sort)).toEqual(descending ? wanted.toReversed() : wanted);
          },
        ),
        { numRuns: 60 },
      );
    });

    it('writes of two rows with one key the last', async () => {
      const { store, at } = await open();
      await store.putMany([1, 2, 3].map((revision) => ({ partition: at, sort: 'a', revision, value: { revision } })));

      expect(await store.get(at, 'a')).toMatchObject({ revision: 3, value: { revision: 3 } });
    });
  });

  describe('the chunk store', () => {
    it('has nothing of a chunk whose writer died before part 0, finds it for retention, and takes it when it comes again (FT-40)', async () => {
      const { proxy, direct, deps, chunks, at } = await open();
      const bytes = randomBytes(700_000);
      proxy.faults = ({ operation, input }) =>
        operation === 'PutItem' && input.Item.sort.S === '0' ? { refuse: { status: 500, error: 'Down' } } : undefined;

      await expect(chunks.put(at, 'd', bytes)).rejects.toMatchObject({ code: 'unavailable' });
      proxy.faults = () => undefined;
      expect(await chunks.get(at, 'd')).toBeUndefined();
      expect(await chunks.has(at, ['d'])).toEqual(new Set());
      expect((await chunks.list(at)).chunks.map(({ digest }) => digest)).toEqual(['d']);

      await chunks.put(at, 'd', bytes);
      expect(Buffer.from((await chunks.get(at, 'd')) ?? []).equals(bytes)).toBe(true);
      const clock = createFakeClock(Date.now() + 2 * hour);
      await createChunkStore({ ...deps, clock }).remove(at, ['d']);
      expect(await sortsIn(direct, `${at}#d`)).toEqual([]);
      expect((await chunks.list(at)).chunks).toEqual([]);
    });

    it('removes what dead writers left, once it is old', async () => {
      const { proxy, direct, deps, chunks, at } = await open();
      proxy.faults = ({ operation, input }) =>
        operation === 'PutItem' && input.Item.sort.S === '0' ? { refuse: { status: 500, error: 'Down' } } : undefined;
      await expect(chunks.put(at, 'd', randomBytes(700_000))).rejects.toMatchObject({ code: 'unavailable' });
      proxy.faults = () => undefined;

      await chunks.remove(at, ['d']);
      expect(await sortsIn(direct, `${at}#d`)).toHaveLength(2);
      const later = createChunkStore({ ...deps, clock: createFakeClock(Date.now() + 2 * hour) });
      await later.remove(at, ['d']);

      expect(await sortsIn(direct, `${at}#d`)).toEqual([]);
      expect((await chunks.list(at)).chunks).toEqual([]);
    });

    it('mixes nothing when many write other bytes for one digest', async () => {
      const { chunks, at } = await open();
      const versions = Array.from({ length: 6 }, () => randomBytes(700_000));

      await Promise.all(versions.map((bytes) => chunks.put(at, 'd', bytes)));

      const read = Buffer.from((await chunks.get(at, 'd')) ?? []);
      expect(versions.some((bytes) => bytes.equals(read))).toBe(true);
    });

    it('writes a chunk that is there no second time, but makes it young again after an hour (INV-14)', async () => {
      const { proxy, deps, at } = await open();
      const clock = createFakeClock();
      const chunks = createChunkStore({ ...deps, clock });
      await chunks.put(at, 'd', Buffer.from('x'));
      const written = proxy.calls.length;

      await chunks.put(at, 'd', Buffer.from('x'));
      expect(proxy.calls.slice(written).map(({ operation }) => operation)).toEqual(['GetItem']);
      await clock.advance(2 * hour);
      await chunks.put(at, 'd', Buffer.from('x'));

      expect((await chunks.list(at)).chunks).toEqual([{ digest: 'd', writtenAt: clock.now() }]);
      expect(proxy.calls.slice(written).map(({ operation }) => operation)).toEqual([
        'GetItem',
        'GetItem',
        'UpdateItem',
        'Query',
      ]);
    });

    it('loses nothing that is put while retention removes it (INV-14, FT-47)', async () => {
      const { deps, at } = await open();
      const old = createChunkStore({ ...deps, clock: createFakeClock(Date.now() - 48 * hour) });
      const chunks = createChunkStore(deps);

      for (let round = 0; round < 25; round += 1) {
        const digest = `d${round}`;
        await old.put(at, digest, randomBytes(round % 2 === 0 ? 100 : 400_000));
        const fresh = randomBytes(round % 2 === 0 ? 100 : 400_000);
        const before = Date.now() - hour;
        await Promise.all([
          chunks.remove(at, [digest], { writtenBefore: before }),
          new Promise((resolve) => setTimeout(resolve, round % 8)).then(() => chunks.put(at, digest, fresh)),
        ]);

        expect(await chunks.has(at, [digest]), digest).toEqual(new Set([digest]));
        expect(await chunks.get(at, digest), digest).toBeDefined();
      }
    });

    it('goes on where answers are lost (FT-41)', async () => {
      const { proxy, chunks, at } = await open();
      const bytes = randomBytes(700_000);
      const seen = new Set<string>();
      // The first answer of every kind of call is lost.
      proxy.faults = ({ operation }) => {
        if (seen.has(operation)) return undefined;
        seen.add(operation);
        return { cutAfter: true };
      };

      await chunks.put(at, 'd', bytes);

      expect(Buffer.from((await chunks.get(at, 'd')) ?? []).equals(bytes)).toBe(true);
      expect(await chunks.has(at, ['d'])).toEqual(new Set(['d']));
      expect([...seen]).toEqual(expect.arrayContaining(['GetItem', 'PutItem', 'BatchWriteItem', 'UpdateItem']));
    });

    it('never scans', async () => {
      const { proxy, chunks, at } = await open();
      await chunks.put(at, 'd', randomBytes(700_000));
      await chunks.list(at);
      await chunks.remove(at, ['d']);

      expect(proxy.calls.map(({ operation }) => operation)).not.toContain('Scan');
    });
  });
});

/** Does the first half of a batch and says that the rest is undone, as DynamoDB does when a partition is hot. */
function halfDone({ input }: Call): Fault | undefined {
  const requests: Json[] = input.RequestItems[table];
  if (requests.length < 2) return undefined;
  const half = Math.floor(requests.length / 2);
  return {
    input: (sent) => ({ ...sent, RequestItems: { [table]: requests.slice(0, half) } }),
    output: (output) => ({ ...output, UnprocessedItems: { [table]: requests.slice(half) } }),
  };
}

function halfRead({ input }: Call): Fault | undefined {
  const { Keys: keys, ...settings } = input.RequestItems[table];
  if (keys.length < 2) return undefined;
  const half = Math.floor(keys.length / 2);
  return {
    input: (sent) => ({ ...sent, RequestItems: { [table]: { ...settings, Keys: keys.slice(0, half) } } }),
    output: (output) => ({ ...output, UnprocessedKeys: { [table]: { ...settings, Keys: keys.slice(half) } } }),
  };
}

function filler(at: string): Json {
  return { PutRequest: { Item: { partition: { S: `${at}#filler` }, sort: { S: 'x' } } } };
}

async function raw(client: DynamoDBClient, partition: string, sort: string) {
  const command = new GetItemCommand({ TableName: table, Key: { partition: { S: partition }, sort: { S: sort } } });
  return (await client.send(command)).Item;
}

async function sortsIn(client: DynamoDBClient, partition: string): Promise<string[]> {
  const command = new QueryCommand({
    TableName: table,
    KeyConditionExpression: '#partition = :partition',
    ExpressionAttributeNames: { '#partition': 'partition' },
    ExpressionAttributeValues: { ':partition': { S: partition } },
  });
  return ((await client.send(command)).Items ?? []).map((item) => item['sort']?.S ?? '');
}

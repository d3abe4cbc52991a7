import {
  DeleteItemCommand,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { inParallel } from '../../domain/parallel.ts';
import { HawserError } from '../../errors.ts';
import type { ChunkStore } from '../../ports/chunk-store.ts';
import { createChunkParts } from './dynamodb-chunk-parts.ts';
import { hasExpired } from './dynamodb-row.ts';
import { batchGet, failed, falseWhenRefused, keyOf, type Item, type TableDeps } from './dynamodb-table.ts';

const maxChunkBytes = 64 * 1024 * 1024;
const pageSize = 1000;
const removalsAtOnce = 8;
/** A chunk that is put again counts as written again, so that retention spares what is in use; finer than this nobody needs. */
const freshForMs = 1_800_000;
const listPrefix = 'CHUNK#';

/**
 * Immutable bytes under the partition `PARTITION#DIGEST` (dynamodb-chunk-parts.ts), beside a small row `CHUNK#DIGEST` in
 * PARTITION itself, by which `list` and `has` work without a scan. That row is written before the bytes, so that retention
 * finds whatever was begun, and says `complete` after them.
 * `expireAfterSeconds`: for what has a term anyway (message bodies); putting it again renews the term.
 */
export function createChunkStore(deps: TableDeps & { expireAfterSeconds?: number }): ChunkStore {
  const { client, table, clock } = deps;
  const parts = createChunkParts(deps);

  return {
    async put(partition, digest, bytes) {
      requireSize(partition, digest, bytes.byteLength);
      // The caller may reuse its buffer meanwhile.
      const copy = Uint8Array.from(bytes);
      if (await renew(partition, digest)) return;
      const expiresAt =
        deps.expireAfterSeconds === undefined ? undefined : Math.ceil(seconds()) + deps.expireAfterSeconds;
      await begin(partition, digest, expiresAt);
      await parts.write(under(partition, digest), copy, expiresAt);
      await complete(partition, digest, expiresAt);
    },

    get: (partition, digest) => parts.read(under(partition, digest)),

    async has(partition, digests) {
      const keys = [...new Set(digests)].map((digest) => listKey(partition, digest));
      const found = await batchGet(deps, keys, ['sort', 'complete', 'expiresAt']);
      return new Set(found.filter(isThere).map(digestOf));
    },

    async list(partition, after) {
      const command = new QueryCommand({
        TableName: table,
        KeyConditionExpression: '#partition = :partition AND begins_with(#sort, :prefix)',
        ExpressionAttributeNames: { '#partition': 'partition', '#sort': 'sort' },
        ExpressionAttributeValues: { ':partition': { S: partition }, ':prefix': { S: listPrefix } },
        ConsistentRead: true,
        Limit: pageSize,
        ExclusiveStartKey: after === undefined ? undefined : listKey(partition, after),
      });
      const page = await client.send(command).catch(failed(table, `list the chunks of ${partition}`));
      const chunks = (page.Items ?? [])
        .filter((item) => !hasExpired(item, seconds()))
        .map((item) => ({ digest: digestOf(item), writtenAt: Number(item['writtenAt']?.N) }));
      return page.LastEvaluatedKey === undefined ? { chunks } : { chunks, next: digestOf(page.LastEvaluatedKey) };
    },

    async remove(partition, digests, { writtenBefore } = {}) {
      await inParallel([...new Set(digests)], removalsAtOnce, (digest) => removeOne(partition, digest, writtenBefore));
    },
  };

  /**
   * What is taken away is the write that was there before the row was marked, which is what decides: whoever puts the chunk
   * again after the mark sees it, writes anew and loses nothing. Whoever dies in between is found by the row, and goes on.
   */
  async function removeOne(partition: string, digest: string, writtenBefore: number | undefined): Promise<void> {
    const written = await parts.current(under(partition, digest));
    const row = await markAbsent(partition, digest, writtenBefore);
    if (row === undefined && writtenBefore !== undefined) return;
    const isEmpty = await parts.remove(under(partition, digest), written);
    if (row === undefined || !isEmpty) return;
    const command = new DeleteItemCommand({
      TableName: table,
      Key: listKey(partition, digest),
      ConditionExpression: 'complete = :false AND writtenAt = :seen',
      ExpressionAttributeValues: { ':false': { BOOL: false }, ':seen': row['writtenAt'] ?? { N: '0' } },
    });
    await client.send(command).then(() => true, falseWhenRefused(table, `remove chunk ${digest}`));
  }

  /** undefined where there is no row, or one that was written since. */
  async function markAbsent(
    partition: string,
    digest: string,
    writtenBefore = Number.MAX_SAFE_INTEGER,
  ): Promise<Item | undefined> {
    const command = new UpdateItemCommand({
      TableName: table,
      Key: listKey(partition, digest),
      UpdateExpression: 'SET complete = :false',
      ConditionExpression: 'writtenAt < :before',
      ExpressionAttributeValues: { ':false': { BOOL: false }, ':before': { N: String(writtenBefore) } },
      ReturnValues: 'ALL_NEW',
    });
    return client
      .send(command)
      .then((answer) => answer.Attributes, falseWhenRefused(table, `remove chunk ${digest}`))
      .then((row) => row || undefined);
  }

  /** True where the chunk is there; its age starts again when it is older than an hour. */
  async function renew(partition: string, digest: string): Promise<boolean> {
    const key = listKey(partition, digest);
    const { Item: row } = await client
      .send(new GetItemCommand({ TableName: table, Key: key, ConsistentRead: true }))
      .catch(failed(table, `read chunk ${digest}`));
    if (row === undefined || !isThere(row)) return false;
    if (clock.now() - Number(row['writtenAt']?.N) < freshForMs) return true;
    // With a term the parts must be written again, for theirs runs too.
    if (deps.expireAfterSeconds !== undefined) return false;
    const command = new UpdateItemCommand({
      TableName: table,
      Key: key,
      UpdateExpression: 'SET writtenAt = :now',
      ConditionExpression: 'complete = :true',
      ExpressionAttributeValues: { ':now': { N: String(clock.now()) }, ':true': { BOOL: true } },
    });
    return client.send(command).then(() => true, falseWhenRefused(table, `renew chunk ${digest}`));
  }

  async function begin(partition: string, digest: string, expiresAt: number | undefined): Promise<void> {
    const item = {
      ...listKey(partition, digest),
      writtenAt: { N: String(clock.now()) },
      complete: { BOOL: false },
      ...(expiresAt === undefined ? {} : { expiresAt: { N: String(expiresAt) } }),
    };
    await client
      .send(new PutItemCommand({ TableName: table, Item: item }))
      .catch(failed(table, `write chunk ${digest}`));
  }

  /** Makes the row again where somebody removed it meanwhile: the bytes are there. */
  async function complete(partition: string, digest: string, expiresAt: number | undefined): Promise<void> {
    const command = new UpdateItemCommand({
      TableName: table,
      Key: listKey(partition, digest),
      UpdateExpression: `SET complete = :true, writtenAt = if_not_exists(writtenAt, :now)${expiresAt === undefined ? '' : ', expiresAt = :until'}`,
      ExpressionAttributeValues: {
        ':true': { BOOL: true },
        ':now': { N: String(clock.now()) },
        ...(expiresAt === undefined ? {} : { ':until': { N: String(expiresAt) } }),
      },
    });
    await client.send(command).catch(failed(table, `write chunk ${digest}`));
  }

  function isThere(row: Item): boolean {
    return row['complete']?.BOOL === true && !hasExpired(row, seconds());
  }

  function seconds(): number {
    return clock.now() / 1000;
  }
}

function under(partition: string, digest: string): string {
  return `${partition}#${digest}`;
}

function listKey(partition: string, digest: string): Item {
  return keyOf(partition, `${listPrefix}${digest}`);
}

function digestOf(item: Item): string {
  return (item['sort']?.S ?? '').slice(listPrefix.length);
}

function requireSize(partition: string, digest: string, bytes: number): void {
  if (bytes <= maxChunkBytes) return;
  throw new HawserError('too-large', `chunk ${digest} has ${bytes} bytes, a chunk holds ${maxChunkBytes}`, {
    data: { partition, digest, bytes, limit: maxChunkBytes },
  });
}

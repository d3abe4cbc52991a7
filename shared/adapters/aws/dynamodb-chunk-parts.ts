import { randomBytes } from 'node:crypto';
import { DeleteItemCommand, GetItemCommand, PutItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb';
import { hasExpired } from './dynamodb-row.ts';
import { batchGet, batchWrite, failed, falseWhenRefused, keyOf, type Item, type TableDeps } from './dynamodb-table.ts';

/** LIM-17: far enough below DynamoDB's 400 KB. */
const partBytes = 300 * 1024;
/** Parts without a part 0 that are older than this belong to a writer that died; a living one is done long before. */
const abandonedAfterMs = 3_600_000;

/** The items of one chunk's bytes, all in one partition. */
export interface ChunkParts {
  /** `expiresAt`: seconds since 1970. */
  write(partition: string, bytes: Uint8Array, expiresAt?: number): Promise<void>;
  /** undefined where part 0 or any other is not there. */
  read(partition: string): Promise<Uint8Array | undefined>;
  /** Which write is the one that readers get: what `remove` takes away. */
  current(partition: string): Promise<Written | undefined>;
  /** Removes that write, if it still is the current one, and what dead writers left. False where something may be left. */
  remove(partition: string, written: Written | undefined): Promise<boolean>;
}

/** One write: its id, and of how many parts it consists. */
export interface Written {
  write: string;
  parts: number;
}

/** Part 0: its presence says that all others of its write are there. */
interface First extends Written {
  size: number;
  bytes: Uint8Array;
}

/**
 * Bytes as items `0`, `1#WRITE` … of at most 300 KiB; part 0 comes last. Every write has parts of its own and points part 0
 * at them: two writers may bring other bytes for one digest (encryption is salted), and theirs never mix.
 */
export function createChunkParts(deps: TableDeps): ChunkParts {
  const { client, table, clock } = deps;

  return {
    async write(partition, bytes, expiresAt) {
      const common = {
        writtenAt: { N: String(clock.now()) },
        ...(expiresAt === undefined ? {} : { expiresAt: { N: String(expiresAt) } }),
      };
      const { first, rest } = toItems(partition, bytes, common);
      await batchWrite(
        deps,
        rest.map((item) => ({ PutRequest: { Item: item } })),
      );
      const command = new PutItemCommand({ TableName: table, Item: first });
      await client.send(command).catch(failed(table, `write ${partition}`));
    },

    async read(partition) {
      const first = await readFirst(partition);
      if (first === undefined) return undefined;
      const keys = restKeys(partition, first);
      const items = await batchGet(deps, keys);
      const parts = new Map(items.map((item) => [item['sort']?.S, item['bytes']?.B]));
      const rest = keys.map((key) => parts.get(key['sort']?.S) ?? new Uint8Array());
      const bytes = Buffer.concat([first.bytes, ...rest]);
      return bytes.length === first.size ? bytes : undefined;
    },

    async current(partition) {
      const key = keyOf(partition, '0');
      const [item] = await batchGet(deps, [key], ['write', 'parts']);
      return item === undefined ? undefined : { write: item['write']?.S ?? '', parts: Number(item['parts']?.N) };
    },

    async remove(partition, written) {
      if (written !== undefined) {
        // Part 0 first, so that nobody reads half of it; and only this one, for somebody may just have written another.
        const command = new DeleteItemCommand({
          TableName: table,
          Key: keyOf(partition, '0'),
          ConditionExpression: 'attribute_not_exists(#write) OR #write = :write',
          ExpressionAttributeNames: { '#write': 'write' },
          ExpressionAttributeValues: { ':write': { S: written.write } },
        });
        await client.send(command).then(() => true, falseWhenRefused(table, `remove ${partition}`));
        await deleteAll(restKeys(partition, written));
      }
      const left = await partsLeft(partition);
      const oldest = clock.now() - abandonedAfterMs;
      const hasFirst = left.some((item) => item['sort']?.S === '0');
      const abandoned = hasFirst ? [] : left.filter((item) => Number(item['writtenAt']?.N) < oldest);
      await deleteAll(abandoned.map((item) => keyOf(partition, item['sort']?.S ?? '')));
      return abandoned.length === left.length;
    },
  };

  async function deleteAll(keys: readonly Item[]): Promise<void> {
    await batchWrite(
      deps,
      keys.map((key) => ({ DeleteRequest: { Key: key } })),
    );
  }

  async function readFirst(partition: string): Promise<First | undefined> {
    const command = new GetItemCommand({ TableName: table, Key: keyOf(partition, '0'), ConsistentRead: true });
    const { Item: item } = await client.send(command).catch(failed(table, `read ${partition}`));
    if (item === undefined || hasExpired(item, clock.now() / 1000)) return undefined;
    return {
      write: item['write']?.S ?? '',
      parts: Number(item['parts']?.N),
      size: Number(item['size']?.N),
      bytes: item['bytes']?.B ?? new Uint8Array(),
    };
  }

  async function partsLeft(partition: string): Promise<Item[]> {
    const items: Item[] = [];
    let from: Item | undefined;
    do {
      const command: QueryCommand = new QueryCommand({
        TableName: table,
        KeyConditionExpression: '#partition = :partition',
        ProjectionExpression: '#sort, writtenAt',
        ExpressionAttributeNames: { '#partition': 'partition', '#sort': 'sort' },
        ExpressionAttributeValues: { ':partition': { S: partition } },
        ConsistentRead: true,
        ExclusiveStartKey: from,
      });
      const page = await client.send(command).catch(failed(table, `remove ${partition}`));
      items.push(...(page.Items ?? []));
      from = page.LastEvaluatedKey;
    } while (from !== undefined);
    return items;
  }
}

function toItems(partition: string, bytes: Uint8Array, common: Item): { first: Item; rest: Item[] } {
  const write = randomBytes(9).toString('base64url');
  const [start = bytes, ...others] = piecesOf(bytes);
  return {
    first: {
      ...keyOf(partition, '0'),
      write: { S: write },
      parts: { N: String(others.length + 1) },
      size: { N: String(bytes.byteLength) },
      bytes: { B: start },
      ...common,
    },
    rest: others.map((piece, index) => ({ ...restKey(partition, index, write), bytes: { B: piece }, ...common })),
  };
}

function restKeys(partition: string, { write, parts }: Written): Item[] {
  return Array.from({ length: parts - 1 }, (_, index) => restKey(partition, index, write));
}

/** Key of the part behind part 0 with this index. */
function restKey(partition: string, index: number, write: string): Item {
  return keyOf(partition, `${index + 1}#${write}`);
}

/** At least one, so that no bytes are a chunk too. */
function piecesOf(bytes: Uint8Array): Uint8Array[] {
  const pieces = [bytes.subarray(0, partBytes)];
  for (let at = partBytes; at < bytes.byteLength; at += partBytes) pieces.push(bytes.subarray(at, at + partBytes));
  return pieces;
}

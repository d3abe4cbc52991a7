import { randomBytes } from 'node:crypto';
import {
  ConditionalCheckFailedException,
  DeleteItemCommand,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
} from '@aws-sdk/client-dynamodb';
import { hasExpired } from './dynamodb-row.ts';
import { batchGet, batchWrite, failed, keyOf, type Item, type TableDeps } from './dynamodb-table.ts';

/** LIM-17: far enough below DynamoDB's 400 KB. */
const partBytes = 300 * 1024;

/** The items of one chunk's bytes, all in one partition. */
export interface ChunkParts {
  /** The first writer's bytes count; later ones change nothing. `expiresAt`: seconds since 1970. */
  write(partition: string, bytes: Uint8Array, expiresAt?: number): Promise<void>;
  /** undefined where part 0 or any other is not there. */
  read(partition: string): Promise<Uint8Array | undefined>;
  remove(partition: string): Promise<void>;
}

/** Part 0: its presence says that all others are there. `write` names them, `parts` counts all. */
interface First {
  write: string;
  parts: number;
  size: number;
  bytes: Uint8Array;
}

/**
 * Bytes as items `0`, `1#WRITE` … of at most 300 KiB. Part 0 comes last and only the first writer gets it in: two writers
 * may bring other bytes for one digest (encryption is salted), and theirs never mix.
 */
export function createChunkParts(deps: TableDeps): ChunkParts {
  const { client, table } = deps;

  return {
    async write(partition, bytes, expiresAt) {
      const write = randomBytes(9).toString('base64url');
      const pieces = piecesOf(bytes);
      const term = expiresAt === undefined ? {} : { expiresAt: { N: String(expiresAt) } };
      const rest = pieces
        .slice(1)
        .map((piece, index): Item => ({ ...restKey(partition, index, write), bytes: { B: piece }, ...term }));
      await batchWrite(
        deps,
        rest.map((item) => ({ PutRequest: { Item: item } })),
      );
      const first = { write, parts: pieces.length, size: bytes.byteLength, bytes: pieces[0] ?? bytes };
      if (await putFirst(partition, first, expiresAt)) return;
      await batchWrite(
        deps,
        rest.map((_, index) => ({ DeleteRequest: { Key: restKey(partition, index, write) } })),
      );
    },

    async read(partition) {
      const first = await readFirst(partition);
      if (first === undefined) return undefined;
      const keys = Array.from({ length: first.parts - 1 }, (_, index) => restKey(partition, index, first.write));
      const items = await batchGet(deps, keys);
      const parts = new Map(items.map((item) => [item['sort']?.S, item['bytes']?.B]));
      const rest = keys.map((key) => parts.get(key['sort']?.S) ?? new Uint8Array());
      const bytes = Buffer.concat([first.bytes, ...rest]);
      return bytes.length === first.size ? bytes : undefined;
    },

    async remove(partition) {
      // Part 0 first, so that nobody reads half of it.
      const command = new DeleteItemCommand({ TableName: table, Key: keyOf(partition, '0') });
      await client.send(command).catch(failed(table, `remove ${partition}`));
      const rest = await partKeys(partition);
      await batchWrite(
        deps,
        rest.map((key) => ({ DeleteRequest: { Key: key } })),
      );
    },
  };

  /** False where another writer was first. A repeat of our own write, whose answer was lost, is ours (FT-41). */
  async function putFirst(partition: string, first: First, expiresAt: number | undefined): Promise<boolean> {
    const until = expiresAt === undefined ? undefined : { N: String(expiresAt) };
    const command = new PutItemCommand({
      TableName: table,
      Item: {
        ...keyOf(partition, '0'),
        write: { S: first.write },
        parts: { N: String(first.parts) },
        size: { N: String(first.size) },
        bytes: { B: first.bytes },
        ...(until === undefined ? {} : { expiresAt: until }),
      },
      ConditionExpression: `attribute_not_exists(#partition)${until === undefined ? '' : ' OR expiresAt < :until'}`,
      ExpressionAttributeNames: { '#partition': 'partition' },
      ...(until === undefined ? {} : { ExpressionAttributeValues: { ':until': until } }),
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    });
    try {
      await client.send(command);
      return true;
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return error.Item?.['write']?.S === first.write;
      return failed(table, `write ${partition}`)(error);
    }
  }

  async function readFirst(partition: string): Promise<First | undefined> {
    const command = new GetItemCommand({ TableName: table, Key: keyOf(partition, '0'), ConsistentRead: true });
    const { Item: item } = await client.send(command).catch(failed(table, `read ${partition}`));
    if (item === undefined || hasExpired(item, deps.clock.now() / 1000)) return undefined;
    return {
      write: item['write']?.S ?? '',
      parts: Number(item['parts']?.N),
      size: Number(item['size']?.N),
      bytes: item['bytes']?.B ?? new Uint8Array(),
    };
  }

  /** Whatever is left there, also of writers that came second or died. */
  async function partKeys(partition: string): Promise<Item[]> {
    const keys: Item[] = [];
    let from: Item | undefined;
    do {
      const command: QueryCommand = new QueryCommand({
        TableName: table,
        KeyConditionExpression: '#partition = :partition',
        ProjectionExpression: '#partition, #sort',
        ExpressionAttributeNames: { '#partition': 'partition', '#sort': 'sort' },
        ExpressionAttributeValues: { ':partition': { S: partition } },
        ConsistentRead: true,
        ExclusiveStartKey: from,
      });
      const page = await client.send(command).catch(failed(table, `remove ${partition}`));
      keys.push(...(page.Items ?? []));
      from = page.LastEvaluatedKey;
    } while (from !== undefined);
    return keys;
  }
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

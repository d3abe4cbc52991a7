import { randomBytes } from 'node:crypto';
import {
  ConditionalCheckFailedException,
  DeleteItemCommand,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  type QueryCommandOutput,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import type { JsonObject } from '../../domain/json.ts';
import type { Condition, QueryOptions, Row, StateStore } from '../../ports/state-store.ts';
import { putCondition, removeCondition, toItem, toRow } from './dynamodb-row.ts';
import { batchGet, batchWrite, failed, falseWhenRefused, keyOf, type Item, type TableDeps } from './dynamodb-table.ts';

/** A page of a query that names no limit. */
const pageSize = 1000;

/**
 * The one table in DynamoDB (`create-table.ts`): conditional writes of single items, strongly consistent reads, no scan,
 * no index, no transaction. Values above 8 KiB are stored compressed; rows past `expiresAt` are absent at once.
 * Throws `unavailable`, later, when AWS throttles for longer than the client's retries last.
 * `increment` may leave a gap when an answer was lost and the SDK asked again; numbers are never given twice.
 */
export function createStateStore(deps: TableDeps): StateStore {
  const { client, table } = deps;
  return {
    async get<T = JsonObject>(partition: string, sort: string) {
      const command = new GetItemCommand({ TableName: table, Key: keyOf(partition, sort), ConsistentRead: true });
      const { Item: item } = await client.send(command).catch(failed(table, `read ${partition} ${sort}`));
      return item === undefined ? undefined : toRow<T>(item, now());
    },

    async getMany<T = JsonObject>(keys: readonly { partition: string; sort: string }[]) {
      const wanted = new Map(keys.map((key) => [`${key.partition}\0${key.sort}`, keyOf(key.partition, key.sort)]));
      const items = await batchGet(deps, [...wanted.values()]);
      return items.flatMap((item) => toRow<T>(item, now()) ?? []);
    },

    async put(row, condition) {
      return putItem(deps, toItem(row), condition, now());
    },

    async putMany(rows) {
      // Of rows with the same key the last counts, as if they were written one after the other.
      const items = new Map(rows.map((row) => [`${row.partition}\0${row.sort}`, toItem(row)]));
      await batchWrite(
        deps,
        [...items.values()].map((item) => ({ PutRequest: { Item: item } })),
      );
    },

    async remove(partition, sort, condition) {
      const command = new DeleteItemCommand({
        TableName: table,
        Key: keyOf(partition, sort),
        ...removeCondition(condition, now()),
      });
      return client.send(command).then(() => true, falseWhenRefused(table, `remove ${partition} ${sort}`));
    },

    async query<T = JsonObject>(partition: string, options: QueryOptions = {}) {
      return queryRows<T>(deps, partition, options, now());
    },

    async increment(partition, sort, by = 1) {
      const command = new UpdateItemCommand({
        TableName: table,
        Key: keyOf(partition, sort),
        UpdateExpression: 'SET #value = if_not_exists(#value, :empty) ADD #revision :by',
        ExpressionAttributeNames: { '#value': 'value', '#revision': 'revision' },
        ExpressionAttributeValues: { ':by': { N: String(by) }, ':empty': { S: '{}' } },
        ReturnValues: 'UPDATED_NEW',
      });
      const { Attributes: updated } = await client.send(command).catch(failed(table, `increment ${partition} ${sort}`));
      return Number(updated?.['revision']?.N);
    },

    async close() {
      // Nothing is buffered, and the client belongs to who made it.
    },
  };

  function now(): number {
    return deps.clock.now() / 1000;
  }
}

/**
 * A write whose answer is lost is sent again by the SDK, and its condition then fails on its own work (FT-41): the item
 * carries who wrote it, so that this is told from somebody else's write without another read.
 */
async function putItem(
  { client, table }: TableDeps,
  item: Item,
  condition: Condition | undefined,
  now: number,
): Promise<boolean> {
  const writer = randomBytes(9).toString('base64url');
  const command = new PutItemCommand({
    TableName: table,
    Item: condition === undefined ? item : { ...item, writer: { S: writer } },
    ...putCondition(condition, now),
    ...(condition === undefined ? {} : { ReturnValuesOnConditionCheckFailure: 'ALL_OLD' as const }),
  });
  try {
    await client.send(command);
    return true;
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return error.Item?.['writer']?.S === writer;
    return failed(table, `write ${item['partition']?.S} ${item['sort']?.S}`)(error);
  }
}

/** Reads on until the page is full: a page of DynamoDB ends at 1 MB, and expired rows are in it. */
async function queryRows<T>(
  deps: TableDeps,
  partition: string,
  options: QueryOptions,
  now: number,
): Promise<{ rows: Row<T>[]; next?: string }> {
  const size = Math.max(0, Math.min(options.limit ?? pageSize, pageSize));
  const start = startOf(options);
  if (start === 'behind' || size === 0) return { rows: [] };
  const rows: Row<T>[] = [];
  let from = start === undefined ? undefined : keyOf(partition, start);
  do {
    const page = await queryPage(deps, partition, options, size + 1 - rows.length, from);
    rows.push(...(page.Items ?? []).flatMap((item) => toRow<T>(item, now) ?? []));
    from = page.LastEvaluatedKey;
  } while (from !== undefined && rows.length <= size);
  const last = rows[size - 1];
  return rows.length > size && last !== undefined ? { rows: rows.slice(0, size), next: last.sort } : { rows };
}

/** Where to start: DynamoDB takes no start outside the prefix, so one before it is left out, and one behind it ends the query. */
function startOf({ prefix = '', after, descending = false }: QueryOptions): string | undefined {
  if (after === undefined || after.startsWith(prefix)) return after;
  const order = Buffer.compare(Buffer.from(after), Buffer.from(prefix));
  return order < 0 === descending ? 'behind' : undefined;
}

async function queryPage(
  { client, table }: TableDeps,
  partition: string,
  { prefix = '', descending = false }: QueryOptions,
  limit: number,
  from: Item | undefined,
): Promise<QueryCommandOutput> {
  const within = prefix === '' ? '' : ' AND begins_with(#sort, :prefix)';
  const command = new QueryCommand({
    TableName: table,
    KeyConditionExpression: `#partition = :partition${within}`,
    ExpressionAttributeNames: { '#partition': 'partition', ...(prefix === '' ? {} : { '#sort': 'sort' }) },
    ExpressionAttributeValues: {
      ':partition': { S: partition },
      ...(prefix === '' ? {} : { ':prefix': { S: prefix } }),
    },
    ConsistentRead: true,
    ScanIndexForward: !descending,
    Limit: limit,
    ExclusiveStartKey: from,
  });
  return client.send(command).catch(failed(table, `query ${partition} ${prefix}`));
}

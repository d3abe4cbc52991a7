import {
  BatchGetItemCommand,
  BatchWriteItemCommand,
  ConditionalCheckFailedException,
  type AttributeValue,
  type DynamoDBClient,
  type KeysAndAttributes,
  type WriteRequest,
} from '@aws-sdk/client-dynamodb';
import { inParallel } from '../../domain/parallel.ts';
import type { Clock } from '../../ports/clock.ts';
import { toAwsError } from './aws-error.ts';
import { inPieces, untilProcessed } from './backoff.ts';

export interface TableDeps {
  client: DynamoDBClient;
  table: string;
  clock: Clock;
  /** For jitter; default Math.random. */
  random?: () => number;
}

export type Item = Record<string, AttributeValue>;

/** What DynamoDB takes in one BatchGetItem and in one BatchWriteItem. */
const readsAtOnce = 100;
const writesAtOnce = 25;
const batchesAtOnce = 4;

/** The two key attributes. */
export function keyOf(partition: string, sort: string): Item {
  return { partition: { S: partition }, sort: { S: sort } };
}

/** Items that exist, consistently read, in no order. Keys must be distinct. `project`: attributes to read; default all. */
export async function batchGet(deps: TableDeps, keys: readonly Item[], project?: readonly string[]): Promise<Item[]> {
  const found: Item[] = [];
  const what = `read ${keys.length} rows`;
  const names = Object.fromEntries((project ?? []).map((name, index) => [`#p${index}`, name]));
  const settings: Omit<KeysAndAttributes, 'Keys'> =
    project === undefined
      ? { ConsistentRead: true }
      : {
          ConsistentRead: true,
          ProjectionExpression: Object.keys(names).join(', '),
          ExpressionAttributeNames: names,
        };
  await inParallel(inPieces(keys, readsAtOnce), batchesAtOnce, (piece) =>
    untilProcessed(
      piece,
      async (left) => {
        const answer = await deps.client
          .send(new BatchGetItemCommand({ RequestItems: { [deps.table]: { ...settings, Keys: [...left] } } }))
          .catch(failed(deps.table, what));
        found.push(...(answer.Responses?.[deps.table] ?? []));
        return answer.UnprocessedKeys?.[deps.table]?.Keys ?? [];
      },
      { ...deps, what: `table ${deps.table}: ${what}` },
    ),
  );
  return found;
}

/** Carries out every request, each by itself; keys must be distinct. Resolves only when all are done (FT-45). */
export async function batchWrite(deps: TableDeps, requests: readonly WriteRequest[]): Promise<void> {
  const what = `write ${requests.length} rows`;
  await inParallel(inPieces(requests, writesAtOnce), batchesAtOnce, (piece) =>
    untilProcessed(
      piece,
      async (left) => {
        const answer = await deps.client
          .send(new BatchWriteItemCommand({ RequestItems: { [deps.table]: [...left] } }))
          .catch(failed(deps.table, what));
        return answer.UnprocessedItems?.[deps.table] ?? [];
      },
      { ...deps, what: `table ${deps.table}: ${what}` },
    ),
  );
}

/** For `.catch`: throws what AWS said, with the table and what was being done. */
export function failed(table: string, what: string): (error: unknown) => never {
  return (error) => {
    throw toAwsError(error, `table ${table}: ${what}`);
  };
}

/** For `.then(() => true, …)`: false where a condition did not hold; throws otherwise. */
export function falseWhenRefused(table: string, what: string): (error: unknown) => false {
  return (error) => {
    if (error instanceof ConditionalCheckFailedException) return false;
    return failed(table, what)(error);
  };
}

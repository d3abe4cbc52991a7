import { gunzipSync, gzipSync } from 'node:zlib';
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { HawserError } from '../../errors.ts';
import type { Condition, Row } from '../../ports/state-store.ts';
import { keyOf, type Item } from './dynamodb-table.ts';

/** LIM-17: DynamoDB's own limit is 400 KB with keys and names; ours is the same on every backend. */
const maxValueBytes = 300 * 1024;
/** Beyond it a value is stored compressed: write capacity is billed by the KiB. */
const compressAbove = 8 * 1024;

/**
 * A row as an item: `value` is JSON text (S), or its gzip (B) where it is larger than 8 KiB.
 * Throws `too-large` beyond 300 KiB of text, `invalid-input` for what JSON cannot hold.
 */
export function toItem(row: Row<unknown>): Item {
  const text: string | undefined = JSON.stringify(row.value);
  const where = `${row.partition} ${row.sort}`;
  if (text === undefined) throw new HawserError('invalid-input', `row ${where} has no value that JSON can hold`);
  const bytes = Buffer.byteLength(text);
  if (bytes > maxValueBytes) {
    throw new HawserError('too-large', `row ${where} has ${bytes} bytes, a row holds ${maxValueBytes}`, {
      data: { partition: row.partition, sort: row.sort, bytes, limit: maxValueBytes },
      hint: 'Put what is large into the chunk store and keep its digest in the row.',
    });
  }
  return {
    ...keyOf(row.partition, row.sort),
    revision: { N: String(row.revision) },
    value: toValue(text, bytes),
    ...(row.expiresAt === undefined ? {} : { expiresAt: { N: String(Math.ceil(row.expiresAt)) } }),
  };
}

/** The row of an item; undefined where it has expired at `now` (seconds since 1970), whether DynamoDB has removed it or not. */
export function toRow<T>(item: Item, now: number): Row<T> | undefined {
  if (hasExpired(item, now)) return undefined;
  const row: Row<T> = {
    partition: item['partition']?.S ?? '',
    sort: item['sort']?.S ?? '',
    revision: Number(item['revision']?.N ?? 0),
    value: JSON.parse(textOf(item['value'])) as T,
  };
  if (item['expiresAt']?.N !== undefined) row.expiresAt = Number(item['expiresAt'].N);
  return row;
}

export function hasExpired(item: Item, now: number): boolean {
  const expiresAt = item['expiresAt']?.N;
  return expiresAt !== undefined && Number(expiresAt) <= now;
}

export interface Expression {
  ConditionExpression?: string;
  ExpressionAttributeNames?: Record<string, string>;
  ExpressionAttributeValues?: Record<string, AttributeValue>;
}

const expired = '#expiresAt <= :now';
const live = '(attribute_not_exists(#expiresAt) OR #expiresAt > :now)';

/** The port's condition for a write: an expired row counts as absent. */
export function putCondition(condition: Condition | undefined, now: number): Expression {
  if (condition === undefined) return {};
  if ('absent' in condition) return expression(`attribute_not_exists(#partition) OR ${expired}`, now);
  if ('revision' in condition) return expression(`#revision = :revision AND ${live}`, now, condition.revision);
  return expression(
    `attribute_not_exists(#partition) OR #revision < :revision OR ${expired}`,
    now,
    condition.revisionBelow,
  );
}

/** The port's condition for a removal: what is already gone may be removed. */
export function removeCondition(condition: Condition | undefined, now: number): Expression {
  if (condition === undefined) return {};
  const gone = `attribute_not_exists(#partition) OR ${expired}`;
  if ('absent' in condition) return expression(gone, now);
  if ('revision' in condition) return expression(`${gone} OR #revision = :revision`, now, condition.revision);
  return expression(`${gone} OR #revision < :revision`, now, condition.revisionBelow);
}

/** DynamoDB refuses names and values that an expression does not use. */
function expression(text: string, now: number, revision?: number): Expression {
  const names = ['partition', 'revision', 'expiresAt'].filter((name) => text.includes(`#${name}`));
  return {
    ConditionExpression: text,
    ExpressionAttributeNames: Object.fromEntries(names.map((name) => [`#${name}`, name])),
    ExpressionAttributeValues: {
      ':now': { N: String(now) },
      ...(revision === undefined ? {} : { ':revision': { N: String(revision) } }),
    },
  };
}

function toValue(text: string, bytes: number): AttributeValue {
  if (bytes <= compressAbove) return { S: text };
  const packed = gzipSync(text);
  return packed.length < bytes ? { B: packed } : { S: text };
}

function textOf(value: AttributeValue | undefined): string {
  if (value?.B === undefined) return value?.S ?? '{}';
  return gunzipSync(value.B, { maxOutputLength: maxValueBytes }).toString();
}

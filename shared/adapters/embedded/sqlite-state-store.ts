import type { SQLOutputValue } from 'node:sqlite';
import { HawserError } from '../../errors.ts';
import type { JsonObject } from '../../domain/json.ts';
import type { Condition, QueryOptions, Row, StateStore } from '../../ports/state-store.ts';
import type { Database } from './database.ts';
import type { Prepare } from './prepare.ts';

/** LIM-17: what every backend can hold in one row. */
const maxValueBytes = 300 * 1024;
/** A page of a query that names no limit, as the clouds page too. */
const pageSize = 1000;
const purgeEveryMs = 60_000;
const purgeAtOnce = 500;

type Columns = Record<string, SQLOutputValue>;
interface StoredRow {
  partition: string;
  sort: string;
  revision: number;
  expiresAt: number | null;
  value: string;
}

/**
 * The one table, in the database file. Conditions are decided by the statement that writes, so they are linearisable.
 * Expired rows are absent at once and are removed a few at a time as others are written.
 * `close` waits for the writes handed in; the database itself is closed by who opened it.
 */
export function createStateStore(database: Database): StateStore {
  let purgedAt = database.clock.monotonic();

  return {
    async get<T = JsonObject>(partition: string, sort: string) {
      return database.read((prepare) => selectRow<T>(prepare, partition, sort, now()));
    },

    async getMany<T = JsonObject>(keys: readonly { partition: string; sort: string }[]) {
      const at = now();
      const wanted = new Map(keys.map((key) => [`${key.partition}\0${key.sort}`, key]));
      return database.read((prepare) =>
        [...wanted.values()].flatMap(({ partition, sort }) => selectRow<T>(prepare, partition, sort, at) ?? []),
      );
    },

    async put(row, condition) {
      const stored = toStored(row);
      purgeSometimes();
      return database.write((prepare) => putRow(prepare, stored, condition, now()));
    },

    async putMany(rows) {
      const stored = rows.map(toStored);
      purgeSometimes();
      await Promise.all(stored.map((row) => database.write((prepare) => putRow(prepare, row, undefined, now()))));
    },

    async remove(partition, sort, condition) {
      return database.write((prepare) => removeRow(prepare, partition, sort, condition, now()));
    },

    async query<T = JsonObject>(partition: string, options: QueryOptions = {}) {
      return database.read((prepare) => selectRows<T>(prepare, partition, options, now()));
    },

    async increment(partition, sort, by = 1) {
      return database.write((prepare) => raise(prepare, partition, sort, by));
    },

    async close() {
      await database.write(() => undefined);
    },
  };

  function now(): number {
    return database.clock.now() / 1000;
  }

  function purgeSometimes(): void {
    const at = database.clock.monotonic();
    if (at - purgedAt < purgeEveryMs) return;
    purgedAt = at;
    // Nobody waits for it; if it fails, the next one does the same work.
    database.write((prepare) => purge(prepare, now()), { durable: false }).catch(() => undefined);
  }
}

const live = '(expires_at IS NULL OR expires_at > :now)';
const columns = 'partition, sort, revision, expires_at, value';

function selectRow<T>(prepare: Prepare, partition: string, sort: string, now: number): Row<T> | undefined {
  const text = `SELECT ${columns} FROM rows WHERE partition = :partition AND sort = :sort AND ${live}`;
  const found = prepare(text).get({ partition, sort, now });
  return found === undefined ? undefined : toRow<T>(found);
}

function selectRows<T>(
  prepare: Prepare,
  partition: string,
  options: QueryOptions,
  now: number,
): { rows: Row<T>[]; next?: string } {
  const { prefix = '', after, limit = pageSize, descending = false } = options;
  const size = Math.max(0, Math.min(limit, pageSize));
  const beyond = after === undefined ? '' : `AND sort ${descending ? '<' : '>'} :after`;
  // 0xFF is in no UTF-8 text, so prefix + 0xFF lies behind every key with that prefix, whatever follows.
  const within = prefix === '' ? '' : `AND sort >= :prefix AND sort < CAST(:prefix || x'FF' AS TEXT)`;
  const text = `SELECT ${columns} FROM rows WHERE partition = :partition ${within} ${beyond} AND ${live}
    ORDER BY sort ${descending ? 'DESC' : 'ASC'} LIMIT :limit`;
  const found = prepare(text).all({
    partition,
    now,
    limit: size + 1,
    ...(prefix === '' ? {} : { prefix }),
    ...(after === undefined ? {} : { after }),
  });
  const rows = found.slice(0, size).map((row) => toRow<T>(row));
  const last = rows.at(-1);
  return found.length > size && last !== undefined ? { rows, next: last.sort } : { rows };
}

function putRow(prepare: Prepare, row: StoredRow, condition: Condition | undefined, now: number): boolean {
  const set = 'revision = :revision, expires_at = :expiresAt, value = :value';
  if (condition !== undefined && 'revision' in condition) {
    const text = `UPDATE rows SET ${set} WHERE partition = :partition AND sort = :sort AND revision = :expected AND ${live}`;
    return Number(prepare(text).run({ ...row, expected: condition.revision, now }).changes) > 0;
  }
  const insert = `INSERT INTO rows (${columns}) VALUES (:partition, :sort, :revision, :expiresAt, :value)
    ON CONFLICT DO UPDATE SET ${set}`;
  if (condition === undefined) {
    prepare(insert).run({ ...row });
    return true;
  }
  if ('absent' in condition) {
    return Number(prepare(`${insert} WHERE NOT ${live}`).run({ ...row, now }).changes) > 0;
  }
  const text = `${insert} WHERE rows.revision < :below OR NOT ${live}`;
  return Number(prepare(text).run({ ...row, below: condition.revisionBelow, now }).changes) > 0;
}

function removeRow(
  prepare: Prepare,
  partition: string,
  sort: string,
  condition: Condition | undefined,
  now: number,
): boolean {
  const row = condition === undefined ? undefined : selectRow(prepare, partition, sort, now);
  if (row !== undefined && condition !== undefined && !holds(condition, row.revision)) return false;
  prepare('DELETE FROM rows WHERE partition = ? AND sort = ?').run(partition, sort);
  return true;
}

function holds(condition: Condition, revision: number): boolean {
  if ('absent' in condition) return false;
  return 'revision' in condition ? revision === condition.revision : revision < condition.revisionBelow;
}

function raise(prepare: Prepare, partition: string, sort: string, by: number): number {
  const text = `INSERT INTO rows (partition, sort, revision, value) VALUES (:partition, :sort, :by, '{}')
    ON CONFLICT DO UPDATE SET revision = revision + :by RETURNING revision`;
  return Number(prepare(text).get({ partition, sort, by })?.['revision']);
}

function purge(prepare: Prepare, now: number): void {
  prepare(
    `DELETE FROM rows WHERE (partition, sort) IN
      (SELECT partition, sort FROM rows WHERE expires_at IS NOT NULL AND expires_at <= ? LIMIT ?)`,
  ).run(now, purgeAtOnce);
}

function toStored(row: Row<unknown>): StoredRow {
  const value: string | undefined = JSON.stringify(row.value);
  const where = `${row.partition} ${row.sort}`;
  if (value === undefined) throw new HawserError('invalid-input', `row ${where} has no value that JSON can hold`);
  const bytes = Buffer.byteLength(value);
  if (bytes > maxValueBytes) {
    throw new HawserError('too-large', `row ${where} has ${bytes} bytes, a row holds ${maxValueBytes}`, {
      data: { partition: row.partition, sort: row.sort, bytes, limit: maxValueBytes },
      hint: 'Put what is large into the chunk store and keep its digest in the row.',
    });
  }
  return { partition: row.partition, sort: row.sort, revision: row.revision, expiresAt: row.expiresAt ?? null, value };
}

function toRow<T>(found: Columns): Row<T> {
  const {
    partition,
    sort,
    revision,
    expires_at: expiresAt,
    value,
  } = found as unknown as Omit<StoredRow, 'expiresAt'> & {
    expires_at: number | null;
  };
  const row: Row<T> = { partition, sort, revision, value: JSON.parse(value) as T };
  if (expiresAt !== null) row.expiresAt = expiresAt;
  return row;
}

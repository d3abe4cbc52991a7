import type { JsonObject } from '../domain/json.ts';

/** One row of the one table. `revision` is what conditions look at: a version counter, or a generation. */
export interface Row<T = JsonObject> {
  partition: string;
  sort: string;
  revision: number;
  value: T;
  /** Seconds since 1970; the row may vanish any time after that. Readers treat an expired row as absent. */
  expiresAt?: number;
}

/** When a write may happen. `revisionBelow` also holds for an absent row. */
export type Condition = { absent: true } | { revision: number } | { revisionBelow: number };

export interface QueryOptions {
  /** Only sort keys that start with this. */
  prefix?: string;
  /** Only sort keys strictly after (before, when descending) this one. */
  after?: string;
  limit?: number;
  descending?: boolean;
}

/**
 * One table, conditional single-row writes, no transactions, no secondary index. Reads are consistent.
 * A value is at most 300 KiB as JSON text (LIM-17); writers of larger things use the chunk store.
 */
export interface StateStore {
  get<T = JsonObject>(partition: string, sort: string): Promise<Row<T> | undefined>;
  /** Rows that exist, in no particular order. */
  getMany<T = JsonObject>(keys: readonly { partition: string; sort: string }[]): Promise<Row<T>[]>;
  /** Writes the row; true when written, false when the condition did not hold. Resolves once durable. */
  put(row: Row<unknown>, condition?: Condition): Promise<boolean>;
  /** Unconditional writes, each durable by itself once this resolves; no atomicity across rows. */
  putMany(rows: readonly Row<unknown>[]): Promise<void>;
  /** True when removed or already absent, false when the condition did not hold. */
  remove(partition: string, sort: string, condition?: Condition): Promise<boolean>;
  /** Rows of one partition in order of their sort keys (bytes), and where to go on. */
  query<T = JsonObject>(partition: string, options?: QueryOptions): Promise<{ rows: Row<T>[]; next?: string }>;
  /** Raises the row's `revision` by `by` (from 0 when absent), keeping its value; returns the new revision. Linearisable. */
  increment(partition: string, sort: string, by?: number): Promise<number>;
  close(): Promise<void>;
}

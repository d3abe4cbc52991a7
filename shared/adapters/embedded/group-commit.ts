import type { DatabaseSync } from 'node:sqlite';
import type { LogSync } from './log-sync.ts';
import type { Prepare } from './prepare.ts';
import { toStorageError } from './storage-error.ts';

interface Job {
  work: (prepare: Prepare) => unknown;
  durable: boolean;
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
}

/** More writes than this wait for the next transaction, so that a surge does not hold up everything else in the process. */
const maxBatch = 500;

/** Gathers the writes of one turn of the event loop into one transaction. */
export interface GroupCommit {
  add<T>(work: (prepare: Prepare) => T, durable: boolean): Promise<T>;
  /** Commits all that was added, now. */
  finish(): void;
}

/**
 * A transaction starts and ends within one synchronous stretch. Durable writers hear of it once the log is on the disk,
 * which another thread waits for: the process goes on, and commits that come meanwhile share the next sync. Others may
 * read what is committed and not yet synced; whatever they write in answer lies behind it in the same log, so nothing
 * that was acknowledged can outlive what it was built on.
 */
export function createGroupCommit(connection: DatabaseSync, prepare: Prepare, path: string, log: LogSync): GroupCommit {
  let waiting: Job[] = [];
  let scheduled = false;

  return {
    add<T>(work: (prepare: Prepare) => T, durable: boolean) {
      return new Promise<T>((resolve, reject) => {
        waiting.push({ work, durable, resolve: resolve as (value: unknown) => void, reject });
        schedule();
      });
    },
    finish() {
      while (waiting.length > 0) flush();
    },
  };

  function schedule(): void {
    if (scheduled) return;
    scheduled = true;
    setImmediate(() => {
      scheduled = false;
      flush();
    });
  }

  function flush(): void {
    const batch = waiting.slice(0, maxBatch);
    waiting = waiting.slice(maxBatch);
    if (waiting.length > 0) schedule();
    if (batch.length > 0) commit(batch);
  }

  /** When a transaction fails, its halves are tried apart, until the one job that cannot be done stands alone. */
  function commit(batch: Job[]): void {
    let results: unknown[];
    try {
      connection.exec('BEGIN IMMEDIATE');
      results = batch.map((job) => job.work(prepare));
      connection.exec('COMMIT');
    } catch (error) {
      rollBack();
      if (batch.length === 1) return batch[0]?.reject(toStorageError(error, path));
      const middle = batch.length >> 1;
      commit(batch.slice(0, middle));
      commit(batch.slice(middle));
      return;
    }
    const durable: { job: Job; result: unknown }[] = [];
    for (const [index, job] of batch.entries()) {
      if (job.durable) durable.push({ job, result: results[index] });
      else job.resolve(results[index]);
    }
    if (durable.length > 0) settleOnceSynced(durable);
  }

  function settleOnceSynced(settled: { job: Job; result: unknown }[]): void {
    log.sync().then(
      () => {
        for (const { job, result } of settled) job.resolve(result);
      },
      (error: unknown) => {
        for (const { job } of settled) job.reject(toStorageError(error, path));
      },
    );
  }

  /** SQLite itself rolls back on some errors (disk full), hence the question. */
  function rollBack(): void {
    try {
      if (connection.isTransaction) connection.exec('ROLLBACK');
    } catch {
      // What failed first is what the caller hears; the next BEGIN says so if the connection is beyond use.
    }
  }
}

import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { HawserError } from '../../errors.ts';
import type { Clock } from '../../ports/clock.ts';
import { schema, schemaVersion } from './database-schema.ts';
import { createGroupCommit } from './group-commit.ts';
import { createLogSync, type LogSync } from './log-sync.ts';
import { createPrepare, type Prepare } from './prepare.ts';
import { closedError, toStorageError } from './storage-error.ts';

export interface WriteOptions {
  /**
   * False: the promise need not wait for the disk. The write survives the death of the process, not the loss of power.
   * Any durable write that comes later makes it durable too, because both lie in one log.
   */
  durable?: boolean;
}

/** One file that holds rows, chunks and queues. */
export interface Database {
  readonly clock: Clock;
  /** Runs at once on what is committed. Throws HawserError. */
  read<T>(work: (prepare: Prepare) => T): T;
  /**
   * Runs `work` inside a transaction that all writes of the same turn share, and resolves with its result once that is
   * on the disk (after COMMIT, where it need not be durable).
   * `work` must be synchronous and touch nothing but the database: where a neighbour fails it is run again.
   * Rejects with HawserError: `unavailable` (disk full, input/output; retry later) or what `work` threw.
   */
  write<T>(work: (prepare: Prepare) => T, options?: WriteOptions): Promise<T>;
  /** Commits what was handed in, then closes; later calls answer `unavailable`. */
  close(): Promise<void>;
}

/**
 * Opens (or creates, readable by its owner only) the database file at `path`.
 *
 * Group commit: writes that arrive within one turn of the event loop run in one transaction; one sync of the log,
 * off the main thread, makes all of them durable. Batches are synchronous, so a read can never see anything that is not committed.
 * Throws HawserError: `unavailable` when the file cannot be opened, `unsupported` when a newer version wrote it.
 */
export function openDatabase(options: { path: string; clock: Clock; log?: LogSync }): Database {
  const connection = connect(options.path);
  const prepare = createPrepare(connection);
  const log = options.log ?? createLogSync(options.path);
  const commits = createGroupCommit(connection, prepare, options.path, log);
  let closed = false;
  return { clock: options.clock, read, write, close };

  function read<T>(work: (prepare: Prepare) => T): T {
    if (closed) throw closedError(options.path);
    try {
      return work(prepare);
    } catch (error) {
      throw toStorageError(error, options.path);
    }
  }

  function write<T>(work: (prepare: Prepare) => T, { durable = true }: WriteOptions = {}): Promise<T> {
    return closed ? Promise.reject(closedError(options.path)) : commits.add(work, durable);
  }

  async function close(): Promise<void> {
    if (closed) return;
    closed = true;
    commits.finish();
    try {
      // Syncs the log and folds it into the file, so that also the writes that did not wait for the disk are on it.
      connection.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    } catch {
      // A full disk: the log stays and is read at the next start.
    }
    // The log must be synced before its descriptor goes: writers still wait for it.
    await log.sync().catch(() => undefined);
    log.close();
    connection.close();
  }
}

function connect(path: string): DatabaseSync {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    // Never opened and closed while it exists: that would drop the locks that another connection of this process holds.
    if (!existsSync(path)) closeSync(openSync(path, 'a', 0o600));
    const connection = new DatabaseSync(path, { timeout: 5000 });
    connection.exec(`
      PRAGMA page_size = 8192;
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = NORMAL;
      PRAGMA fullfsync = 1;
      PRAGMA cache_size = -16000;
      PRAGMA temp_store = MEMORY;
      PRAGMA journal_size_limit = 67108864;
    `);
    migrate(connection, path);
    return connection;
  } catch (error) {
    throw toStorageError(error, path);
  }
}

function migrate(connection: DatabaseSync, path: string): void {
  const version = Number(connection.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0);
  if (version > schemaVersion) {
    connection.close();
    throw new HawserError(
      'unsupported',
      `database ${path} has format ${version}, this version of Hawser knows ${schemaVersion}`,
      {
        hint: 'Run the version of Hawser that wrote it, or a newer one.',
      },
    );
  }
  if (version === schemaVersion) return;
  connection.exec(`BEGIN IMMEDIATE; ${schema} PRAGMA user_version = ${schemaVersion}; COMMIT;`);
}

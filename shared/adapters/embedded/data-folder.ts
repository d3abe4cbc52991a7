import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { HawserError } from '../../errors.ts';
import { toStorageError } from './storage-error.ts';

/** Keeps locks from the garbage collector, which would close them where a caller drops what `lockDataFolder` gave. */
const held = new Set<DatabaseSync>();

/**
 * Makes this process the only one that works on `dir` (created when missing).
 * The lock is an open transaction in `lock.db`, so the operating system frees it however the process dies, and neither a
 * stale file nor a reused process id can be mistaken for it; `lock.pid` only tells people who holds it.
 * Throws HawserError: `conflict` naming the process that holds the folder, `unavailable` when it cannot be written.
 */
export function lockDataFolder(dir: string): { release(): void } {
  const pidFile = join(dir, 'lock.pid');
  const connection = openLock(dir);
  try {
    // Journal in memory: the lock must be had even where the disk is full.
    connection.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    connection.close();
    if (!isBusy(error)) throw toStorageError(error, dir);
    const holder = readHolder(pidFile);
    throw new HawserError(
      'conflict',
      `data folder ${dir} is in use by ${holder === undefined ? 'another process' : `process ${holder}`}`,
      {
        data: { dir, ...(holder === undefined ? {} : { pid: holder }) },
        hint: `Stop ${holder === undefined ? 'that process' : `process ${holder}`}, or start this one with another data folder.`,
      },
    );
  }
  held.add(connection);
  try {
    writeFileSync(pidFile, `${process.pid}\n`, { mode: 0o600 });
  } catch {
    // Without it the message to others is less exact; the lock itself holds.
  }
  return {
    release() {
      if (!held.delete(connection)) return;
      rmSync(pidFile, { force: true });
      connection.close();
    },
  };
}

function openLock(dir: string): DatabaseSync {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    return new DatabaseSync(join(dir, 'lock.db'), { timeout: 0 });
  } catch (error) {
    throw toStorageError(error, dir);
  }
}

function isBusy(error: unknown): boolean {
  const { errcode } = (error ?? {}) as { errcode?: number };
  return errcode !== undefined && (errcode & 0xff) === 5;
}

function readHolder(pidFile: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(pidFile, 'utf8'), 10);
    return Number.isInteger(pid) ? pid : undefined;
  } catch {
    return undefined;
  }
}

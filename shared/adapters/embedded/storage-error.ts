import { HawserError, messageOf } from '../../errors.ts';

/** Primary SQLite result codes (https://sqlite.org/rescode.html) that a later try may cure. */
const passing = new Map([
  [5, 'is locked by another process'],
  [6, 'is locked'],
  [7, 'is out of memory'],
  [8, 'cannot be written'],
  [10, 'cannot be read or written'],
  [14, 'cannot be opened'],
]);
const diskFull = 13;
const damaged = new Set([11, 26]);

const systemErrors = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOENT', 'ENOTDIR', 'EIO', 'EMFILE', 'ENFILE', 'EBUSY']);

/**
 * What SQLite or the file system said, as a HawserError that names the file. Errors of ours pass unchanged.
 * Disk full, locks, input/output: `unavailable`, later. A damaged file and everything else: `internal`.
 */
export function toStorageError(error: unknown, path: string): HawserError {
  if (error instanceof HawserError) return error;
  const { code, errcode } = (error ?? {}) as { code?: string; errcode?: number };
  const primary = typeof errcode === 'number' ? errcode & 0xff : undefined;
  if (primary === diskFull || code === 'ENOSPC' || code === 'EDQUOT') {
    return new HawserError('unavailable', `no space left to write ${path}`, {
      retry: 'later',
      hint: 'Free space on that disk; the service goes on by itself.',
      cause: error,
    });
  }
  const why = primary === undefined ? undefined : passing.get(primary);
  if (why !== undefined || (code !== undefined && systemErrors.has(code))) {
    return new HawserError('unavailable', `${path} ${why ?? 'cannot be used'}: ${messageOf(error)}`, {
      retry: 'later',
      hint: 'See that the disk is mounted and that this user may write there.',
      cause: error,
    });
  }
  if (primary !== undefined && damaged.has(primary)) {
    return new HawserError('internal', `${path} is damaged or not a Hawser database: ${messageOf(error)}`, {
      hint: 'Restore it from a backup, or move it away: what is declared in Git comes back, history does not.',
      cause: error,
    });
  }
  return new HawserError('internal', `${path}: ${messageOf(error)}`, { cause: error });
}

/** Answer to whoever uses a database after `close`. */
export function closedError(path: string): HawserError {
  return new HawserError('unavailable', `${path} is closed`, {
    retry: 'later',
    hint: 'The service is stopping; try again once it runs.',
  });
}

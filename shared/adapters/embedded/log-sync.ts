import { closeSync, fdatasync, openSync } from 'node:fs';

/** Brings SQLite's write-ahead log to the disk, off the main thread. */
export interface LogSync {
  /** Resolves once everything that was committed before the call is on the disk. Calls that overlap share one sync. */
  sync(): Promise<void>;
  close(): void;
}

/**
 * Syncs the log file at `${path}-wal`, which SQLite keeps for as long as the database is open. All commits go to this one
 * log in order, so syncing it makes every earlier commit durable; what SQLite moves from the log into the database file
 * it syncs by itself. The file carries none of SQLite's locks, so a descriptor of our own disturbs nothing.
 */
export function createLogSync(path: string): LogSync {
  let descriptor: number | undefined;
  let running: Promise<void> | undefined;
  let following: Promise<void> | undefined;

  return {
    sync() {
      // One that is under way may have begun before the caller's commit: the next one counts.
      if (running === undefined) return start();
      following ??= running.then(start, start);
      return following;
    },
    close() {
      if (descriptor !== undefined) closeSync(descriptor);
      descriptor = undefined;
    },
  };

  function start(): Promise<void> {
    following = undefined;
    running = new Promise<void>((resolve, reject) => {
      descriptor ??= openSync(`${path}-wal`, 'r+');
      fdatasync(descriptor, (error) => (error ? reject(error) : resolve()));
    }).finally(() => {
      if (following === undefined) running = undefined;
    });
    return running;
  }
}

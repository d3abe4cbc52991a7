import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive } from './process-table.ts';

export interface LockOptions {
  /** Called once when another process holds the lock. */
  onWait?: (holder: string) => void;
  signal?: AbortSignal | undefined;
  /** A lock untouched for so many milliseconds is stale; its holder touches it four times as often. */
  staleAfter?: number;
}

interface Holder {
  pid: number;
  host: string;
  id: string;
}

/**
 * Runs `work` while holding the lock file at `path`; waits for another holder to finish.
 * A lock whose holder is dead or silent is taken over. Throws what `work` throws, or the signal's reason.
 */
export async function withFileLock<T>(path: string, options: LockOptions, work: () => Promise<T>): Promise<T> {
  const staleAfter = options.staleAfter ?? 20_000;
  const holder: Holder = { pid: process.pid, host: hostname(), id: randomUUID() };
  await mkdir(dirname(path), { recursive: true });
  await acquire(path, holder, staleAfter, options);
  const beat = setInterval(() => void touch(path), staleAfter / 4);
  beat.unref();
  try {
    return await work();
  } finally {
    clearInterval(beat);
    if ((await readHolder(path))?.id === holder.id) await rm(path, { force: true });
  }
}

async function acquire(path: string, holder: Holder, staleAfter: number, options: LockOptions): Promise<void> {
  let told = false;
  for (;;) {
    options.signal?.throwIfAborted();
    if (await create(path, holder)) return;
    const other = await readHolder(path);
    if (await isStale(path, other, staleAfter)) {
      await breakLock(path, other);
      continue;
    }
    if (!told) options.onWait?.(other === undefined ? 'another process' : `process ${other.pid}`);
    told = true;
    await sleep(100, undefined, { signal: options.signal });
  }
}

async function create(path: string, holder: Holder): Promise<boolean> {
  try {
    const file = await open(path, 'wx');
    await file.writeFile(JSON.stringify(holder));
    await file.close();
    return true;
  } catch (error) {
    if (isCode(error, 'EEXIST')) return false;
    throw error;
  }
}

async function isStale(path: string, holder: Holder | undefined, staleAfter: number): Promise<boolean> {
  if (holder !== undefined && holder.host === hostname() && !isAlive(holder.pid)) return true;
  try {
    return Date.now() - (await stat(path)).mtimeMs > staleAfter;
  } catch {
    return false;
  }
}

/** Moves the stale file away first, so that of two waiters only one removes it and neither removes a newer lock. */
async function breakLock(path: string, seen: Holder | undefined): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (isCode(error, 'ENOENT')) return;
    throw error;
  }
  const moved = await readHolder(aside);
  // Not the one that was judged stale: give it back, unless a third process has locked since.
  if (moved?.id !== seen?.id) await link(aside, path).catch(() => undefined);
  await rm(aside, { force: true });
}

async function readHolder(path: string): Promise<Holder | undefined> {
  try {
    const holder = JSON.parse(await readFile(path, 'utf8')) as Partial<Holder>;
    const { pid, host, id } = holder;
    return pid === undefined || host === undefined || id === undefined ? undefined : { pid, host, id };
  } catch {
    return undefined;
  }
}

async function touch(path: string): Promise<void> {
  const now = new Date();
  await utimes(path, now, now).catch(() => undefined);
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

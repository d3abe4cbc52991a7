import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withFileLock } from '#localstack/cluster/file-lock.ts';

const noSuchProcess = 2 ** 22 + 1;

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lock-'));
  path = join(folder, 'deeper', 'a.lock');
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('withFileLock', () => {
  it('lets one in at a time and leaves nothing behind', async () => {
    let inside = 0;
    let most = 0;
    const work = async () => {
      most = Math.max(most, ++inside);
      await sleep(5);
      inside--;
    };

    await Promise.all([1, 2, 3].map(() => withFileLock(path, {}, work)));

    expect(most).toBe(1);
    expect(await readdir(join(folder, 'deeper'))).toEqual([]);
  });

  it('tells once whom it waits for', async () => {
    const told: string[] = [];

    await withFileLock(path, {}, async () => {
      const second = withFileLock(path, { onWait: (holder) => told.push(holder) }, async () => 'second');
      await expect.poll(() => told.length, { timeout: 10_000 }).toBeGreaterThan(0);
      // Long enough that it asks again.
      await sleep(250);
      return { second };
    }).then(({ second }) => second);

    expect(told).toEqual([`process ${process.pid}`]);
  });

  it('takes over from a holder that died', async () => {
    await withFileLock(path, {}, async () => undefined);
    await writeFile(path, JSON.stringify({ pid: noSuchProcess, host: hostname(), id: 'x' }));

    expect(await withFileLock(path, {}, async () => 'done')).toBe('done');
  });

  it('takes over from a holder elsewhere that fell silent', async () => {
    await withFileLock(path, {}, async () => undefined);
    await writeFile(path, JSON.stringify({ pid: process.pid, host: 'elsewhere', id: 'x' }));
    await utimes(path, new Date(0), new Date(0));

    expect(await withFileLock(path, {}, async () => 'done')).toBe('done');
  });

  it('is given back when the work fails', async () => {
    const failing = withFileLock(path, {}, () => Promise.reject(new Error('no luck')));

    await expect(failing).rejects.toThrow('no luck');
    expect(await withFileLock(path, {}, async () => 'next')).toBe('next');
  });

  it('stops waiting when it is told to', async () => {
    await withFileLock(path, {}, async () => {
      const signal = AbortSignal.timeout(50);

      await expect(withFileLock(path, { signal }, async () => undefined)).rejects.toThrow();
    });
  });
});

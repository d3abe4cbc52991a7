import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { stat, truncate, writeFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createLogSync } from '#shared/adapters/embedded/log-sync.ts';
import { openDatabase, type Database } from '#shared/adapters/embedded/database.ts';
import { createChunkStore } from '#shared/adapters/embedded/sqlite-chunk-store.ts';
import { createQueues } from '#shared/adapters/embedded/sqlite-queues.ts';
import { createStateStore } from '#shared/adapters/embedded/sqlite-state-store.ts';
import { HawserError } from '#shared/errors.ts';
import { createFakeClock } from '#test/kit/clock.ts';
import { temporaryFolder } from '#test/kit/temp.ts';

const clock = createFakeClock();

async function open(): Promise<{ database: Database; path: string }> {
  const folder = await temporaryFolder();
  const path = join(folder.path, 'data', 'hawser.db');
  const database = openDatabase({ path, clock });
  onTestFinished(async () => {
    await database.close();
    await folder.remove();
  });
  return { database, path };
}

function insert(database: Database, sort: string): Promise<unknown> {
  return database.write((prepare) =>
    prepare(`INSERT INTO rows (partition, sort, revision, value) VALUES ('p', ?, 1, '{}')`).run(sort),
  );
}

function sorts(database: Database): string[] {
  return database.read((prepare) => prepare('SELECT sort FROM rows').all()).map((row) => String(row['sort']));
}

describe('group commit', () => {
  it('gives each writer its own result', async () => {
    const { database } = await open();

    expect(await Promise.all([1, 2, 3].map((number) => database.write(() => number * 10)))).toEqual([10, 20, 30]);
  });

  it('runs the writes of one turn in one transaction, in the order in which they came', async () => {
    const { database, path } = await open();
    const other = new DatabaseSync(path);
    onTestFinished(() => other.close());
    const seenByOthers = (): number => Number(other.prepare('SELECT count(*) AS n FROM rows').get()?.['n']);

    const during = Promise.all([
      insert(database, 'a'),
      database.write(() => seenByOthers()),
      insert(database, 'b'),
      database.write(() => seenByOthers()),
    ]);

    expect((await during).filter((result) => typeof result === 'number')).toEqual([0, 0]);
    expect(seenByOthers()).toBe(2);
  });

  it('never shows a reader what is not committed yet', async () => {
    const { database } = await open();

    const written = insert(database, 'a');
    expect(sorts(database)).toEqual([]);
    await written;
    expect(sorts(database)).toEqual(['a']);
  });

  it('undoes a write that throws, as a whole, and none of its neighbours', async () => {
    const { database } = await open();
    const writes = Array.from({ length: 40 }, (_, index) =>
      database.write((prepare) => {
        prepare(`INSERT INTO rows (partition, sort, revision, value) VALUES ('p', ?, 1, '{}')`).run(String(index));
        if (index % 13 === 5) throw new HawserError('conflict', `write ${index} is broken`);
        return index;
      }),
    );

    const results = await Promise.allSettled(writes);

    const broken = [5, 18, 31];
    expect(results.flatMap((result, index) => (result.status === 'rejected' ? [index] : []))).toEqual(broken);
    expect(results[18]).toMatchObject({ reason: { code: 'conflict', message: 'write 18 is broken' } });
    expect(
      sorts(database)
        .map(Number)
        .sort((a, b) => a - b),
    ).toEqual(Array.from({ length: 40 }, (_, index) => index).filter((index) => !broken.includes(index)));
  });

  it('names the file in what goes wrong by itself', async () => {
    const { database, path } = await open();

    await expect(database.write((prepare) => prepare('SELECT nothing FROM nowhere').get())).rejects.toMatchObject({
      code: 'internal',
      message: expect.stringContaining(path),
    });
    expect(() => database.read((prepare) => prepare('SELECT nothing FROM nowhere').get())).toThrow(HawserError);
  });

  it('commits what was handed in before it closes, and refuses what comes later', async () => {
    const { database, path } = await open();
    const before = Promise.all(Array.from({ length: 1200 }, (_, index) => insert(database, String(index))));

    await database.close();
    await database.close();

    expect(await before).toHaveLength(1200);
    await expect(insert(database, 'late')).rejects.toMatchObject({ code: 'unavailable', retry: 'later' });
    expect(() => sorts(database)).toThrow(/is closed/);
    const again = openDatabase({ path, clock });
    expect(sorts(again)).toHaveLength(1200);
    await again.close();
  });
});

describe('the file', () => {
  it('can be read by its owner only', async () => {
    const { database, path } = await open();
    await insert(database, 'a');

    for (const file of [path, `${path}-wal`]) expect((await stat(file)).mode & 0o077, file).toBe(0);
  });

  it('tells durable writers only once the log is on the disk, and others at once', async () => {
    await using folder = await temporaryFolder();
    const waiting: (() => void)[] = [];
    const log = { sync: () => new Promise<void>((resolve) => waiting.push(resolve)), close: () => undefined };
    const database = openDatabase({ path: join(folder.path, 'hawser.db'), clock, log });
    const told: string[] = [];

    const durable = insert(database, 'a').then(() => told.push('durable'));
    await database.write(() => undefined, { durable: false }).then(() => told.push('other'));

    expect(told).toEqual(['other']);
    expect(waiting).toHaveLength(1);
    waiting[0]?.();
    await durable;
    expect(told).toEqual(['other', 'durable']);
    expect(database.read((prepare) => prepare('PRAGMA journal_mode').get()?.['journal_mode'])).toBe('wal');
  });

  it('tells durable writers when the disk refuses', async () => {
    await using folder = await temporaryFolder();
    const refusal = Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' });
    const log = { sync: () => Promise.reject(refusal), close: () => undefined };
    const database = openDatabase({ path: join(folder.path, 'hawser.db'), clock, log });

    await expect(insert(database, 'a')).rejects.toBeInstanceOf(HawserError);
  });

  it('shares one sync among the commits that come while another is under way', async () => {
    const { database, path } = await open();
    const log = createLogSync(path);
    await insert(database, 'a');

    const first = log.sync();
    const others = [log.sync(), log.sync(), log.sync()];

    expect(new Set([first, ...others]).size).toBe(2);
    await Promise.all([first, ...others]);
    log.close();
  });

  it('is refused when a newer version wrote it (INV-45)', async () => {
    const { database, path } = await open();
    await database.close();
    const newer = new DatabaseSync(path);
    newer.exec('PRAGMA user_version = 99');
    newer.close();

    expect(() => openDatabase({ path, clock })).toThrow(
      expect.objectContaining({ code: 'unsupported', hint: expect.stringContaining('version') }),
    );
  });

  it('is refused with what to do when it is damaged', async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'hawser.db');
    await writeFile(path, randomBytes(20_000));

    expect(() => openDatabase({ path, clock })).toThrow(
      expect.objectContaining({ code: 'internal', hint: expect.stringContaining('backup') }),
    );
  });

  it('is refused when it is in the place of a folder', async () => {
    await using folder = await temporaryFolder();
    await writeFile(join(folder.path, 'data'), 'a file');

    expect(() => openDatabase({ path: join(folder.path, 'data', 'hawser.db'), clock })).toThrow(HawserError);
  });

  it('opens again after its log was cut anywhere, with all that was committed before the cut', async () => {
    const { database, path } = await open();
    for (let index = 0; index < 20; index += 1) await insert(database, String(index).padStart(2, '0'));
    const copy = `${path}.copy`;
    execFileSync('cp', [path, copy]);
    execFileSync('cp', [`${path}-wal`, `${copy}-wal`]);
    const { size } = await stat(`${copy}-wal`);

    await truncate(`${copy}-wal`, Math.floor(size * 0.6));
    const again = openDatabase({ path: copy, clock });

    const found = sorts(again);
    expect(found.length).toBeGreaterThan(0);
    expect(found).toEqual(Array.from({ length: found.length }, (_, index) => String(index).padStart(2, '0')));
    await again.close();
  });
});

describe('a full disk', () => {
  it('answers `unavailable`, keeps what is there, and goes on when there is space again', async () => {
    const { database } = await open();
    const [store, chunks] = [createStateStore(database), createChunkStore(database)];
    await store.put({ partition: 'p', sort: 'before', revision: 1, value: { kept: true } });
    const pages = Number(database.read((prepare) => prepare('PRAGMA page_count').get()?.['page_count']));
    database.read((prepare) => prepare(`PRAGMA max_page_count = ${pages + 4}`).get());

    // A small write beside a large one: only what does not fit is refused.
    const [large, small] = await Promise.allSettled([
      chunks.put('p', 'large', randomBytes(1_000_000)),
      store.put({ partition: 'p', sort: 'small', revision: 1, value: {} }),
    ]);

    expect(large).toMatchObject({
      status: 'rejected',
      reason: { code: 'unavailable', retry: 'later', hint: expect.stringContaining('space') },
    });
    expect(small).toEqual({ status: 'fulfilled', value: true });
    expect((await store.get('p', 'before'))?.value).toEqual({ kept: true });
    database.read((prepare) => prepare('PRAGMA max_page_count = 1000000').get());
    await chunks.put('p', 'large', randomBytes(1_000_000));
    expect(await chunks.has('p', ['large'])).toEqual(new Set(['large']));
  });

  it('is survived on a file system that is really full', async (context) => {
    const folder = await temporaryFolder();
    const mounted = mountTmpfs(folder.path, '4m');
    if (mounted !== undefined) {
      await folder.remove();
      context.skip(`a small file system cannot be mounted here: ${mounted}`);
    }
    const database = openDatabase({ path: join(folder.path, 'hawser.db'), clock });
    onTestFinished(async () => {
      await database.close();
      execFileSync('umount', [folder.path]);
      await folder.remove();
    });
    const [store, queue] = [
      createStateStore(database),
      createQueues(database, clock).open({ name: 'q', visibilitySeconds: 30, maxReceives: 3 }),
    ];
    const ballast = join(folder.path, 'ballast');
    const acknowledged: string[] = [];
    await queue.send(['{"before":true}']);
    await writeFile(ballast, randomBytes(2_000_000));

    const errors: unknown[] = [];
    for (let index = 0; index < 60; index += 1) {
      const row = { partition: 'p', sort: `row-${index}`, revision: 1, value: { filler: 'x'.repeat(50_000) } };
      await store.put(row).then(
        () => acknowledged.push(row.sort),
        (error: unknown) => errors.push(error),
      );
    }
    expect(errors.length).toBeGreaterThan(0);
    for (const error of errors) expect(error).toMatchObject({ code: 'unavailable', retry: 'later' });
    await rm(ballast);
    await store.put({ partition: 'p', sort: 'after', revision: 1, value: {} });

    expect((await store.query('p')).rows.map((row) => row.sort)).toEqual(['after', ...acknowledged].sort());
    expect(await queue.receive({ max: 10, waitSeconds: 0, visibilitySeconds: 30 })).toHaveLength(1);
  });
});

/** undefined when it worked, else why not. */
function mountTmpfs(path: string, size: string): string | undefined {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', path], { stdio: 'pipe' });
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

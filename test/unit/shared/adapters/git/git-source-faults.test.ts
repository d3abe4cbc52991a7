import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';

import { startGitHost } from '#localstack/git-host.ts';
import { createSystemClock } from '#shared/adapters/embedded/system-clock.ts';
import { createGitSource } from '#shared/adapters/git/git-source.ts';
import type { GitLimits } from '#shared/adapters/git/limits.ts';
import type { GitSource, GitTree, RepositoryAccess } from '#shared/ports/git-source.ts';
import type { Log } from '#shared/ports/log.ts';
import { keptFolder } from '#test/kit/git-cache.ts';
import { startGitProxy } from '#test/kit/git-proxy.ts';
import { openTestRepository } from '#test/kit/git-repository.ts';
import type { TestRepository } from '#test/kit/git-repository.ts';

const root = await mkdtemp(join(tmpdir(), 'hawser-git-faults-'));
const host = await startGitHost({ root: join(root, 'host') });
const proxy = await startGitProxy(host.url);
const logged: unknown[] = [];
const note = (fields: unknown, message: string): void => void logged.push({ fields, message });
const log: Log = { debug: note, info: note, warn: note, error: note, child: () => log };
let count = 0;
let repository: TestRepository;
let access: RepositoryAccess;
let cacheDir: string;

afterAll(async () => {
  await proxy.stop();
  await host.stop();
  await rm(root, { recursive: true, force: true, maxRetries: 5 });
});

beforeEach(async () => {
  count += 1;
  const name = `r${count}`;
  await host.ensureRepository(name);
  repository = openTestRepository(host.repositoryPath(name));
  access = { organisation: 'demo', repository: name, url: `${proxy.url}/${name}.git` };
  cacheDir = join(root, `cache-${count}`);
  proxy.requests.length = 0;
  logged.length = 0;
  for (const key of Object.keys(proxy.faults) as (keyof typeof proxy.faults)[]) delete proxy.faults[key];
});

function sourceWith(limits: Partial<GitLimits> = {}): GitSource {
  return createGitSource({ cacheDir, clock: createSystemClock(), log, limits });
}

async function openMain(source: GitSource): Promise<GitTree> {
  return source.open(access, (await source.resolve(access, 'main')).commit);
}

async function read(tree: GitTree, path: string): Promise<string> {
  const entry = await tree.entry(path);
  return Buffer.from((await tree.blobs([entry?.oid ?? ''])).get(entry?.oid ?? '') ?? Buffer.alloc(0)).toString();
}

/** Everything that the tree holds, as `oid path` lines. */
async function listing(tree: GitTree, folder = ''): Promise<string[]> {
  const lines: string[] = [];
  for (const entry of await tree.list(folder)) {
    if (entry.type === 'tree') lines.push(...(await listing(tree, entry.path)));
    else lines.push(`${entry.oid} ${entry.path}`);
  }
  return lines.sort();
}

function expected(): string[] {
  return repository.git('ls-tree', '-r', '--format=%(objectname) %(path)', 'main').split('\n').sort();
}

describe('a host that fails', () => {
  it('is an error to retry wherever the connection is cut, and heals afterwards (FT-22)', async () => {
    const files = Object.fromEntries(Array.from({ length: 600 }, (_, index) => [`d${index}/f`, `${Math.sin(index)}`]));
    repository.commit({ files });
    const source = sourceWith();
    for (let cut = 0; cut <= 40_000; cut += cut < 200 ? 37 : 10_000) {
      proxy.faults.cutAfter = cut;
      await expect(openMain(source)).rejects.toMatchObject({ code: 'repository-unreachable', retry: 'later' });
    }
    delete proxy.faults.cutAfter;
    expect(await listing(await openMain(source))).toEqual(expected());
  });

  it('is a clear error to retry where it answers 200 with HTML (FT-22)', async () => {
    repository.commit({ files: { a: '1' } });
    proxy.faults.answer = () => ({
      status: 200,
      headers: { 'content-type': 'text/html' },
      body: '<h1>Maintenance</h1>',
    });
    const error = await sourceWith()
      .resolve(access, 'main')
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'repository-unreachable', retry: 'later' });
    expect((error as Error).message).toContain('text/html');
  });

  it('is a clear error where it says 200 and talks nonsense in the right content type', async () => {
    proxy.faults.answer = () => ({
      status: 200,
      headers: { 'content-type': 'application/x-git-upload-pack-advertisement' },
      body: 'zzzz and so on',
    });
    await expect(sourceWith().resolve(access, 'main')).rejects.toMatchObject({ code: 'repository-unreachable' });
  });

  it.each([
    [
      429,
      { 'retry-after': '17' },
      { code: 'repository-unreachable', retry: 'later', data: { status: 429, retryAfterSeconds: 17 } },
    ],
    [
      503,
      { 'retry-after': '5' },
      { code: 'repository-unreachable', retry: 'later', data: { status: 503, retryAfterSeconds: 5 } },
    ],
    [403, { 'retry-after': '60' }, { code: 'repository-unreachable', retry: 'later', data: { retryAfterSeconds: 60 } }],
    [403, { 'x-ratelimit-remaining': '0' }, { code: 'repository-unreachable', retry: 'later' }],
    [500, {}, { code: 'repository-unreachable', retry: 'later' }],
    [401, {}, { code: 'repository-auth-failed', retry: 'never' }],
    [403, {}, { code: 'repository-auth-failed', retry: 'never' }],
    [404, {}, { code: 'repository-auth-failed', retry: 'never' }],
  ])('maps status %d with %j (FT-22, FT-23)', async (status, headers, expectedError) => {
    proxy.faults.answer = () => ({ status, headers: headers as Record<string, string> });
    await expect(sourceWith().resolve(access, 'main')).rejects.toMatchObject(expectedError);
  });

  it('is given up on when it sends nothing', async () => {
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/x.git`;
    await expect(sourceWith({ idleSeconds: 0.2 }).resolve({ ...access, url }, 'main')).rejects.toMatchObject({
      code: 'repository-unreachable',
      retry: 'later',
      message: expect.stringContaining('sent nothing'),
    });
    silent.closeAllConnections();
    silent.close();
  });

  it('is given up on when it drips for longer than a request may take', async () => {
    const slow = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/x-git-upload-pack-advertisement' });
      const timer = setInterval(() => response.write('0008abcd'), 20);
      response.on('close', () => clearInterval(timer));
    });
    await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(slow.address() as AddressInfo).port}/x.git`;
    await expect(sourceWith({ requestSeconds: 0.3 }).resolve({ ...access, url }, 'main')).rejects.toMatchObject({
      code: 'repository-unreachable',
      message: expect.stringContaining('not done'),
    });
    slow.closeAllConnections();
    slow.close();
  });

  it('is unreachable where nobody listens', async () => {
    await expect(sourceWith().resolve({ ...access, url: 'http://127.0.0.1:1/x.git' }, 'main')).rejects.toMatchObject({
      code: 'repository-unreachable',
      retry: 'later',
    });
  });
});

describe('a damaged pack', () => {
  it.each([0, 1, 2, 3, 4, 5, 6, 7])(
    'is refused and not kept, wherever a bit has flipped: %d (FT-25, NT-30)',
    async (part) => {
      const files = Object.fromEntries(
        Array.from({ length: 200 }, (_, index) => [`d${index}/f`, `${Math.cos(index)}`]),
      );
      repository.commit({ files });
      const source = sourceWith();
      proxy.faults.changePack = (body) => {
        const start = body.indexOf('PACK') + 4;
        const at = start + Math.floor(((body.length - start) * (part + 0.5)) / 8);
        body[at] = (body[at] ?? 0) ^ 0x10;
        return body;
      };
      await expect(openMain(source)).rejects.toMatchObject({ code: 'repository-unreachable', retry: 'later' });
      delete proxy.faults.changePack;
      expect(await listing(await openMain(source))).toEqual(expected());
    },
  );
});

describe('a damaged cache', () => {
  async function filled(): Promise<string[]> {
    repository.commit({
      files: Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`d${index}/f`, `${Math.sin(index)}`])),
    });
    const source = sourceWith();
    await read(await openMain(source), 'd1/f');
    repository.commit({ files: { 'd7/f': 'changed' } });
    await openMain(source);
    const path = await keptFolder(cacheDir, access, repository.git('rev-parse', 'main'));
    return (await readdir(path)).filter((name) => name.endsWith('.objects')).map((name) => join(path, name));
  }

  it('is noticed at the start, thrown away and fetched again (NT-30)', async () => {
    for (const damage of ['flip', 'cut', 'empty', 'remove']) {
      const packs = await filled();
      for (const pack of packs) {
        const bytes = await readFile(pack);
        const middle = Math.floor(bytes.length / 2);
        bytes[middle] = (bytes[middle] ?? 0) ^ 1;
        if (damage === 'remove') await rm(pack);
        else await writeFile(pack, damage === 'flip' ? bytes : damage === 'cut' ? bytes.subarray(0, middle) : '');
      }
      expect(await listing(await openMain(sourceWith()))).toEqual(expected());
    }
  });

  it('is noticed when one pack of several is gone', async () => {
    for (const index of [0, 1, 2]) {
      const packs = await filled();
      expect(packs.length).toBeGreaterThan(index);
      await rm(packs[index] ?? '');
      expect(await listing(await openMain(sourceWith()))).toEqual(expected());
    }
  });

  it('is noticed while it is in use: no byte is given out whose id is wrong (NT-30)', async () => {
    repository.commit({
      files: Object.fromEntries(Array.from({ length: 1500 }, (_, index) => [`d${index}/f`, `${Math.sin(index)}`])),
    });
    const source = sourceWith({ treeCacheBytes: 0 });
    const tree = await openMain(source);
    const path = await keptFolder(cacheDir, access, repository.git('rev-parse', 'main'));
    for (const name of await readdir(path)) {
      if (name.endsWith('.objects'))
        await writeFile(
          join(path, name),
          (await readFile(join(path, name))).map((byte) => byte ^ 1),
        );
    }
    expect(await listing(tree)).toEqual(expected());
    expect(JSON.stringify(logged)).toContain('thrown away');
  });

  it('forgets half-written files of a process that was killed', async () => {
    const [pack = ''] = await filled();
    await writeFile(join(pack, '..', 'tmp-left-over'), 'half');
    await openMain(sourceWith());
    expect(await readdir(join(pack, '..'))).not.toContain('tmp-left-over');
  });

  it('belongs to its URL: another URL of the same repository id sees nothing of it', async () => {
    const first = repository.commit({ files: { secret: '1' } });
    const source = sourceWith();
    await source.open(access, first);
    const other = `other${count}`;
    await host.ensureRepository(other);
    const moved = { ...access, url: `${proxy.url}/${other}.git` };
    openTestRepository(host.repositoryPath(other)).commit({ files: { a: 'x' }, author: 'Other <other@example.com>' });
    await expect(source.open(moved, first)).rejects.toMatchObject({ code: 'revision-not-found' });
  });
});

describe('credentials', () => {
  it('are sent as Basic or Bearer, and appear in no log and no error', async () => {
    repository.commit({ files: { a: '1' } });
    await openMain(sourceWith());
    expect(proxy.requests.every(({ authorization }) => authorization === undefined)).toBe(true);
    const source = sourceWith();
    await source.resolve({ ...access, credentials: { kind: 'basic', password: 'tok-secret' } }, 'main');
    await source.resolve({ ...access, credentials: { kind: 'bearer', token: 'bear-secret' } }, 'main');
    const sent = proxy.requests.map(({ authorization }) => authorization);
    expect(sent).toContain(`Basic ${Buffer.from('git:tok-secret').toString('base64')}`);
    expect(sent).toContain('Bearer bear-secret');
    proxy.faults.answer = () => ({ status: 401 });
    const error = await source
      .resolve({ ...access, credentials: { kind: 'basic', password: 'tok-secret' } }, 'x')
      .catch((thrown: unknown) => thrown);
    expect(JSON.stringify([logged, (error as Error).message, error])).not.toContain('secret');
  });

  it('never follow a redirect to another origin (NT-26)', async () => {
    repository.commit({ files: { a: '1' } });
    const elsewhere = await startGitProxy(host.url);
    proxy.faults.answer = (request) => ({ status: 302, headers: { location: `${elsewhere.url}${request.url}` } });
    await expect(
      sourceWith().resolve({ ...access, credentials: { kind: 'basic', password: 'secret' } }, 'main'),
    ).rejects.toMatchObject({ code: 'repository-unreachable', message: expect.stringContaining('redirects') });
    expect(elsewhere.requests).toEqual([]);
    await elsewhere.stop();
  });

  it('follow a redirect within the origin, as hosts do that want .git at the end', async () => {
    const commit = repository.commit({ files: { a: '1' } });
    const short = access.url.replace(/\.git$/, '');
    proxy.faults.answer = (request) =>
      request.url?.includes('.git/') === true
        ? undefined
        : { status: 301, headers: { location: (request.url ?? '').replace('/info/', '.git/info/') } };
    expect((await sourceWith().resolve({ ...access, url: short }, 'main')).commit).toBe(commit);
    proxy.faults.answer = (request) => ({ status: 301, headers: { location: request.url ?? '' } });
    await expect(sourceWith().resolve(access, 'main')).rejects.toMatchObject({ code: 'repository-unreachable' });
  });
});

describe('limits', () => {
  it('refuse a pack past LIM-03 while it arrives, and do not retry it (NT-28)', async () => {
    repository.commit({
      files: Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`d${index}/f`, `${Math.sin(index)}`])),
    });
    const source = sourceWith({ packBytes: 10_000 });
    await expect(openMain(source)).rejects.toMatchObject({
      code: 'source-too-large',
      retry: 'never',
      data: { limit: 'LIM-03' },
    });
    expect(source.bytesFetched()).toBeLessThan(200_000);
  });

  it('refuse too many refs (LIM-04)', async () => {
    const commit = repository.commit({ files: { a: '1' } });
    for (let index = 0; index < 12; index += 1) repository.git('tag', `1.${index}.0`, commit);
    await expect(sourceWith({ refs: 10 }).resolve(access, '*')).rejects.toMatchObject({
      code: 'source-too-large',
      data: { limit: 'LIM-04' },
    });
    expect((await sourceWith({ refs: 12 }).resolve(access, '*')).ref).toBe('refs/tags/1.11.0');
    proxy.faults.oldProtocol = true;
    await expect(sourceWith({ refs: 10 }).resolve(access, 'main')).rejects.toMatchObject({ code: 'source-too-large' });
  });

  it('refuse a file past LIM-06 only where it is asked for, one below passes', async () => {
    repository.commit({ files: { large: 'x'.repeat(1001), fits: 'y'.repeat(1000), small: 'z' } });
    for (const oldProtocol of [false, true]) {
      proxy.faults.oldProtocol = oldProtocol;
      cacheDir = `${cacheDir}-${oldProtocol}`;
      const tree = await openMain(sourceWith({ blobBytes: 1000 }));
      expect(await read(tree, 'fits')).toHaveLength(1000);
      await expect(read(tree, 'large')).rejects.toMatchObject({ code: 'source-too-large', data: { limit: 'LIM-06' } });
      expect(await read(tree, 'small')).toBe('z');
    }
  });

  it('inflate no bomb: a file of 300 MiB in a pack of 300 kB (NT-28)', async () => {
    repository.commit({ files: { bomb: Buffer.alloc(300 * 1024 * 1024), small: 'z' } });
    const tree = await openMain(sourceWith());
    const before = process.memoryUsage().rss;
    await expect(read(tree, 'bomb')).rejects.toMatchObject({ code: 'source-too-large' });
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1024 * 1024);
    expect(await read(tree, 'small')).toBe('z');
  }, 60_000);

  it('end on a tree bomb: 10^9 paths in 11 objects (NT-28)', async () => {
    let tree = hashTree(['100644 blob', blobOf('x'), 'f']);
    for (let level = 0; level < 9; level += 1)
      tree = hashTree(...Array.from({ length: 10 }, (_, index) => ['040000 tree', tree, `d${index}`] as const));
    const bomb = repository.git('commit-tree', tree, '-m', 'bomb');
    const first = repository.commit({ files: { a: '1' } });
    const source = sourceWith({ changedPaths: 2000 });
    await source.open(access, first);
    const opened = await source.open(access, bomb);
    expect(await opened.entry('d0/d1/d2/d3')).toMatchObject({ type: 'tree' });
    expect(await source.changedPaths(access, first, opened)).toBeUndefined();
  });

  function blobOf(content: string): string {
    const commit = repository.commit({ branch: 'scratch', files: { scratch: content } });
    return repository.git('rev-parse', `${commit}:scratch`);
  }

  function hashTree(...entries: (readonly [string, string, string])[]): string {
    const lines = entries.map(([mode, oid, name]) => `${mode} ${oid}\t${name}\n`).join('');
    return repository.pipe(['mktree'], lines);
  }
});

describe('advertised refs', () => {
  const zero = '1'.repeat(40);
  const packet = (line: string): string => (Buffer.byteLength(line) + 5).toString(16).padStart(4, '0') + line + '\n';

  it('with names that Git does not allow are ignored (NT-29)', async () => {
    const names = [
      'refs/heads/../../x',
      'refs/heads/a\u001b[31m',
      'refs/heads/-ok',
      `refs/heads/${'x'.repeat(60_000)}`,
      'refs/heads/a..b',
      '../../etc',
    ];
    proxy.faults.answer = (request) =>
      request.method === 'GET'
        ? {
            status: 200,
            headers: { 'content-type': 'application/x-git-upload-pack-advertisement' },
            body: `${packet('version 2')}${packet('ls-refs')}${packet('fetch=shallow filter')}0000`,
          }
        : {
            status: 200,
            headers: { 'content-type': 'application/x-git-upload-pack-result' },
            body: `${names.map((name) => packet(`${zero} ${name}`)).join('')}0000`,
          };
    const error = await sourceWith()
      .resolve(access, 'wanted')
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'revision-not-found', data: { nearest: ['-ok'] } });
  });

  it('say what a host answers that knows only SHA-256', async () => {
    proxy.faults.answer = () => ({
      status: 200,
      headers: { 'content-type': 'application/x-git-upload-pack-advertisement' },
      body: `${packet('version 2')}${packet('ls-refs')}${packet('fetch')}${packet('object-format=sha256')}0000`,
    });
    await expect(sourceWith().resolve(access, 'main')).rejects.toMatchObject({ code: 'unsupported' });
  });
});

describe('round trips', () => {
  it('are one ref read and one fetch for a push whose files are small, and one more for large ones', async () => {
    repository.commit({ files: { 'a/small': '1', 'a/large': 'x' } });
    const source = sourceWith({ eagerBlobBytes: 1000 });
    await read(await openMain(source), 'a/small');
    proxy.requests.length = 0;
    repository.commit({ files: { 'a/small': '2' } });
    expect(await read(await openMain(source), 'a/small')).toBe('2');
    expect(proxy.requests.map(({ line }) => line.split(' ', 1)[0])).toEqual(['POST', 'POST']);
    proxy.requests.length = 0;
    repository.commit({ files: { 'a/large': 'y'.repeat(5000) } });
    expect(await read(await openMain(source), 'a/large')).toHaveLength(5000);
    expect(proxy.requests).toHaveLength(3);
  });

  it('are a handful for a thousand files that are asked for one by one at the same time', async () => {
    repository.commit({
      files: Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`f${index}`, `content ${index}`])),
    });
    const tree = await openMain(sourceWith());
    const entries = await tree.list('');
    proxy.requests.length = 0;
    await Promise.all(entries.map(({ oid }) => tree.blobs([oid])));
    expect(proxy.requests.length).toBeLessThanOrEqual(2);
  });

  it('stay bounded where what changed is large: trees alone, and no files for a while', async () => {
    repository.commit({ files: { a: '1', 'd/b': '1' } });
    const source = sourceWith({ eagerResponseBytes: 3000 });
    await openMain(source);
    repository.commit({
      files: Object.fromEntries(
        Array.from({ length: 50 }, (_, index) => [`new/f${index}`, `${Math.sin(index)}`.repeat(20)]),
      ),
    });
    expect(await listing(await openMain(source))).toEqual(expected());
    proxy.requests.length = 0;
    repository.commit({ files: { 'd/b': '2' } });
    expect(await read(await openMain(source), 'd/b')).toBe('2');
    expect(proxy.requests).toHaveLength(3);
  });

  it('of many concurrent ref reads are few, and none is older than its question', async () => {
    repository.commit({ files: { a: '1' } });
    const source = sourceWith();
    await source.resolve(access, 'main');
    proxy.requests.length = 0;
    const early = Array.from({ length: 10 }, () => source.resolve(access, 'main'));
    const commit = repository.commit({ files: { a: '2' } });
    const late = await Promise.all(Array.from({ length: 50 }, () => source.resolve(access, 'main')));
    await Promise.all(early);
    expect(new Set(late.map((resolved) => resolved.commit))).toEqual(new Set([commit]));
    expect(proxy.requests.length).toBeLessThanOrEqual(3);
  });
});

describe('many pushes', () => {
  it('leave few packs, and all trees of the commits that are kept', async () => {
    const source = sourceWith({ storedPacks: 5, keptCommits: 3 });
    repository.commit({
      files: Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`d${index % 6}/f${index}`, `${index}`])),
    });
    for (let round = 0; round < 30; round += 1) {
      repository.commit({
        files: { [`d${round % 6}/f${round}`]: `round ${round}`, [`d${round % 6}/g${round}`]: 'new' },
      });
      expect(await listing(await openMain(source))).toEqual(expected());
      if (round % 7 === 0) await read(await openMain(source), `d${round % 6}/f${round}`);
    }
    const folder = await keptFolder(cacheDir, access, repository.git('rev-parse', 'main'));
    // It tidies behind the answer too.
    const packs = async () => (await readdir(folder)).filter((name) => name.endsWith('.objects')).length;
    await expect.poll(packs, { timeout: 10_000 }).toBeLessThanOrEqual(7);
    const restarted = sourceWith();
    expect(await listing(await restarted.open(access, repository.git('rev-parse', 'main')))).toEqual(expected());
    expect(restarted.bytesFetched()).toBe(0);
    // One that was dropped is fetched again.
    const old = repository.git('rev-parse', 'main~20');
    expect(await (await restarted.open(access, old)).entry('d0/f0')).toBeDefined();
  }, 60_000);
});

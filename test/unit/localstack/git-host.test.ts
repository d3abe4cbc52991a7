import { execFile } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { IncomingHttpHeaders, Server } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';

import { startGitHost } from '#localstack/git-host.ts';
import type { GitHost, PushInfo } from '#localstack/git-host.ts';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

const SECRET = 'a secret of the repository';
const run = promisify(execFile);

interface Delivery {
  headers: IncomingHttpHeaders;
  text: string;
  body: PushBody;
}

interface PushBody {
  ref: string;
  before: string;
  after: string;
  created: boolean;
  deleted: boolean;
  forced: boolean;
  repository: { name: string; full_name: string; clone_url: string; html_url: string; default_branch: string };
  head_commit: { id: string; message: string; author: { name: string }; timestamp: string } | null;
  commits: { id: string; message: string; added: string[]; modified: string[]; removed: string[] }[];
}

let folder: string;
let host: GitHost;
let receiver: Server;
let status = 202;
const deliveries: Delivery[] = [];
const pushes: PushInfo[] = [];
const lines: string[] = [];

beforeAll(async () => {
  receiver = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString('utf8');
      deliveries.push({ headers: request.headers, text, body: JSON.parse(text) as PushBody });
      response.writeHead(status).end();
    });
  });
  await new Promise<void>((done) => receiver.listen(0, '127.0.0.1', done));
});

afterAll(() => {
  receiver.closeAllConnections();
  receiver.close();
});

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hawser-git-host-'));
  deliveries.length = 0;
  pushes.length = 0;
  lines.length = 0;
  status = 202;
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/webhooks/github/`;
  host = await startGitHost({
    root: join(folder, 'repositories'),
    webhook: (name) => Promise.resolve(name === 'quiet' ? undefined : { url: url + name, secret: SECRET }),
    onPush: (push) => pushes.push(push),
    log: (line) => lines.push(line),
  });
});

afterEach(async () => {
  await host.stop();
  await rm(folder, { recursive: true, force: true });
});

describe('repositories', () => {
  it('creates a repository by a push, and gives it back by a clone', async () => {
    const work = await workingCopy();
    await work.commit({ 'a.txt': 'one' }, 'first');
    await work.git('push', `${host.url}/demo.git`, 'main');
    await git(folder, 'clone', '-q', `${host.url}/demo.git`, 'copy');
    expect(await git(join(folder, 'copy'), 'show', 'HEAD:a.txt')).toBe('one');
    expect(await git(host.repositoryPath('demo'), 'rev-parse', 'main')).toBe(await work.git('rev-parse', 'HEAD'));
  });

  it('takes names in folders, and names without .git', async () => {
    const work = await workingCopy();
    await work.commit({ 'a.txt': 'one' }, 'first');
    await work.git('push', `${host.url}/team/app`, 'main');
    expect(await git(folder, 'ls-remote', '--heads', `${host.url}/team/app.git`)).toContain('refs/heads/main');
    expect(host.repositoryPath('team/app.git')).toBe(host.repositoryPath('team/app'));
  });

  it('lets HEAD follow the first branch that is pushed', async () => {
    const work = await workingCopy();
    await work.commit({ 'a.txt': 'one' }, 'first');
    await work.git('push', `${host.url}/demo.git`, 'main:trunk');
    await work.git('push', `${host.url}/demo.git`, 'main:other');
    expect(await git(folder, 'ls-remote', '--symref', `${host.url}/demo.git`, 'HEAD')).toContain('refs/heads/trunk');
    await eventually(() => deliveries.length === 2);
    expect(deliveries.map(({ body }) => body.repository.default_branch)).toEqual(['trunk', 'trunk']);
  });

  it('takes main, where main is among the first branches', async () => {
    const work = await workingCopy();
    await work.commit({ 'a.txt': 'one' }, 'first');
    await work.git('push', `${host.url}/demo.git`, 'main:aaa', 'main:main');
    expect(await git(folder, 'ls-remote', '--symref', `${host.url}/demo.git`, 'HEAD')).toContain('refs/heads/main');
  });

  it('makes one repository of many who ask for it at once', async () => {
    const paths = await Promise.all(Array.from({ length: 8 }, () => host.ensureRepository('shared')));
    expect(new Set(paths)).toEqual(new Set([host.repositoryPath('shared')]));
    expect(await git(host.repositoryPath('shared'), 'symbolic-ref', 'HEAD')).toBe('refs/heads/main');
  });

  it.each(['../out', 'a/../../b', '.hidden', 'a//b', 'a b', '-x', 'demo.git/objects', 'x.lock'])(
    'refuses the name %j',
    async (name) => {
      await expect(async () => host.ensureRepository(name)).rejects.toThrow('cannot be a repository name');
    },
  );

  it('refuses names that would leave the folder, in every spelling of a URL', async () => {
    for (const path of ['/..%2f..%2fout.git', '/a%00b.git', '/.hidden.git', '/a.git/b.git']) {
      expect((await fetch(`${host.url}${path}/info/refs?service=git-receive-pack`)).status).toBeGreaterThanOrEqual(400);
    }
  });

  it('does not create a repository for who only wants to read it', async () => {
    await expect(git(folder, 'ls-remote', `${host.url}/none.git`)).rejects.toThrow('not found');
  });

  it('tells a browser how to clone', async () => {
    await host.ensureRepository('demo');
    expect(await (await fetch(host.url)).text()).toContain(`git clone ${host.url}/demo.git`);
    expect(await (await fetch(`${host.url}/demo.git/`)).text()).toContain(`git clone ${host.url}/demo.git`);
    expect((await fetch(`${host.url}/none.git/`)).status).toBe(404);
  });

  it('answers to no foreign host name', async () => {
    const answer = await raw('GET /demo.git/ HTTP/1.1\r\nHost: attacker.example\r\nConnection: close\r\n\r\n');
    expect(answer).toContain('403');
  });
});

describe('fetches', () => {
  it('gives commits and trees without file contents, then single files by object id', async () => {
    const work = await workingCopy();
    await work.commit({ 'a.txt': 'one', 'b/c.txt': 'two' }, 'first');
    await work.git('push', `${host.url}/demo.git`, 'main');
    await git(folder, 'clone', '-q', '--bare', '--filter=blob:none', `${host.url}/demo.git`, 'partial');
    const partial = join(folder, 'partial');
    const missing = await git(partial, 'rev-list', '--objects', '--all', '--missing=print');
    expect(missing.split('\n').filter((line) => line.startsWith('?'))).toHaveLength(2);
    expect(await git(partial, 'cat-file', 'blob', 'main:b/c.txt')).toBe('two');
  });

  it('speaks protocol version 2', async () => {
    await host.ensureRepository('demo');
    const answer = await fetch(`${host.url}/demo.git/info/refs?service=git-upload-pack`, {
      headers: { 'git-protocol': 'version=2' },
    });
    const text = await answer.text();
    expect(text).toContain('version 2');
    expect(text).toMatch(/fetch=.*filter/);
  });

  it('understands a zipped request', async () => {
    const work = await workingCopy();
    await work.commit({ 'a.txt': 'one' }, 'first');
    await work.git('push', `${host.url}/demo.git`, 'main');
    const answer = await fetch(`${host.url}/demo.git/git-upload-pack`, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-git-upload-pack-request',
        'content-encoding': 'gzip',
        'git-protocol': 'version=2',
      },
      body: gzipSync('0014command=ls-refs\n00010009peel\n0000'),
    });
    expect(await answer.text()).toContain('refs/heads/main');
  });

  it('takes and gives what is larger than any buffer', async () => {
    const work = await workingCopy();
    const noise = Buffer.alloc(12_000_000, 'x').map(() => Math.floor(Math.random() * 256));
    await writeFile(join(work.path, 'large.bin'), noise);
    await work.commit({ 'a.txt': 'one' }, 'large');
    await work.git('push', `${host.url}/demo.git`, 'main');
    await git(folder, 'clone', '-q', `${host.url}/demo.git`, 'copy');
    expect(await git(join(folder, 'copy'), 'rev-parse', 'HEAD')).toBe(await work.git('rev-parse', 'HEAD'));
    await eventually(() => deliveries.length === 1);
  });
});

describe('webhooks', () => {
  it('announces a push by a signed event', async () => {
    const work = await workingCopy();
    await work.commit({ 'a.txt': 'one', 'dir/b.txt': 'two' }, 'first');
    await work.git('push', `${host.url}/demo.git`, 'main');
    await work.commit({ 'a.txt': 'changed', 'dir/c.txt': 'new' }, 'second\n\nwhy', ['dir/b.txt']);
    await work.git('push', `${host.url}/demo.git`, 'main');
    await eventually(() => deliveries.length === 2);

    const { headers, text, body } = last();
    expect(headers['x-github-event']).toBe('push');
    expect(headers['x-github-delivery']).toMatch(/^[0-9a-f-]{36}$/);
    const signature = createHmac('sha256', SECRET).update(text).digest('hex');
    expect(headers['x-hub-signature-256']).toBe(`sha256=${signature}`);
    expect(body).toMatchObject({
      ref: 'refs/heads/main',
      before: await work.git('rev-parse', 'HEAD~1'),
      after: await work.git('rev-parse', 'HEAD'),
      created: false,
      deleted: false,
      forced: false,
      repository: {
        name: 'demo',
        full_name: 'demo',
        clone_url: `${host.url}/demo.git`,
        html_url: `${host.url}/demo`,
        default_branch: 'main',
      },
      head_commit: { message: 'second\n\nwhy', author: { name: 'Tess' }, timestamp: '2026-01-05T10:00:00+02:00' },
      commits: [{ added: ['dir/c.txt'], modified: ['a.txt'], removed: ['dir/b.txt'] }],
    });
  });

  it('sends one event for each ref', async () => {
    const work = await workingCopy();
    await work.commit({ 'a.txt': 'one' }, 'first');
    await work.git('tag', '-a', 'v1', '-m', 'release');
    await work.git('push', `${host.url}/demo.git`, 'main', 'main:next', 'v1');
    await eventually(() => deliveries.length === 3);
    expect(deliveries.map(({ body }) => body.ref).sort()).toEqual([
      'refs/heads/main',
      'refs/heads/next',
      'refs/tags/v1',
    ]);
    expect(deliveries.every(({ body }) => body.created)).toBe(true);
    expect(deliveries.map(({ body }) => body.head_commit?.message)).toEqual(['first', 'first', 'first']);
  });

  it('lists what a merge brought, oldest first, and nothing that was there', async () => {
    const work = await workingCopy();
    await work.commit({ 'a.txt': 'one' }, 'first');
    await work.git('push', `${host.url}/demo.git`, 'main');
    await work.git('checkout', '-q', '-b', 'side');
    await work.commit({ 'b.txt': 'two' }, 'on the side', [], '2026-01-06T10:00:00+02:00');
    await work.git('checkout', '-q', 'main');
    await work.git('merge', '-q', '--no-ff', '-m', 'merge it', 'side');
    await work.git('push', `${host.url}/demo.git`, 'main');
    await eventually(() => deliveries.length === 2);
    expect(last().body.commits.map((commit) => commit.message)).toEqual(['on the side', 'merge it']);
  });

  it('says when a branch was thrown back, and when it is gone', async () => {
    const work = await workingCopy();
    await work.commit({ 'a.txt': 'one' }, 'first');
    await work.commit({ 'a.txt': 'two' }, 'second');
    await work.git('push', `${host.url}/demo.git`, 'main', 'main:next');
    await work.git('push', '-f', `${host.url}/demo.git`, 'HEAD~1:next');
    await eventually(() => deliveries.length === 3);
    expect(last().body).toMatchObject({ forced: true, commits: [], head_commit: { message: 'first' } });
    await work.git('push', `${host.url}/demo.git`, ':next');
    await eventually(() => deliveries.length === 4);
    expect(last().body).toMatchObject({ deleted: true, after: '0'.repeat(40), head_commit: null });
  });

  it('says nothing about a ref that Git refused', async () => {
    const work = await workingCopy();
    await work.commit({ 'a.txt': 'one' }, 'first');
    await work.git('push', `${host.url}/demo.git`, 'main');
    // A branch cannot be where another one already is a folder of branches, or the other way round.
    await expect(work.git('push', `${host.url}/demo.git`, 'main:main/below', 'main:next')).rejects.toThrow(
      'main/below',
    );
    await eventually(() => deliveries.length === 2);
    expect(deliveries.map(({ body }) => body.ref)).toEqual(['refs/heads/main', 'refs/heads/next']);
  });

  it('lets the branch that HEAD names be deleted, as a Git host does once another is the default', async () => {
    const work = await workingCopy();
    await work.commit({ 'a.txt': 'one' }, 'first');
    await work.git('push', `${host.url}/demo.git`, 'main');
    await work.git('push', `${host.url}/demo.git`, ':main');
    await eventually(() => deliveries.length === 2);
    expect(last().body).toMatchObject({ ref: 'refs/heads/main', deleted: true });
  });

  it('announces a large push with what is at hand', async () => {
    const work = await workingCopy();
    const files = Object.fromEntries(Array.from({ length: 150 }, (_, index) => [`${index}.txt`, `${index}`]));
    await work.commit(files, 'many');
    await work.git('push', `${host.url}/demo.git`, 'main');
    await eventually(() => deliveries.length === 1);
    expect(last().body).toMatchObject({ after: await work.git('rev-parse', 'HEAD'), commits: [] });
  });

  it('logs a delivery that fails, and does not try again', async () => {
    status = 500;
    const work = await workingCopy();
    await work.commit({ 'a.txt': 'one' }, 'first');
    await work.git('push', `${host.url}/demo.git`, 'main');
    await eventually(() => lines.some((line) => line.includes('refused: 500')));
    expect(deliveries).toHaveLength(1);
  });

  it('announces nothing where nobody is to be told, but still calls back', async () => {
    const work = await workingCopy();
    await work.commit({ 'a.txt': 'one' }, 'first');
    await work.git('push', `${host.url}/quiet.git`, 'main');
    await work.git('push', `${host.url}/loud.git`, 'main');
    await eventually(() => deliveries.length === 1);
    expect(deliveries[0]?.headers.host).toBeDefined();
    expect(pushes.map((push) => push.repository)).toEqual(['quiet', 'loud']);
  });
});

describe('the end', () => {
  it('stops with a client still connected, and lets go of it', async () => {
    await host.ensureRepository('demo');
    const { port, hostname } = new URL(host.url);
    const socket = connect(Number(port), hostname);
    socket.on('error', () => {});
    await new Promise<void>((done) => socket.once('connect', () => done()));
    const head = 'POST /demo.git/git-upload-pack HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n';
    socket.write(`${head}Content-Type: application/x-git-upload-pack-request\r\n\r\n0032`);
    await new Promise((done) => setTimeout(done, 100));
    const closed = new Promise<void>((done) => socket.once('close', () => done()));
    await host.stop();
    await closed;
    await expect(fetch(host.url)).rejects.toThrow('fetch failed');
  });

  it('goes on with its repositories, on the port that it had', async () => {
    const work = await workingCopy();
    await work.commit({ 'a.txt': 'one' }, 'first');
    await work.git('push', `${host.url}/demo.git`, 'main');
    const url = host.url;
    await host.stop();
    host = await startGitHost({ root: join(folder, 'repositories'), port: Number(new URL(url).port) });
    expect(host.url).toBe(url);
    expect(await git(folder, 'ls-remote', `${url}/demo.git`)).toContain('refs/heads/main');
    await expect(startGitHost({ root: folder, port: Number(new URL(url).port) })).rejects.toThrow('EADDRINUSE');
  });
});

async function workingCopy() {
  const path = join(folder, 'work');
  await run('git', ['init', '-q', '-b', 'main', path]);
  const call = (...args: string[]): Promise<string> => git(path, ...args);
  return {
    path,
    git: call,
    async commit(
      files: Record<string, string>,
      message: string,
      removed: string[] = [],
      date = '2026-01-05T10:00:00+02:00',
    ): Promise<void> {
      for (const [name, content] of Object.entries(files)) {
        await run('mkdir', ['-p', join(path, name, '..')]);
        await writeFile(join(path, name), content);
      }
      for (const name of removed) await rm(join(path, name));
      await call('add', '-A');
      await call('commit', '-q', '--date', date, '-m', message);
    },
  };
}

async function git(cwd: string, ...args: string[]): Promise<string> {
  const env = {
    PATH: process.env['PATH'],
    HOME: '/nonexistent',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_AUTHOR_NAME: 'Tess',
    GIT_AUTHOR_EMAIL: 'tess@shop.example',
    GIT_COMMITTER_NAME: 'Tess',
    GIT_COMMITTER_EMAIL: 'tess@shop.example',
  };
  return (await run('git', args, { cwd, env })).stdout.trim();
}

function last(): Delivery {
  const delivery = deliveries.at(-1);
  if (delivery === undefined) throw new Error('nothing was delivered');
  return delivery;
}

async function eventually(isTrue: () => boolean): Promise<void> {
  await expect.poll(isTrue, { interval: 5, timeout: 5000 }).toBe(true);
}

function raw(request: string): Promise<string> {
  const { port, hostname } = new URL(host.url);
  const socket = connect(Number(port), hostname, () => socket.write(request));
  let answer = '';
  return new Promise((resolve, reject) => {
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString('utf8')));
    socket.on('end', () => resolve(answer));
    socket.on('error', reject);
  });
}

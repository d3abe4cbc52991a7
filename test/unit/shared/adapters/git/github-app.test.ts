import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';

import { startGitHost } from '#localstack/git-host.ts';
import { createGitSource } from '#shared/adapters/git/git-source.ts';
import type { GitSource, RepositoryAccess } from '#shared/ports/git-source.ts';
import type { Log } from '#shared/ports/log.ts';
import { createFakeClock, type FakeClock } from '#test/kit/clock.ts';
import { startGitProxy } from '#test/kit/git-proxy.ts';
import { openTestRepository } from '#test/kit/git-repository.ts';
import { createGitHubApi, type GitHubApi } from '#test/kit/github-api.ts';

const root = await mkdtemp(join(tmpdir(), 'hawser-app-'));
const host = await startGitHost({ root: join(root, 'host') });
const proxy = await startGitProxy(host.url);
const logged: unknown[] = [];
const note = (fields: unknown, message: string): void => void logged.push({ fields, message });
const log: Log = { debug: note, info: note, warn: note, error: note, child: () => log };
await host.ensureRepository('gitops');
const repository = openTestRepository(host.repositoryPath('gitops'));
const commit = repository.commit({ files: { a: '1' } });

let api: GitHubApi;
let clock: FakeClock;
let source: GitSource;
let access: RepositoryAccess;
let count = 0;

afterAll(async () => {
  await proxy.stop();
  await host.stop();
  await rm(root, { recursive: true, force: true, maxRetries: 5 });
});

/** An Enterprise of one host: its API below /api/v3, its repositories as OWNER/NAME, readable with a valid token only. */
beforeEach(() => {
  count += 1;
  logged.length = 0;
  clock = createFakeClock();
  api = createGitHubApi('4711');
  api.now = () => clock.now();
  api.installations.set('99', ['shop/gitops', 'shop/other']);
  proxy.requests.length = 0;
  proxy.faults.answer = (request) => {
    if (request.url?.startsWith('/api/v3/') === true) return api.handle(request);
    const expected = `Basic ${Buffer.from(`x-access-token:${api.tokens.at(-1)}`).toString('base64')}`;
    if (request.headers.authorization !== expected) return { status: 401 };
    request.url = request.url?.replace('/shop/', '/') ?? '';
    return undefined;
  };
  source = createGitSource({ cacheDir: join(root, `cache-${count}`), clock, log });
  access = accessTo('shop/gitops');
});

function accessTo(path: string, changes: object = {}): RepositoryAccess {
  return {
    organisation: 'demo',
    repository: 'gitops',
    url: `${proxy.url}/${path}.git`,
    credentials: {
      kind: 'github-app',
      appId: '4711',
      installationId: '99',
      privateKey: api.privateKey,
      apiUrl: `${proxy.url}/api/v3`,
      ...changes,
    },
  };
}

function failure(asked: RepositoryAccess = access): Promise<Error & { hint?: string; code?: string }> {
  return source.resolve(asked, 'main').then(
    () => {
      throw new Error('expected to be refused');
    },
    (thrown: unknown) => thrown as Error,
  );
}

describe('a GitHub App', () => {
  it('reads with a token that may read the contents of this one repository', async () => {
    expect((await source.resolve(access, 'main')).commit).toBe(commit);
    expect(api.requests.map(({ path }) => path)).toEqual(['/app/installations/99/access_tokens']);
    expect(JSON.parse(api.requests[0]?.body ?? '')).toEqual({
      repositories: ['gitops'],
      permissions: { contents: 'read' },
    });
  });

  it('finds its installation through the repository where none is given', async () => {
    const { credentials, ...rest } = access;
    const { installationId: _id, ...without } = credentials as Extract<typeof credentials, { kind: 'github-app' }>;
    expect((await source.resolve({ ...rest, credentials: without }, 'main')).commit).toBe(commit);
    expect(api.requests.map(({ path }) => path)).toEqual([
      '/repos/shop/gitops/installation',
      '/app/installations/99/access_tokens',
    ]);
  });

  it('asks once for many readers, and again five minutes before the token ends', async () => {
    await Promise.all(['main', 'HEAD', 'refs/heads/main'].map((revision) => source.resolve(access, revision)));
    await source.open(access, commit);
    expect(api.tokens).toHaveLength(1);
    await clock.advance(55 * 60 * 1000 - 1000);
    await source.resolve(access, 'main');
    expect(api.tokens).toHaveLength(1);
    await clock.advance(1000);
    await source.resolve(access, 'main');
    expect(api.tokens).toHaveLength(2);
  });

  it('gives no repository and no organisation the token of another', async () => {
    await source.resolve(access, 'main');
    await failure(accessTo('shop/other'));
    await source.resolve({ ...access, organisation: 'other' }, 'main');
    expect(api.requests.map(({ body }) => (JSON.parse(body) as { repositories: string[] }).repositories[0])).toEqual([
      'gitops',
      'other',
      'gitops',
    ]);
  });

  it('throws a token away that the host refuses, so that the next try has a new one (FT-23)', async () => {
    await source.resolve(access, 'main');
    api.tokens.push('another one is valid now');
    expect(await failure()).toMatchObject({ code: 'repository-auth-failed' });
    expect((await source.resolve(access, 'main')).commit).toBe(commit);
  });

  it('keeps no failure', async () => {
    api.override = () => ({ status: 500 });
    expect(await failure()).toMatchObject({ code: 'repository-unreachable', retry: 'later' });
    api.override = undefined;
    expect((await source.resolve(access, 'main')).commit).toBe(commit);
  });

  it.each([
    ['a wrong installation', { installationId: '100' }, /installation 100/],
    ['another app', { appId: '1' }, /belong together/],
  ])('says what to check for %s', async (_what, changes, hint) => {
    const error = await failure(accessTo('shop/gitops', changes));
    expect(error).toMatchObject({ code: 'repository-auth-failed', retry: 'never' });
    expect(error.hint).toMatch(hint);
  });

  it('says what to check where the app does not see the repository', async () => {
    const error = await failure(accessTo('shop/hidden'));
    expect(error).toMatchObject({ code: 'repository-auth-failed' });
    expect(error.message).toContain('not accessible');
    expect(error.hint).toContain('installed for this repository');
  });

  it('says that the installation is suspended', async () => {
    api.override = () => ({ status: 403, body: JSON.stringify({ message: 'This installation has been suspended' }) });
    expect((await failure()).hint).toContain('suspended');
  });

  it('says that the clock is wrong', async () => {
    api.now = () => clock.now() - 3_600_000;
    const error = await failure();
    expect(error.message).toContain("'iat'");
    expect(error.hint).toContain('clock');
  });

  it.each([
    [429, {}],
    [403, { 'x-ratelimit-remaining': '0' }],
    [503, {}],
    [302, { location: 'http://127.0.0.1:1/' }],
    [201, {}],
  ])('is tried again later after status %d with %j', async (status, headers) => {
    api.override = () => ({ status, headers: headers as Record<string, string> });
    expect(await failure()).toMatchObject({ code: 'repository-unreachable', retry: 'later' });
  });

  it('sends its JWT after no redirect, and its token to no host but that of its API (NT-26, NT-80)', async () => {
    const elsewhere = await startGitProxy(host.url);
    api.override = (path) => ({ status: 307, headers: { location: `${elsewhere.url}/api/v3${path}` } });
    await failure();
    expect(elsewhere.requests).toEqual([]);
    api.override = undefined;
    const error = await failure({ ...access, url: `${elsewhere.url}/shop/gitops.git` });
    expect(error).toMatchObject({ code: 'repository-auth-failed' });
    expect(error.hint).toContain('Enterprise');
    expect(elsewhere.requests).toEqual([]);
    expect(api.tokens).toEqual([]);
    await elsewhere.stop();
  });

  it('shows neither key nor token in an error or a log (NT-93)', async () => {
    const canary = api.privateKey.split('\n')[5] ?? '';
    expect(canary).toMatch(/^[\w+/]{60,}$/);
    await source.resolve(access, 'main');
    proxy.faults.answer = (request) => (request.url?.startsWith('/api/') ? api.handle(request) : { status: 403 });
    const errors: unknown[] = [await failure()];
    api.override = () => ({ status: 401, body: JSON.stringify({ message: 'no \u001b[31m' }) });
    errors.push(await failure());
    const broken = api.privateKey.replace('-----END', 'x\n-----END');
    errors.push(await failure(accessTo('shop/gitops', { privateKey: broken })));
    errors.push(await failure(accessTo('shop/gitops', { privateKey: `-----BEGIN PRIVATE KEY-----\n${canary}` })));
    const shown = JSON.stringify([
      logged,
      errors.map((error) => [error, (error as Error).message, (error as Error).cause]),
    ]);
    expect(shown).not.toContain(canary);
    expect(shown).not.toContain('ghs_canary');
    expect(shown).not.toContain('eyJ');
    expect(shown).not.toContain('\\u001b');
  });
});

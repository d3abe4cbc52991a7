import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';

import { createSystemClock } from '#shared/adapters/embedded/system-clock.ts';
import { createGitSource } from '#shared/adapters/git/git-source.ts';
import type { GitLimits } from '#shared/adapters/git/limits.ts';
import type { RepositoryCredentials } from '#shared/domain/repository-credentials.ts';
import type { GitSource, RepositoryAccess } from '#shared/ports/git-source.ts';
import type { Log } from '#shared/ports/log.ts';
import { openTestRepository, type TestRepository } from '#test/kit/git-repository.ts';
import { startSshGitHost, type SshFaults } from '#test/kit/ssh-git-host.ts';

const root = await mkdtemp(join(tmpdir(), 'hawser-ssh-unit-'));
const folder = join(root, 'host');
await mkdir(folder);
const host = await startSshGitHost({ root: folder });
const logged: unknown[] = [];
const note = (fields: unknown, message: string): void => void logged.push({ fields, message });
const log: Log = { debug: note, info: note, warn: note, error: note, child: () => log };
let count = 0;
let repository: TestRepository;
let access: RepositoryAccess;

afterAll(async () => {
  await host.stop();
  await rm(root, { recursive: true, force: true, maxRetries: 5 });
});

beforeEach(() => {
  count += 1;
  repository = openTestRepository(join(folder, `r${count}.git`));
  host.commands.length = 0;
  host.logins.length = 0;
  logged.length = 0;
  for (const key of Object.keys(host.faults) as (keyof SshFaults)[]) delete host.faults[key];
  access = accessWith({});
});

type Ssh = Extract<RepositoryCredentials, { kind: 'ssh' }>;

function accessWith(changes: Partial<Ssh>, url = `${host.url}/r${count}.git`): RepositoryAccess {
  const credentials: Ssh = {
    kind: 'ssh',
    privateKey: host.clientKey.private,
    knownHosts: host.knownHosts,
    ...changes,
  };
  return { organisation: 'demo', repository: `r${count}`, url, credentials };
}

function sourceWith(limits: Partial<GitLimits> = {}, options: { denyPrivateAddresses?: boolean } = {}): GitSource {
  return createGitSource({
    cacheDir: join(root, `cache-${count}`),
    clock: createSystemClock(),
    log,
    limits,
    ...options,
  });
}

function failure(promise: Promise<unknown>): Promise<Error & { hint?: string }> {
  return promise.then(
    () => {
      throw new Error('expected to be refused');
    },
    (thrown: unknown) => thrown as Error,
  );
}

async function openMain(source: GitSource, asked = access): Promise<string[]> {
  const tree = await source.open(asked, (await source.resolve(asked, 'main')).commit);
  return (await tree.list('')).map(({ path }) => path);
}

describe('the host key', () => {
  it('is refused where nobody has listed it, with its fingerprint and what to do, and nothing of ours is sent (NT-27)', async () => {
    const error = await failure(sourceWith().resolve(accessWith({ knownHosts: '' }), 'main'));
    expect(error).toMatchObject({ code: 'repository-auth-failed', retry: 'never' });
    expect(error.message).toMatch(/ssh-ed25519 SHA256:[\w+/]{43}/);
    expect(error.hint).toContain('--known-hosts');
    expect(error.hint).toContain(`ssh-keyscan -p ${host.port} 127.0.0.1`);
    expect(host.logins).toEqual([]);
    expect(host.commands).toEqual([]);
  });

  it('is refused where it is another than the listed one, and is not learnt by trying (NT-27)', async () => {
    const changed = ssh2.utils.generateKeyPairSync('ed25519').public.split(' ').slice(0, 2).join(' ');
    const source = sourceWith();
    const asked = accessWith({ knownHosts: `[127.0.0.1]:${host.port} ${changed}` });
    for (const _attempt of [1, 2]) {
      expect((await failure(source.resolve(asked, 'main'))).message).toContain('Another host key');
    }
    expect(host.logins).toEqual([]);
  });

  it('is refused where it is revoked', async () => {
    const revoked = `${host.knownHosts}@revoked ${host.knownHosts}`;
    expect(await failure(sourceWith().resolve(accessWith({ knownHosts: revoked }), 'main'))).toMatchObject({
      code: 'repository-auth-failed',
    });
  });

  it('may be known to the organisation instead of coming with the credentials', async () => {
    const commit = repository.commit({ files: { a: '1' } });
    const asked = { ...accessWith({ knownHosts: '' }), knownHosts: host.knownHosts };
    expect((await sourceWith().resolve(asked, 'main')).commit).toBe(commit);
  });

  it('of RSA is signed with SHA-2, never with SHA-1', async () => {
    const rsa = await startSshGitHost({ root: folder, clientKey: host.clientKey, hostKey: 'rsa' });
    const commit = repository.commit({ files: { a: '1' } });
    const asked = accessWith({ knownHosts: rsa.knownHosts }, `${rsa.url}/r${count}.git`);
    expect((await sourceWith().resolve(asked, 'main')).commit).toBe(commit);
    await rsa.stop();
  });
});

describe('the key', () => {
  it.each([
    ['ed25519', {}, 'ssh-ed25519'],
    ['ecdsa', { bits: 256 }, 'ecdsa-sha2-nistp256'],
    ['rsa', { bits: 2048 }, 'ssh-rsa sha256'],
    ['ed25519', { passphrase: 'open sesame', cipher: 'aes256-ctr' }, 'ssh-ed25519'],
  ] as const)('of type %s with %j logs in', async (type, options, algorithm) => {
    const clientKey = ssh2.utils.generateKeyPairSync(type, options);
    const publicKey = { private: clientKey.private, public: clientKey.public };
    const own = await startSshGitHost({ root: folder, clientKey: publicKey });
    const commit = repository.commit({ files: { a: '1' } });
    const passphrase = 'passphrase' in options ? { passphrase: options.passphrase } : {};
    const asked = accessWith(
      { privateKey: clientKey.private, knownHosts: own.knownHosts, ...passphrase },
      `${own.url.replace('git@', 'deploy@')}/r${count}.git`,
    );
    expect((await sourceWith().resolve(asked, 'main')).commit).toBe(commit);
    expect(own.logins).toEqual([{ user: 'deploy', algorithm }]);
    await own.stop();
  });

  it('that the host does not know is an error of credentials (FT-23)', async () => {
    const { private: privateKey } = ssh2.utils.generateKeyPairSync('ed25519');
    const error = await failure(sourceWith().resolve(accessWith({ privateKey }), 'main'));
    expect(error).toMatchObject({ code: 'repository-auth-failed', retry: 'never' });
    expect(error.message).toContain('refuses this SSH key');
  });

  it('is shown by no error and no log, nor is its passphrase (NT-93)', async () => {
    repository.commit({ files: { a: '1' } });
    const made = ssh2.utils.generateKeyPairSync('ed25519', { passphrase: 'canary-phrase', cipher: 'aes256-ctr' });
    const canary = made.private.split('\n')[1] ?? '';
    expect(canary.length).toBeGreaterThan(40);
    const broken = made.private.replace('-----END', 'x\n-----END');
    host.faults.instead = (channel, command) => {
      channel.stderr.write(`ERROR: \u001b[31mno\nsuch ${command}`);
      channel.exit(1);
      channel.end();
    };
    const errors = [
      await failure(sourceWith().resolve(accessWith({ privateKey: made.private }), 'main')),
      await failure(sourceWith().resolve(accessWith({ privateKey: made.private, passphrase: 'canary-wrong' }), 'main')),
      await failure(
        sourceWith().resolve(accessWith({ privateKey: made.private, passphrase: 'canary-phrase' }), 'main'),
      ),
      await failure(sourceWith().resolve(accessWith({ privateKey: broken }), 'main')),
      await failure(sourceWith().resolve(access, 'main')),
      await failure(sourceWith().resolve({ ...access, url: 'https://127.0.0.1:1/x.git' }, 'main')),
    ];
    const shown = JSON.stringify([logged, errors.map((error) => [error, error.message, error.cause, error.stack])]);
    expect(shown).not.toContain(canary);
    expect(shown).not.toContain('canary');
    expect(shown).not.toContain((host.clientKey.private.split('\n')[2] ?? '?').slice(0, 30));
    expect(shown).not.toContain('\\u001b');
  });

  it('is needed: without one, or with a token in its place, the error says so', async () => {
    const { credentials: _credentials, ...without } = access;
    expect((await failure(sourceWith().resolve(without, 'main'))).message).toContain('none is registered');
    const token = { ...without, credentials: { kind: 'basic' as const, password: 'x' } };
    expect((await failure(sourceWith().resolve(token, 'main'))).message).toContain('something else');
  });
});

describe('a connection', () => {
  it('is shared by requests with the same key, and by no other organisation or key', async () => {
    repository.commit({ files: { a: '1' } });
    const before = host.connections();
    const source = sourceWith();
    await openMain(source);
    await Promise.all([source.resolve(access, 'main'), source.resolve(access, 'HEAD')]);
    expect(host.connections() - before).toBe(1);
    await source.resolve({ ...access, organisation: 'other' }, 'main');
    expect(host.connections() - before).toBe(2);
  });

  it('that the host has closed meanwhile is made anew', async () => {
    repository.commit({ files: { a: '1' } });
    const source = sourceWith();
    await source.resolve(access, 'main');
    host.faults.cutAfter = 0;
    await failure(source.resolve(access, 'main'));
    delete host.faults.cutAfter;
    expect(await openMain(source)).toEqual(['a']);
  });

  it('goes to no private network where those are closed (NT-80)', async () => {
    const source = sourceWith({}, { denyPrivateAddresses: true });
    const error = await failure(
      source.resolve(accessWith({}, `ssh://git@localhost.example.test:${host.port}/x`), 'main'),
    );
    expect(error).toMatchObject({ code: 'repository-unreachable' });
    expect(await failure(source.resolve(access, 'main'))).toMatchObject({
      message: expect.stringContaining('private network'),
    });
  });
});

describe('a host that fails', () => {
  it.each([0, 50, 300, 2000])(
    'is an error to retry where the connection is cut after %d bytes (FT-22)',
    async (cut) => {
      repository.commit({
        files: Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`d${index}/f`, `${Math.sin(index)}`])),
      });
      const source = sourceWith();
      host.faults.cutAfter = cut;
      expect(await failure(openMain(source))).toMatchObject({ code: 'repository-unreachable', retry: 'later' });
      delete host.faults.cutAfter;
      expect(await openMain(source)).toHaveLength(300);
    },
  );

  it('is a clear error where it flips bits (FT-25, NT-30)', async () => {
    repository.commit({
      files: Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`d${index}/f`, `${Math.cos(index)}`])),
    });
    const source = sourceWith();
    host.faults.changePack = (body) => {
      const at = body.indexOf('PACK') + 200;
      body[at] = (body[at] ?? 0) ^ 0x10;
      return body;
    };
    expect(await failure(openMain(source))).toMatchObject({ code: 'repository-unreachable', retry: 'later' });
    delete host.faults.changePack;
    expect(await openMain(source)).toHaveLength(50);
  });

  it.each([
    ['ERROR: Repository not found.', 'repository-auth-failed'],
    ['ERROR: Permission to o/r.git denied to deploy key', 'repository-auth-failed'],
    ['remote: internal trouble', 'repository-unreachable'],
  ])('that writes %j is %s', async (said, code) => {
    host.faults.instead = (channel) => {
      channel.stderr.write(said);
      channel.exit(1);
      channel.end();
    };
    const error = await failure(sourceWith().resolve(access, 'main'));
    expect(error).toMatchObject({ code });
    expect(error.message).toContain(said);
  });

  it('that talks nonsense is a clear error', async () => {
    host.faults.instead = (channel) => {
      channel.write('Welcome to our server!\n');
      channel.exit(0);
      channel.end();
    };
    expect(await failure(sourceWith().resolve(access, 'main'))).toMatchObject({ code: 'repository-unreachable' });
  });

  it('is given up on when it opens no channel, sends nothing, or drips', async () => {
    repository.commit({ files: { a: '1' } });
    host.faults.mute = true;
    const source = sourceWith({ idleSeconds: 0.3 });
    expect((await failure(source.resolve(access, 'main'))).message).toContain('sent nothing');
    delete host.faults.mute;
    host.faults.instead = () => undefined;
    expect((await failure(source.resolve(access, 'main'))).message).toContain('sent nothing');
    host.faults.instead = (channel) => {
      const timer = setInterval(() => channel.write('0008abcd'), 20);
      channel.on('close', () => clearInterval(timer));
    };
    expect((await failure(sourceWith({ requestSeconds: 0.4 }).resolve(access, 'main'))).message).toContain('not done');
    delete host.faults.instead;
    expect(await openMain(source)).toEqual(['a']);
  });

  it('is given up on when it is no SSH server, or nobody', async () => {
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as AddressInfo;
    const source = sourceWith({ idleSeconds: 0.3 });
    for (const at of [port, 1]) {
      const asked = accessWith({}, `ssh://git@127.0.0.1:${at}/x.git`);
      expect(await failure(source.resolve(asked, 'main'))).toMatchObject({
        code: 'repository-unreachable',
        retry: 'later',
      });
    }
    silent.close();
  });
});

describe('limits over ssh', () => {
  it('refuse a pack past LIM-03 while it arrives, and do not retry it (NT-28)', async () => {
    repository.commit({
      files: Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`d${index}/f`, `${Math.sin(index)}`])),
    });
    expect(await failure(openMain(sourceWith({ packBytes: 10_000 })))).toMatchObject({
      code: 'source-too-large',
      retry: 'never',
      data: { limit: 'LIM-03' },
    });
  });

  it.each([true, false])('refuse too many refs (LIM-04), protocol 0: %s', async (oldProtocol) => {
    host.faults.oldProtocol = oldProtocol;
    const commit = repository.commit({ files: { a: '1' } });
    for (let index = 0; index < 12; index += 1) repository.git('tag', `1.${index}.0`, commit);
    expect(await failure(sourceWith({ refs: 10 }).resolve(access, '*'))).toMatchObject({
      code: 'source-too-large',
      data: { limit: 'LIM-04' },
    });
  });
});

describe('the command', () => {
  it('is git-upload-pack with one word, whatever the path holds (NT-25)', async () => {
    const url = `${host.url}/a'b;touch%20x$(id)!.git`;
    await failure(sourceWith().resolve(accessWith({}, url), 'main'));
    expect(host.commands).toEqual([String.raw`git-upload-pack '/a'\''b;touch x$(id)'\!'.git'`]);
  });
});

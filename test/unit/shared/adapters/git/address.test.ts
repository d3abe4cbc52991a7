import { describe, expect, it } from 'vitest';

import { isPrivateAddress, publicLookup, repositoryUrl, sshPath } from '#shared/adapters/git/address.ts';

const open = { allowInsecureHttp: false, denyPrivateAddresses: false };
const guarded = { allowInsecureHttp: true, denyPrivateAddresses: true };

describe('repository URLs', () => {
  it.each([
    ['https://git.example.com/team/app.git', 'https://git.example.com/team/app.git'],
    ['https://git.example.com/team/app/', 'https://git.example.com/team/app'],
    ['https://org@dev.azure.com/org/project/_git/app', 'https://dev.azure.com/org/project/_git/app'],
    ['http://127.0.0.1:8080/app.git', 'http://127.0.0.1:8080/app.git'],
    ['http://localhost:3000/app.git', 'http://localhost:3000/app.git'],
    ['http://[::1]:3000/app.git', 'http://[::1]:3000/app.git'],
  ])('take %s', (text, href) => {
    expect(repositoryUrl(text, open).href).toBe(href);
  });

  it.each([
    '--upload-pack=touch /tmp/p',
    'https:///host/app.git',
    'https://host/%0aapp.git',
    'https://host/%0D%0Aapp.git',
    'https://host/a b',
    'https://host/app.git\n',
    'https://user:secret@host/app.git',
    'https://host/app.git?x=y',
    'https://host/app.git#x',
    'file:///etc/passwd',
    'ext::sh -c id',
    'http://git.example.com/app.git',
    'https://host\\@evil/app.git',
    '$(id)',
    '',
  ])('refuse %j (NT-25, NT-26)', (text) => {
    expect(() => repositoryUrl(text, open)).toThrow(expect.objectContaining({ code: 'invalid-input' }) as Error);
    try {
      repositoryUrl(text, open);
    } catch (error) {
      expect((error as Error).message).not.toContain('secret');
    }
  });

  it("say that Git's own protocol is not read", () => {
    expect(() => repositoryUrl('git://host/app.git', open)).toThrow(
      expect.objectContaining({ code: 'unsupported' }) as Error,
    );
  });

  it.each([
    ['git@GitHub.com:team/app.git', 'ssh://git@github.com/team/app.git', 'team/app.git'],
    ['git@github.com:/team/app.git/', 'ssh://git@github.com/team/app.git', '/team/app.git'],
    ['ssh://git@github.com:22/team/app.git', 'ssh://git@github.com/team/app.git', '/team/app.git'],
    ['ssh://host:2222/~ada/app.git', 'ssh://git@host:2222/~ada/app.git', '~ada/app.git'],
    ['ssh://APKA5@git-codecommit.eu-west-1.amazonaws.com/v1/repos/a', undefined, '/v1/repos/a'],
    ['git@ssh.dev.azure.com:v3/org/pro%20ject/app', undefined, 'v3/org/pro%20ject/app'],
    ['ssh://git@ssh.dev.azure.com/v3/org/pro%20ject/app', undefined, '/v3/org/pro ject/app'],
  ])('take %s', (text, href, path) => {
    expect(repositoryUrl(text, open).href).toBe(href ?? repositoryUrl(text, open).href);
    expect(sshPath(text)).toBe(path);
  });

  it('take the short form of CodeCommit', () => {
    expect(repositoryUrl('codecommit::eu-west-1://shop', open).href).toBe(
      'https://git-codecommit.eu-west-1.amazonaws.com/v1/repos/shop',
    );
  });

  it.each([
    'ssh://git:secret@host/app.git',
    'ssh://host',
    'ssh://-oProxyCommand=id/app.git',
    'git@host:-upload-pack',
    'git@host:',
    'ssh://git@host/%00',
    'ssh://git@host/a%0ab',
    'ssh://git@host/%ff',
    '-oProxyCommand=id@host:app.git',
    'ssh://git@host/app.git?x',
    'git@host:a b',
    'codecommit::eu-west-1://profile@shop',
  ])('refuse %j over ssh (NT-25, NT-26)', (text) => {
    expect(() => repositoryUrl(text, open)).toThrow(expect.objectContaining({ code: 'invalid-input' }) as Error);
  });

  it.each(['ssh://git@0x7f000001/x', 'git@127.1:x', 'ssh://git@[::ffff:10.0.0.1]/x', 'git@metadata.google.internal:x'])(
    'refuse %s where private networks are closed (NT-80)',
    (text) => {
      expect(() => repositoryUrl(text, guarded)).toThrow(
        expect.objectContaining({ code: 'repository-unreachable' }) as Error,
      );
    },
  );

  it.each([
    'http://169.254.169.254/x',
    'http://[::ffff:169.254.169.254]/x',
    'http://0x7f000001/x',
    'http://2130706433/x',
    'http://127.1/x',
    'http://localhost/x',
    'http://metadata.google.internal/x',
    'http://10.0.0.1/x',
    'http://[fd00:ec2::254]/x',
    'http://[64:ff9b::a9fe:a9fe]/x',
    'http://[::]/x',
    'http://0.0.0.0/x',
    'http://intranet/x',
  ])('refuse %s where private networks are closed (NT-80)', (text) => {
    expect(() => repositoryUrl(text, guarded)).toThrow(
      expect.objectContaining({ code: 'repository-unreachable' }) as Error,
    );
  });

  it('let public addresses pass where private networks are closed', () => {
    expect(repositoryUrl('https://github.com/o/r.git', guarded).hostname).toBe('github.com');
    expect(repositoryUrl('https://8.8.8.8/r.git', guarded).hostname).toBe('8.8.8.8');
    expect(repositoryUrl('https://[2606:4700::1]/r.git', guarded).hostname).toBe('[2606:4700::1]');
  });
});

describe('private addresses', () => {
  it.each([
    '::ffff:10.0.0.1',
    '100.64.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '198.19.0.1',
    '224.0.0.1',
    '255.255.255.255',
    'fe80::1',
    'fec0::1',
    'ff02::1',
    '2002:7f00:1::',
    '::7f00:1',
    'not an address',
  ])('%s is one', (address) => {
    expect(isPrivateAddress(address)).toBe(true);
  });

  it.each(['1.1.1.1', '172.32.0.1', '192.169.0.1', '2a00:1450::1', '::ffff:8.8.8.8'])('%s is none', (address) => {
    expect(isPrivateAddress(address)).toBe(false);
  });

  it('are refused when a name leads to one, before anything connects (NT-80)', async () => {
    const error = await new Promise((resolve) =>
      publicLookup('localhost', { all: true }, (failure) => resolve(failure)),
    );
    expect(error).toMatchObject({ code: 'repository-unreachable' });
  });
});

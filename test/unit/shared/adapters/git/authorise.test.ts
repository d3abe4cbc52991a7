import { describe, expect, it } from 'vitest';
import { createAuthoriser } from '#shared/adapters/git/authorise.ts';
import type { RepositoryCredentials } from '#shared/domain/repository-credentials.ts';
import type { RepositoryAccess } from '#shared/ports/git-source.ts';

const appTokens = { tokenFor: () => Promise.resolve('app-token'), forget: () => undefined };
const asked: string[] = [];
const authoriser = createAuthoriser({
  appTokens,
  codecommit: (url) => {
    asked.push(url.href);
    return Promise.resolve({ username: 'ASIA%token', password: 'signature' });
  },
});
const codecommit = 'https://git-codecommit.eu-west-1.amazonaws.com/v1/repos/shop';

function headers(credentials: RepositoryCredentials | undefined, url = 'https://git.example/a.git') {
  const access: RepositoryAccess = { organisation: 'o', repository: 'r', url };
  if (credentials !== undefined) access.credentials = credentials;
  return authoriser.headers(access, new URL(url));
}

function pair(text: string): { authorization: string } {
  return { authorization: `Basic ${Buffer.from(text).toString('base64')}` };
}

describe('what is sent with a request', () => {
  it('is nothing without credentials', async () => {
    expect(await headers(undefined)).toEqual({});
  });

  it('is user and password, a bearer token, or the token of an app', async () => {
    expect(await headers({ kind: 'basic', password: 'p' })).toEqual(pair('git:p'));
    expect(await headers({ kind: 'basic', username: 'ada', password: 'p:q' })).toEqual(pair('ada:p:q'));
    expect(await headers({ kind: 'bearer', token: 't' })).toEqual({ authorization: 'Bearer t' });
    expect(await headers({ kind: 'github-app', appId: '1', privateKey: 'k' })).toEqual(
      pair('x-access-token:app-token'),
    );
  });

  it('is signed for CodeCommit', async () => {
    expect(await headers({ kind: 'codecommit' }, codecommit)).toEqual(pair('ASIA%token:signature'));
    expect(asked).toEqual([codecommit]);
  });

  it.each([
    'https://git.example/v1/repos/shop',
    'https://git-codecommit.eu-west-1.amazonaws.com.evil.example/v1/repos/shop',
    'http://git-codecommit.eu-west-1.amazonaws.com/v1/repos/shop',
    'https://git-codecommit.eu-west-1.amazonaws.com:8443/v1/repos/shop',
    'https://evil.example/git-codecommit.eu-west-1.amazonaws.com/v1/repos/shop',
  ])('is never signed with the role for %s (NT-26)', async (url) => {
    asked.length = 0;
    await expect(headers({ kind: 'codecommit' }, url)).rejects.toMatchObject({ code: 'repository-auth-failed' });
    expect(asked).toEqual([]);
  });

  it('is refused where nobody can sign, or where the key is one of ssh', async () => {
    const without = createAuthoriser({ appTokens });
    const access = {
      organisation: 'o',
      repository: 'r',
      url: codecommit,
      credentials: { kind: 'codecommit' as const },
    };
    await expect(without.headers(access, new URL(codecommit))).rejects.toMatchObject({
      code: 'repository-auth-failed',
    });
    await expect(headers({ kind: 'ssh', privateKey: 'canary' })).rejects.toMatchObject({
      code: 'repository-auth-failed',
      message: expect.not.stringContaining('canary'),
    });
  });
});

import { createHash, createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { codeCommitPassword, createCodeCommitLogin } from '#shared/adapters/aws/codecommit-credentials.ts';
import { createFakeClock } from '#test/kit/clock.ts';

const url = new URL('https://git-codecommit.eu-central-1.amazonaws.com/v1/repos/shop');
const secret = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';

/** Step by step as AWS's guide writes it, with the literal texts of this one case. */
function byHand(): string {
  const canonical = 'GIT\n/v1/repos/shop\n\nhost:git-codecommit.eu-central-1.amazonaws.com\n\nhost\n';
  const toSign =
    'AWS4-HMAC-SHA256\n20260102T030405\n20260102/eu-central-1/codecommit/aws4_request\n' +
    createHash('sha256').update(canonical).digest('hex');
  const dateKey = createHmac('sha256', `AWS4${secret}`).update('20260102').digest();
  const regionKey = createHmac('sha256', dateKey).update('eu-central-1').digest();
  const serviceKey = createHmac('sha256', regionKey).update('codecommit').digest();
  const signingKey = createHmac('sha256', serviceKey).update('aws4_request').digest();
  return `20260102T030405Z${createHmac('sha256', signingKey).update(toSign).digest('hex')}`;
}

const now = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

describe('the login for CodeCommit', () => {
  it('has the signature of the documented algorithm as password', () => {
    expect(codeCommitPassword(url, secret, now)).toBe(byHand());
  });

  it.each([
    ['the repository', new URL('https://git-codecommit.eu-central-1.amazonaws.com/v1/repos/other'), secret, now],
    ['the region', new URL('https://git-codecommit.eu-west-1.amazonaws.com/v1/repos/shop'), secret, now],
    ['the secret', url, `${secret}x`, now],
    ['the second', url, secret, now + 1000],
  ])('is another for another %s', (_what, otherUrl, otherSecret, time) => {
    expect(codeCommitPassword(otherUrl, otherSecret, time).slice(16)).not.toBe(byHand().slice(16));
  });

  it('names the key, and the session of a role', async () => {
    const clock = createFakeClock(now);
    const user = createCodeCommitLogin({
      clock,
      credentials: () => Promise.resolve({ accessKeyId: 'AKIA', secretAccessKey: secret }),
    });
    expect(await user(url)).toEqual({ username: 'AKIA', password: byHand() });
    const role = createCodeCommitLogin({
      clock,
      credentials: () => Promise.resolve({ accessKeyId: 'ASIA', secretAccessKey: secret, sessionToken: 'a/b+c=' }),
    });
    expect((await role(url)).username).toBe('ASIA%a/b+c=');
  });

  it('asks for keys with every request, for those of a role end', async () => {
    let count = 0;
    const login = createCodeCommitLogin({
      clock: createFakeClock(now),
      credentials: () => Promise.resolve({ accessKeyId: `A${(count += 1)}`, secretAccessKey: secret }),
    });
    expect((await login(url)).username).toBe('A1');
    expect((await login(url)).username).toBe('A2');
  });

  it('says what is missing where there is no identity, and nothing of the keys (NT-93)', async () => {
    const login = createCodeCommitLogin({
      clock: createFakeClock(now),
      credentials: () =>
        Promise.reject(Object.assign(new Error('canary-secret'), { name: 'CredentialsProviderError' })),
    });
    const error: unknown = await login(url).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'repository-auth-failed',
      hint: expect.stringContaining('codecommit:GitPull'),
    });
    expect(JSON.stringify([error, (error as Error).message])).not.toContain('canary');
  });
});

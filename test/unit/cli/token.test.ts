import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GrantedToken, TokenView } from '#shared/messages/api-tokens.ts';
import { startFixtureApi, type FixtureApi } from '#test/kit/fixture-api.ts';
import { cells, hawser, type Ran, type RunOptions } from './hawser.ts';

const [mona, bob, vera, added] = ['a', 'b', 'c', 'd'].map((letter) => letter.repeat(16));
const secret = `hawser_shop_${'s'.repeat(43)}`;

let api: FixtureApi;
beforeEach(async () => {
  api = await startFixtureApi();
});
afterEach(() => api.close());

function run(line: string, options: RunOptions = {}): Promise<Ran> {
  return hawser(line.split(' '), { api, ...options });
}

describe('token list', () => {
  it('shows who may do what until when, and which token is in use', async () => {
    const { code, out } = await run('token list');

    expect(code).toBe(0);
    expect(cells(out)).toEqual([
      ['ID', 'USER', 'ROLE', 'AGE', 'EXPIRES', 'IN USE'],
      [bob, 'bob', 'admin', '3d', 'never', '-'],
      [mona, 'mona', 'admin', '3d', 'never', 'yes'],
      [vera, 'vera', 'viewer', '3d', 'in 90d', '-'],
    ]);
    expect((await run('token list -o wide')).out).toMatch(new RegExp(`^${bob} .* mona +${mona}$`, 'm'));
  });

  it('is for scripts as well', async () => {
    const { items } = JSON.parse((await run('token list -o json')).out) as { items: unknown[] };

    expect(items.map((one) => TokenView.strict().parse(one))).toEqual(api.tokens);
    expect((await run('token list -o name')).out).toBe(`token/${bob}\ntoken/${mona}\ntoken/${vera}\n`);
  });

  it('says so where there is none', async () => {
    api.tokens.length = 0;

    expect(await run('token list')).toEqual({ code: 0, out: '', err: 'No tokens found.\n' });
  });
});

describe('token add', () => {
  it('prints the secret alone, and beside it what it is good for', async () => {
    const { code, out, err } = await run(`token add vera --expires ${nextYear()}-01-31`);

    expect([code, out]).toEqual([0, `${secret}\n`]);
    expect(err).toBe(`token ${added} of vera (viewer) holds until 2027-01-31T00:00:00.000Z; it is shown only now:\n`);
    expect(api.changes).toMatchObject([
      {
        method: 'POST',
        path: '/api/v1/tokens',
        body: { user: 'vera', role: 'viewer', expires: `${nextYear()}-01-31` },
      },
    ]);
  });

  it('hands on no expiry where none was given, and prints everything as JSON', async () => {
    const { out } = await run('token add ada --role admin -o json');

    expect(GrantedToken.strict().parse(JSON.parse(out)).secret).toBe(secret);
    expect(api.changes[0]?.body).toEqual({ user: 'ada', role: 'admin' });
  });

  it.each([
    ['--expires soon', '"soon" is neither a duration nor a date'],
    ['--expires 2001-01-01', '"2001-01-01" is over already'],
    ['--role root', "'root' is invalid"],
    ['-o name', '-o "name" is not something'],
  ])('with %s ends with 2 and grants nothing', async (options, what) => {
    const { code, out, err } = await run(`token add vera ${options}`);

    expect([code, out, api.changes]).toEqual([2, '', []]);
    expect(err).toContain(what);
  });

  it('ends with 3 for a viewer', async () => {
    const { code, err } = await run('token add vera', { env: { HAWSER_TOKEN: 'fixture-viewer-token' } });

    expect(code).toBe(3);
    expect(err).toContain('may look but not change');
  });
});

describe('token revoke', () => {
  it('ends a token, and names those that were granted with it (NT-110)', async () => {
    const { code, out, err } = await run(`token revoke ${bob} --yes`);

    expect([code, out]).toEqual([0, `token ${bob} of bob (admin) is revoked\n`]);
    expect(err).toBe(`Granted with it, and not revoked: ${vera}.\n`);
    expect(api.changes).toMatchObject([{ method: 'DELETE', path: `/api/v1/tokens/${bob}` }]);
    expect((await run(`token revoke ${vera} --yes`)).err).toBe('');
  });

  it('asks first; where nobody answers it ends with 2, and does nothing', async () => {
    const { code, err } = await run(`token revoke ${vera}`);

    expect([code, api.changes]).toEqual([2, []]);
    expect(err).toContain('Add --yes.');
  });

  it('ends with 3 where there is no such token, and for the last one', async () => {
    expect(await run('token revoke 3f9a --yes')).toMatchObject({ code: 3, err: /no token "3f9a"\n.*token list/ });
    expect(await run(`token revoke ${mona} --yes`)).toMatchObject({ code: 3, err: /never expires\n.*Grant one first/ });
  });
});

function nextYear(): string {
  return String(new Date().getUTCFullYear() + 1);
}

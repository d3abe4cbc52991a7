import { createHmac } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { exportSPKI, importJWK, type CryptoKey } from 'jose';
import { HawserError } from '#shared/errors.ts';
import { readKeySet, type PublicKey } from '#shared/domain/public-keys.ts';
import { verifyServiceAccount } from '#functions/token/verify-service-account.ts';
import {
  agentSubject,
  createIssuer,
  createKey,
  signToken,
  type TestIssuer,
  type TestKey,
  type TokenChanges,
} from '#test/kit/service-account.ts';

const now = Date.UTC(2026, 0, 1);
const issuerUrl = 'https://kubernetes.default.svc.cluster.local';
const expected = { issuer: issuerUrl, subject: agentSubject };
const minute = 60;
let rsa: TestKey;
let ec: TestKey;
let keys: PublicKey[];
let issuer: TestIssuer;

beforeAll(async () => {
  rsa = await createKey('rsa', 'RS256');
  ec = await createKey('ec', 'ES256');
  issuer = createIssuer(issuerUrl, [rsa, ec], () => now);
  keys = keysOf(issuer.jwks);
});

function keysOf(set: unknown): PublicKey[] {
  const read = readKeySet(set);
  if ('problem' in read) throw new Error(read.problem);
  return read.keys;
}

/** Verifies, and answers the sentence of a refusal. */
async function outcome(token: string, options: { now?: number; pinned?: boolean } = {}): Promise<unknown> {
  const pinned = options.pinned === false ? {} : { expected };
  try {
    return await verifyServiceAccount(token, keys, { now: options.now ?? now, ...pinned });
  } catch (error) {
    expect(error).toBeInstanceOf(HawserError);
    expect((error as HawserError).code).toBe('unauthenticated');
    return (error as HawserError).message;
  }
}

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('a ServiceAccount token', () => {
  it('of a pinned RSA or EC key, issuer and subject is taken', async () => {
    const proof = { issuer: issuerUrl, subject: agentSubject };
    expect(await outcome(await issuer.token())).toEqual({ ...proof, kid: 'rsa' });
    const other = createIssuer(issuerUrl, [ec], () => now);
    expect(await outcome(await other.token())).toEqual({ ...proof, kid: 'ec' });
  });

  const hour = 3600;
  const changes: [what: string, change: TokenChanges, why: string | undefined][] = [
    ['another audience', { claims: { aud: ['https://kubernetes.default.svc'] } }, 'aud is not hawser'],
    ['no audience', { claims: { aud: undefined } }, 'aud is missing'],
    ['an audience besides ours', { claims: { aud: ['hawser', 'sts.amazonaws.com'] } }, 'other audiences'],
    ['another party than ours', { claims: { azp: 'somebody' } }, 'azp is wrong'],
    ['no expiry', { claims: { exp: undefined } }, 'exp is missing'],
    ['an expiry that is text', { claims: { exp: 'never' } }, 'exp is wrong'],
    ['no time of issue', { claims: { iat: undefined } }, 'iat is missing'],
    ['an expiry in ten years', { lifetime: 10 * 365 * 24 * hour }, 'lives longer than 2 hours'],
    ['an expiry a second beyond the longest life', { lifetime: 2 * hour + 1 }, 'lives longer than 2 hours'],
    ['an expiry before its issue', { claims: { iat: now / 1000 + 30, exp: now / 1000 + 10 } }, 'lives longer'],
    ['a life that is over by five minutes', { age: hour + 5 * minute }, 'has expired'],
    ['a life that begins in five minutes', { age: -5 * minute }, 'nbf is in the future'],
    ['an issue in five minutes and no nbf', { age: -5 * minute, claims: { nbf: undefined } }, 'issued in the future'],
    ['another issuer', { claims: { iss: 'https://other.example' } }, undefined],
    ['no issuer', { claims: { iss: undefined } }, 'no usable issuer'],
    ['no subject', { claims: { sub: undefined } }, 'sub is missing'],
    ['a person as its subject', { claims: { sub: 'ada' } }, 'no ServiceAccount'],
    ['another ServiceAccount than it is bound to', { claims: { sub: 'system:serviceaccount:a:b' } }, 'bound to'],
    [
      'another ServiceAccount',
      {
        claims: {
          sub: 'system:serviceaccount:default:default',
          'kubernetes.io': { namespace: 'default', serviceaccount: { name: 'default' } },
        },
      },
      undefined,
    ],
    ['a kid that is a path', { header: { kid: '../../etc/passwd' } }, 'no usable kid'],
    ['a kid that is a query', { header: { kid: "' OR 1=1" } }, 'no usable kid'],
    ['no kid', { header: { kid: undefined } }, 'no usable kid'],
    ['a kid that nobody knows', { header: { kid: 'other' } }, undefined],
    ['the kid of another key', { header: { kid: 'ec' } }, undefined],
    ['jku', { header: { jku: 'https://evil.example/keys' } }, 'has the member jku'],
    ['x5u', { header: { x5u: 'https://evil.example/cert' } }, 'has the member x5u'],
    ['x5c', { header: { x5c: ['MII'] } }, 'has the member x5c'],
    ['a key of its own', { header: { jwk: { kty: 'RSA' } } }, 'has the member jwk'],
    ['another type', { header: { typ: 'at+jwt' } }, 'not of the type JWT'],
  ];
  it.each(changes)('with %s is refused (NT-120)', async (_what, change, why) => {
    const said = await outcome(await issuer.token(change));
    if (why === undefined) expect(said).toBeUndefined();
    else expect(said).toContain(why);
  });

  it.each([
    ['issued half a minute ahead of our clock', { age: -30 }],
    ['that ended half a minute ago by our clock', { age: hour + 30 }],
    ['with the longest life', { lifetime: 2 * hour }],
  ] as const)('%s is taken', async (_what, change) => {
    expect(await outcome(await issuer.token(change))).toMatchObject({ kid: 'rsa' });
  });

  it('without a signature is refused, whatever it calls its algorithm (NT-120)', async () => {
    const [header = '', payload = ''] = (await issuer.token()).split('.');
    for (const alg of ['none', 'None', 'NONE', '']) {
      const said = await outcome(`${encode({ alg, kid: 'rsa' })}.${payload}.`);
      expect(said).toContain('neither RS256 nor ES256');
    }
    expect(await outcome(`${header}.${payload}.`)).toBeUndefined();
  });

  it('signed with the public key as a shared secret is refused (NT-120)', async () => {
    const { kid: _kid, ...jwk } = rsa.jwk;
    const secret = await exportSPKI((await importJWK({ ...jwk, ext: true }, 'RS256')) as CryptoKey);
    const payload = (await issuer.token()).split('.')[1] ?? '';
    const text = `${encode({ alg: 'HS256', kid: 'rsa' })}.${payload}`;
    const signature = createHmac('sha256', secret).update(text).digest('base64url');
    expect(await outcome(`${text}.${signature}`)).toContain('neither RS256 nor ES256');
  });

  it('whose algorithm is not that of its key is refused (NT-120)', async () => {
    const payload = JSON.parse(
      Buffer.from((await issuer.token()).split('.')[1] ?? '', 'base64url').toString(),
    ) as object;
    expect(await outcome(await signToken(ec, payload, { kid: 'rsa' }))).toBeUndefined();
  });

  it('that was changed after it was signed is refused', async () => {
    const [header = '', payload = '', signature = ''] = (await issuer.token()).split('.');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object;
    const longer = encode({ ...claims, exp: now / 1000 + 7200 });
    expect(await outcome(`${header}.${longer}.${signature}`)).toBeUndefined();
  });

  it.each(['', '.', 'a.b', 'a.b.c', '..', 'null.null.null', 'x'.repeat(8000)])('is not %j', async (token) => {
    expect(await outcome(token)).toContain('not a JSON Web Token');
  });

  it('tells whoever cannot sign nothing of what is wrong beyond that', async () => {
    const stranger = createIssuer(issuerUrl, [await createKey('rsa', 'RS256')], () => now);
    expect(await outcome(await stranger.token({ age: 7200 }))).toBeUndefined();
    expect(await outcome(await stranger.token({ claims: { aud: 'x' } }))).toBeUndefined();
  });
});

describe('a key set', () => {
  it('keeps what verifies and nothing else', () => {
    const set = { keys: [{ ...rsa.jwk, x5u: 'https://evil.example', extra: 1 }, ec.jwk] };
    expect(keysOf(set).map((key) => Object.keys(key).sort())).toEqual([
      ['alg', 'e', 'kid', 'kty', 'n'],
      ['alg', 'crv', 'kid', 'kty', 'x', 'y'],
    ]);
  });

  it('leaves out keys of other kinds and uses, and must have one that is left', () => {
    const other = [
      { kty: 'OKP', crv: 'Ed25519', kid: 'ed', x: 'AAAA' },
      { ...ec.jwk, kid: 'p384', crv: 'P-384' },
      { ...rsa.jwk, kid: 'enc', use: 'enc' },
      { ...rsa.jwk, kid: 'ps', alg: 'PS256' },
      { ...rsa.jwk, kid: 'short', n: 'AQAB'.repeat(40) },
    ];
    expect(keysOf({ keys: [...other, ec.jwk] }).map(({ kid }) => kid)).toEqual(['ec']);
    expect(readKeySet({ keys: other })).toEqual({ problem: 'the set has no key for RS256 or ES256' });
  });

  const refusals: [what: string, set: () => unknown, problem: RegExp][] = [
    ['two keys of one kid (NT-120)', () => ({ keys: [rsa.jwk, { ...ec.jwk, kid: 'rsa' }] }), /two keys .* kid rsa/],
    ['a key without kid', () => ({ keys: [{ ...rsa.jwk, kid: undefined }] }), /no usable kid/],
    ['a kid that is a path (NT-120)', () => ({ keys: [{ ...rsa.jwk, kid: '../x' }] }), /no usable kid/],
    ['a shared secret', () => ({ keys: [{ kty: 'oct', kid: 'k', k: 'c2VjcmV0' }] }), /not a public key/],
    ['a private key', () => ({ keys: [{ ...rsa.jwk, d: 'AAAA' }] }), /not a public key/],
    [
      'more keys than anybody has',
      () => ({ keys: Array.from({ length: 21 }, (_, n) => ({ ...rsa.jwk, kid: `${n}` })) }),
      /at most 20/,
    ],
    ['no list', () => ({ keys: {} }), /a list/],
    ['nothing', () => null, /a list/],
    ['entries that are no keys', () => ({ keys: [null, 7] }), /no usable kid/],
  ];
  it.each(refusals)('with %s is refused', (_what, set, problem) => {
    expect(readKeySet(set())).toEqual({ problem: expect.stringMatching(problem) });
  });
});

import { describe, expect, it } from 'vitest';
import { HawserError } from '#shared/errors.ts';
import { readKeySet, type PublicKey } from '#shared/domain/public-keys.ts';
import { findAgent } from '#shared/state/agent-tokens.ts';
import { createBell } from '#shared/adapters/embedded/memory-bell.ts';
import { networkOf } from '#functions/token/attempts.ts';
import { sourceOf } from '#functions/token/app.ts';
import { renewRegistration, restoreCluster, revokeCluster } from '#functions/api/cluster-identity.ts';
import { createMailbox } from '#functions/api/mailbox.ts';
import { createIssuer, createKey, type TestKey } from '#test/kit/service-account.ts';
import { answerIn, openToken, organisation, problemIn, uid } from './token-kit.ts';

const minute = 60_000;

/** A registered cluster. */
async function openRegistered(more: Parameters<typeof openToken>[0] = {}) {
  const kit = await openToken(more);
  await answerIn(await kit.register(kit.registration));
  return kit;
}

function publicKeys(keys: TestKey[]): PublicKey[] {
  const read = readKeySet({ keys: keys.map(({ jwk }) => jwk) });
  return 'keys' in read ? read.keys : [];
}

describe('exchange', () => {
  it('answers a token for a quarter of an hour, as often as asked', async () => {
    const kit = await openRegistered();
    const first = await answerIn(await kit.exchange());
    const second = await answerIn(await kit.exchange());

    expect(first.accessToken).not.toBe(second.accessToken);
    for (const { accessToken } of [first, second]) {
      expect(await findAgent(kit.store, accessToken, kit.clock.now() + 15 * minute - 1)).toBeDefined();
      expect(await findAgent(kit.store, accessToken, kit.clock.now() + 15 * minute)).toBeUndefined();
    }
  });

  it('answers the same to whoever names a cluster that is not, and to whoever is not it (NT-100)', async () => {
    const kit = await openRegistered();
    await kit.add('unregistered');
    const stranger = createIssuer(kit.issuer.issuer, [await createKey('first', 'RS256')], () => kit.clock.now());
    const wrong: [from: Parameters<typeof kit.exchange>[0], rest: object][] = [
      [kit.issuer, { cluster: 'absent' }],
      [kit.issuer, { cluster: 'unregistered' }],
      [kit.issuer, { organisation: 'rival' }],
      [stranger, {}],
      [createIssuer('https://other.example', [kit.key], () => kit.clock.now()), {}],
      [{ token: await kit.issuer.token({ header: { kid: 'unknown' } }) }, {}],
      [{ token: await kit.issuer.token({ claims: otherAccount }) }, {}],
    ];
    const answers = [];
    for (const [from, rest] of wrong) answers.push(JSON.stringify(await problemIn(await kit.exchange(from, rest))));
    expect(new Set(answers)).toEqual(new Set([answers[0]]));
    expect(JSON.parse(answers[0] ?? '')).toMatchObject({ status: 401 });
  });

  it('refuses the credentials of a cluster from another one, and tells once (NT-153)', async () => {
    const kit = await openRegistered();
    for (let time = 0; time < 3; time += 1) {
      const clone = await problemIn(await kit.exchange(kit.issuer, { clusterUid: 'another-cluster' }));
      expect(clone).toMatchObject({
        status: 403,
        detail: expect.stringContaining('came from another cluster') as unknown,
      });
    }
    const told = (await kit.events()).filter(({ reason }) => reason === 'DuplicateAgent');
    expect(told).toMatchObject([{ type: 'Warning', object: 'cluster/home' }]);
    expect(told[0]?.message).toContain('another-cluster');
    expect(kit.counts.get('agent_identity_warnings_total{DuplicateAgent}')).toBe(1);
    await answerIn(await kit.exchange());
  });

  it('sends a cluster with the same keys to register while a registration token of its name waits', async () => {
    const kit = await openRegistered();
    const deps = { ...kit.deps, bell: createBell(), mailbox: createMailbox(createBell()) };
    const { token = '' } = await renewRegistration(deps, organisation, 'home', 'ada');
    expect((await kit.exchange(kit.issuer, { clusterUid: 'another-cluster' })).status).toBe(401);
    await answerIn(await kit.register(token, kit.issuer, 'another-cluster'));
    await answerIn(await kit.exchange(kit.issuer, { clusterUid: 'another-cluster' }));
    expect((await kit.exchange()).status).toBe(403);
    const told = (await kit.events()).filter(({ reason }) => reason === 'ClusterRegistered');
    expect(told.map(({ message }) => message.includes(`before, home was the cluster ${uid}`))).toContain(true);
  });

  it('refuses a revoked cluster at once, and its tokens of before for good (NT-110)', async () => {
    const kit = await openRegistered();
    const { accessToken } = await answerIn(await kit.exchange());
    const deps = { ...kit.deps, bell: createBell(), mailbox: createMailbox(createBell()) };
    await revokeCluster(deps, organisation, 'home', 'ada');

    expect(await findAgent(kit.store, accessToken, kit.clock.now())).toBeUndefined();
    expect(await problemIn(await kit.exchange())).toMatchObject({
      status: 403,
      detail: expect.stringContaining('revoked') as unknown,
    });
    for (let time = 0; time < 25; time += 1) expect((await kit.exchange()).status).toBe(403);
    await restoreCluster(deps, organisation, 'home', 'ada');
    expect(await findAgent(kit.store, accessToken, kit.clock.now())).toBeUndefined();
    await answerIn(await kit.exchange());
  });
});

const otherAccount = {
  sub: 'system:serviceaccount:default:default',
  'kubernetes.io': { namespace: 'default', serviceaccount: { name: 'default' } },
};

describe('keys that rotate', () => {
  it('are taken over where a pinned key vouches for them, and people are told', async () => {
    const kit = await openRegistered();
    const next = await createKey('second');
    const rotating = createIssuer(kit.issuer.issuer, [kit.key, next], () => kit.clock.now());
    const rotated = createIssuer(kit.issuer.issuer, [next], () => kit.clock.now());

    expect(await problemIn(await kit.exchange(rotated))).toMatchObject({ status: 401 });
    await answerIn(await kit.exchange(rotating, { jwks: rotating.jwks }));
    await answerIn(await kit.exchange(rotated));
    expect((await kit.events()).filter(({ reason }) => reason === 'ClusterKeysRotated')).toMatchObject([
      { type: 'Warning', message: expect.stringContaining('second') as unknown },
    ]);
    await answerIn(await kit.exchange(rotated, { jwks: rotated.jwks }));
    expect((await kit.cluster()).pinned?.keys.map(({ kid }) => kid)).toEqual(['second']);
  });

  it('are not taken over from whoever cannot sign, nor all exchanged at once', async () => {
    const kit = await openRegistered();
    const evil = createIssuer(kit.issuer.issuer, [await createKey('evil')], () => kit.clock.now());
    const impostor = createIssuer(kit.issuer.issuer, [await createKey('first', 'RS256')], () => kit.clock.now());
    expect((await kit.exchange(evil, { jwks: evil.jwks })).status).toBe(401);
    expect((await kit.exchange(kit.issuer, { jwks: evil.jwks })).status).toBe(401);
    expect((await kit.exchange(kit.issuer, { jwks: impostor.jwks })).status).toBe(401);
    expect((await kit.exchange(kit.issuer, { jwks: { keys: [kit.key.jwk, kit.key.jwk] } })).status).toBe(401);
    expect((await kit.cluster()).pinned?.keys.map(({ kid }) => kid)).toEqual(['first']);
  });

  it('of an EKS issuer are read there, and only for a kid that is not pinned', async () => {
    const eks = `https://oidc.eks.eu-central-1.amazonaws.com/id/${'A1'.repeat(16)}`;
    const [first, second] = [await createKey('first'), await createKey('second')];
    const asked: string[] = [];
    let published: TestKey[] | undefined = [second];
    const kit = await openToken({
      issuerKeys: {
        async read(issuer, kid) {
          asked.push(`${issuer} ${kid}`);
          if (published === undefined) throw new HawserError('unavailable', 'down', { retry: 'later' });
          return publicKeys(published);
        },
      },
    });
    const before = createIssuer(eks, [first], () => kit.clock.now());
    const after = createIssuer(eks, [second], () => kit.clock.now());
    await answerIn(await kit.register(kit.registration, before));
    await answerIn(await kit.exchange(before));
    expect(asked).toEqual([]);

    published = undefined;
    expect((await problemIn(await kit.exchange(after))).status).toBe(503);
    published = [second];
    await answerIn(await kit.exchange(after));
    expect(asked).toEqual([`${eks} second`, `${eks} second`]);
    // From now on they are pinned: the issuer may be away (FT-109), and the key that it withdrew is void.
    published = undefined;
    await answerIn(await kit.exchange(after));
    expect((await kit.exchange(before)).status).toBe(503);
    expect((await kit.cluster()).pinned?.keys.map(({ kid }) => kid)).toEqual(['second']);
  });

  it('of a cloud are never taken from a request', async () => {
    const eks = `https://oidc.eks.eu-central-1.amazonaws.com/id/${'A1'.repeat(16)}`;
    const [first, evil] = [await createKey('first'), await createKey('evil')];
    const kit = await openToken();
    const issuer = createIssuer(eks, [first], () => kit.clock.now());
    await answerIn(await kit.register(kit.registration, issuer));
    await answerIn(await kit.exchange(issuer, { jwks: createIssuer(eks, [first, evil], () => 0).jwks }));
    expect((await kit.cluster()).pinned?.keys.map(({ kid }) => kid)).toEqual(['first']);
  });
});

describe('direct access', () => {
  const aws = {
    region: 'eu-central-1',
    credentials: { accessKeyId: 'a', secretAccessKey: 's', sessionToken: 't' },
    table: 'table',
    cipherKey: 'key',
    wakeQueue: 'https://sqs/wake',
    mailQueue: 'https://sqs/mail',
  };

  it('comes with the token where the deployment grants it, and the answer ends with the sooner of both', async () => {
    const granted: string[] = [];
    const kit = await openToken({
      agentAccess: {
        async grant(...of) {
          granted.push(of.join('/'));
          return { aws, expiresAt: '2026-01-01T00:14:00.000Z' };
        },
      },
    });
    const answer = await answerIn(await kit.register(kit.registration));
    expect(answer).toMatchObject({ aws, expiresAt: '2026-01-01T00:14:00.000Z' });
    expect(granted).toEqual(['acme/home']);
  });

  it('that cannot be granted now leaves the agent with HTTPS (INV-42)', async () => {
    const kit = await openToken({
      agentAccess: { grant: async () => Promise.reject(new HawserError('unavailable', 'STS is away')) },
    });
    const answer = await answerIn(await kit.register(kit.registration));
    expect(answer.aws).toBeUndefined();
    expect(kit.counts.get('agent_direct_access_failures_total{}')).toBe(1);
  });
});

describe('failed attempts (NT-121)', () => {
  it('are limited for the source that makes them, whatever it restarts, and nobody else is', async () => {
    const kit = await openRegistered();
    const bad = { token: await kit.issuer.token({ claims: { aud: 'x' } }) };
    const statuses = [];
    for (let time = 0; time < 22; time += 1) statuses.push((await kit.exchange(bad)).status);
    expect(statuses).toEqual([...Array<number>(20).fill(401), 429, 429]);

    const limited = await kit.exchange();
    expect([limited.status, limited.headers.get('retry-after')]).toEqual([429, '600']);
    // A new process with the same store knows it still.
    const { createTokenApp } = await import('#functions/token/app.ts');
    const again = await createTokenApp(kit.deps).request(
      '/api/v1/agent/token',
      {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ organisation, cluster: 'home', clusterUid: uid, serviceAccountToken: bad.token }),
      },
      { event: { requestContext: { http: { sourceIp: '192.0.2.1' } } } },
    );
    expect(again.status).toBe(429);
    // The cluster itself comes from elsewhere.
    await answerIn(await kit.exchange(kit.issuer, {}, { source: '198.51.100.7' }));
    await kit.clock.advance(10 * minute);
    await answerIn(await kit.exchange());
  });

  it('with many names are one source', async () => {
    const kit = await openRegistered();
    const bad = { token: await kit.issuer.token({ claims: { aud: 'x' } }) };
    const statuses = new Map<number, number>();
    for (let name = 0; name < 210; name += 1) {
      const { status } = await kit.exchange(
        bad,
        { cluster: `random-${name}` },
        { source: `2001:db8::${name.toString(16)}` },
      );
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
    expect([...statuses]).toEqual([
      [401, 200],
      [429, 10],
    ]);
  });

  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:0DB8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['forged, 10.0.0.1', 'unknown'],
    [undefined, 'unknown'],
  ])('from %s count for %s', (address, network) => {
    expect(networkOf(address)).toBe(network);
  });

  it('are counted for the address that the platform says', () => {
    expect(sourceOf({ event: { requestContext: { http: { sourceIp: '192.0.2.9' } } } })).toBe('192.0.2.9');
    expect(sourceOf({ incoming: { socket: { remoteAddress: '::1' } } })).toBe('::1');
    expect(sourceOf(undefined)).toBeUndefined();
    expect(sourceOf({ headers: { 'x-forwarded-for': '10.0.0.1' } })).toBeUndefined();
  });
});

import { describe, expect, it } from 'vitest';
import { sha256 } from '#shared/domain/digest.ts';
import { findAgent } from '#shared/state/agent-tokens.ts';
import { revokeCluster } from '#functions/api/cluster-identity.ts';
import { createMailbox } from '#functions/api/mailbox.ts';
import { createBell } from '#shared/adapters/embedded/memory-bell.ts';
import { agentSubject, createIssuer, createKey } from '#test/kit/service-account.ts';
import { answerIn, openToken, organisation, problemIn, uid } from './token-kit.ts';

const minute = 60_000;

describe('registration', () => {
  it('pins which cluster it is, keeps no secret, and answers a token that opens the API', async () => {
    const kit = await openToken();
    const answer = await answerIn(await kit.register(kit.registration));

    expect(answer).toMatchObject({ organisation, cluster: 'home' });
    expect(Date.parse(answer.expiresAt)).toBe(kit.clock.now() + 15 * minute);
    expect(answer.aws).toBeUndefined();
    const row = await kit.cluster();
    expect(row.pinned).toMatchObject({ uid, issuer: kit.issuer.issuer, subject: agentSubject });
    expect(row.pinned?.keys.map(({ kid }) => kid)).toEqual(['first']);
    expect(JSON.stringify(row)).not.toContain(kit.registration);
    expect(await findAgent(kit.store, answer.accessToken, kit.clock.now())).toEqual({ organisation, cluster: 'home' });
    expect(await kit.events()).toMatchObject([{ type: 'Normal', reason: 'ClusterRegistered', object: 'cluster/home' }]);
  });

  it('happens once: a replay is a conflict that people are told of', async () => {
    const kit = await openToken();
    await answerIn(await kit.register(kit.registration));
    const thief = createIssuer('https://evil.example', [await createKey('evil')], () => kit.clock.now());
    for (let time = 0; time < 3; time += 1) {
      expect(await problemIn(await kit.register(kit.registration, thief, 'other'))).toMatchObject({
        status: 409,
        type: '/problems/conflict',
      });
    }

    expect((await kit.cluster()).pinned?.uid).toBe(uid);
    const told = (await kit.events()).filter(({ reason }) => reason === 'RegistrationReplayed');
    expect(told).toMatchObject([{ type: 'Warning', object: 'cluster/home' }]);
    expect(kit.counts.get('agent_identity_warnings_total{RegistrationReplayed}')).toBe(1);
  });

  it('of two at once happens once', async () => {
    const kit = await openToken();
    const thief = createIssuer('https://evil.example', [await createKey('evil')], () => kit.clock.now());
    const answers = await Promise.all([
      kit.register(kit.registration),
      kit.register(kit.registration, thief, 'other'),
      kit.register(kit.registration),
      kit.register(kit.registration, thief, 'other'),
    ]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409]);
  });

  it('has 15 minutes, then a new token is needed', async () => {
    const kit = await openToken();
    await kit.clock.advance(15 * minute);
    const late = await problemIn(await kit.register(kit.registration));
    expect(late).toMatchObject({ status: 401, detail: expect.stringContaining('ended at') as unknown });
    expect((await kit.cluster()).pinned).toBeUndefined();
  });

  it('a moment before that still happens', async () => {
    const kit = await openToken();
    await kit.clock.advance(15 * minute - 1000);
    await answerIn(await kit.register(kit.registration));
  });

  it('refuses tokens of other clusters, organisations and kinds alike', async () => {
    const kit = await openToken();
    const other = await kit.add('other');
    const secretOf = (token: string) => token.split('_')[3] ?? '';
    const wrong = [
      '',
      'nonsense',
      `hawser-register_${organisation}_home_${secretOf(other)}`,
      `hawser-register_rival_home_${secretOf(kit.registration)}`,
      `hawser-register_${organisation}_absent_${secretOf(kit.registration)}`,
      `hawser-agent_${organisation}_home_${secretOf(kit.registration)}`,
      `hawser_${organisation}_${secretOf(kit.registration)}`,
      `${kit.registration}_more`,
    ];
    const answers = [];
    for (const bearer of wrong) answers.push(await problemIn(await kit.register(bearer)));
    expect(new Set(answers.map((one) => JSON.stringify(one))).size).toBe(1);
    expect(answers[0]?.status).toBe(401);
    await answerIn(await kit.register(kit.registration));
    expect((await kit.cluster('other')).pinned).toBeUndefined();
  });

  it('is left open by a request that proves nothing', async () => {
    const kit = await openToken();
    const stranger = createIssuer(kit.issuer.issuer, [await createKey('first', 'RS256')], () => kit.clock.now());
    const refusals: [body: object, why: string][] = [
      [{ jwks: stranger.jwks, serviceAccountToken: await kit.issuer.token() }, 'not signed with a key of the key set'],
      [{ jwks: { keys: [] }, serviceAccountToken: await kit.issuer.token() }, 'no key for'],
      [
        { jwks: { keys: [kit.key.jwk, kit.key.jwk] }, serviceAccountToken: await kit.issuer.token() },
        'two keys of the set',
      ],
      [{ jwks: kit.issuer.jwks, serviceAccountToken: await kit.issuer.token({ claims: { aud: 'x' } }) }, 'aud'],
    ];
    for (const [body, why] of refusals) {
      const response = await kit.post('register', { clusterUid: uid, ...body }, { bearer: kit.registration });
      expect(await problemIn(response)).toMatchObject({
        status: 401,
        detail: expect.stringContaining(why) as unknown,
      });
    }
    expect((await kit.cluster()).registration?.usedAt).toBeUndefined();
    await answerIn(await kit.register(kit.registration));
  });

  it('voids the static token that the cluster had, and access tokens of before', async () => {
    const kit = await openToken();
    const before = await answerIn(await kit.register(kit.registration));
    const row = await kit.store.get<object>(`T#${organisation}`, 'CLUSTER#home');
    const registration = {
      digest: sha256(kit.registration),
      expiresAt: new Date(kit.clock.now() + 1000).toISOString(),
    };
    await kit.store.put({
      partition: `T#${organisation}`,
      sort: 'CLUSTER#home',
      revision: (row?.revision ?? 0) + 1,
      value: { ...row?.value, registration, tokenDigest: sha256('static') },
    });
    const after = await answerIn(await kit.register(kit.registration));

    expect(await findAgent(kit.store, before.accessToken, kit.clock.now())).toBeUndefined();
    expect(await findAgent(kit.store, after.accessToken, kit.clock.now())).toBeDefined();
    expect((await kit.cluster()).tokenDigest).toBeUndefined();
  });

  it('of a revoked cluster does not happen', async () => {
    const kit = await openToken();
    const mailbox = createMailbox(createBell());
    await revokeCluster({ ...kit.deps, bell: createBell(), mailbox }, organisation, 'home', 'ada');
    expect(await problemIn(await kit.register(kit.registration))).toMatchObject({ status: 401 });
  });

  it.each([
    ['no JSON', '{', 400],
    ['nothing of what is needed', {}, 400],
    ['a token that is too long', { clusterUid: uid, jwks: { keys: [] }, serviceAccountToken: 'x'.repeat(9000) }, 400],
    ['far too much', JSON.stringify({ clusterUid: 'x'.repeat(70_000) }), 413],
  ])('refuses a body with %s', async (_what, body, status) => {
    const kit = await openToken();
    expect((await kit.post('register', body, { bearer: kit.registration })).status).toBe(status);
  });
});

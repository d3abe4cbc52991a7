import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { grantAdmin, keepAdmin } from '#functions/api/prepare.ts';
import { sha256 } from '#shared/domain/digest.ts';
import { GrantedToken, TokenView } from '#shared/messages/api-tokens.ts';
import { grantAgentToken } from '#shared/state/agent-tokens.ts';
import { openApi, openServiceParts, organisation, type ServiceParts } from '#test/kit/service-parts.ts';

const path = '/api/v1/tokens';
const dayMs = 24 * 3600_000;

let parts: ServiceParts;
let api: Awaited<ReturnType<typeof openApi>>;
beforeEach(async () => {
  parts = await openServiceParts();
  api = await openApi(parts);
});
afterEach(() => parts.close());

const idOf = (token: string) => sha256(token).slice(0, 16);

async function list(token = api.tokens.admin): Promise<TokenView[]> {
  const { items } = (await (await api.ask(token, 'GET', path)).json()) as { items: unknown[] };
  return items.map((item) => TokenView.strict().parse(item));
}

async function grant(body: object, token = api.tokens.admin): Promise<GrantedToken> {
  const response = await api.ask(token, 'POST', path, body);
  expect(response.status).toBe(201);
  return GrantedToken.strict().parse(await response.json());
}

async function revoke(id: string, token = api.tokens.admin): Promise<number> {
  return (await api.ask(token, 'DELETE', `${path}/${id}`)).status;
}

async function statusOf(token: string): Promise<number> {
  return (await api.ask(token, 'GET', '/api/v1/session')).status;
}

/** A browser that logs in with a token; its cookie. */
async function logIn(token: string): Promise<string> {
  const response = await api.ask(undefined, 'POST', '/api/v1/session', { token });
  expect(response.status).toBe(200);
  return (response.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
}

async function statusWith(cookie: string): Promise<number> {
  return (await api.app.request('/api/v1/session', { headers: { cookie } })).status;
}

describe('granting a token', () => {
  it('answers a secret that works, once: nothing that can be read later holds it (NT-94)', async () => {
    const granted = await grant({ user: 'vera@shop.example', role: 'viewer', expires: '90d' });

    const who = await api.ask(granted.secret, 'GET', '/api/v1/session');
    expect(await who.json()).toMatchObject({ organisation, user: 'vera@shop.example', role: 'viewer' });
    const rows = JSON.stringify((await parts.store.query(`T#${organisation}`)).rows);
    const shown = await (await api.ask(api.tokens.admin, 'GET', path)).text();
    const events = await (await api.ask(api.tokens.viewer, 'GET', '/api/v1/events')).text();
    expect(shown).toContain(granted.id);
    for (const text of [rows, shown, events]) expect(text).not.toContain(granted.secret.split('_').at(-1));
    expect(shown + events).not.toContain(sha256(granted.secret));
  });

  it.each([
    ['a duration', '12h', 12 * 3600_000],
    ['days', '90d', 90 * dayMs],
  ])('takes %s, after which the token is refused and not listed', async (_what, expires, ms) => {
    const granted = await grant({ user: 'ci', role: 'admin', expires });
    expect(Date.parse(granted.expiresAt ?? '') - parts.clock.now()).toBe(ms);
    parts.clock.setNow(parts.clock.now() + ms - 1);
    expect(await statusOf(granted.secret)).toBe(200);
    parts.clock.setNow(parts.clock.now() + 1);

    expect(await statusOf(granted.secret)).toBe(401);
    expect((await list()).map(({ id }) => id)).not.toContain(granted.id);
    expect(await revoke(granted.id)).toBe(404);
  });

  it.each([
    ['no role', { user: 'x' }, 'role'],
    ['a role that there is not', { user: 'x', role: 'root' }, 'role'],
    ['a name that is none', { user: 'x\u202e', role: 'viewer' }, 'user: must be a name'],
    ['a word that is no time', { user: 'x', role: 'viewer', expires: 'soon' }, 'neither a duration nor a date'],
    ['a day that is over', { user: 'x', role: 'viewer', expires: '2001-01-01' }, 'is over already'],
    [
      'an expiry of another name, which would have made a token for good',
      { user: 'x', role: 'viewer', expiresAt: '1d' },
      'expiresAt',
    ],
  ])('refuses %s, and grants nothing', async (_what, body, detail) => {
    const before = await list();
    const response = await api.ask(api.tokens.admin, 'POST', path, body);

    expect(response.status).toBe(400);
    expect(((await response.json()) as { detail: string }).detail).toContain(detail);
    expect(await list()).toEqual(before);
  });
});

describe('the list of tokens', () => {
  it('holds tokens of people: no session, no token of an agent, none that has expired', async () => {
    await logIn(api.tokens.admin);
    await grantAgentToken(parts.store, organisation, { id: 'home', epoch: 'e' }, parts.clock.now());
    const old = { cluster: 'home', epoch: 'e', createdAt: '', expiresAt: '2999-01-01T00:00:00Z' };
    await parts.store.put({ partition: `T#${organisation}`, sort: `TOKEN#${'a'.repeat(64)}`, revision: 1, value: old });

    expect((await list()).map(({ id, user, role, isCurrent }) => [id, user, role, isCurrent])).toEqual([
      [idOf(api.tokens.admin), 'ada', 'admin', true],
      [idOf(api.tokens.viewer), 'vera', 'viewer', false],
    ]);
  });

  it('says who granted a token, and with which one', async () => {
    const { secret, ...child } = await grant({ user: 'bob', role: 'admin' });
    const grandchild = await grant({ user: 'eve', role: 'viewer' }, secret);

    expect(child).toMatchObject({ grantedBy: 'ada', grantedWith: idOf(api.tokens.admin), isCurrent: false });
    expect(await list()).toContainEqual({ ...child });
    expect(grandchild).toMatchObject({ grantedBy: 'bob', grantedWith: child.id });
  });

  it('shows each organisation its own only (NT-100)', async () => {
    expect((await list(api.tokens.rival)).map(({ id }) => id)).toEqual([idOf(api.tokens.rival)]);
  });
});

describe('revoking a token (NT-110)', () => {
  it('refuses it from the next request on, and leaves all others', async () => {
    const granted = await grant({ user: 'bob', role: 'viewer' });
    expect(await statusOf(granted.secret)).toBe(200);
    expect(await revoke(granted.id)).toBe(204);

    expect(await statusOf(granted.secret)).toBe(401);
    expect((await list()).map(({ id }) => id)).toEqual([idOf(api.tokens.admin), idOf(api.tokens.viewer)]);
    expect(await revoke(granted.id)).toBe(404);
  });

  it('ends the sessions that it opened, and no other', async () => {
    const [own, other] = [await logIn(api.tokens.viewer), await logIn(api.tokens.admin)];
    // A session that was opened with the session's own token hangs by the same thread.
    const second = await logIn(own.slice(own.indexOf('=') + 1));
    expect([await statusWith(own), await statusWith(second)]).toEqual([200, 200]);
    await revoke(idOf(api.tokens.viewer));

    expect([await statusWith(own), await statusWith(second), await statusWith(other)]).toEqual([401, 401, 200]);
  });

  it('ends a stream that is open', async () => {
    const granted = await grant({ user: 'bob', role: 'viewer' });
    const response = await api.ask(granted.secret, 'GET', '/api/v1/stream');
    const reading = response.text();
    await revoke(granted.id);
    await parts.clock.advance(16_000);
    parts.bell.ring(`organisation:${organisation}`, 'web');

    expect(await reading).not.toContain('event:');
    expect((await api.ask(granted.secret, 'GET', '/api/v1/stream')).status).toBe(401);
  });

  it('answers the same for a token of another organisation as for none (NT-100)', async () => {
    const answers = await Promise.all(
      [idOf(api.tokens.rival), '0123456789abcdef'].map(async (id) => {
        const response = await api.ask(api.tokens.admin, 'DELETE', `${path}/${id}`);
        return [response.status, (await response.text()).replaceAll(id, 'ID')];
      }),
    );

    expect(answers[0]).toEqual(answers[1]);
    expect(answers[0]?.[0]).toBe(404);
    expect(await statusOf(api.tokens.rival)).toBe(200);
  });

  it('takes nothing but a whole id: a part of one, a digest, an agent’s or a session’s are none', async () => {
    const cookie = await logIn(api.tokens.admin);
    const session = sha256(cookie.slice(cookie.indexOf('=') + 1)).slice(0, 16);
    const { token: access } = await grantAgentToken(parts.store, organisation, { id: 'home' }, parts.clock.now());
    const id = idOf(api.tokens.viewer);
    for (const wrong of ['a', id.slice(0, 15), `${id}0`, sha256(api.tokens.viewer), idOf(access), session, '%23'])
      expect(await revoke(wrong)).toBe(404);

    expect([await statusOf(api.tokens.viewer), await statusWith(cookie)]).toEqual([200, 200]);
  });

  it.each([
    ['viewer', () => api.tokens.viewer],
    ['agent', () => api.tokens.agent],
  ])('is not for a %s, and neither are the others (NT-100)', async (_who, token) => {
    expect(await revoke(idOf(api.tokens.viewer), token())).toBe(403);
    expect((await api.ask(token(), 'GET', path)).status).toBe(403);
    expect((await api.ask(token(), 'POST', path, { user: 'x', role: 'admin' })).status).toBe(403);
    expect(await list()).toHaveLength(2);
  });

  it('refuses whoever would lock out the organisation: with the token in use, and no other admin’s that never expires', async () => {
    const id = idOf(api.tokens.admin);
    await grant({ user: 'ci', role: 'admin', expires: '90d' });
    const response = await api.ask(api.tokens.admin, 'DELETE', `${path}/${id}`);
    expect(response.status).toBe(409);
    expect(await response.json()).toMatchObject({ hint: expect.stringContaining('hawser token add') as string });
    const cookie = await logIn(api.tokens.admin);
    const headers = { cookie, 'x-hawser-request': '1' };
    expect((await api.app.request(`${path}/${id}`, { method: 'DELETE', headers })).status).toBe(409);
    expect(await statusOf(api.tokens.admin)).toBe(200);

    await grant({ user: 'bob', role: 'admin' });
    expect(await revoke(id)).toBe(204);
    expect([await statusOf(api.tokens.admin), await statusWith(cookie)]).toEqual([401, 401]);
  });

  it('lets an admin with another token revoke a leaked one, though it is the last that never expires', async () => {
    const { secret } = await grant({ user: 'ci', role: 'admin', expires: '1h' });

    expect(await revoke(idOf(api.tokens.admin), secret)).toBe(204);
    expect(await statusOf(api.tokens.admin)).toBe(401);
  });

  it('shuts out the admin’s token of before, when whoever deployed granted another', async () => {
    const first = (await grantAdmin(parts, organisation)) ?? '';
    const second = (await grantAdmin(parts, organisation, { again: true })) ?? '';
    expect(await revoke(idOf(first), second)).toBe(204);

    expect([await statusOf(first), await statusOf(second)]).toEqual([401, 200]);
  });

  it('holds over a new start of a service that remembers its admin’s token', async () => {
    const first = await keepAdmin(parts, organisation, undefined);
    expect(await keepAdmin(parts, organisation, first)).toBe(first);
    await revoke(idOf(first));
    const second = await keepAdmin(parts, organisation, first);

    expect([await statusOf(first), await statusOf(second)]).toEqual([401, 200]);
    expect(await statusOf(await keepAdmin(parts, organisation, api.tokens.viewer))).toBe(200);
  });

  it('leaves events that say who did it', async () => {
    const { id } = await grant({ user: 'bob', role: 'viewer', expires: '1h' });
    await revoke(id);
    const { items } = (await (await api.ask(api.tokens.viewer, 'GET', '/api/v1/events')).json()) as {
      items: { reason: string; by: string; object: string; message: string }[];
    };

    expect(items.map(({ reason, by, object }) => `${reason} ${by} ${object}`).toSorted()).toEqual([
      `TokenGranted ada token/${id}`,
      `TokenRevoked ada token/${id}`,
    ]);
    expect(items.map(({ message }) => message)).toContain('a token of bob (viewer) was revoked');
  });
});

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openApi, openServiceParts, organisation, type ServiceParts } from '#test/kit/service-parts.ts';

let parts: ServiceParts;
let api: Awaited<ReturnType<typeof openApi>>;
beforeEach(async () => {
  parts = await openServiceParts();
  api = await openApi(parts);
});
afterEach(() => parts.close());

const key = '/ConfigMap/shop/a';
const report = {
  format: 1,
  epoch: 'e',
  sequence: 1,
  agentVersion: '1',
  version: 0,
  applications: [],
  heartbeat: { digest: '', applications: 0, objects: 0, memoryBytes: 0 },
};

/** Every route, who may use it, and a request that is well-formed. */
const routes: [method: string, path: string, may: 'all' | 'users' | 'admins' | 'agents', body?: unknown][] = [
  ['GET', '/metrics', 'users'],
  ['GET', '/api/v1/session', 'users'],
  ['GET', '/api/v1/applications', 'users'],
  ['GET', '/api/v1/applications/web', 'users'],
  ['GET', '/api/v1/applications/web/history', 'users'],
  ['GET', '/api/v1/applications/web/events', 'users'],
  ['GET', '/api/v1/applications/web/tree', 'users'],
  ['GET', `/api/v1/applications/web/resource?key=${encodeURIComponent(key)}`, 'users'],
  ['GET', '/api/v1/applications/web/manifests', 'users'],
  ['POST', '/api/v1/applications/web/sync', 'admins', {}],
  ['POST', '/api/v1/applications/web/refresh', 'admins', {}],
  ['POST', '/api/v1/applications/web/rollback', 'admins', { generation: 1 }],
  ['POST', '/api/v1/applications/web/confirm', 'admins', { listDigest: 'a'.repeat(64) }],
  ['POST', '/api/v1/applications/web/suspend', 'admins', {}],
  ['POST', '/api/v1/applications/web/resume', 'admins', {}],
  ['DELETE', '/api/v1/applications/web', 'admins'],
  ['POST', '/api/v1/objects', 'admins', { objects: [{}] }],
  ['GET', '/api/v1/objects/applications', 'users'],
  ['GET', '/api/v1/objects/applications/argocd/web', 'users'],
  ['GET', '/api/v1/events', 'users'],
  ['GET', '/api/v1/clusters', 'users'],
  ['POST', '/api/v1/clusters', 'admins', { name: 'new' }],
  ['DELETE', '/api/v1/clusters/absent', 'admins'],
  ['POST', '/api/v1/clusters/absent/registration', 'admins', {}],
  ['POST', '/api/v1/clusters/absent/revoke', 'admins', {}],
  ['POST', '/api/v1/clusters/absent/restore', 'admins', {}],
  ['GET', '/api/v1/repositories', 'users'],
  ['POST', '/api/v1/repositories', 'admins', { url: 'https://git.test/new.git' }],
  ['GET', '/api/v1/repositories/templates', 'users'],
  ['DELETE', '/api/v1/repositories/templates/absent', 'admins'],
  ['DELETE', '/api/v1/repositories/absent', 'admins'],
  ['POST', '/api/v1/repositories/absent/webhook-secret', 'admins', {}],
  ['GET', '/api/v1/projects', 'users'],
  ['GET', '/api/v1/tokens', 'admins'],
  ['POST', '/api/v1/tokens', 'admins', { user: 'eve', role: 'viewer' }],
  ['DELETE', '/api/v1/tokens/absent', 'admins'],
  ['GET', '/api/v1/queues', 'users'],
  ['GET', '/api/v1/queues/hints/dead-letters', 'admins'],
  ['POST', '/api/v1/queues/hints/redrive', 'admins', {}],
  ['GET', '/api/v1/stream', 'users'],
  ['GET', '/api/v1/agent/poll', 'agents'],
  ['POST', '/api/v1/agent/chunks', 'agents', { digests: [] }],
  ['POST', '/api/v1/agent/reports', 'agents', report],
  ['POST', '/api/v1/agent/answers', 'agents', { question: 'q' }],
];
const open = [
  ['GET', '/healthz'],
  ['GET', '/api/v1/openapi.json'],
  ['POST', '/api/v1/session'],
  ['DELETE', '/api/v1/session'],
] as const;

describe('who may ask what (NT-100, NT-109)', () => {
  it('is decided for every route that there is, and the open ones are exactly these', () => {
    const known = new Set(
      [...routes, ...open].map(([method, path]) => `${method} ${shapeOf(path.split('?')[0] ?? '')}`),
    );
    const registered = api.app.routes
      .filter((route) => route.method !== 'ALL' && route.path !== '/*')
      .map((route) => `${route.method} ${shapeOf(route.path.replace(/\/$/, ''))}`);

    expect([...new Set(registered)].filter((route) => !known.has(route))).toEqual([]);
    expect([...known].filter((route) => !registered.includes(route))).toEqual([]);
  });

  it.each(routes)('%s %s is for %s', async (method, path, may, body) => {
    const status = async (token: string | undefined) => {
      const response = await api.ask(token, method, path, body);
      await response.body?.cancel();
      return response.status;
    };
    expect(await status(undefined)).toBe(401);
    expect(await status('nonsense')).toBe(401);
    expect(await status(api.tokens.expired)).toBe(401);
    const { admin, viewer, agent } = api.tokens;
    const refused = { users: [agent], admins: [agent, viewer], agents: [admin, viewer], all: [] }[may];
    const allowed = { users: [admin, viewer], admins: [admin], agents: [agent], all: [admin, viewer, agent] }[may];
    for (const token of refused) expect(await status(token)).toBe(403);
    for (const token of allowed) expect([401, 403, 500]).not.toContain(await status(token));
  });

  it('lets nobody see whether another organisation has something (NT-100)', async () => {
    await parts.store.putMany([{ partition: 'T#rival#A#secret', sort: 'SPEC', revision: 1, value: { id: 'secret' } }]);
    const bodies = await Promise.all(
      ['secret', 'absent'].map(async (id) => {
        const response = await api.ask(api.tokens.admin, 'GET', `/api/v1/applications/${id}`);
        return [response.status, (await response.text()).replaceAll(id, 'ID')];
      }),
    );

    expect(bodies[0]).toEqual(bodies[1]);
    expect(bodies[0]?.[0]).toBe(404);
  });

  it('answers a viewer the same for what exists and what does not', async () => {
    const answers = await Promise.all(
      ['web', 'absent'].map(async (id) => {
        const response = await api.ask(api.tokens.viewer, 'POST', `/api/v1/applications/${id}/sync`, {});
        return [response.status, (await response.text()).replaceAll(id, 'ID')];
      }),
    );

    expect(answers[0]).toEqual(answers[1]);
    expect(answers[0]?.[0]).toBe(403);
  });

  it('shows each organisation its own clusters only (INV-34)', async () => {
    const names = async (token: string) =>
      ((await (await api.ask(token, 'GET', '/api/v1/clusters')).json()) as { items: { id: string }[] }).items.map(
        (one) => one.id,
      );

    expect(await names(api.tokens.admin)).toEqual(['home', 'other']);
    expect(await names(api.tokens.rival)).toEqual(['home']);
  });

  it('ends with the token: a revoked one is refused at once (NT-110)', async () => {
    expect((await api.ask(api.tokens.otherAgent, 'GET', '/api/v1/agent/poll')).status).toBe(200);
    await api.ask(api.tokens.admin, 'DELETE', '/api/v1/clusters/other');

    expect((await api.ask(api.tokens.otherAgent, 'GET', '/api/v1/agent/poll')).status).toBe(401);
  });
});

describe('a session', () => {
  async function logIn(origin = 'http://127.0.0.1'): Promise<{ cookie: string; header: string }> {
    const response = await api.app.request(`${origin}/api/v1/session`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token: api.tokens.admin }),
    });
    const header = response.headers.get('set-cookie') ?? '';
    return { cookie: header.split(';')[0] ?? '', header };
  }

  it('is opened with a token, and its cookie is out of reach of scripts and other sites (NT-132)', async () => {
    const { header } = await logIn();

    expect(header).toMatch(/^hawser_session=/);
    expect(header).toContain('HttpOnly');
    expect(header).toContain('SameSite=Strict');
  });

  it('has a cookie of this very host where there is TLS (NT-132)', async () => {
    const { header, cookie } = await logIn('https://hawser.test');

    expect(header).toMatch(/^__Host-hawser_session=.*Secure/);
    const whoami = await api.app.request('https://hawser.test/api/v1/session', { headers: { cookie } });
    expect(await whoami.json()).toEqual({ organisation, user: 'ada', role: 'admin', version: '1.2.3' });
    const plain = cookie.replace('__Host-', '');
    expect((await api.app.request('https://hawser.test/api/v1/session', { headers: { cookie: plain } })).status).toBe(
      401,
    );
  });

  it('reads by its cookie alone, and changes nothing without the header that no other site can send (NT-132)', async () => {
    const { cookie } = await logIn();
    const change = (headers: Record<string, string>, body = '{}') =>
      api.app.request('/api/v1/queues/hints/redrive', { method: 'POST', headers: { cookie, ...headers }, body });

    expect((await api.app.request('/api/v1/applications', { headers: { cookie } })).status).toBe(200);
    expect((await change({ 'content-type': 'application/json' })).status).toBe(403);
    expect((await change({ 'x-hawser-request': '1', 'content-type': 'text/plain' })).status).toBe(415);
    expect((await change({ 'x-hawser-request': '1', 'content-type': 'application/json' })).status).toBe(200);
  });

  it('ends on the server, too, when somebody logs out (NT-123)', async () => {
    const { cookie } = await logIn();
    const end = (headers: Record<string, string>) =>
      api.app.request('/api/v1/session', { method: 'DELETE', headers: { cookie, ...headers } });

    expect((await end({})).status).toBe(403);
    expect((await end({ 'x-hawser-request': '1' })).status).toBe(204);
    expect((await api.app.request('/api/v1/session', { headers: { cookie } })).status).toBe(401);
  });

  it('ends by itself after half a day', async () => {
    const { cookie } = await logIn();
    parts.clock.setNow(parts.clock.now() + 13 * 3600_000);

    expect((await api.app.request('/api/v1/session', { headers: { cookie } })).status).toBe(401);
  });

  it('is not opened for agents, expired tokens or nonsense', async () => {
    for (const token of [api.tokens.agent, api.tokens.expired, 'nonsense', 'hawser_acme_', 'x'.repeat(8000)]) {
      const response = await api.ask(undefined, 'POST', '/api/v1/session', { token });
      expect(response.status).toBe(401);
      expect(response.headers.get('set-cookie')).toBeNull();
    }
  });

  it('is given to who opens the page on loopback, but not through another name or another site', async () => {
    const { app } = await openApi(await openServiceParts(), {
      dashboard: `${import.meta.dirname}/page`,
      loopbackSession: { organisation, user: 'ada' },
    });
    const cookieOf = async (url: string, headers: Record<string, string> = {}) =>
      (await app.request(url, { headers })).headers.get('set-cookie');

    expect(await cookieOf('http://127.0.0.1:9000/')).toContain('hawser_session=');
    expect(await cookieOf('http://localhost:9000/applications/web')).toContain('hawser_session=');
    expect(await cookieOf('http://rebound.test:9000/')).toBeNull();
    expect(await cookieOf('http://127.0.0.1:9000/', { 'sec-fetch-site': 'cross-site' })).toBeNull();
    expect(await cookieOf('http://127.0.0.1:9000/healthz')).toBeNull();
  });

  it('is nobody’s where no loopback session was asked for', async () => {
    const { app } = await openApi(await openServiceParts(), { dashboard: `${import.meta.dirname}/page` });

    expect((await app.request('http://127.0.0.1:9000/')).headers.get('set-cookie')).toBeNull();
  });
});

describe('a body', () => {
  const post = (body: string, headers: Record<string, string> = {}) =>
    api.app.request('/api/v1/objects', {
      method: 'POST',
      headers: { authorization: `Bearer ${api.tokens.admin}`, 'content-type': 'application/json', ...headers },
      body,
    });
  const nested = (depth: number) => `{"objects":${'['.repeat(depth)}${']'.repeat(depth)}}`;

  it.each([
    ['that nests too deeply (NT-172)', nested(200_000), 'nests deeper than 64 levels'],
    ['that is no JSON', '{"objects":', 'is not JSON'],
    ['that reaches for prototypes (NT-170)', '{"objects":[{"__proto__":{"isAdmin":true}}]}', '__proto__'],
    ['that does so in disguise (NT-170)', '{"objects":[{"_\\u005fproto__":{}}]}', '__proto__'],
    ['of another shape', '{"objects":"all"}', 'objects'],
  ])('%s is a problem of the caller, not of the service', async (_what, body, detail) => {
    const response = await post(body);

    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      type: '/problems/invalid-input',
      detail: expect.stringContaining(detail),
    });
    expect(({} as Record<string, unknown>)['isAdmin']).toBeUndefined();
  });

  it('may nest as deeply as objects do', async () => {
    expect((await post(`{"objects":[${'{"a":'.repeat(60)}1${'}'.repeat(60)}]}`)).status).toBe(200);
  });

  it('that is too large is cut off while it comes in (NT-01)', async () => {
    const whole = await post(`{"objects":["${'x'.repeat(17 * 1024 * 1024)}"]}`);
    expect(whole.status).toBe(413);

    let sent = 0;
    const endless = new ReadableStream({
      pull(controller) {
        sent += 1;
        controller.enqueue(new Uint8Array(1024 * 1024).fill(32));
      },
    });
    const response = await api.app.request('/api/v1/objects', {
      method: 'POST',
      headers: { authorization: `Bearer ${api.tokens.admin}`, 'content-type': 'application/json' },
      body: endless,
      duplex: 'half',
    } as RequestInit);
    expect(response.status).toBe(413);
    expect(sent).toBeLessThan(20);
  });

  it('is not even read where nobody is known who sends it', async () => {
    const response = await api.app.request('/api/v1/objects', { method: 'POST', body: 'x'.repeat(1024) });

    expect(response.status).toBe(401);
  });

  it('in another type is refused (NT-132)', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonp', ''])
      expect((await post('{"objects":[{}]}', { 'content-type': type })).status).toBe(415);
  });
});

describe('every answer', () => {
  it('that is an error is a problem document with a stable type (RFC 9457)', async () => {
    const response = await api.ask(api.tokens.admin, 'GET', '/api/v1/applications/absent');

    expect(response.headers.get('content-type')).toContain('application/problem+json');
    expect(await response.json()).toEqual({
      type: '/problems/not-found',
      title: 'Not found',
      status: 404,
      detail: 'there is no application "absent"',
      hint: 'See `hawser get applications`.',
      instance: '/api/v1/applications/absent',
    });
  });

  it('says where nothing is, too', async () => {
    expect(await (await api.ask(api.tokens.admin, 'GET', '/api/v1/nothing')).json()).toMatchObject({
      type: '/problems/not-found',
    });
    expect((await api.ask(undefined, 'GET', '/api/v1/nothing')).status).toBe(401);
    expect((await api.ask(undefined, 'POST', '/elsewhere', {})).status).toBe(404);
    expect((await api.ask(undefined, 'GET', '/%E0%A4%A')).status).toBe(404);
  });

  it('keeps browsers from guessing, framing and running what is not ours (NT-134)', async () => {
    const { headers } = await api.ask(undefined, 'GET', '/healthz');

    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('content-security-policy')).toContain("default-src 'self'");
    expect(headers.get('x-frame-options')).toBe('DENY');
  });

  it('holds no secret that was put in (NT-94)', async () => {
    const secret = 'canary-3f9a';
    await api.ask(api.tokens.admin, 'POST', '/api/v1/repositories', {
      url: 'https://git.test/private.git',
      username: 'bot',
      password: secret,
    });
    for (const [method, path, may] of routes) {
      if (method !== 'GET' || may !== 'users' || path.endsWith('/stream')) continue;
      expect(await (await api.ask(api.tokens.viewer, method, path)).text()).not.toContain(secret);
    }
    const refused = await api.ask(api.tokens.admin, 'POST', '/api/v1/repositories', {
      url: `https://bot:${secret}@git.test/x.git`,
    });
    expect(refused.status).toBe(400);
    expect(await refused.text()).not.toContain(secret);
  });
});

it('the OpenAPI document describes every route', async () => {
  const document = (await (await api.ask(undefined, 'GET', '/api/v1/openapi.json')).json()) as {
    paths: Record<string, Record<string, unknown>>;
  };
  const described = new Set(
    Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${shapeOf(path.replace(/\/$/, ''))}`),
    ),
  );

  const missing = [...routes, ...open]
    .map(([method, path]) => `${method} ${shapeOf(path.split('?')[0] ?? '')}`)
    .filter((route) => route.includes('/api/v1/') && !route.includes('openapi.json') && !described.has(route));
  expect([...new Set(missing)]).toEqual([]);
});

/** A path with its variable parts as `*`. */
function shapeOf(path: string): string {
  return path
    .replaceAll(/\{\w+\}|:\w+/g, '*')
    .replace(/(\/repositories\/templates)\/(?!\*)[\w-]+/, '$1/*')
    .replace(/(\/applications|\/clusters|\/repositories|\/tokens|\/queues)\/(?!\*)[\w-]+/, '$1/*')
    .replace(/(\/objects)((?:\/[\w*-]+)+)/, (_all, start, rest: string) => start + rest.replaceAll(/[\w-]+/g, '*'));
}

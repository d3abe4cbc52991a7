import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { webhookProviders } from '#functions/webhook/webhook-providers.ts';
import type { Problem } from '#shared/domain/problem.ts';
import { settle } from '#test/kit/clock.ts';
import { anEndpoint, fixture, fixtures, repository, secret, signature } from './deliveries.ts';

function textOf(name: string): string {
  return JSON.stringify(fixture(name).body);
}

describe('a signed delivery', () => {
  it.each(fixtures.map((each) => [each.name, each] as const))(
    '%s is answered as its event asks (NT-09)',
    async (_, each) => {
      const endpoint = anEndpoint();
      const body = JSON.stringify(each.body);

      const response = await endpoint.deliver({
        provider: each.provider,
        body,
        headers: { ...each.headers, ...signature(each.provider, body) },
      });

      const expected = { push: 'hint', ping: 'ping', other: 'ignored' }[each.event];
      expect(await response.json()).toMatchObject({ result: expected });
      expect(response.status).toBe(each.event === 'ping' ? 200 : 202);
      expect(endpoint.hints).toEqual(each.event === 'push' ? [{ repository, trace: 'trace-1' }] : []);
    },
  );

  it('has a fixture that pushes for every provider', () => {
    const pushing = new Set(fixtures.filter(({ event }) => event === 'push').map(({ provider }) => provider));
    expect(pushing).toEqual(new Set(webhookProviders.keys()));
  });

  it('becomes the same hint whatever repository, commit or address the payload names (NT-04, NT-08, NT-13)', async () => {
    const endpoint = anEndpoint();
    const body = JSON.stringify({
      ref: 'refs/heads/.*',
      after: 'a'.repeat(40),
      repository: { full_name: 'somebody/else', clone_url: 'https://.*/.*', url: 'http://169.254.169.254/' },
    });

    const response = await endpoint.deliver({
      provider: 'github',
      body,
      headers: { 'x-github-event': 'push', 'content-type': 'application/json', ...signature('github', body) },
    });

    expect(response.status).toBe(202);
    expect(endpoint.hints).toEqual([{ repository, trace: 'trace-1' }]);
  });

  it('is accepted under either secret while one is rotated, and under the new one only afterwards (FT-07)', async () => {
    const body = textOf('github-push');
    const { headers } = fixture('github-push');
    const both = anEndpoint({ secrets: ['new-secret-new-secret-new-secret', secret] });
    const after = anEndpoint({ secrets: ['new-secret-new-secret-new-secret'] });
    const old = { provider: 'github', body, headers: { ...headers, ...signature('github', body) } };
    const fresh = { ...old, headers: { ...headers, ...signature('github', body, 'new-secret-new-secret-new-secret') } };

    expect((await both.deliver(old)).status).toBe(202);
    expect((await both.deliver(fresh)).status).toBe(202);
    expect((await after.deliver(old)).status).toBe(401);
    expect((await after.deliver(fresh)).status).toBe(202);
  });

  it('is accepted with the signing token of GitLab, whatever its clock says (FT-06)', async () => {
    const key = Buffer.alloc(32, 7);
    const endpoint = anEndpoint({ secrets: [`whsec_${key.toString('base64')}`] });
    const body = textOf('gitlab-push');
    const signed = (timestamp: string): Record<string, string> => ({
      ...fixture('gitlab-push').headers,
      'webhook-id': 'msg_1',
      'webhook-timestamp': timestamp,
      'webhook-signature': `v1,${createHmac('sha256', key).update(`msg_1.${timestamp}.${body}`).digest('base64')}`,
    });

    const hourAgo = String(Math.floor(endpoint.clock.now() / 1000) - 3600);
    expect((await endpoint.deliver({ provider: 'gitlab', body, headers: signed(hourAgo) })).status).toBe(202);
    const moved = { ...signed(hourAgo), 'webhook-timestamp': '1' };
    expect((await endpoint.deliver({ provider: 'gitlab', body, headers: moved })).status).toBe(401);
  });

  it.each(['x-forgejo-signature', 'x-gitea-signature', 'x-gogs-signature'])('is accepted under %s', async (name) => {
    const endpoint = anEndpoint();
    const body = textOf('gitea-push');
    const mac = createHmac('sha256', secret).update(body).digest('hex');
    const headers = { ...fixture('gitea-push').headers, [name]: mac };

    expect((await endpoint.deliver({ provider: 'gitea', body, headers })).status).toBe(202);
  });

  it('is accepted with a byte order mark, duplicate keys and no content type: the bytes are what is signed (NT-12)', async () => {
    const endpoint = anEndpoint();
    const body = Buffer.from('\uFEFF{"ref":"a","ref":"b"}');
    const response = await endpoint.deliver({
      provider: 'github',
      body,
      headers: { 'x-github-event': 'push', ...signature('github', body) },
    });
    expect(response.status).toBe(202);
  });
});

describe('a delivery that proves nothing', () => {
  const body = textOf('github-push');
  const base = fixture('github-push').headers;
  const mac = createHmac('sha256', secret).update(body).digest('hex');

  it.each([
    ['no signature', {}],
    ['SHA-1 only', { 'x-hub-signature': `sha1=${createHmac('sha1', secret).update(body).digest('hex')}` }],
    ['an empty key', signature('github', body, '')],
    ['another key', signature('github', body, `${secret}x`)],
    ['a signature of another body', signature('github', `${body} `)],
    ['a short signature', { 'x-hub-signature-256': `sha256=${mac.slice(0, 40)}` }],
    ['a long signature', { 'x-hub-signature-256': `sha256=${mac}00` }],
    ['two signatures', { 'x-hub-signature-256': `sha256=${'0'.repeat(64)}, sha256=${mac}` }],
    ['a signature without its algorithm', { 'x-hub-signature-256': mac }],
  ])('is refused with %s (NT-05)', async (_, headers) => {
    const endpoint = anEndpoint();

    const response = await endpoint.deliver({ provider: 'github', body, headers: { ...base, ...headers } });

    expect(response.status).toBe(401);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    const problem = (await response.json()) as Problem;
    expect(problem).toMatchObject({ type: '/problems/unauthenticated', status: 401 });
    expect(problem.hint).toMatch(/Secret/);
    expect(endpoint.hints).toEqual([]);
  });

  it.each([
    ['unset', []],
    ['empty', ['']],
    ['blank', [' \t\n']],
  ])('is refused where the secret is %s (NT-05)', async (_, secrets) => {
    for (const provider of webhookProviders.keys()) {
      const key = secrets[0] ?? '';
      const endpoint = anEndpoint({ secrets });
      const response = await endpoint.deliver({
        provider,
        body,
        headers: { ...base, ...signature(provider, body, key) },
      });
      expect([provider, response.status]).toEqual([provider, 401]);
      expect(endpoint.hints).toEqual([]);
    }
  });

  it('is refused by a wrong token or password before the body is read', async () => {
    for (const provider of ['gitlab', 'azure-devops']) {
      let read = false;
      const stream = new ReadableStream<Uint8Array>(
        {
          pull(controller) {
            read = true;
            controller.enqueue(new Uint8Array(10));
          },
        },
        { highWaterMark: 0 },
      );
      const endpoint = anEndpoint();
      const headers = { ...signature(provider, body, 'wrong') };
      const response = await endpoint.deliver({ provider, body: stream, headers });
      expect([response.status, read]).toEqual([401, false]);
    }
  });

  it('is not rescued by a right signature under another name', async () => {
    const endpoint = anEndpoint();
    const headers = {
      ...fixture('gitea-push').headers,
      ...signature('gitea', body),
      'x-forgejo-signature': '0'.repeat(64),
    };
    expect((await endpoint.deliver({ provider: 'gitea', body, headers })).status).toBe(401);
  });

  it('is refused the same for a secret of any length, and the log holds no secret (NT-93)', async () => {
    const endpoint = anEndpoint();
    await endpoint.deliver({ provider: 'gitlab', body, headers: { 'x-gitlab-token': secret.slice(1) } });
    expect(JSON.stringify(endpoint.logged)).not.toContain(secret.slice(1));
    expect(endpoint.logged).toMatchObject([{ level: 'info', status: 401 }]);
  });
});

describe('an address that does not exist', () => {
  it.each([
    ['github', 'unknown'],
    ['github', 'NOT.an~id'],
    ['github', '..%2f..%2fetc'],
    ['subversion', repository],
    ['constructor', repository],
    ['__proto__', repository],
  ])('answers 404 for %s/%s', async (provider, id) => {
    const endpoint = anEndpoint();
    const response = await endpoint.deliver({ provider, repository: id, body: '{}', headers: {} });
    expect(response.status).toBe(404);
    expect(endpoint.hints).toEqual([]);
  });
});

describe('a body that is not what it should be', () => {
  const push = { 'x-github-event': 'push' };

  it.each([
    ['gzip', { 'content-encoding': 'gzip', 'content-type': 'application/json' }],
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['UTF-16', { 'content-type': 'application/json; charset=utf-16le' }],
  ])('is answered 415 for %s, after its signature has been checked (NT-12)', async (_, headers) => {
    const endpoint = anEndpoint();
    const body = 'payload=%7B%7D';
    const signed = await endpoint.deliver({
      provider: 'github',
      body,
      headers: { ...push, ...headers, ...signature('github', body) },
    });
    const unsigned = await endpoint.deliver({
      provider: 'github',
      body,
      headers: { ...push, ...headers, ...signature('github', 'x') },
    });
    expect([signed.status, unsigned.status]).toEqual([415, 401]);
    expect(((await signed.json()) as Problem).hint).toBeDefined();
    expect(endpoint.hints).toEqual([]);
  });

  it.each([
    ['no JSON', Buffer.from('{"ref":')],
    ['nothing', Buffer.alloc(0)],
    ['bytes that are not UTF-8', Buffer.from([0x22, 0xff, 0x22])],
  ])('is answered 400 for %s (NT-12)', async (_, body) => {
    const endpoint = anEndpoint();
    const response = await endpoint.deliver({
      provider: 'github',
      body,
      headers: { ...push, 'content-type': 'application/json', ...signature('github', body) },
    });
    expect(response.status).toBe(400);
    expect(endpoint.hints).toEqual([]);
  });
});

function stalled(): ReadableStream<Uint8Array> {
  return new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(900)) });
}

describe('a large body', () => {
  const limits = { maxBodyBytes: 1000, bytesPerEndpoint: 2000 };

  it('is taken at the limit and refused one byte above it, whatever Content-Length says (LIM-01)', async () => {
    const endpoint = anEndpoint({ limits });
    for (const [size, status] of [
      [1000, 202],
      [1001, 413],
    ] as const) {
      const body = `"${'x'.repeat(size - 2)}"`;
      const response = await endpoint.deliver({
        provider: 'github',
        body,
        headers: { 'x-github-event': 'push', 'content-length': '5', ...signature('github', body) },
      });
      expect([size, response.status]).toEqual([size, status]);
    }
  });

  it('is cut off where it goes on for ever, without more than the limit being held (NT-01)', async () => {
    const endpoint = anEndpoint({ limits });
    let produced = 0;
    let cancelled = false;
    const endless = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          produced += 100;
          controller.enqueue(new Uint8Array(100));
        },
        cancel() {
          cancelled = true;
        },
      },
      { highWaterMark: 0 },
    );

    const response = await endpoint.deliver({ provider: 'github', body: endless, headers: signature('github', '') });
    await settle();

    expect(response.status).toBe(413);
    expect(response.headers.get('connection')).toBe('close');
    expect(cancelled).toBe(true);
    expect(produced).toBeLessThanOrEqual(1300);
  });

  it('of a slow sender is given up, and its bytes are free again (NT-01)', async () => {
    const endpoint = anEndpoint({ limits: { ...limits, bodyMilliseconds: 5000 } });
    const deliver = (): Promise<Response> =>
      endpoint.deliver({ provider: 'github', body: stalled(), headers: signature('github', '') });

    const waiting = [deliver(), deliver()];
    await settle();
    const third = await deliver();
    await endpoint.clock.advance(5000);

    expect(third.status).toBe(429);
    expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual([400, 400]);
    const body = JSON.stringify('x'.repeat(900));
    const after = await endpoint.deliver({
      provider: 'github',
      body,
      headers: { 'x-github-event': 'push', ...signature('github', body) },
    });
    expect(after.status).toBe(202);
  });

  it('that breaks off is answered 400', async () => {
    const endpoint = anEndpoint({ limits });
    const broken = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.error(new Error('ECONNRESET')),
    });
    expect(
      (await endpoint.deliver({ provider: 'github', body: broken, headers: signature('github', '') })).status,
    ).toBe(400);
  });
});

describe('acknowledging', () => {
  const body = textOf('github-push');
  const delivery = {
    provider: 'github',
    body,
    headers: { ...fixture('github-push').headers, ...signature('github', body) },
  };

  it('waits until the hint is durable (FT-01)', async () => {
    const stored = Promise.withResolvers<void>();
    const endpoint = anEndpoint({ enqueue: () => stored.promise });
    let answered = false;
    const response = endpoint.deliver(delivery).finally(() => (answered = true));
    await settle();
    expect(answered).toBe(false);

    stored.resolve();

    expect((await response).status).toBe(202);
  });

  it('is refused with 503 where the hint cannot be stored, and the second time in a row is an alarm (FT-04)', async () => {
    const endpoint = anEndpoint({ enqueue: () => Promise.reject(new Error('throttled')) });
    const first = await endpoint.deliver(delivery);
    await endpoint.deliver(delivery);

    expect(first.status).toBe(503);
    expect(first.headers.get('retry-after')).toBe('1');
    expect(await first.json()).toMatchObject({ type: '/problems/unavailable' });
    expect(endpoint.logged).toContainEqual(
      expect.objectContaining({ level: 'error', message: 'webhook deliveries fail in a row', consecutive: 2 }),
    );
  });

  it('is refused within two seconds where the queue does not answer at all (FT-04)', async () => {
    const endpoint = anEndpoint({ enqueue: () => new Promise(() => undefined) });
    const response = endpoint.deliver(delivery);
    await endpoint.clock.advance(2000);
    expect((await response).status).toBe(503);
  });

  it('is refused with 503 where the secrets cannot be read', async () => {
    const endpoint = anEndpoint({ findSecrets: () => Promise.reject(new Error('no such table')) });
    const response = await endpoint.deliver(delivery);
    expect(response.status).toBe(503);
    expect(await response.text()).not.toContain('no such table');
  });
});

describe('many deliveries', () => {
  const body = textOf('github-push');
  const delivery = {
    provider: 'github',
    body,
    headers: { ...fixture('github-push').headers, ...signature('github', body) },
  };

  it('are all accepted, and 10,000 replays become a handful of hints (NT-07, LIM-02)', async () => {
    const endpoint = anEndpoint();
    const statuses = new Set<number>();
    for (let wave = 0; wave < 10; wave += 1) {
      const replays = Array.from({ length: 1000 }, (_, index) =>
        endpoint.deliver({ ...delivery, headers: { ...delivery.headers, 'x-github-delivery': `${wave}-${index}` } }),
      );
      for (const response of await Promise.all(replays)) statuses.add(response.status);
    }
    expect(statuses).toEqual(new Set([202]));
    expect(endpoint.hints.length).toBeLessThanOrEqual(100);
  }, 30_000);

  it('beyond the burst share one hint, which comes when the rate allows it (LIM-02)', async () => {
    const endpoint = anEndpoint({ limits: { perEndpointPerSecond: 20, burst: 3 } });
    for (let index = 0; index < 3; index += 1) await endpoint.deliver(delivery);
    expect(endpoint.hints).toHaveLength(3);

    const more = Promise.all(Array.from({ length: 50 }, () => endpoint.deliver(delivery)));
    await endpoint.clock.advance(49);
    expect(endpoint.hints).toHaveLength(3);
    await endpoint.clock.advance(1);

    expect((await more).map(({ status }) => status)).toEqual(Array.from({ length: 50 }, () => 202));
    expect(endpoint.hints).toHaveLength(4);
  });

  it('of one repository do not slow down another (INV-38)', async () => {
    const endpoint = anEndpoint({ limits: { burst: 1 }, findSecrets: async () => [secret] });
    await endpoint.deliver(delivery);
    const waiting = endpoint.deliver(delivery);

    expect((await endpoint.deliver({ ...delivery, repository: 'another' })).status).toBe(202);

    await endpoint.clock.advance(1000);
    expect((await waiting).status).toBe(202);
  });

  it('never share a hint that was already on its way when they came (INV-05)', async () => {
    const sent: (() => void)[] = [];
    const endpoint = anEndpoint({ enqueue: () => new Promise<void>((resolve) => sent.push(resolve)) });
    const first = endpoint.deliver(delivery);
    await settle();
    const second = endpoint.deliver(delivery);
    const third = endpoint.deliver(delivery);
    await settle();
    expect(sent).toHaveLength(1);

    sent[0]!();
    await first;
    await settle();
    expect(sent).toHaveLength(2);
    sent[1]!();

    const [two, three] = await Promise.all([second, third]);
    expect(await two.json()).toEqual(await three.json());
    expect(sent).toHaveLength(2);
  });
});

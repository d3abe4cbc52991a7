import type { APIGatewayProxyEventV2, Context } from 'aws-lambda';
import { gunzipSync } from 'node:zlib';
import { Hono } from 'hono';
import { beforeEach, describe, expect, it } from 'vitest';
import { createSystemClock } from '#shared/adapters/embedded/system-clock.ts';
import { createSqsBell, type FlushedBell } from '#shared/adapters/aws/sqs-bell.ts';
import { createEmfMetrics } from '#shared/adapters/observe/emf-metrics.ts';
import { createLog } from '#shared/adapters/observe/pino-log.ts';
import type { Problem } from '#shared/domain/problem.ts';
import { HawserError } from '#shared/errors.ts';
import { createCore, type Core } from '#functions/entry/aws/core.ts';
import { httpFunction } from '#functions/entry/aws/http.ts';
import { createQueueMailbox } from '#functions/entry/aws/mailbox.ts';
import { functionOf } from '#functions/entry/aws/pipeline.ts';
import { silentLog } from '#test/kit/service-parts.ts';

const context = { awsRequestId: 'request-1', getRemainingTimeInMillis: () => 1000 } as Context;
let order: string[];
let lines: Record<string, unknown>[];
let core: Core;

beforeEach(() => {
  order = [];
  lines = [];
  const clock = createSystemClock();
  let fields = {};
  core = {
    settings: { environment: 'test', organisation: 'acme', logLevel: 'info', version: '1' },
    clock,
    log: createLog({
      level: 'info',
      name: 'test',
      destination: { write: (text) => void lines.push(JSON.parse(text) as Record<string, unknown>) },
      fields: () => fields,
    }),
    metrics: createEmfMetrics({ namespace: 'Hawser/test', clock, print: (line) => void order.push(line) }),
    withFields(more, work) {
      fields = more;
      return work();
    },
  };
});

function bell(): FlushedBell {
  return {
    ring: () => undefined,
    listen: () => () => undefined,
    async flush() {
      await new Promise((resolve) => setImmediate(resolve));
      order.push('rung');
    },
  };
}

describe('what stands around a function', () => {
  it('sends rings, then metrics, before the answer', async () => {
    const handler = functionOf(
      core,
      async (name: string) => {
        core.metrics.count('asked');
        return `hello ${name}`;
      },
      { bell: bell() },
    );

    expect(await handler('ada', context)).toBe('hello ada');
    expect(order[0]).toBe('rung');
    expect(JSON.parse(order[1] ?? '{}')).toMatchObject({ asked: 1 });
  });

  it('logs a failure with the invocation it belongs to, sends what was gathered, and fails', async () => {
    const handler = functionOf(core, () => Promise.reject(new HawserError('unavailable', 'no table')), {
      bell: bell(),
    });

    await expect(handler(undefined, context)).rejects.toThrow('no table');
    expect(order[0]).toBe('rung');
    expect(JSON.parse(order[1] ?? '{}')).toMatchObject({ function_failures: 1 });
    expect(lines).toEqual([
      expect.objectContaining({ level: 'error', message: 'invocation failed', request: 'request-1' }),
    ]);
  });

  it('puts the invocation into every line, where the line has no such field of its own', async () => {
    const handler = functionOf(core, async () => {
      core.log.info({ application: 'web' }, 'planned');
      core.log.info({ request: 'own' }, 'said');
    });
    await handler(undefined, context);

    expect(lines.map(({ request }) => request)).toEqual(['request-1', 'own']);
    expect(lines[0]).toMatchObject({ application: 'web', message: 'planned' });
  });

  it('reads the environment when it is made', () => {
    expect(() => createCore('plan', ['table'])).toThrow(/function plan cannot start: .*HAWSER_TABLE is missing/);
  });
});

describe('a function that answers HTTP', () => {
  const event = (more: Partial<APIGatewayProxyEventV2> = {}): APIGatewayProxyEventV2 => ({
    version: '2.0',
    routeKey: '$default',
    rawPath: '/hello',
    rawQueryString: 'name=ada&name=bob',
    headers: { host: 'hawser.test', 'x-name': 'x' },
    requestContext: {
      http: { method: 'POST', path: '/hello', protocol: 'HTTP/1.1', sourceIp: '192.0.2.1', userAgent: 'test' },
      domainName: 'hawser.test',
    } as APIGatewayProxyEventV2['requestContext'],
    body: Buffer.from('{"a":"ö"}').toString('base64'),
    isBase64Encoded: true,
    ...more,
  });

  it('hands on method, path, query, headers and the very bytes of the body', async () => {
    const app = new Hono();
    app.post('/hello', async (c) =>
      c.json({
        url: c.req.url,
        names: c.req.queries('name'),
        header: c.req.header('x-name'),
        body: await c.req.text(),
      }),
    );

    const answer = await httpFunction(core, app)(event(), context);

    expect(answer.statusCode).toBe(200);
    expect(JSON.parse(answer.body ?? '')).toEqual({
      url: 'https://hawser.test/hello?name=ada&name=bob',
      names: ['ada', 'bob'],
      header: 'x',
      body: '{"a":"ö"}',
    });
  });

  it('takes the request for what it was where the stand-in for the gateway speaks plain http', async () => {
    const app = new Hono();
    app.post('/hello', async (c) => c.text(`${c.req.url} ${await c.req.text()}`));
    const plain = event({ headers: { host: 'hawser.test', 'x-forwarded-proto': 'http' } });

    const answer = await httpFunction(core, app)(plain, context);

    expect(answer.body).toBe('http://hawser.test/hello?name=ada&name=bob {"a":"ö"}');
  });

  it.each([
    ['no event', undefined],
    ['an empty event', {}],
    ['an event without a path', { ...event(), rawPath: undefined }],
    ['a path that is none', event({ rawPath: '//[' })],
  ])('answers %s with a refusal instead of failing', async (_, broken) => {
    const answer = await httpFunction(core, new Hono())(broken as APIGatewayProxyEventV2, context);
    expect(answer.statusCode).toBeGreaterThanOrEqual(400);
  });

  it('answers a failure that nobody expected with a problem that tells nothing', async () => {
    const app = { fetch: () => Promise.reject(new Error('password is hunter2')) };

    const answer = await httpFunction(core, app)(event(), context);

    const problem = JSON.parse(answer.body ?? '') as Problem;
    expect([answer.statusCode, problem.status]).toEqual([500, 500]);
    expect(answer.body).not.toContain('hunter2');
  });
});

describe('an answer over HTTP', () => {
  const ask = async (
    body: string | Uint8Array<ArrayBuffer>,
    headers: Record<string, string> = {},
    type = 'application/json',
  ) => {
    const app = {
      fetch: async () => new Response(body, { status: 201, headers: { 'content-type': type, 'x-own': '1' } }),
    };
    const event = {
      version: '2.0',
      rawPath: '/x',
      rawQueryString: '',
      headers: { host: 'hawser.test', ...headers },
      requestContext: { http: { method: 'GET', path: '/x' }, domainName: 'hawser.test' },
      isBase64Encoded: false,
    } as unknown as APIGatewayProxyEventV2;
    return httpFunction(core, app)(event, context);
  };
  const large = JSON.stringify('x'.repeat(7_000_000));
  const noise = new Uint8Array(5_000_000);
  for (let at = 0; at < noise.length; at += 1) noise[at] = (at * 2654435761) >>> 24;

  it('is compressed where it is large and the asker takes that', async () => {
    const answer = await ask(large, { 'accept-encoding': 'br, gzip;q=0.8' });

    expect(answer).toMatchObject({ statusCode: 201, isBase64Encoded: true });
    expect(answer.headers).toMatchObject({ 'content-encoding': 'gzip', 'x-own': '1', vary: 'accept-encoding' });
    expect(gunzipSync(Buffer.from(answer.body ?? '', 'base64')).toString()).toBe(large);
  });

  it.each([{}, { 'accept-encoding': 'gzip;q=0' }, { 'accept-encoding': 'gzip; q=0.0, br' }])(
    'is left as it is where %j does not take that',
    async (headers) => {
      const text = JSON.stringify('x'.repeat(100_000));
      expect(await ask(text, headers)).toMatchObject({ body: text, isBase64Encoded: false });
    },
  );

  it.each([
    ['a small one', '"x"', 'application/json', false],
    ['a picture', new Uint8Array(100_000), 'image/png', true],
  ])('is left as it is: %s', async (_, body, type, isBase64Encoded) => {
    const answer = await ask(body, { 'accept-encoding': 'gzip' }, type);
    expect(answer.isBase64Encoded).toBe(isBase64Encoded);
    expect(answer.headers).not.toHaveProperty('content-encoding');
  });

  it.each([
    ['text that nobody compresses', large, 'application/json'],
    ['bytes', noise, 'application/octet-stream'],
  ])('says so where it does not fit: %s', async (_, body, type) => {
    const answer = await ask(body, {}, type);
    expect(answer.statusCode).toBe(500);
    expect(JSON.parse(answer.body ?? '')).toMatchObject({ detail: expect.stringContaining('6 MB') as string });
  });
});

describe('the mailbox over wake queues', () => {
  it('takes commands, and nothing that is none', async () => {
    const bodies = ['{"type":"resend"}', '{"type":"wake","version":3}', '{', '{"type":"explode"}'];
    const mailbox = createQueueMailbox({ send: async () => undefined, receive: async () => bodies }, silentLog);
    expect(await mailbox.take('acme', 'home')).toEqual([{ type: 'resend' }]);
  });

  it('loses a command where the queue is away, and disturbs nobody', async () => {
    const away = () => Promise.reject(new Error('throttled'));
    const mailbox = createQueueMailbox({ send: away, receive: away }, silentLog);

    await mailbox.post('acme', 'home', { type: 'resend' });
    expect(await mailbox.take('acme', 'home')).toEqual([]);
  });

  it('waits for nobody who has gone', async () => {
    const mailbox = createQueueMailbox({ send: async () => undefined, receive: async () => [] }, silentLog);
    const gone = new AbortController();
    const waiting = mailbox.wait('acme', 'home', 60_000, gone.signal);
    gone.abort();
    await expect(waiting).resolves.toBeUndefined();
    await expect(mailbox.wait('acme', 'home', 60_000, gone.signal)).resolves.toBeUndefined();
  });
});

describe('the bell over wake queues', () => {
  it('rings the queue of the cluster, and drops what no queue is for', async () => {
    const sent: string[][] = [];
    const ringing = createSqsBell({ wakeQueues: { send: async (...args) => void sent.push(args) }, log: silentLog });

    ringing.ring('cluster:acme/home', '{"type":"wake","version":1}');
    ringing.ring('cluster:acme/home');
    ringing.ring('cluster:acme', 'x');
    ringing.ring('organisation:acme', 'web');
    ringing.ring('answer:1');
    await ringing.flush();

    expect(sent).toEqual([['acme', 'home', '{"type":"wake","version":1}']]);
  });

  it('waits at the flush for what is under way, also for what is rung meanwhile', async () => {
    const ends: (() => void)[] = [];
    const send = () => new Promise<void>((resolve) => void ends.push(resolve));
    const ringing = createSqsBell({ wakeQueues: { send }, log: silentLog });
    let flushed = false;
    ringing.ring('cluster:acme/home', 'a');
    const flushing = ringing.flush().then(() => (flushed = true));
    ringing.ring('cluster:acme/home', 'b');

    expect(ends).toHaveLength(2);
    ends[0]?.();
    await new Promise((resolve) => setImmediate(resolve));
    expect(flushed).toBe(false);
    ends[1]?.();
    await expect(flushing).resolves.toBe(true);
  });

  it('sends a few messages for a thousand snapshots, the newest among them, and every command', async () => {
    const sent: string[] = [];
    const ringing = createSqsBell({
      wakeQueues: { send: async (_o, cluster, body) => void sent.push(`${cluster} ${body}`) },
      log: silentLog,
    });

    for (let version = 1; version <= 1000; version += 1) {
      ringing.ring('cluster:acme/home', `{"type":"wake","version":${version}}`);
      if (version % 500 === 0) ringing.ring('cluster:acme/home', `{"type":"resend","n":${version}}`);
    }
    ringing.ring('cluster:acme/other', '{"type":"wake","version":7}');
    await ringing.flush();
    ringing.ring('cluster:acme/home', '{"type":"wake","version":1001}');
    await ringing.flush();

    expect(sent.toSorted()).toEqual([
      'home {"type":"resend","n":1000}',
      'home {"type":"resend","n":500}',
      'home {"type":"wake","version":1000}',
      'home {"type":"wake","version":1001}',
      'home {"type":"wake","version":1}',
      'other {"type":"wake","version":7}',
    ]);
  });

  it('logs what cannot be sent, and throws nothing', async () => {
    const send = () => Promise.reject(new Error('throttled'));
    const ringing = createSqsBell({ wakeQueues: { send }, log: core.log });

    ringing.ring('cluster:acme/home', 'a');
    await ringing.flush();

    expect(lines).toEqual([expect.objectContaining({ level: 'warn', message: 'an agent was not woken' })]);
  });
});

import { describe, expect, it } from 'vitest';
import { routesOf } from '#localstack/aws/deployment.ts';
import {
  decodedPath,
  httpAnswerOf,
  httpEventOf,
  matchRoute,
  type HttpRequest,
  type Match,
} from '#localstack/aws/http-event.ts';

const routes = routesOf('acme');
const facts = { requestId: 'r-1', now: Date.UTC(2026, 10, 21, 10, 57, 29), account: '000000000000' };

function request(more: Partial<HttpRequest> = {}): HttpRequest {
  return {
    method: 'GET',
    target: '/',
    headers: [['Host', '127.0.0.1:8080']],
    body: new Uint8Array(),
    sourceIp: '127.0.0.1',
    ...more,
  };
}

function eventOf(more: Partial<HttpRequest>) {
  const asked = request(more);
  const match = matchRoute(routes, asked.method, decodedPath(asked.target) ?? '') as Match;
  return httpEventOf(asked, match, facts);
}

describe('routes of the HTTP API', () => {
  const functionOf = (method: string, path: string) => matchRoute(routes, method, path)?.route.functionName;

  it.each([
    ['POST', '/webhooks/github/demo', 'hawser-local-webhook'],
    ['GET', '/webhooks/github/demo', 'hawser-local-api'],
    ['POST', '/webhooks/github', 'hawser-local-api'],
    ['POST', '/webhooks/github/demo/more', 'hawser-local-api'],
    ['POST', '/api/v1/agent/register', 'hawser-local-token'],
    ['POST', '/api/v1/agent/token', 'hawser-local-token'],
    ['GET', '/api/v1/agent/token', 'hawser-local-api'],
    ['POST', '/api/v1/agent/poll', 'hawser-local-api'],
    ['GET', '/', 'hawser-local-api'],
    ['GET', '/assets/index.js', 'hawser-local-api'],
  ])('gives %s %s to %s', (method, path, name) => {
    expect(functionOf(method, path)).toBe(name);
  });

  it('names what a path says', () => {
    expect(matchRoute(routes, 'POST', '/webhooks/gitlab/shop')?.parameters).toEqual({
      provider: 'gitlab',
      repository: 'shop',
    });
    expect(matchRoute(routes, 'GET', '/api/v1/clusters')?.parameters).toEqual({ proxy: 'api/v1/clusters' });
  });
});

describe('events of payload format 2.0', () => {
  it('has names in lower case, repeated headers joined, cookies apart', () => {
    const event = eventOf({
      headers: [
        ['Host', 'hawser.example'],
        ['Accept', 'text/html'],
        ['accept', 'application/json'],
        ['Cookie', 'a=1; b=2'],
        ['Cookie', 'c=3'],
        ['Connection', 'keep-alive'],
        ['X-Forwarded-For', '10.0.0.9'],
      ],
    });

    expect(event.headers).toMatchObject({
      host: 'hawser.example',
      accept: 'text/html,application/json',
      'x-forwarded-for': '10.0.0.9, 127.0.0.1',
      'x-forwarded-proto': 'http',
    });
    expect(Object.keys(event.headers)).not.toContain('cookie');
    expect(Object.keys(event.headers)).not.toContain('connection');
    expect(event.cookies).toEqual(['a=1', 'b=2', 'c=3']);
    expect(event.requestContext).toMatchObject({
      domainName: 'hawser.example',
      stage: '$default',
      routeKey: 'ANY /',
      http: { method: 'GET', path: '/', sourceIp: '127.0.0.1' },
      time: '21/Nov/2026:10:57:29 +0000',
    });
  });

  it('decodes the path, not the query, as HTTP APIs do', () => {
    const event = eventOf({ target: '/api/v1/objects/a%2Fb%20c?x=1%2C2&x=3&y=a%20b' });

    expect(event.rawPath).toBe('/api/v1/objects/a/b c');
    expect(event.rawQueryString).toBe('x=1%2C2&x=3&y=a%20b');
    expect(event.queryStringParameters).toEqual({ x: '1,2,3', y: 'a b' });
    expect(decodedPath('/a%3Fadmin=1/b')).toBe('/a');
    expect(decodedPath('/%E0%A4%A')).toBeUndefined();
  });

  it.each([
    ['application/json', false],
    ['application/problem+json; charset=utf-8', false],
    ['text/yaml', false],
    ['application/x-www-form-urlencoded', true],
    ['application/octet-stream', true],
    ['application/gzip', true],
    ['', true],
  ])('hands a body of type %j over, in base64: %s', (type, isBase64Encoded) => {
    const body = Buffer.from('{"grüße":1}');
    const event = eventOf({ method: 'POST', body, headers: [['Content-Type', type]] });

    expect(event.isBase64Encoded).toBe(isBase64Encoded);
    expect(Buffer.from(event.body ?? '', isBase64Encoded ? 'base64' : 'utf8')).toEqual(body);
  });

  it('has no body where none came', () => {
    expect(eventOf({})).toMatchObject({ isBase64Encoded: false });
    expect(eventOf({}).body).toBeUndefined();
  });
});

describe('answers', () => {
  const text = (payload: unknown) => {
    const answer = httpAnswerOf(JSON.stringify(payload));
    return answer === undefined ? undefined : { ...answer, body: Buffer.from(answer.body).toString() };
  };

  it('takes status, headers, cookies and base64 as they are', () => {
    expect(
      text({
        statusCode: 201,
        headers: { 'Content-Type': 'text/plain', 'X-Count': 3 },
        cookies: ['a=1; Path=/', 'b=2'],
        body: Buffer.from('hello').toString('base64'),
        isBase64Encoded: true,
      }),
    ).toEqual({
      status: 201,
      headers: [
        ['content-type', 'text/plain'],
        ['x-count', '3'],
        ['set-cookie', 'a=1; Path=/'],
        ['set-cookie', 'b=2'],
      ],
      body: 'hello',
    });
  });

  it('takes anything without a status for the body of a 200 with JSON', () => {
    expect(text({ ok: true })).toMatchObject({ status: 200, body: '{"ok":true}' });
    expect(text('words')).toMatchObject({ status: 200, body: 'words' });
  });

  it.each([{ statusCode: 'many' }, { statusCode: 99 }, { statusCode: 200, body: { a: 1 } }])(
    'refuses %j, which a gateway answers with 500',
    (payload) => {
      expect(text(payload)).toBeUndefined();
    },
  );
});

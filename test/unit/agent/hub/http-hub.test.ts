import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createHttpHub } from '#agent/hub/http-hub.ts';
import { createHttpJson, type HttpJson } from '#agent/hub/http-json.ts';
import { createStaticCredentials } from '#agent/identity/credentials.ts';
import { sha256 } from '#shared/domain/digest.ts';
import type { Hub } from '#shared/ports/hub.ts';

let server: Server;
let hub: Hub;
let answer: (path: string, body: string, response: ServerResponse) => void;
let authorization: string | undefined;
let createJson: () => HttpJson;

beforeEach(async () => {
  server = createServer((request, response) => {
    authorization = request.headers.authorization;
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => answer(request.url ?? '', Buffer.concat(parts).toString(), response));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/below/`;
  createJson = () => createHttpJson(new URL(url));
  hub = createHttpHub({ http: createJson(), credentials: createStaticCredentials({ token: 'secret-token' }, () => 0) });
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const json = (response: ServerResponse, body: unknown, status = 200, headers = {}) => {
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(JSON.stringify(body));
};

describe('the hub over HTTP', () => {
  it('polls below the address it was given, with the token, and drops commands it does not know (INV-45)', async () => {
    let asked = '';
    answer = (path, _body, response) => {
      asked = path;
      json(response, {
        version: 7,
        scope: 'changes',
        applications: [],
        commands: [{ type: 'dance' }, { type: 'wake', version: 7 }],
      });
    };
    const update = await hub.poll({ after: 5, waitSeconds: 3 });
    expect(asked).toBe('/below/api/v1/agent/poll?after=5&wait=3');
    expect(authorization).toBe('Bearer secret-token');
    expect(update).toEqual({
      version: 7,
      scope: 'changes',
      applications: [],
      commands: [{ type: 'wake', version: 7 }],
    });
  });

  it('unpacks chunks', async () => {
    const text = Buffer.from('{"kind":"ConfigMap"}');
    answer = (_path, body, response) => {
      const { digests } = JSON.parse(body) as { digests: string[] };
      json(response, { chunks: { [digests[0] ?? '']: gzipSync(text).toString('base64') } });
    };
    const chunks = await hub.chunks([sha256(text), 'f'.repeat(64)]);
    expect([...chunks].map(([digest, bytes]) => [digest, Buffer.from(bytes).toString()])).toEqual([
      [sha256(text), text.toString()],
    ]);
  });

  it('asks on for chunks that did not fit, as long as each answer gets further', async () => {
    const asked: string[][] = [];
    answer = (_path, body, response) => {
      const { digests } = JSON.parse(body) as { digests: string[] };
      asked.push(digests);
      const [first = '', ...left] = digests;
      // The last answer gets no further: no reason to ask for ever.
      if (asked.length === 3) return json(response, { chunks: {}, left: digests });
      json(response, { chunks: { [first]: gzipSync(first).toString('base64') }, left });
    };
    const chunks = await hub.chunks(['a', 'b', 'c']);
    expect([...chunks.keys()]).toEqual(['a', 'b']);
    expect(asked).toEqual([['a', 'b', 'c'], ['b', 'c'], ['c']]);
  });

  it('takes a page, an empty body or a cut-off answer with status 200 for an outage, never for data (INV-26, FT-50, FT-51)', async () => {
    for (const reply of [
      (response: ServerResponse) => response.end('<html>maintenance</html>'),
      (response: ServerResponse) => response.end(''),
      (response: ServerResponse) => response.end('[]'),
      (response: ServerResponse) => response.end('{"version":1'),
      (response: ServerResponse) => {
        response.writeHead(200, { 'Content-Length': 100 });
        response.write('{"ver');
        response.destroy();
      },
    ]) {
      answer = (_path, _body, response) => void reply(response);
      await expect(hub.poll({ after: 0, waitSeconds: 0 })).rejects.toMatchObject({
        code: 'unavailable',
        retry: 'later',
      });
    }
  });

  it('says what a refusal means, and when the service wants to be asked again', async () => {
    answer = (_path, _body, response) => json(response, {}, 401);
    await expect(hub.poll({ after: 0, waitSeconds: 0 })).rejects.toMatchObject({ code: 'unauthenticated' });
    answer = (_path, _body, response) => json(response, {}, 429, { 'Retry-After': '17' });
    await expect(hub.poll({ after: 0, waitSeconds: 0 })).rejects.toMatchObject({
      code: 'unavailable',
      data: { retryAfterMs: 17_000 },
    });
    answer = (_path, _body, response) => json(response, { detail: 'resources: too long' }, 400);
    await expect(hub.answer({ question: 'q' })).rejects.toMatchObject({ code: 'invalid-input' });
  });

  it('knows a message that certainly did not arrive from one whose fate is unknown', async () => {
    answer = (_path, _body, response) => response.destroy();
    await expect(hub.answer({ question: 'q' })).rejects.toMatchObject({ data: { notDelivered: false } });
    await new Promise((resolve) => server.close(resolve));
    await expect(hub.answer({ question: 'q' })).rejects.toMatchObject({ data: { notDelivered: true } });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });

  it('refuses a chunk that unpacks to more than 64 MiB (LIM, FT-51)', async () => {
    const bomb = gzipSync(Buffer.alloc(65 * 1024 * 1024)).toString('base64');
    answer = (_path, _body, response) => json(response, { chunks: { x: bomb } });
    await expect(hub.chunks(['x'])).rejects.toMatchObject({ code: 'snapshot-invalid' });
  });

  it('says when the service wants to be asked again', async () => {
    answer = (_path, _body, response) =>
      json(response, { version: 1, scope: 'changes', applications: [], commands: [], nextPollSeconds: 10 });
    expect((await hub.poll({ after: 1, waitSeconds: 0 })).nextPollSeconds).toBe(10);
  });

  it('asks once more with other credentials where there are any, and never more often', async () => {
    const given = ['old', 'new', 'newer'];
    const refused: string[] = [];
    const http = createJson();
    const asked: string[] = [];
    const renewing = createHttpHub({
      http,
      credentials: {
        bearer: async () => given[0] ?? '',
        renewed: async (bearer) => {
          refused.push(bearer);
          return given[1];
        },
      },
    });
    let good = 'Bearer new';
    answer = (_path, _body, response) => {
      asked.push(authorization ?? '');
      json(response, {}, authorization === good ? 202 : 401);
    };
    await renewing.answer({ question: 'q' });
    expect(asked).toEqual(['Bearer old', 'Bearer new']);
    good = 'Bearer newer';
    await expect(renewing.answer({ question: 'q' })).rejects.toMatchObject({ code: 'unauthenticated' });
    expect(asked).toHaveLength(4);
    expect(refused).toEqual(['old', 'old']);
    http.close();
  });

  it('gives a poll up when it is told to end', async () => {
    answer = () => undefined;
    const stop = new AbortController();
    const polling = hub.poll({ after: 0, waitSeconds: 60, signal: stop.signal });
    setTimeout(() => stop.abort(), 20);
    await expect(polling).rejects.toMatchObject({ code: 'unavailable' });
  });
});

import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRequests, type Requests } from '#agent/cluster/requests.ts';
import type { Clock } from '#shared/ports/clock.ts';

let server: Server;
let requests: Requests;
let answers: ((response: ServerResponse) => void)[];
let authorizations: (string | undefined)[];
let slept: number[];
let inFlight: number;
let most: number;
let tls: object;

const ok = (response: ServerResponse) => void response.end('{}');
const fail =
  (status: number, headers = {}) =>
  (response: ServerResponse) =>
    void response.writeHead(status, headers).end('{}');

beforeEach(async () => {
  answers = [];
  authorizations = [];
  slept = [];
  inFlight = 0;
  most = 0;
  let now = 0;
  const clock: Clock = {
    now: () => now,
    monotonic: () => now,
    async sleep(milliseconds) {
      slept.push(Math.round(milliseconds));
      now += milliseconds;
    },
  };
  server = createServer((request, response) => {
    authorizations.push(request.headers.authorization);
    inFlight += 1;
    most = Math.max(most, inFlight);
    response.on('close', () => (inFlight -= 1));
    const answer = answers.shift() ?? ok;
    setTimeout(() => answer(response), 5);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  let token = 0;
  tls = {};
  const access = async (fresh?: boolean) => {
    if (fresh === true) token += 1;
    return { tls, headers: { Authorization: `token-${token}` } };
  };
  requests = createRequests({ connection: { server: url, access }, clock, concurrency: 4, random: () => 0.5 });
});

afterEach(async () => {
  requests.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const get = () => requests.send({ method: 'GET', path: '/x' });

describe('requests to the API server', () => {
  it('never has more in flight than it is allowed', async () => {
    await Promise.all(Array.from({ length: 40 }, get));
    expect(most).toBeLessThanOrEqual(4);
    expect(requests.counts).toEqual({ GET: 40 });
  });

  it('tries again after 429, 503 and broken connections, with growing back-off (FT-61)', async () => {
    answers = [fail(503), (response) => void response.destroy(), fail(429)];
    expect((await get()).status).toBe(200);
    expect(slept).toEqual([100, 400, 1600]);
  });

  it('obeys Retry-After, for every request (INV-41)', async () => {
    answers = [fail(429, { 'Retry-After': '7' })];
    await get();
    expect(Math.max(...slept)).toBeGreaterThanOrEqual(7000);
  });

  it('asks for fresh credentials once when it is not let in', async () => {
    answers = [fail(401)];
    expect((await get()).status).toBe(200);
    expect(authorizations).toEqual(['token-0', 'token-1']);
    answers = [fail(401), fail(401)];
    expect((await get()).status).toBe(401);
  });

  it('takes refusals for answers: they are not tried again', async () => {
    for (const status of [400, 403, 404, 409, 422, 500]) {
      answers = [fail(status)];
      expect((await get()).status).toBe(status);
    }
    expect(slept).toEqual([]);
  });

  it('loses no request when certificates are renewed while some are under way', async () => {
    const first = Promise.all(Array.from({ length: 12 }, get));
    await new Promise((resolve) => setTimeout(resolve, 8));
    tls = {};
    await Promise.all([first, ...Array.from({ length: 12 }, get)]);
    expect(slept).toEqual([]);
  });

  it('gives up after five tries and says so', async () => {
    answers = Array.from({ length: 5 }, () => fail(503));
    await expect(get()).rejects.toMatchObject({ code: 'cluster-unreachable', retry: 'later' });
  });
});

import { beforeEach, describe, expect, it } from 'vitest';
import type { HttpJsonRequest } from '#agent/hub/http-json.ts';
import { createExchange } from '#agent/identity/exchange.ts';
import { HawserError } from '#shared/errors.ts';
import { RegisterRequest, TokenRequest } from '#shared/messages/agent-identity.ts';
import { createFakeClock, type FakeClock } from '#test/kit/clock.ts';
import { silent } from '../harness.ts';

const keys = { keys: [{ kty: 'RSA', kid: 'a' }] };

let clock: FakeClock;
/** What the service knows, as its rules are: a registration token holds once. */
let service: { registered: boolean; tokenUsed: boolean; losesAnswer: boolean; status?: number };
let requests: { path: string; bearer?: string | undefined; body: Record<string, unknown> }[];
let registrationToken: string | undefined;
let answerFor: { organisation: string; cluster: string };

beforeEach(() => {
  clock = createFakeClock();
  service = { registered: false, tokenUsed: false, losesAnswer: false };
  requests = [];
  registrationToken = 'registration';
  answerFor = { organisation: 'acme', cluster: 'one' };
});

async function send(request: HttpJsonRequest) {
  const body = JSON.parse(request.body ?? '{}') as Record<string, unknown>;
  requests.push({ path: request.path, bearer: request.bearer, body });
  const answer = (status: number, value: unknown) => ({ status, text: JSON.stringify(value) });
  if (service.status !== undefined) return answer(service.status, { detail: 'no' });
  if (request.path.endsWith('/register')) {
    RegisterRequest.parse(body);
    if (request.bearer !== 'registration' || service.tokenUsed) return answer(401, { detail: 'the token was used' });
    service.registered = true;
    service.tokenUsed = true;
    if (service.losesAnswer) throw new HawserError('unavailable', 'the connection broke', { retry: 'later' });
  } else {
    TokenRequest.parse(body);
    if (!service.registered) return answer(401, { detail: 'not registered' });
  }
  return answer(200, { ...answerFor, accessToken: 'bearer', expiresAt: new Date(clock.now()).toISOString() });
}

function open() {
  return createExchange({
    organisation: 'acme',
    cluster: 'one',
    http: { send, close: () => undefined },
    identity: { uid: async () => 'uid-1', tokenKeys: async () => keys },
    serviceAccountToken: () => `sa-${requests.length}`,
    registrationToken: () => registrationToken,
    clock,
    log: silent,
  });
}

const paths = () => requests.map(({ path }) => path.split('/').at(-1));

describe('the exchange of a ServiceAccount token', () => {
  it('tells who asks, from which cluster, and with which keys', async () => {
    service.registered = true;
    await open()();
    expect(requests).toEqual([
      {
        path: '/api/v1/agent/token',
        bearer: undefined,
        body: { organisation: 'acme', cluster: 'one', clusterUid: 'uid-1', serviceAccountToken: 'sa-0', jwks: keys },
      },
    ]);
  });

  it('reads the token anew each time, and sends the keys again only after hours', async () => {
    service.registered = true;
    const obtain = open();
    await obtain();
    await obtain();
    await clock.advance(7 * 3600_000);
    await obtain();
    expect(requests.map(({ body }) => body['serviceAccountToken'])).toEqual(['sa-0', 'sa-1', 'sa-2']);
    expect(requests.map(({ body }) => 'jwks' in body)).toEqual([true, false, true]);
  });

  it('registers a cluster that is not known, with what proves which one it is', async () => {
    await open()();
    expect(paths()).toEqual(['token', 'register']);
    expect(requests[1]).toMatchObject({ bearer: 'registration', body: { clusterUid: 'uid-1', jwks: keys } });
  });

  it('needs no second registration token where the answer of the first registration was lost (crash-safe)', async () => {
    service.losesAnswer = true;
    const obtain = open();
    await expect(obtain()).rejects.toMatchObject({ code: 'unavailable', retry: 'later' });
    service.losesAnswer = false;
    await expect(obtain()).resolves.toMatchObject({ accessToken: 'bearer' });
    // Also after a restart, with the used token still mounted.
    await expect(open()()).resolves.toMatchObject({ accessToken: 'bearer' });
    expect(paths()).toEqual(['token', 'register', 'token', 'token']);
  });

  it('says both refusals where the registration is refused, too', async () => {
    service.tokenUsed = true;
    await expect(open()()).rejects.toMatchObject({
      code: 'unauthenticated',
      message: expect.stringMatching(/the token was used.*not registered/s) as string,
    });
  });

  it('does not register on an outage, on a refusal of a known cluster, nor without a token', async () => {
    for (const status of [403, 429, 500, 503]) {
      service.status = status;
      await expect(open()()).rejects.toBeInstanceOf(HawserError);
    }
    delete service.status;
    registrationToken = undefined;
    await expect(open()()).rejects.toMatchObject({ code: 'unauthenticated' });
    expect(new Set(paths())).toEqual(new Set(['token']));
  });

  it('takes no credentials of another cluster (NT-111)', async () => {
    answerFor = { organisation: 'acme', cluster: 'two' };
    await expect(open()()).rejects.toMatchObject({ code: 'unauthenticated', message: expect.stringContaining('two') });
  });
});

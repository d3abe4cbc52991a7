import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createAwsHub, type AwsPlaces } from '#agent/hub/aws-hub.ts';
import { createSessionKeeper, type SessionKeeper } from '#agent/identity/session.ts';
import { createSystemClock } from '#shared/adapters/embedded/system-clock.ts';
import type { AwsAccess } from '#shared/messages/agent-identity.ts';
import { silent } from '../harness.ts';

/** Calls that came, as the key that signed them and what they asked for. */
let calls: { key: string; target: string }[];
/** Keys that AWS takes. */
let valid: Set<string>;
/** What it says to others. */
let refusal: string;
let server: Server;
let url: string;

beforeEach(async () => {
  calls = [];
  valid = new Set(['AKIA1', 'AKIA2']);
  refusal = 'ExpiredTokenException';
  server = createServer((request, response) => {
    const key = /Credential=([^/]+)\//.exec(request.headers.authorization ?? '')?.[1] ?? '';
    const target = String(request.headers['x-amz-target']).split('.').at(-1) ?? '';
    calls.push({ key, target });
    request.resume().on('end', () => {
      const ok = valid.has(key);
      const body = ok ? answers[target] : { __type: `com.amazonaws#${refusal}`, message: 'no' };
      response.writeHead(ok ? 200 : 400, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

/** An empty cluster. */
const answers: Record<string, unknown> = {
  GetItem: {},
  Query: { Items: [] },
  ReceiveMessage: { Messages: [] },
  SendMessageBatch: { Successful: [{ Id: '0', MessageId: 'm', MD5OfMessageBody: '' }], Failed: [] },
};

const places = (): AwsPlaces => ({
  region: 'eu-central-1',
  table: 'hawser',
  cipherKey: 'alias/hawser',
  wakeQueue: `${url}/000000000000/wake`,
  mailQueue: `${url}/000000000000/agent-mail`,
  endpoints: { dynamodb: url, sqs: url, kms: url },
});

/** A keeper whose service gives out AKIA1, AKIA2 … */
function sessions(): { keeper: SessionKeeper; given: () => number } {
  let given = 0;
  const clock = createSystemClock();
  const obtain = async () => {
    given += 1;
    const credentials = { accessKeyId: `AKIA${given}`, secretAccessKey: 'secret', sessionToken: 'session' };
    const aws: AwsAccess = { ...places(), credentials };
    const expiresAt = new Date(clock.now() + 900_000).toISOString();
    return { organisation: 'acme', cluster: 'one', accessToken: 'bearer', expiresAt, aws };
  };
  return { keeper: createSessionKeeper({ obtain, clock, log: silent, random: () => 0.5 }), given: () => given };
}

function open(from: SessionKeeper | AwsPlaces) {
  return createAwsHub({ organisation: 'acme', cluster: 'one', from, clock: createSystemClock(), random: () => 0.5 });
}

const poll = { after: 0, waitSeconds: 0 };

describe('credentials of a session', () => {
  it('sign what is asked, and are not asked for again while they hold', async () => {
    const { keeper, given } = sessions();
    const hub = open(keeper);
    await hub.poll(poll);
    await hub.answer({ question: 'q' }).catch(() => undefined);
    expect(new Set(calls.map(({ key }) => key))).toEqual(new Set(['AKIA1']));
    expect(calls.map(({ target }) => target)).toContain('SendMessageBatch');
    expect(given()).toBe(1);
  });

  it.each(['ExpiredTokenException', 'AccessDeniedException', 'UnrecognizedClientException'])(
    'that AWS refuses in the middle of their life (%s) are renewed once, and the call is made again (FT-53)',
    async (said) => {
      refusal = said;
      const { keeper, given } = sessions();
      const hub = open(keeper);
      await hub.poll(poll);
      valid.delete('AKIA1');
      await expect(hub.poll(poll)).resolves.toMatchObject({ version: 0 });
      expect(calls.at(-1)?.key).toBe('AKIA2');
      expect(given()).toBe(2);
    },
  );

  it('that are refused again say so, and are no hot loop', async () => {
    const { keeper, given } = sessions();
    const hub = open(keeper);
    valid.clear();
    for (let time = 0; time < 5; time += 1)
      await expect(hub.poll(poll)).rejects.toMatchObject({ code: 'unauthenticated', retry: 'later' });
    expect(given()).toBe(2);
  });

  it('that are renewed in good time are used with the next call', async () => {
    const { keeper } = sessions();
    const hub = open(keeper);
    await hub.poll(poll);
    await keeper.renew(await keeper.current());
    calls = [];
    await hub.poll({ ...poll, after: 1 });
    await hub.answer({ question: 'q' }).catch(() => undefined);
    expect(new Set(calls.map(({ key }) => key))).toEqual(new Set(['AKIA2']));
    expect(calls.map(({ target }) => target)).toContain('SendMessageBatch');
  });
});

describe('a role of the pod', () => {
  it('that AWS refuses is said to be refused: there is nothing to renew', async () => {
    const before = { ...process.env };
    Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'AKIAOTHER', AWS_SECRET_ACCESS_KEY: 'x' });
    try {
      await expect(open(places()).poll(poll)).rejects.toMatchObject({ code: 'unauthenticated', retry: 'later' });
      valid.add('AKIAOTHER');
      await expect(open(places()).poll(poll)).resolves.toMatchObject({ version: 0 });
    } finally {
      for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) {
        if (before[name] === undefined) delete process.env[name];
        else process.env[name] = before[name];
      }
    }
  });
});

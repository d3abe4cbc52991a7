import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { agentBundle, startAgent, startTestCluster, type AgentProcess, type TestCluster } from '#test/kit/cluster.ts';
import { createFakeHub, type FakeHub } from '#test/kit/fake-hub.ts';

/** The shipped bundle with a role of its own: what the SDK's chain needs has to be in it. */
let cluster: TestCluster;
let hub: FakeHub;
let agent: AgentProcess | undefined;
let server: Server;
let url: string;
let folder: string;
/** Calls to the table and the queues, as key and operation. */
let calls: { key: string; target: string }[];
/** Bodies and headers with which credentials were asked for. */
let asked: string[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hawser-roles-'));
  [cluster] = await Promise.all([startTestCluster('roles'), agentBundle()]);
}, 20 * 60_000);
afterAll(async () => {
  await cluster?.stop();
  await rm(folder, { recursive: true, force: true });
}, 30_000);

const expiration = () => new Date(Date.now() + 3600_000).toISOString();

/** An empty cluster's rows and queues. */
const answers: Record<string, unknown> = {
  GetItem: {},
  Query: { Items: [] },
  ReceiveMessage: { Messages: [] },
  DeleteMessageBatch: { Successful: [], Failed: [] },
};

beforeEach(async () => {
  calls = [];
  asked = [];
  hub = await createFakeHub();
  await hub.listen();
  server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  const body = Buffer.concat(parts).toString();
  if (body.includes('Action=AssumeRoleWithWebIdentity')) {
    asked.push(body);
    response.writeHead(200, { 'content-type': 'text/xml' });
    response.end(
      `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIAIRSA</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>session</SessionToken><Expiration>${expiration()}</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`,
    );
    return;
  }
  if (request.url === '/v1/credentials') {
    asked.push(String(request.headers.authorization));
    const credentials = { AccessKeyId: 'ASIAPOD', SecretAccessKey: 'secret', Token: 'session' };
    response.end(JSON.stringify({ ...credentials, Expiration: expiration() }));
    return;
  }
  const key = /Credential=([^/]+)\//.exec(request.headers.authorization ?? '')?.[1] ?? '';
  const target = String(request.headers['x-amz-target']).split('.').at(-1) ?? '';
  calls.push({ key, target });
  // An empty queue is waited for.
  if (target === 'ReceiveMessage') await new Promise((resolve) => setTimeout(resolve, 500));
  const said = target === 'SendMessageBatch' ? sent(body) : answers[target];
  response.writeHead(200, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify(said));
}

/** The SDK checks what SQS says that it got. */
function sent(body: string) {
  const { Entries: entries } = JSON.parse(body) as { Entries: { Id: string; MessageBody: string }[] };
  const md5 = (text: string) => createHash('md5').update(text).digest('hex');
  return {
    Successful: entries.map(({ Id, MessageBody }) => ({ Id, MessageId: Id, MD5OfMessageBody: md5(MessageBody) })),
    Failed: [],
  };
}
afterEach(async (context) => {
  if (context.task.result?.state === 'fail') console.log(agent?.log.slice(-30).join('\n'));
  await agent?.stop('SIGKILL');
  await hub?.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

async function start(role: Record<string, string>): Promise<void> {
  agent = await startAgent(cluster.sandbox, hub, {
    HAWSER_AGENT_TOKEN: '',
    AWS_REGION: 'eu-central-1',
    AWS_ENDPOINT_URL: url,
    HAWSER_AWS_TABLE: 'hawser',
    HAWSER_AWS_CIPHER_KEY: 'alias/hawser',
    HAWSER_AWS_WAKE_QUEUE: `${url}/000000000000/wake`,
    HAWSER_AWS_MAIL_QUEUE: `${url}/000000000000/agent-mail`,
    ...role,
  });
}

async function called(targets: string[]): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!targets.every((target) => calls.some((call) => call.target === target))) {
    if (Date.now() > deadline) throw new Error(`not called: ${targets.join()}; calls: ${JSON.stringify(calls)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe('an agent with a role of its own', { timeout: 40_000 }, () => {
  it('works on table and queues with what STS gives for its ServiceAccount (IRSA)', async () => {
    const file = join(folder, 'web-identity');
    await writeFile(file, 'service.account.token');
    const roleArn = 'arn:aws:iam::123456789012:role/hawser-agent';
    await start({ AWS_ROLE_ARN: roleArn, AWS_WEB_IDENTITY_TOKEN_FILE: file });
    await called(['GetItem', 'ReceiveMessage', 'SendMessageBatch']);
    expect(new Set(calls.map(({ key }) => key))).toEqual(new Set(['ASIAIRSA']));
    expect(asked).toHaveLength(1);
    expect(asked[0]).toContain('WebIdentityToken=service.account.token');
  });

  it('works on table and queues with what the node’s agent gives (EKS Pod Identity)', async () => {
    const file = join(folder, 'pod-identity');
    await writeFile(file, 'pod.identity.token');
    await start({
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `${url}/v1/credentials`,
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: file,
    });
    await called(['GetItem', 'ReceiveMessage', 'SendMessageBatch']);
    expect(new Set(calls.map(({ key }) => key))).toEqual(new Set(['ASIAPOD']));
    expect(asked[0]).toBe('pod.identity.token');
  });
});

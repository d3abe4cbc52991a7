import { createHmac } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { KMSClient } from '@aws-sdk/client-kms';
import { createStateStore } from '#shared/adapters/aws/dynamodb-state-store.ts';
import { createKmsCipher } from '#shared/adapters/aws/kms-cipher.ts';
import { createSystemClock } from '#shared/adapters/embedded/system-clock.ts';
import { organisationKey, sortKeys } from '#shared/state/keys.ts';
import { webhookSecretName } from '#shared/state/registry.ts';
import { createSealedSecretStore } from '#shared/state/sealed-secrets.ts';
import { createCore } from '#functions/entry/aws/core.ts';
import { httpFunction } from '#functions/entry/aws/http.ts';
import { createWebhookApp } from '#functions/webhook/app.ts';
import { bundleFunctions } from '#infra/build/bundle-functions.ts';
import { startCountingAws, type CountingAws } from '#test/kit/counting-aws.ts';
import { percentile } from './measure.ts';
import { printRows, type BenchRow } from './row.ts';

const perSecond = 1000;
const seconds = Number(process.env['HAWSER_BENCH_SECONDS'] ?? 60);
/** As many repositories as deliveries a second: none comes near LIM-02, so each delivery is a hint of its own. */
const repositories = 1000;
const secret = 'bench-secret';

type Handler = (event: APIGatewayProxyEventV2, context: Context) => Promise<APIGatewayProxyStructuredResultV2>;

/**
 * TGT-01, TGT-02: the webhook function from API Gateway's event to its answer, 1,000 signed pushes a second in an open loop
 * (a slow answer delays no later delivery, and its wait counts), with a queue that counts. Then what ships, the bundle with
 * the SDK, as fast as one process can: Lambda answers with as many of them as are needed.
 */
export async function benchWebhook(): Promise<BenchRow[]> {
  const aws = await startCountingAws();
  try {
    setEnvironment(aws.url);
    return [...(await benchOpenLoop()), ...(await benchBundle(aws))];
  } finally {
    await aws.stop();
  }
}

async function benchOpenLoop(): Promise<BenchRow[]> {
  let hints = 0;
  const core = createCore('webhook', []);
  const app = createWebhookApp({
    ...core,
    findSecrets: () => Promise.resolve([secret]),
    enqueue() {
      hints += 1;
      return Promise.resolve();
    },
  });
  const handler = httpFunction(core, app) as unknown as Handler;
  await Promise.all(Array.from({ length: 500 }, (_, number) => handler(delivery(number), context())));
  hints = 0;
  const { latencies, statuses } = await openLoop(handler);
  const accepted = statuses.filter((status) => status === 202).length;
  const total = perSecond * seconds;
  return [
    {
      name: `deliveries answered 202, of ${total} in ${seconds} s`,
      value: accepted,
      unit: 'deliveries',
      atLeast: total,
    },
    { name: '… accepted without a hint in the queue', value: accepted - hints, unit: 'deliveries', budget: 0 },
    { name: 'webhook acknowledged, p50', value: percentile(latencies, 0.5), unit: 'ms', budget: 50 },
    { name: 'webhook acknowledged, p99', value: percentile(latencies, 0.99), unit: 'ms', budget: 300 },
    { name: 'webhook acknowledged, p99.9', value: percentile(latencies, 0.999), unit: 'ms', budget: 2000 },
  ];
}

/** Ten deliveries under way at a time: what a process can do, its SDK included. */
async function benchBundle(aws: CountingAws): Promise<BenchRow[]> {
  await registerRepositories(aws.url);
  const [bundle] = await bundleFunctions(['webhook']);
  if (bundle === undefined) throw new Error('there is no function webhook to bundle');
  const { handler } = (await import(bundle.file)) as { handler: Handler };
  const deliveries = 6000;
  const batch = async (from: number, to: number): Promise<void> => {
    for (let number = from; number < to; number += 10) {
      const answers = await Promise.all(
        Array.from({ length: 10 }, (_, offset) => handler(delivery(number + offset), context())),
      );
      const refused = answers.find(({ statusCode }) => statusCode !== 202);
      if (refused !== undefined) throw new Error(`a delivery was answered ${refused.statusCode}: ${refused.body}`);
    }
  };
  await batch(0, 2000);
  const before = (await aws.counts()).messages.length;
  const [cpu, started] = [process.cpuUsage(), performance.now()];
  await batch(2000, 2000 + deliveries);
  const { user, system } = process.cpuUsage(cpu);
  const wall = (performance.now() - started) / 1000;
  const sent = (await aws.counts()).messages.length - before;
  return [
    {
      name: 'bundle with the SDK: processor time per delivery',
      value: (user + system) / 1000 / deliveries,
      unit: 'ms',
    },
    { name: '… deliveries a second, one process', value: deliveries / wall, unit: '1/s' },
    { name: '… deliveries without a message at the queue', value: deliveries - sent, unit: 'deliveries', budget: 0 },
  ];
}

/** Rows of repositories and of the keys that their webhooks are signed with, as the api function writes them. */
async function registerRepositories(endpoint: string): Promise<void> {
  const clock = createSystemClock();
  const store = createStateStore({ client: new DynamoDBClient({ endpoint }), table: 'bench', clock });
  const cipher = createKmsCipher({ client: new KMSClient({ endpoint }), clock, keyId: 'alias/bench' });
  const secrets = createSealedSecretStore({ store, cipher });
  for (let number = 0; number < repositories; number += 1) {
    const id = `repository-${number}`;
    await store.put({ partition: organisationKey('bench'), sort: sortKeys.repository(id), revision: 1, value: { id } });
    await secrets.put(webhookSecretName('bench', id), secret);
  }
}

function setEnvironment(endpoint: string): void {
  Object.assign(process.env, {
    AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: 'bench',
    AWS_SECRET_ACCESS_KEY: 'bench',
    AWS_ENDPOINT_URL: endpoint,
    HAWSER_ENVIRONMENT: 'bench',
    HAWSER_ORGANISATION: 'bench',
    HAWSER_TABLE: 'bench',
    HAWSER_QUEUE_BASE: `${endpoint}/000000000000/hawser-bench-`,
    HAWSER_CIPHER_KEY: 'alias/bench',
    HAWSER_LOG_LEVEL: 'error',
  });
  // What the function logs and counts for CloudWatch is no part of the table.
  process.stdout.write = () => true;
}

async function openLoop(handler: Handler): Promise<{ latencies: number[]; statuses: number[] }> {
  const total = perSecond * seconds;
  const latencies: number[] = [];
  const statuses: number[] = [];
  const pending: Promise<void>[] = [];
  const started = performance.now();
  for (let sent = 0; sent < total;) {
    const due = Math.min(total, Math.floor(((performance.now() - started) / 1000) * perSecond));
    for (; sent < due; sent += 1) {
      const dueAt = started + (sent / perSecond) * 1000;
      pending.push(
        handler(delivery(sent), context()).then(
          ({ statusCode }) => {
            latencies.push(performance.now() - dueAt);
            statuses.push(statusCode ?? 0);
          },
          () => void statuses.push(500),
        ),
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await Promise.all(pending);
  return { latencies, statuses };
}

const body = JSON.stringify({ ref: 'refs/heads/main', before: '0'.repeat(40), after: '1'.repeat(40), commits: [] });
const signature = `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;

function delivery(number: number): APIGatewayProxyEventV2 {
  const path = `/webhooks/github/repository-${number % repositories}`;
  const headers = {
    host: 'hooks.example.com',
    'content-type': 'application/json',
    'x-github-event': 'push',
    'x-github-delivery': String(number),
    'x-hub-signature-256': signature,
  };
  return {
    version: '2.0',
    routeKey: 'POST /webhooks/{provider}/{repository}',
    rawPath: path,
    rawQueryString: '',
    headers,
    requestContext: {
      accountId: '000000000000',
      apiId: 'bench',
      domainName: 'hooks.example.com',
      domainPrefix: 'hooks',
      http: { method: 'POST', path, protocol: 'HTTP/1.1', sourceIp: '192.0.2.1', userAgent: 'GitHub-Hookshot' },
      requestId: String(number),
      routeKey: 'POST /webhooks/{provider}/{repository}',
      stage: '$default',
      time: '',
      timeEpoch: 0,
    },
    body,
    isBase64Encoded: false,
  };
}

function context(): Context {
  return {
    callbackWaitsForEmptyEventLoop: false,
    functionName: 'webhook',
    functionVersion: '1',
    invokedFunctionArn: 'arn:aws:lambda:eu-central-1:000000000000:function:webhook',
    memoryLimitInMB: '256',
    awsRequestId: 'bench',
    logGroupName: '',
    logStreamName: '',
    getRemainingTimeInMillis: () => 10_000,
    done: () => undefined,
    fail: () => undefined,
    succeed: () => undefined,
  };
}

const write = process.stdout.write.bind(process.stdout);
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const rows = await benchWebhook();
  process.stdout.write = write;
  printRows(rows);
}

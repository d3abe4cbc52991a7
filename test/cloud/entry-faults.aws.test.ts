import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { createTable } from '#shared/adapters/aws/create-table.ts';
import { createStateStore } from '#shared/adapters/aws/dynamodb-state-store.ts';
import { createSystemClock } from '#shared/adapters/embedded/system-clock.ts';
import { markDirty } from '#shared/state/dirty.ts';
import { describeOnAws, dynamodbAt } from './aws-emulators.ts';
import { startFaultProxy } from './fault-proxy.ts';

const run = promisify(execFile);
const organisation = 'acme';
const at = '2026-01-01T00:00:00Z';
const intent = { revision: 'r', dependsOn: [], initiatedBy: 'push', renderDigest: 'd' };
const job = { organisation, application: 'web', generation: 1, inputDigest: 'd', trace: 't', at };

/** What a function is given that is as it should be, so that whatever fails is what lies behind it. */
const events: Record<string, object> = {
  plan: record('hints', { organisation, repository: 'demo', reason: 'push', trace: 't', at }),
  render: record('render-jobs', { ...job, bundle: 'b', publish: intent }),
  publish: record('publish-jobs', { ...job, intent, result: { status: 'unchanged' } }),
  report: record('reports', { organisation, cluster: 'home', receivedAt: at, report: reportOf() }),
  webhook: request('POST', '/webhooks/github/demo', { 'x-hub-signature-256': `sha256=${'0'.repeat(64)}` }),
  api: request('GET', '/api/v1/applications', { authorization: `Bearer hawser_${organisation}_${'0'.repeat(32)}` }),
  sweep: {},
};
const fedByQueues = ['plan', 'render', 'publish', 'report'];

/** One answer of a handler, or how the invocation failed, and what the function logged meanwhile. */
interface Invoked {
  answers: { answer?: { statusCode?: number; batchItemFailures?: unknown[] } | null; failure?: string }[];
  log: string;
}

await describeOnAws('the functions as AWS starts them', ['dynamodb'], (aws) => {
  async function open() {
    const { dynamodb } = await aws.endpoints();
    const [proxy, queues] = [await startFaultProxy(dynamodb), await startFaultProxy(dynamodb)];
    // There is no queue of that name in this region.
    queues.faults = () => ({ refuse: { status: 400, error: 'QueueDoesNotExist', message: 'no such queue' } });
    const client = dynamodbAt(dynamodb);
    onTestFinished(async () => {
      client.destroy();
      await Promise.all([proxy.stop(), queues.stop()]);
    });
    await createTable(client, 'entry-faults');
    const invoke = (name: string, given: unknown[], more: Record<string, string> = {}) =>
      invokeHere(name, given, {
        AWS_ENDPOINT_URL_DYNAMODB: proxy.url,
        AWS_ENDPOINT_URL_SQS: queues.url,
        HAWSER_QUEUE_BASE: `${queues.url}/123456789012/hawser-test-`,
        AWS_ENDPOINT_URL_KMS: queues.url,
        ...more,
      });
    return { proxy, client, invoke };
  }

  it.each(Object.keys(events))('say of a table that is missing which, and what to do: %s', async (name) => {
    const { invoke } = await open();
    const { answers, log } = await invoke(name, [events[name]], { HAWSER_TABLE: 'hawser-absent' });

    expect(log).toMatch(/table hawser-absent: [^"]*ResourceNotFoundException/);
    expect(log).toContain('See that the table, queue or key is there');
    expectPatience(name, answers);
  });

  it.each(Object.keys(events))('say which right is missing, and lose nothing for it: %s', async (name) => {
    const { proxy, invoke } = await open();
    const message = `User: hawser-${name} is not authorized to perform this`;
    proxy.faults = () => ({ refuse: { status: 400, error: 'AccessDeniedException', message } });
    const { answers, log } = await invoke(name, [events[name]]);

    expect(log).toContain(`AccessDeniedException: ${message}`);
    expect(log).toContain('the role of this function may use it');
    expectPatience(name, answers);
  });

  it('go on by themselves once credentials that had ended are replaced', async () => {
    const { proxy, invoke } = await open();
    let left = 1;
    proxy.faults = () =>
      (left -= 1) >= 0 ? { refuse: { status: 400, error: 'ExpiredTokenException', message: 'ended' } } : undefined;
    const { answers } = await invoke('publish', [events['publish'], events['publish']]);

    expect(answers.map(({ answer }) => answer?.batchItemFailures?.length)).toEqual([1, 0]);
  });

  it('keep a mark whose hint could not be sent, and say which queue is missing (FT-04)', async () => {
    const { client, invoke } = await open();
    const clock = createSystemClock();
    const store = createStateStore({ client, table: 'entry-faults', clock });
    await markDirty({ store, clock }, organisation, { repository: 'demo', trace: 'push-1' });
    const { answers, log } = await invoke('sweep', [{}]);

    expect(answers[0]?.failure).toContain('queue hints: send 1 messages: QueueDoesNotExist');
    expect(log).toContain('invocation failed');
    expect((await store.query(`T#${organisation}#D`, {})).rows).toHaveLength(1);
  });

  it.each(fedByQueues)(
    'never fail over an event that is none, so that no batch comes again for it: %s',
    async (name) => {
      const { invoke } = await open();
      const stray = { ...(record('strangers', {}) as { Records: object[] }).Records[0] };
      const garbage = [null, {}, [], 'text', 7, { Records: null }, { Records: [null, 7, {}, { messageId: '' }] }];
      const { answers } = await invoke(name, [...garbage, { Records: [{ messageId: 'bare' }] }, { Records: [stray] }]);

      expect(answers.slice(0, garbage.length)).toEqual(garbage.map(() => ({ answer: { batchItemFailures: [] } })));
      // What can be named and is not ours comes again, and ends with the dead letters of whoever sent it here.
      expect(answers.slice(garbage.length).map(({ answer }) => answer?.batchItemFailures?.length)).toEqual([1, 1]);
    },
  );

  it.each(['webhook', 'api'])('answer a request that is none with a problem, not with a crash: %s', async (name) => {
    const { invoke } = await open();
    const { answers } = await invoke(name, [null, {}, [], 'text', { rawPath: 7, requestContext: {} }]);

    for (const { answer, failure } of answers) {
      expect(failure).toBeUndefined();
      expect(answer?.statusCode).toBeGreaterThanOrEqual(400);
    }
  });
});

/** Messages come again, requests are told so, the sweep fails visibly and is run again in a minute. */
function expectPatience(name: string, [first]: Invoked['answers']): void {
  if (fedByQueues.includes(name)) expect(first?.answer?.batchItemFailures).toEqual([{ itemIdentifier: 'm-1' }]);
  else if (name === 'sweep') expect(first?.failure).toContain('table ');
  else expect(first?.answer?.statusCode).toBe(503);
}

/** The handler in a process of its own, as Lambda has it: environment first, then the module, then events one after another. */
async function invokeHere(name: string, given: unknown[], environment: Record<string, string>): Promise<Invoked> {
  const script = `
    const { handler } = await import('#functions/entry/aws/${name}.ts');
    const context = { awsRequestId: 'request-1', getRemainingTimeInMillis: () => 25_000 };
    for (const event of JSON.parse(process.argv[1])) {
      const result = await Promise.resolve(handler(event, context)).then(
        (answer) => ({ answer }), (error) => ({ failure: String(error.message) }));
      console.log('ANSWER ' + JSON.stringify(result));
    }
    process.exit(0);`;
  const { stdout, stderr } = await run(process.execPath, ['--input-type=module', '-e', script, JSON.stringify(given)], {
    cwd: new URL('../..', import.meta.url),
    timeout: 60_000,
    env: {
      PATH: process.env['PATH'] ?? '',
      AWS_REGION: 'eu-central-1',
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      HAWSER_ENVIRONMENT: 'test',
      HAWSER_ORGANISATION: organisation,
      HAWSER_TABLE: 'entry-faults',
      HAWSER_CIPHER_KEY: 'alias/hawser-test/cipher',
      HAWSER_ROOT_KEY_PREFIX: 'alias/hawser-test/root/',
      HAWSER_SECRET_PREFIX: 'hawser-test/',
      HAWSER_RENDER_FUNCTION: 'hawser-test-render-sandbox',
      ...environment,
    },
  });
  const lines = stdout.split('\n').filter((line) => line.startsWith('ANSWER '));
  return { answers: lines.map((line) => JSON.parse(line.slice(7)) as Invoked['answers'][number]), log: stderr };
}

function record(queue: string, body: object): object {
  return {
    Records: [
      {
        messageId: 'm-1',
        receiptHandle: 'receipt-1',
        body: JSON.stringify(body),
        attributes: { ApproximateReceiveCount: '1', SenderId: 'AROA1:session' },
        messageAttributes: {},
        eventSourceARN: `arn:aws:sqs:eu-central-1:123456789012:hawser-test-${queue}`,
      },
    ],
  };
}

function request(method: string, rawPath: string, headers: Record<string, string>): object {
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath,
    rawQueryString: '',
    headers: { 'content-type': 'application/json', ...headers },
    requestContext: { domainName: 'hawser.example', http: { method, path: rawPath, sourceIp: '192.0.2.1' } },
    body: method === 'POST' ? '{}' : undefined,
    isBase64Encoded: false,
  };
}

function reportOf(): object {
  return {
    format: 1,
    epoch: 'e',
    sequence: 1,
    agentVersion: '1',
    version: 1,
    applications: [],
    heartbeat: { digest: '', applications: 0, objects: 0, memoryBytes: 1 },
  };
}

import { DeleteMessageBatchCommand, ReceiveMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { SQSRecord } from 'aws-lambda';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { createQueue } from '#shared/adapters/aws/create-queue.ts';
import { createTable } from '#shared/adapters/aws/create-table.ts';
import { createChunkStore } from '#shared/adapters/aws/dynamodb-chunk-store.ts';
import { createQueues, type QueueUrls } from '#shared/adapters/aws/sqs-queues.ts';
import { createSystemClock } from '#shared/adapters/embedded/system-clock.ts';
import { HawserError } from '#shared/errors.ts';
import type { FlowQueue } from '#shared/flow.ts';
import type { ChunkStore } from '#shared/ports/chunk-store.ts';
import type { Queue } from '#shared/ports/queue.ts';
import { consumer, createSqsHandler, type RecordContext } from '#functions/entry/aws/sqs.ts';
import { silentLog } from '#test/kit/service-parts.ts';
import { describeOnAws, dynamodbAt, sqsAt } from './aws-emulators.ts';

const Job = z.object({ job: z.string(), filler: z.string().optional() });
type Job = z.infer<typeof Job>;
const clock = createSystemClock();

await describeOnAws('a function that is fed by SQS', ['dynamodb', 'localstack'], (aws) => {
  let client: SQSClient;
  let dynamodb: DynamoDBClient;
  let bodies: ChunkStore;
  let number = 0;
  beforeAll(async () => {
    const endpoints = await aws.endpoints();
    [client, dynamodb] = [sqsAt(endpoints.localstack), dynamodbAt(endpoints.dynamodb)];
    await createTable(dynamodb, 'entries');
    bodies = createChunkStore({ client: dynamodb, table: 'entries', clock, expireAfterSeconds: 86_400 });
  });
  afterAll(() => {
    client.destroy();
    dynamodb.destroy();
  });

  /** A queue, and a pass of Lambda's event source over it: receive, invoke, delete what did not fail. */
  async function open(handle: (job: Job, context: RecordContext) => Promise<void>) {
    const settings: FlowQueue<Job> = {
      name: `jobs-${(number += 1)}`,
      message: Job,
      from: [],
      to: 'plan',
      carries: 'jobs',
      visibilitySeconds: 30,
      maxReceives: 2,
      batch: 10,
    };
    let urls: QueueUrls = { url: '', deadUrl: '' };
    const queue: Queue = createQueues({
      client,
      clock,
      chunks: bodies,
      urls: async () => (urls = await createQueue(client, settings)),
    }).open(settings);
    await queue.counts();
    const deps = {
      queues: new Map([[settings.name, queue]]),
      bodies,
      clock,
      log: silentLog,
      metrics: { count: () => undefined, observe: () => undefined, gauge: () => undefined, flush: () => undefined },
      withFields: <T>(_fields: Record<string, string>, work: () => T) => work(),
      random: () => 0,
    };
    const handler = createSqsHandler(deps, [consumer(settings, handle)], { concurrency: 10 });
    return { queue, pass: () => passOver(client, urls.url, settings.name, handler) };
  }

  it('leaves nothing of what is done, and hands large bodies over whole', async () => {
    const handled: Job[] = [];
    const { queue, pass } = await open(async (job) => void handled.push(job));
    const large = { job: 'large', filler: 'ö'.repeat(129_000) };
    await queue.send([JSON.stringify({ job: 'small' }), JSON.stringify(large)]);

    await expect.poll(async () => (await pass(), handled.length), { timeout: 20_000 }).toBe(2);

    expect(handled).toContainEqual(large);
    expect(await queue.counts()).toEqual({ ready: 0, inFlight: 0, delayed: 0, dead: 0 });
  });

  it('brings what failed for now again, and in the end to the dead letters, with its reason (FT-10)', async () => {
    const receives: number[] = [];
    const { queue, pass } = await open(async (_job, context) => {
      receives.push(context.receives);
      throw new HawserError('unavailable', 'the Git host is away', { retry: 'later' });
    });
    await queue.send([JSON.stringify({ job: 'a' })]);

    await expect.poll(async () => (await pass(), receives.length), { timeout: 20_000 }).toBe(2);

    expect(receives).toEqual([1, 2]);
    expect(await queue.deadLetters(10)).toMatchObject([
      { reason: 'unavailable: the Git host is away', receives: 2, body: '{"job":"a"}' },
    ]);
    expect(await queue.counts()).toMatchObject({ ready: 0, inFlight: 0 });
  });

  it('buries poison at once, and a body that is gone, beside neighbours that are done (NT-03, FT-11)', async () => {
    const handled: string[] = [];
    const { queue, pass } = await open(async ({ job }) => void handled.push(job));
    const lost = JSON.stringify({ job: 'lost', filler: 'x'.repeat(258_000) });
    await queue.send(['{"job":1}', JSON.stringify({ job: 'fine' }), lost]);
    const { chunks } = await bodies.list(`Q#${queue.name}`);
    await bodies.remove(
      `Q#${queue.name}`,
      chunks.map(({ digest }) => digest),
    );

    await expect.poll(async () => (await pass(), (await queue.counts()).dead), { timeout: 20_000 }).toBe(2);

    expect(handled).toEqual(['fine']);
    const reasons = (await queue.deadLetters(10)).map(({ reason }) => reason);
    expect(reasons).toContainEqual(expect.stringContaining('not a message of queue'));
    expect(reasons).toContainEqual(expect.stringContaining('is no longer in the chunk store'));
  });
});

async function passOver(
  client: SQSClient,
  url: string,
  name: string,
  handler: ReturnType<typeof createSqsHandler>,
): Promise<void> {
  const { Messages: messages = [] } = await client.send(
    new ReceiveMessageCommand({
      QueueUrl: url,
      MaxNumberOfMessages: 10,
      WaitTimeSeconds: 1,
      MessageAttributeNames: ['All'],
      MessageSystemAttributeNames: ['All'],
    }),
  );
  const records = messages.map(
    (message) =>
      ({
        messageId: message.MessageId,
        receiptHandle: message.ReceiptHandle,
        body: message.Body,
        attributes: message.Attributes,
        messageAttributes: Object.fromEntries(
          Object.entries(message.MessageAttributes ?? {}).map(([key, value]) => [
            key,
            { stringValue: value.StringValue, dataType: value.DataType },
          ]),
        ),
        eventSourceARN: `arn:aws:sqs:eu-central-1:000000000000:hawser-test-${name}`,
      }) as SQSRecord,
  );
  const { batchItemFailures } = await handler({ Records: records }, { getRemainingTimeInMillis: () => 30_000 });
  const failed = new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
  const done = records.filter(({ messageId }) => !failed.has(messageId));
  if (done.length === 0) return;
  await client.send(
    new DeleteMessageBatchCommand({
      QueueUrl: url,
      Entries: done.map(({ messageId, receiptHandle }) => ({ Id: messageId, ReceiptHandle: receiptHandle })),
    }),
  );
}

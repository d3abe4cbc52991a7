import { randomBytes } from 'node:crypto';
import { expect, it, onTestFinished } from 'vitest';
import { createQueue } from '#shared/adapters/aws/create-queue.ts';
import { createTable } from '#shared/adapters/aws/create-table.ts';
import { createChunkStore } from '#shared/adapters/aws/dynamodb-chunk-store.ts';
import { createStateStore } from '#shared/adapters/aws/dynamodb-state-store.ts';
import { createQueues } from '#shared/adapters/aws/sqs-queues.ts';
import { createSystemClock } from '#shared/adapters/embedded/system-clock.ts';
import type { Delivery, Queue } from '#shared/ports/queue.ts';
import { redriveWhenDue } from '#functions/sweep/redrive.ts';
import { silentLog } from '#test/kit/service-parts.ts';
import { describeOnAws, dynamodbAt, sqsAt } from './aws-emulators.ts';
import { first, startFaultProxy, type Call, type Fault, type Json } from './fault-proxy.ts';

const clock = createSystemClock();

await describeOnAws('SQS that does half and loses answers', ['dynamodb', 'localstack'], (aws) => {
  async function open() {
    const endpoints = await aws.endpoints();
    const proxy = await startFaultProxy(endpoints.localstack);
    const [client, direct, tables] = [sqsAt(proxy.url), sqsAt(endpoints.localstack), dynamodbAt(endpoints.dynamodb)];
    onTestFinished(async () => {
      for (const made of [client, direct, tables]) made.destroy();
      await proxy.stop();
    });
    await createTable(tables, 'bodies');
    const chunks = createChunkStore({ client: tables, table: 'bodies', clock });
    const queues = createQueues({ client, clock, chunks, urls: (settings) => createQueue(direct, settings) });
    const name = `faults-${randomBytes(4).toString('hex')}`;
    const queue = queues.open({ name, visibilitySeconds: 30, maxReceives: 3 });
    const calls = (operation: string) => proxy.calls.filter((call) => call.operation === operation);
    const store = createStateStore({ client: tables, table: 'bodies', clock });
    return { proxy, chunks, queue, name, calls, store };
  }

  const receive = (queue: Queue, max = 10): Promise<Delivery[]> =>
    queue.receive({ max, waitSeconds: 2, visibilitySeconds: 30 });

  async function drain(queue: Queue): Promise<string[]> {
    const bodies: string[] = [];
    for (;;) {
      const batch = await receive(queue);
      if (batch.length === 0) return bodies;
      bodies.push(...batch.map(({ body }) => body));
      await queue.done(batch);
    }
  }

  it('sends again what a batch left out, and deletes again what it did not delete', async () => {
    const { proxy, queue } = await open();
    const bodies = Array.from({ length: 24 }, (_, index) => JSON.stringify({ index }));
    proxy.faults = (call) => (call.operation.endsWith('MessageBatch') ? halfFailed(call) : undefined);

    await queue.send(bodies);

    expect((await drain(queue)).sort()).toEqual(bodies.toSorted());
    expect(await queue.counts()).toEqual({ ready: 0, inFlight: 0, delayed: 0, dead: 0 });
  });

  it('does not call a send done that SQS refuses for ever', async () => {
    const { proxy, queue } = await open();
    proxy.faults = ({ operation }) =>
      operation === 'SendMessageBatch' ? { refuse: { status: 400, error: 'RequestThrottled' } } : undefined;

    await expect(queue.send(['{}'])).rejects.toMatchObject({ code: 'unavailable', retry: 'later' });
  });

  it('may deliver twice what it sent twice because the answer was lost, and loses nothing (FT-18)', async () => {
    const { proxy, queue } = await open();
    proxy.faults = first(1, 'SendMessageBatch', { cutAfter: true });

    await queue.send(['{"n":1}', '{"n":2}']);

    expect(new Set(await drain(queue))).toEqual(new Set(['{"n":1}', '{"n":2}']));
  });

  it('brings bodies of 256 KiB and of any characters, also as dead letters and sent again', async () => {
    const { queue, calls } = await open();
    const bodies = [
      JSON.stringify('x'.repeat(256 * 1024 - 2)),
      JSON.stringify('y'.repeat(250 * 1024)),
      JSON.stringify('z'.repeat(249 * 1024)),
      JSON.stringify('not in XML: \uFFFF \uFFFE'),
    ];
    await queue.send(bodies);
    for (let buried = 0; buried < bodies.length; buried += 1) {
      const [delivery] = await receive(queue, 1);
      if (delivery !== undefined) await queue.bury(delivery, 'broken: \u0000 \uFFFF');
    }

    expect((await queue.deadLetters(10)).map(({ body }) => body).sort()).toEqual(bodies.toSorted());
    expect(await queue.redrive()).toBe(4);
    expect((await drain(queue)).sort()).toEqual(bodies.toSorted());
    for (const { input } of calls('SendMessageBatch')) expect(sizeOf(input)).toBeLessThanOrEqual(256 * 1024);
  });

  it('makes a dead letter of a message whose body is gone', async () => {
    const { chunks, queue, name } = await open();
    await queue.send([JSON.stringify('x'.repeat(255 * 1024))]);
    const [chunk] = (await chunks.list(`Q#${name}`)).chunks;
    await chunks.remove(`Q#${name}`, [chunk?.digest ?? '']);

    expect(await receive(queue)).toEqual([]);
    const [dead] = await queue.deadLetters(10);
    expect(dead?.reason).toContain('no longer in the chunk store');
  });

  it('names the organisation as the fairness key, and delays by what SQS can at most (FT-15)', async () => {
    const { queue, calls } = await open();
    await queue.send(['{}'], { group: 'acme', delaySeconds: 5000 });

    expect(calls('SendMessageBatch').flatMap(({ input }) => input.Entries)).toMatchObject([
      { MessageGroupId: 'acme', DelaySeconds: 900 },
    ]);
  });

  it('buries nothing that was settled meanwhile', async () => {
    const { queue } = await open();
    await queue.send(['{}']);
    const [delivery] = await receive(queue);
    if (delivery === undefined) throw new Error('no message came');
    await queue.done([delivery]);

    await queue.bury(delivery, 'too late');
    await queue.retry({ ...delivery, receives: 3 }, { delaySeconds: 0, reason: 'too late' });

    expect(await queue.deadLetters(10)).toEqual([]);
  });

  it('has what SQS itself made a dead letter of sent again by the sweep, and leaves what is broken (FT-13)', async () => {
    const { queue, name, chunks, store } = await open();
    const at = new Date(clock.now()).toISOString();
    await queue.send([JSON.stringify({ n: 'broken', at })]);
    for (const delivery of await receive(queue)) await queue.bury(delivery, 'object-invalid: no such kind');
    await queue.send([JSON.stringify({ n: 'throttled', at }), JSON.stringify({ n: 'x'.repeat(257_000), at })]);
    // Received, and never answered for: three times, and once more for SQS to see that it is too often.
    await expect
      .poll(
        async () => {
          await queue.receive({ max: 10, waitSeconds: 0, visibilitySeconds: 0 });
          return (await queue.counts()).dead;
        },
        { timeout: 30_000 },
      )
      .toBe(3);
    await store.put({ partition: `T#${name}`, sort: 'REDRIVE', revision: 1, value: { nextAt: 0 } });

    const queues = new Map([['hints', queue]]);
    expect(await redriveWhenDue({ store, queues, clock, log: silentLog }, name)).toBe(2);
    expect((await drain(queue)).map((body) => (JSON.parse(body) as { n: string }).n[0]).sort()).toEqual(['t', 'x']);
    expect(await queue.deadLetters(10)).toMatchObject([{ reason: 'object-invalid: no such kind' }]);
    expect((await chunks.list(`Q#${name}`)).chunks).toHaveLength(1);
  });

  it('leaves dead letters to others after looking at them', async () => {
    const { queue } = await open();
    await queue.send(Array.from({ length: 25 }, (_, index) => JSON.stringify({ index })));
    for (let taken = 0; taken < 25;) {
      const batch = await receive(queue);
      taken += batch.length;
      for (const delivery of batch) await queue.bury(delivery, 'broken');
    }

    expect(await queue.deadLetters(7)).toHaveLength(7);
    const all = await queue.deadLetters(100);
    expect(new Set(all.map(({ id }) => id)).size).toBe(25);
    expect(await queue.redrive(all.slice(0, 12).map(({ id }) => id))).toBe(12);
    expect(await queue.deadLetters(100)).toHaveLength(13);
  });
});

/** Does the first half of a batch and reports the rest as failed, not by the sender's fault. */
function halfFailed({ input }: Call): Fault | undefined {
  const entries: Json[] = input.Entries;
  if (entries.length < 2) return undefined;
  const half = Math.floor(entries.length / 2);
  const failures = entries.slice(half).map(({ Id }) => ({ Id, SenderFault: false, Code: 'InternalError' }));
  return {
    input: (sent) => ({ ...sent, Entries: entries.slice(0, half) }),
    output: (output) => ({ ...output, Failed: [...(output.Failed ?? []), ...failures] }),
  };
}

function sizeOf(input: Json): number {
  const entries: Json[] = input.Entries;
  return entries.reduce((sum, { MessageBody: body }) => sum + Buffer.byteLength(body as string), 0);
}

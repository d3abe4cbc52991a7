import { expect, it, onTestFinished } from 'vitest';
import type { Database } from '#shared/adapters/embedded/database.ts';
import { createQueues } from '#shared/adapters/embedded/sqlite-queues.ts';
import type { Delivery, Queue } from '#shared/ports/queue.ts';
import { openTestDatabase } from '#test/contract/embedded-database.ts';
import { createFakeClock, settle, type FakeClock } from '#test/kit/clock.ts';

const settings = { name: 'hints', visibilitySeconds: 30, maxReceives: 3 };

async function open(): Promise<{ database: Database; clock: FakeClock; queue: Queue }> {
  const clock = createFakeClock();
  const { database, close } = await openTestDatabase(clock);
  onTestFinished(close);
  return { database, clock, queue: createQueues(database, clock).open(settings) };
}

const receive = (queue: Queue, max = 10, waitSeconds = 0): Promise<Delivery[]> =>
  queue.receive({ max, waitSeconds, visibilitySeconds: 30 });

it('gives ready messages in the order in which they were sent', async () => {
  const { queue } = await open();
  for (let index = 0; index < 30; index += 1) await queue.send([String(index)]);

  const bodies = [...(await receive(queue, 7)), ...(await receive(queue, 100))].map((delivery) => delivery.body);

  expect(bodies).toEqual(Array.from({ length: 30 }, (_, index) => String(index)));
});

it('wakes a waiting receiver at a send without any time going by', async () => {
  const { clock, queue } = await open();
  const start = clock.monotonic();
  const waiting = receive(queue, 1, 20);
  await settle();
  expect(clock.sleepers()).toBe(1);

  await queue.send(['{}']);

  expect(await waiting).toHaveLength(1);
  expect(clock.monotonic()).toBe(start);
  expect(clock.sleepers()).toBe(0);
});

it('sleeps exactly until the next delayed message, the next visibility or the end of the wait', async () => {
  const { clock, queue } = await open();
  let ended: Delivery[] | undefined;
  const wait = (): void => void receive(queue, 1, 20).then((deliveries) => (ended = deliveries));

  await queue.send(['{"delayed":true}'], { delaySeconds: 5 });
  wait();
  await clock.advance(4_999);
  expect(ended).toBeUndefined();
  await clock.advance(1);
  expect(ended).toHaveLength(1);

  ended = undefined;
  wait();
  await clock.advance(19_999);
  expect(ended).toBeUndefined();
  await clock.advance(1);
  expect(ended).toEqual([]);

  ended = undefined;
  wait();
  await clock.advance(9_999);
  expect(ended).toBeUndefined();
  await clock.advance(1);
  expect(ended).toMatchObject([{ receives: 2 }]);
});

it('writes nothing while it waits for nothing', async () => {
  const { database, clock, queue } = await open();
  const commits = (): unknown => database.read((prepare) => prepare('PRAGMA data_version').get()?.['data_version']);
  let writes = 0;
  const write = database.write.bind(database);
  database.write = (...args) => {
    writes += 1;
    return write(...args);
  };
  const before = commits();

  const waiting = receive(queue, 10, 20);
  await clock.advance(20_000);

  expect(await waiting).toEqual([]);
  expect(writes).toBe(0);
  expect(commits()).toBe(before);
});

it('gives what a dead process had received at once to the next one, and still counts its receives (NT-03)', async () => {
  const { database, clock, queue } = await open();
  await queue.send(['{"kills":"the process"}']);

  for (let life = 1; life <= settings.maxReceives; life += 1) {
    const next = createQueues(database, clock).open(settings);
    expect(await receive(next)).toMatchObject([{ receives: life }]);
  }
  const last = createQueues(database, clock).open(settings);

  expect(await receive(last)).toEqual([]);
  expect(await last.deadLetters(10)).toMatchObject([
    { body: '{"kills":"the process"}', receives: 3, reason: expect.stringContaining('without an answer') },
  ]);
});

it('lets the first receiver after a start have what was in flight, without a wait', async () => {
  const { database, clock, queue } = await open();
  await queue.send(['{}']);
  await receive(queue);
  const next = createQueues(database, clock).open(settings);

  expect(await receive(next, 1, 20)).toMatchObject([{ receives: 2 }]);
  expect(clock.sleepers()).toBe(0);
});

it('ignores a retry, burial or extension by somebody who lost the message to another', async () => {
  const { clock, queue } = await open();
  await queue.send(['{}']);
  const [slow] = await receive(queue);
  await clock.advance(30_000);
  const [quick] = await receive(queue);
  if (slow === undefined || quick === undefined) throw new Error('no message came');

  await queue.extend(slow, 3600);
  await queue.retry(slow, { delaySeconds: 0, reason: 'late' });
  await queue.bury(slow, 'late');

  expect(await queue.counts()).toEqual({ ready: 0, inFlight: 1, delayed: 0, dead: 0 });
  await clock.advance(30_000);
  expect(await receive(queue)).toMatchObject([{ receives: 3 }]);
});

it('takes the word of a late receiver that the work is done', async () => {
  const { clock, queue } = await open();
  await queue.send(['{}']);
  const slow = await receive(queue);
  await clock.advance(30_000);
  await receive(queue);

  await queue.done(slow);

  expect(await queue.counts()).toEqual({ ready: 0, inFlight: 0, delayed: 0, dead: 0 });
});

it('keeps the last reason of a message that then dies without an answer', async () => {
  const { clock, queue } = await open();
  await queue.send(['{}']);
  for (const delivery of await receive(queue))
    await queue.retry(delivery, { delaySeconds: 0, reason: 'the repository is unreachable' });
  await receive(queue);
  await clock.advance(30_000);
  await receive(queue);
  await clock.advance(30_000);
  await receive(queue);

  expect((await queue.deadLetters(1))[0]?.reason).toContain('the repository is unreachable');
});

it('refuses a receipt that is none', async () => {
  const { queue } = await open();

  await expect(queue.done([{ id: 'x', body: '', receives: 1, receipt: 'x' }])).rejects.toMatchObject({
    code: 'invalid-input',
  });
});

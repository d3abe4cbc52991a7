import { randomUUID } from 'node:crypto';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Delivery, Queue, Queues } from '#shared/ports/queue.ts';

export interface QueueTiming {
  /** The visibility that the suite asks for; long enough that nothing expires by accident. */
  visibilitySeconds: number;
  /** Lets so much time go by, for the queue's clock. */
  pass: (seconds: number) => Promise<void>;
  /** How long one receive waits for what is there but may take its time to show. */
  waitSeconds: number;
  /** Bounds the property tests. */
  runs?: number;
  /** So many of these runs go on beside each other: for queues whose time passes by waiting for it. Default: 1. */
  runsAtOnce?: number;
}

/**
 * What every queue must do: at least once, in any order. `concurrent` runs the cases beside each other, each on a queue of
 * its own: for queues on the real clock, where most of a case is waiting. A clock that `pass` moves is one for all of them.
 */
export function describeQueue(
  name: string,
  open: () => Promise<{ queues: Queues; timing: QueueTiming; close: () => Promise<void> }>,
  { concurrent = false }: { concurrent?: boolean } = {},
): void {
  describe(`queue: ${name}`, { concurrent }, () => {
    let queues: Queues;
    let timing: QueueTiming;
    let close: () => Promise<void>;
    beforeAll(async () => ({ queues, timing, close } = await open()));
    afterAll(() => close());

    const maxReceives = 3;
    const fresh = (): Queue =>
      queues.open({
        name: `test-${randomUUID().slice(0, 8)}`,
        visibilitySeconds: timing.visibilitySeconds,
        maxReceives,
      });
    const receive = (queue: Queue, max = 10, waitSeconds = timing.waitSeconds): Promise<Delivery[]> =>
      queue.receive({ max, waitSeconds, visibilitySeconds: timing.visibilitySeconds });
    /** Nothing shows, although time enough is given. */
    const expectNothing = async (queue: Queue): Promise<void> => expect(await receive(queue, 10, 0)).toEqual([]);
    const passVisibility = (): Promise<void> => timing.pass(timing.visibilitySeconds + 0.5);

    async function receiveOne(queue: Queue): Promise<Delivery> {
      const [delivery] = await receive(queue, 1);
      if (delivery === undefined) throw new Error('no message came');
      return delivery;
    }

    async function drain(queue: Queue): Promise<Delivery[]> {
      const all: Delivery[] = [];
      for (;;) {
        const some = await receive(queue, 10, Math.min(1, timing.waitSeconds));
        if (some.length === 0) return all;
        await queue.done(some);
        all.push(...some);
      }
    }

    it('delivers what was sent, as it was sent', async () => {
      const queue = fresh();
      const bodies = ['{}', '{"text":"a\\"\\n\\u0000 ü 𝄞 <&> \u2028"}', `{"n":${'1'.repeat(30)}}`, '{}'];

      await queue.send(bodies);

      const all = await drain(queue);
      expect(all.map((delivery) => delivery.body).sort()).toEqual(bodies.toSorted());
      expect(all.map((delivery) => delivery.receives)).toEqual([1, 1, 1, 1]);
      expect(new Set(all.map((delivery) => delivery.id)).size).toBe(4);
    });

    it('takes more messages in one send than a backend takes at once, and gives at most what was asked for', async () => {
      const queue = fresh();
      const bodies = Array.from({ length: 35 }, (_, index) => JSON.stringify({ index }));
      await queue.send(bodies);
      await queue.send([]);

      const some = await receive(queue, 3);

      expect(some.length).toBeGreaterThan(0);
      expect(some.length).toBeLessThanOrEqual(3);
      await queue.done(some);
      expect([...some, ...(await drain(queue))].map((delivery) => delivery.body).sort()).toEqual(bodies.toSorted());
    });

    it('takes bodies of 256 KiB and refuses larger ones whole', async () => {
      const queue = fresh();
      const body = JSON.stringify('x'.repeat(256 * 1024 - 2));

      await queue.send([body]);
      await expect(queue.send(['{}', JSON.stringify('ü'.repeat(131_072))])).rejects.toMatchObject({
        code: 'too-large',
      });

      const all = await drain(queue);
      expect(all.map((delivery) => delivery.body === body)).toEqual([true]);
    });

    it('keeps queues apart', async () => {
      const [one, other] = [fresh(), fresh()];
      await one.send(['{"for":"one"}']);

      await expectNothing(other);
      expect((await drain(one)).map((delivery) => delivery.body)).toEqual(['{"for":"one"}']);
    });

    it('hides a received message, and brings it again when nobody settled it in time', async () => {
      const queue = fresh();
      await queue.send(['{}']);
      const first = await receiveOne(queue);

      await expectNothing(queue);
      await passVisibility();
      const second = await receiveOne(queue);

      expect(second).toMatchObject({ id: first.id, body: first.body, receives: 2 });
    });

    it('never brings again what is done', async () => {
      const queue = fresh();
      await queue.send(['{"a":1}', '{"b":2}']);

      await drain(queue);
      await passVisibility();

      await expectNothing(queue);
    });

    it('takes it calmly when a message is settled twice', async () => {
      const queue = fresh();
      await queue.send(['{}']);
      const delivery = await receiveOne(queue);

      await queue.done([delivery]);
      await queue.done([delivery]);
      await queue.extend(delivery, timing.visibilitySeconds);
      await queue.retry(delivery, { delaySeconds: 0, reason: 'too late' });

      await passVisibility();
      await expectNothing(queue);
    });

    it('hides for longer when the visibility is extended', async () => {
      const queue = fresh();
      await queue.send(['{}']);
      const delivery = await receiveOne(queue);

      await queue.extend(delivery, timing.visibilitySeconds * 4);
      await passVisibility();
      await expectNothing(queue);

      await queue.extend(delivery, 0);
      expect(await receiveOne(queue)).toMatchObject({ id: delivery.id, receives: 2 });
    });

    it('brings a message again after the delay of its retry', async () => {
      const queue = fresh();
      await queue.send(['{}']);

      await queue.retry(await receiveOne(queue), { delaySeconds: timing.visibilitySeconds * 3, reason: 'later' });
      await passVisibility();
      await expectNothing(queue);
      await timing.pass(timing.visibilitySeconds * 3);
      const second = await receiveOne(queue);
      await queue.retry(second, { delaySeconds: 0, reason: 'at once' });

      expect(second.receives).toBe(2);
      expect((await receiveOne(queue)).receives).toBe(3);
    });

    it('holds back what is sent with a delay', async () => {
      const queue = fresh();
      await queue.send(['{"late":true}'], { delaySeconds: timing.visibilitySeconds * 2 });
      await queue.send(['{"late":false}']);

      expect((await drain(queue)).map((delivery) => delivery.body)).toEqual(['{"late":false}']);
      await timing.pass(timing.visibilitySeconds * 2 + 0.5);
      expect((await drain(queue)).map((delivery) => delivery.body)).toEqual(['{"late":true}']);
    });

    it('makes a dead letter of what failed too often, with the last reason (NT-03)', async () => {
      const queue = fresh();
      await queue.send(['{"poison":true}', '{"neighbour":true}']);

      for (let turn = 0; turn < 2 * maxReceives; turn += 1) {
        for (const delivery of await receive(queue, 10, Math.min(1, timing.waitSeconds))) {
          if (delivery.body.includes('neighbour')) await queue.done([delivery]);
          else await queue.retry(delivery, { delaySeconds: 0, reason: `failure ${delivery.receives}` });
        }
      }

      const [dead, ...others] = await queue.deadLetters(10);
      expect(others).toEqual([]);
      expect(dead).toMatchObject({ body: '{"poison":true}', reason: `failure ${maxReceives}`, receives: maxReceives });
      await expectNothing(queue);
    });

    it('makes a dead letter of what was received too often and never settled', async () => {
      const queue = fresh();
      await queue.send(['{"kills":true}']);
      for (let turn = 1; turn <= maxReceives; turn += 1) {
        expect((await receiveOne(queue)).receives).toBe(turn);
        await passVisibility();
      }

      await expectNothing(queue);

      const [dead] = await queue.deadLetters(10);
      expect(dead?.body).toBe('{"kills":true}');
      expect(dead?.reason).not.toBe('');
    });

    it('buries at once where that is asked for', async () => {
      const queue = fresh();
      await queue.send(['{"invalid":true}']);

      await queue.bury(await receiveOne(queue), 'not a message of this queue: name is missing');
      await passVisibility();

      await expectNothing(queue);
      const [dead] = await queue.deadLetters(10);
      expect(dead).toMatchObject({
        body: '{"invalid":true}',
        reason: 'not a message of this queue: name is missing',
        receives: 1,
      });
    });

    it('sends dead letters again: those that are named, or all', async () => {
      const queue = fresh();
      await queue.send(['{"n":1}', '{"n":2}', '{"n":3}']);
      for (let buried = 0; buried < 3; buried += 1) await queue.bury(await receiveOne(queue), 'broken');
      const chosen = (await queue.deadLetters(10)).find((dead) => dead.body === '{"n":2}');

      expect(await queue.redrive([chosen?.id ?? ''])).toBe(1);
      expect((await drain(queue)).map((delivery) => [delivery.body, delivery.receives])).toEqual([['{"n":2}', 1]]);
      expect(await queue.redrive()).toBe(2);
      expect((await drain(queue)).map((delivery) => delivery.body).sort()).toEqual(['{"n":1}', '{"n":3}']);
      expect(await queue.deadLetters(10)).toEqual([]);
      expect(await queue.redrive()).toBe(0);
    });

    it('counts what is ready, in flight, delayed and dead', async (context) => {
      const queue = fresh();
      await queue.send(['{"n":1}', '{"n":2}', '{"n":3}', '{"n":4}']);
      await queue.send(['{"n":5}'], { delaySeconds: 60 });
      await queue.bury(await receiveOne(queue), 'broken');
      await receiveOne(queue);

      // Backends count by and by.
      await context.expect
        .poll(() => queue.counts(), { timeout: 5000 })
        .toEqual({ ready: 2, inFlight: 1, delayed: 1, dead: 1 });
    });

    it('wakes who waits when something is sent', async () => {
      const queue = fresh();
      const waiting = receive(queue, 1, 20);

      await queue.send(['{"wake":true}']);

      expect((await waiting).map((delivery) => delivery.body)).toEqual(['{"wake":true}']);
    });

    it('gives one message to one of those who wait', async () => {
      const queue = fresh();
      const stop = new AbortController();
      const waiting = Array.from({ length: 5 }, () =>
        queue.receive({ max: 10, waitSeconds: 20, visibilitySeconds: timing.visibilitySeconds, signal: stop.signal }),
      );
      const winner = Promise.race(waiting);
      await queue.send(['{}']);

      expect(await winner).toHaveLength(1);
      stop.abort();
      expect((await Promise.all(waiting)).flat()).toHaveLength(1);
    });

    it('ends a wait when it is told to', async () => {
      const queue = fresh();
      const stop = new AbortController();
      const waiting = queue.receive({
        max: 1,
        waitSeconds: 20,
        visibilitySeconds: timing.visibilitySeconds,
        signal: stop.signal,
      });
      stop.abort();

      expect(await waiting).toEqual([]);
      expect(
        await queue.receive({
          max: 1,
          waitSeconds: 20,
          visibilitySeconds: timing.visibilitySeconds,
          signal: stop.signal,
        }),
      ).toEqual([]);
    });

    it('loses nothing that was acknowledged, whatever receivers do (FT-18)', async () => {
      const fate = fc.constantFrom<'done' | 'done twice' | 'retry' | 'forget' | 'bury'>(
        'done',
        'done',
        'done twice',
        'retry',
        'forget',
        'bury',
      );
      const property = fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 4 }),
        fc.infiniteStream(fate),
        async (senders, fates) => {
          const queue = fresh();
          const acknowledged: string[] = [];
          const finished = new Set<string>();

          await Promise.all(
            senders.map(async (count, sender) => {
              for (let index = 0; index < count; index += 1) {
                const body = JSON.stringify({ sender, index });
                await queue.send([body]);
                acknowledged.push(body);
              }
            }),
          );
          // So many rounds that every message is settled or used up its receives.
          for (let round = 0; round <= maxReceives + 1; round += 1) {
            await Promise.all([1, 2].map(() => receiveAll(queue, fates, finished)));
            await passVisibility();
          }
          await expectNothing(queue);

          const dead = (await queue.deadLetters(1000)).map((letter) => letter.body);
          const accounted = new Set([...finished, ...dead]);
          expect([...accounted].sort()).toEqual(acknowledged.toSorted());
          expect(new Set(dead).size).toBe(dead.length);
        },
      );
      const { runs = 15, runsAtOnce = 1 } = timing;
      const each = { numRuns: Math.ceil(runs / runsAtOnce) };
      await Promise.all(Array.from({ length: runsAtOnce }, () => fc.assert(property, each)));
    });

    async function receiveAll(queue: Queue, fates: fc.Stream<string>, finished: Set<string>): Promise<void> {
      for (;;) {
        const batch = await receive(queue, 4, 0);
        if (batch.length === 0) return;
        for (const delivery of batch) {
          const [fate] = [...fates.take(1)];
          if (fate === 'retry') await queue.retry(delivery, { delaySeconds: 0, reason: 'by chance' });
          else if (fate === 'bury') await queue.bury(delivery, 'by chance');
          else if (fate !== 'forget') {
            finished.add(delivery.body);
            await queue.done(fate === 'done' ? [delivery] : [delivery, delivery]);
          }
        }
      }
    }
  });
}

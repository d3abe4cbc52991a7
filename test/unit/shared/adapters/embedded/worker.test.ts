import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { createQueues } from '#shared/adapters/embedded/sqlite-queues.ts';
import { consume, type ConsumeOptions } from '#shared/adapters/embedded/worker.ts';
import type { HandleContext } from '#shared/handle-delivery.ts';
import { createMetrics } from '#shared/adapters/observe/prometheus-metrics.ts';
import { createLog } from '#shared/adapters/observe/pino-log.ts';
import { HawserError } from '#shared/errors.ts';
import type { FlowQueue } from '#shared/flow.ts';
import type { Queue, Queues } from '#shared/ports/queue.ts';
import { openTestDatabase } from '#test/contract/embedded-database.ts';
import { createFakeClock, settle, type FakeClock } from '#test/kit/clock.ts';

const Job = z.object({ name: z.string(), trace: z.string().optional() });
type Job = z.infer<typeof Job>;

const jobs: FlowQueue<Job> = {
  name: 'jobs',
  message: Job,
  from: ['plan'],
  to: 'render',
  carries: 'job: for tests',
  visibilitySeconds: 30,
  maxReceives: 3,
  batch: 10,
};

interface Setup {
  clock: FakeClock;
  queues: Queues;
  queue: Queue;
  lines: string[];
  metrics: () => Promise<string>;
  start: (
    handle: ConsumeOptions<Job>['handle'],
    more?: Partial<ConsumeOptions<Job>>,
  ) => { stop: AbortController; ended: Promise<void> };
}

async function setUp(): Promise<Setup> {
  const clock = createFakeClock();
  const { database, close } = await openTestDatabase(clock);
  const queues = createQueues(database, clock);
  const queue = queues.open(jobs);
  const lines: string[] = [];
  const log = createLog({ level: 'debug', name: 'test', destination: { write: (line) => lines.push(line) } });
  const metrics = createMetrics();
  const workers: { stop: AbortController; ended: Promise<void> }[] = [];
  onTestFinished(async () => {
    for (const { stop } of workers) stop.abort();
    await clock.advance(60_000);
    await Promise.all(workers.map(({ ended }) => ended));
    await close();
  });
  return {
    clock,
    queues,
    queue,
    lines,
    metrics: () => metrics.text(),
    start(handle, more = {}) {
      const stop = new AbortController();
      const ended = consume({
        queue: jobs,
        deliveries: queue,
        handle,
        concurrency: 4,
        log,
        metrics,
        clock,
        signal: stop.signal,
        random: () => 1,
        ...more,
      });
      workers.push({ stop, ended });
      return { stop, ended };
    },
  };
}

const send = (queue: Queue, ...names: string[]): Promise<void> =>
  queue.send(names.map((name) => JSON.stringify({ name, trace: `trace-${name}` })));
const nothing = { ready: 0, inFlight: 0, delayed: 0, dead: 0 };

/** A promise that the test ends. */
function gate(): { opened: Promise<void>; open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}

describe('what a handler gets', () => {
  it('is the validated message, its trace, and how often it came', async () => {
    const { queue, start } = await setUp();
    const seen: [Job, Omit<HandleContext, 'signal'>][] = [];
    start(async (job, { trace, receives }) => void seen.push([job, { trace, receives }]));

    await queue.send(['{"name":"a","trace":"t-1","unknown":true}', '{"name":"b"}']);
    await settle();

    expect(seen).toEqual([
      [
        { name: 'a', trace: 't-1' },
        { trace: 't-1', receives: 1 },
      ],
      // Without a trace of its own a message is known by its id.
      [{ name: 'b' }, { trace: '2', receives: 1 }],
    ]);
    expect(await queue.counts()).toEqual(nothing);
  });

  it('comes at once after a send, also while others are handled', async () => {
    const { clock, queue, start } = await setUp();
    const { opened, open } = gate();
    const started: string[] = [];
    start(async (job) => {
      started.push(job.name);
      await opened;
    });
    const at = clock.monotonic();

    for (const name of ['a', 'b', 'c', 'd', 'e']) {
      await send(queue, name);
      await settle();
    }

    expect(started).toEqual(['a', 'b', 'c', 'd']);
    expect(clock.monotonic()).toBe(at);
    expect(await queue.counts()).toMatchObject({ ready: 1, inFlight: 4 });
    open();
    await settle();
    expect(started).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(await queue.counts()).toEqual(nothing);
  });
});

describe('a message that fails', () => {
  it('does not disturb its neighbours, comes again with growing delays, and ends as a dead letter (FT-11, NT-03)', async () => {
    const { clock, queue, lines, metrics, start } = await setUp();
    const handled: string[] = [];
    const tries: number[] = [];
    start(async (job) => {
      if (job.name !== 'poison') return void handled.push(job.name);
      tries.push(clock.monotonic());
      throw new Error('cannot be done');
    });

    await send(queue, 'a', 'poison', 'b');
    await settle();
    expect(handled).toEqual(['a', 'b']);
    await clock.advance(10_000);

    expect(tries).toEqual([0, 1000, 3000]);
    expect(await queue.counts()).toEqual({ ...nothing, dead: 1 });
    expect(await queue.deadLetters(1)).toMatchObject([{ reason: 'cannot be done', receives: 3 }]);
    expect(lines.filter((line) => line.includes('will be tried again'))).toHaveLength(3);
    expect(await metrics()).toMatch(/hawser_queue_messages_total\{queue="jobs",outcome="retried"\} 3/);
    await queue.redrive();
    await send(queue, 'c');
    await settle();
    expect(handled).toEqual(['a', 'b', 'c']);
  });

  it('waits a minute at most, and a random part of its delay', async () => {
    const { clock, queues, start } = await setUp();
    const patient = { ...jobs, name: 'patient-jobs', maxReceives: 100 };
    const deliveries = queues.open(patient);
    const tries: number[] = [];
    start(
      async () => {
        tries.push(clock.monotonic() / 1000);
        throw new Error('cannot be done');
      },
      { queue: patient, deliveries, random: () => 0.5 },
    );
    await send(deliveries, 'a');
    await clock.advance(130_000);

    expect(tries).toEqual([0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5, 61.5, 91.5, 121.5]);
  });

  it.each([
    [
      'synchronously',
      () => {
        throw new Error('at once');
      },
    ],
    ['with what is no error', () => Promise.reject('a text')],
    ['with undefined', () => Promise.reject(undefined)],
  ] as [string, () => Promise<void>][])('is retried when the handler throws %s', async (_how, handle) => {
    const { queue, start } = await setUp();
    start(handle);

    await send(queue, 'a');
    await settle();

    expect(await queue.counts()).toEqual({ ...nothing, delayed: 1 });
  });

  it('is buried at once when no later try can cure it', async () => {
    const { queue, start } = await setUp();
    start(async () => {
      throw new HawserError('render-failed', 'kustomization.yaml: no such file base');
    });

    await send(queue, 'a');
    await settle();

    expect(await queue.deadLetters(1)).toMatchObject([
      { reason: 'render-failed: kustomization.yaml: no such file base', receives: 1 },
    ]);
  });

  it('is retried when a HawserError says so', async () => {
    const { clock, queue, start } = await setUp();
    let tries = 0;
    start(async () => {
      tries += 1;
      if (tries === 1) throw new HawserError('repository-unreachable', 'no route', { retry: 'later' });
    });

    await send(queue, 'a');
    await clock.advance(1000);

    expect(tries).toBe(2);
    expect(await queue.counts()).toEqual(nothing);
  });

  it.each([
    ['no JSON', '{"name":', /not JSON/],
    ['a wrong shape', '{"name":7}', /not a message of queue jobs[^]*name/],
    ['null', 'null', /not a message/],
  ])('is buried unseen by the handler when it is %s (FT-110)', async (_what, body, reason) => {
    const { queue, start } = await setUp();
    const handled: Job[] = [];
    start(async (job) => void handled.push(job));

    await queue.send([body, '{"name":"neighbour"}']);
    await settle();

    expect(handled).toEqual([{ name: 'neighbour' }]);
    const [dead] = await queue.deadLetters(1);
    expect(dead?.body).toBe(body);
    expect(dead?.reason).toMatch(reason);
  });
});

describe('a handler that takes long', () => {
  it('keeps its message hidden (FT-12)', async () => {
    const { clock, queue, start } = await setUp();
    const { opened, open } = gate();
    let starts = 0;
    start(async () => {
      starts += 1;
      await opened;
    });
    await send(queue, 'a');

    await clock.advance(200_000);

    expect(starts).toBe(1);
    open();
    await settle();
    expect(await queue.counts()).toEqual(nothing);
    expect(clock.sleepers()).toBe(1);
  });

  it('is told to stop after ten visibilities, and its message comes again', async () => {
    const { clock, queue, start } = await setUp();
    let starts = 0;
    const reasons: unknown[] = [];
    start(async (_job, { signal }) => {
      starts += 1;
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      reasons.push(signal.reason);
      throw signal.reason;
    });
    await send(queue, 'a');

    await clock.advance(299_000);
    expect(reasons).toEqual([]);
    await clock.advance(2_000);

    expect(reasons).toMatchObject([{ code: 'timeout', retry: 'later' }]);
    expect(starts).toBe(2);
  });
});

describe('a queue that fails', () => {
  it('is read again later, and messages that cannot be settled come again', async () => {
    const { clock, queue, lines, start } = await setUp();
    let broken = true;
    const handled: number[] = [];
    const failing: Queue = {
      ...queue,
      receive: (options) =>
        broken
          ? Promise.reject(new HawserError('unavailable', 'disk full', { retry: 'later' }))
          : queue.receive(options),
      done: (deliveries) => (handled.length < 2 ? Promise.reject(new Error('disk full')) : queue.done(deliveries)),
    };
    const { ended } = start(async (_job, { receives }) => void handled.push(receives), { deliveries: failing });
    await send(queue, 'a');

    await clock.advance(10_000);
    expect(handled).toEqual([]);
    expect(lines.filter((line) => line.includes('queue cannot be read')).length).toBeLessThan(10);
    broken = false;
    await clock.advance(60_000);

    expect(handled).toEqual([1, 2]);
    expect(await queue.counts()).toEqual(nothing);
    expect(await Promise.race([ended.then(() => 'ended'), Promise.resolve('runs')])).toBe('runs');
  });
});

describe('stopping', () => {
  it('ends at once when nothing runs', async () => {
    const { clock, start } = await setUp();
    const { stop, ended } = start(async () => undefined);
    await settle();

    stop.abort();
    await ended;

    expect(clock.sleepers()).toBe(0);
  });

  it('finishes what runs and takes nothing new', async () => {
    const { queue, start } = await setUp();
    const { opened, open } = gate();
    const finished: string[] = [];
    const { stop, ended } = start(
      async (job) => {
        await opened;
        finished.push(job.name);
      },
      { concurrency: 2 },
    );
    await send(queue, 'a', 'b', 'c');
    await settle();

    stop.abort();
    await settle();
    open();
    await ended;

    expect(finished).toEqual(['a', 'b']);
    expect(await queue.counts()).toEqual({ ...nothing, ready: 1 });
  });

  it('gives back what it had received and not started', async () => {
    const { queue, start } = await setUp();
    const handled: string[] = [];
    const stop = new AbortController();
    const stopping: Queue = {
      ...queue,
      async receive(options) {
        const deliveries = await queue.receive(options);
        stop.abort();
        return deliveries;
      },
    };
    const { ended } = start(async (job) => void handled.push(job.name), { deliveries: stopping, signal: stop.signal });
    await send(queue, 'a', 'b');
    await ended;

    expect(handled).toEqual([]);
    expect(await queue.counts()).toEqual({ ...nothing, ready: 2 });
  });

  it('tells a handler that does not end, and gives its message back without counting it as a failure', async () => {
    const { clock, queue, start } = await setUp();
    const { stop, ended } = start(
      (_job, { signal }) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('stopped')))),
      { stopSeconds: 5 },
    );
    await send(queue, 'a');
    await settle();

    stop.abort();
    await clock.advance(4_999);
    expect(await queue.counts()).toEqual({ ...nothing, inFlight: 1 });
    await clock.advance(1);
    await ended;

    expect(await queue.counts()).toEqual({ ...nothing, ready: 1 });
  });
});

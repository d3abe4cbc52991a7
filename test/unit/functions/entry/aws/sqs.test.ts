import type { SQSEvent, SQSRecord } from 'aws-lambda';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { attributeNames } from '#shared/adapters/aws/sqs-body.ts';
import { createSystemClock } from '#shared/adapters/embedded/system-clock.ts';
import { HawserError } from '#shared/errors.ts';
import type { FlowQueue } from '#shared/flow.ts';
import type { ChunkStore } from '#shared/ports/chunk-store.ts';
import type { Delivery, Queue } from '#shared/ports/queue.ts';
import { consumer, createSqsHandler, type RecordContext } from '#functions/entry/aws/sqs.ts';
import { silentLog } from '#test/kit/service-parts.ts';

const Job = z.object({ job: z.string(), trace: z.string().optional() });
const jobs: FlowQueue<z.infer<typeof Job>> = {
  name: 'jobs',
  message: Job,
  from: [],
  to: 'plan',
  carries: 'jobs',
  visibilitySeconds: 60,
  maxReceives: 3,
  batch: 10,
};
const mail: FlowQueue<z.infer<typeof Job>> = { ...jobs, name: 'job-mail' };
const patient: FlowQueue<z.infer<typeof Job>> = { ...jobs, name: 'patient', maxReceives: 40, tries: 5 };

type Call = [deed: 'done' | 'retry' | 'bury' | 'extend', id: string, what?: string | number];

/** A queue that notes how its deliveries are settled; `broken` makes one deed fail. */
function recordingQueue(name: string, calls: Call[], broken?: Call[0]): Queue {
  const note = async (call: Call): Promise<void> => {
    if (call[0] === broken) throw new HawserError('unavailable', 'ThrottlingException: slow down', { retry: 'later' });
    calls.push(call);
  };
  return {
    name,
    send: async () => undefined,
    receive: async () => [],
    done: async (deliveries: readonly Delivery[]) => {
      for (const { id } of deliveries) await note(['done', id]);
    },
    retry: ({ id }, { delaySeconds, reason }) => note(['retry', id, `${Math.round(delaySeconds)} s: ${reason}`]),
    bury: ({ id }, reason) => note(['bury', id, reason]),
    extend: ({ id }, visibilitySeconds) => note(['extend', id, visibilitySeconds]),
    counts: async () => ({ ready: 0, inFlight: 0, delayed: 0, dead: 0 }),
    deadLetters: async () => [],
    redrive: async () => 0,
  };
}

function record(id: string, body: unknown, more: { receives?: number; reference?: string; queue?: string } = {}) {
  return {
    messageId: id,
    receiptHandle: `receipt-${id}`,
    body: typeof body === 'string' ? body : JSON.stringify(body),
    attributes: {
      ApproximateReceiveCount: String(more.receives ?? 1),
      SentTimestamp: '0',
      SenderId: 'AROA1:session',
      ApproximateFirstReceiveTimestamp: '0',
    },
    messageAttributes:
      more.reference === undefined
        ? {}
        : { [attributeNames.reference]: { stringValue: more.reference, dataType: 'String' } },
    md5OfBody: '',
    eventSource: 'aws:sqs',
    eventSourceARN: `arn:aws:sqs:eu-central-1:123456789012:hawser-prod-${more.queue ?? 'jobs'}`,
    awsRegion: 'eu-central-1',
  } as SQSRecord;
}

function world(
  options: {
    handle?: (job: z.infer<typeof Job>, context: RecordContext) => Promise<void>;
    chunks?: Record<string, string>;
    broken?: Call[0] | 'chunks';
    concurrency?: number;
  } = {},
) {
  const calls: Call[] = [];
  const handled: string[] = [];
  const handle = async (job: z.infer<typeof Job>, context: RecordContext) => {
    handled.push(job.job);
    await options.handle?.(job, context);
  };
  const broken = options.broken === 'chunks' ? undefined : options.broken;
  const bodies = {
    get: async (_partition: string, digest: string) => {
      if (options.broken === 'chunks') throw new HawserError('unavailable', 'no table', { retry: 'later' });
      const text = options.chunks?.[digest];
      return text === undefined ? undefined : Buffer.from(text);
    },
  } as ChunkStore;
  const fields: Record<string, string>[] = [];
  const run = createSqsHandler(
    {
      queues: new Map([jobs, mail, patient].map(({ name }) => [name, recordingQueue(name, calls, broken)])),
      bodies,
      log: silentLog,
      metrics: { count: () => undefined, observe: () => undefined, gauge: () => undefined, flush: () => undefined },
      clock: createSystemClock(),
      withFields(more, work) {
        fields.push(more);
        return work();
      },
    },
    [
      consumer(jobs, handle),
      consumer(patient, handle),
      consumer(mail, async (job, context) => handle({ job: `mail ${job.job}` }, context)),
    ],
    { concurrency: options.concurrency ?? 10 },
  );
  return {
    calls,
    handled,
    fields,
    async feed(records: unknown, remainingMs = 60_000) {
      const event = { Records: records } as SQSEvent;
      const { batchItemFailures } = await run(event, { getRemainingTimeInMillis: () => remainingMs });
      return batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);
    },
  };
}

const later = () => new HawserError('unavailable', 'not now', { retry: 'later' });
const never = () => new HawserError('object-invalid', 'no such kind');

describe('a function that is fed by a queue', () => {
  it('answers the ids of what must come again, and of nothing else (FT-10)', async () => {
    const { feed, calls, handled } = world({
      async handle({ job }) {
        if (job === 'b') throw later();
        if (job === 'd') throw new TypeError('a bug');
      },
    });

    const failed = await feed(['a', 'b', 'c', 'd'].map((job) => record(job, { job })));

    expect(failed.sort()).toEqual(['b', 'd']);
    expect(handled.sort()).toEqual(['a', 'b', 'c', 'd']);
    // Lambda deletes what is done.
    expect(calls.map(([deed, id]) => [deed, id])).toEqual([
      ['retry', 'b'],
      ['retry', 'd'],
    ]);
  });

  it('buries what never works, with its reason, and counts it as done (FT-11)', async () => {
    const { feed, calls } = world({ handle: () => Promise.reject(never()) });

    expect(await feed([record('a', { job: 'a' })])).toEqual([]);
    expect(calls).toEqual([['bury', 'a', 'object-invalid: no such kind']]);
  });

  it('lets the last try become a dead letter with its reason', async () => {
    const { feed, calls } = world({ handle: () => Promise.reject(later()) });

    expect(
      await feed([record('a', { job: 'a' }, { receives: 2 }), record('b', { job: 'b' }, { receives: 3 })]),
    ).toEqual(['a']);
    expect(calls.map(([deed, id]) => [deed, id])).toEqual([
      ['retry', 'a'],
      ['retry', 'b'],
    ]);
    expect(calls[1]?.[2]).toContain('unavailable: not now');
  });

  it('lets an outage last for as many receives as the queue permits, and a bug for as many as it has tries (FT-13, FT-48)', async () => {
    const { feed, calls } = world({
      handle: ({ job }) => Promise.reject(job === 'bug' ? new TypeError('a bug') : later()),
    });

    const failed = await feed([
      record('bug', { job: 'bug' }, { receives: 5, queue: 'patient' }),
      record('outage', { job: 'outage' }, { receives: 20, queue: 'patient' }),
    ]);

    expect(failed).toEqual(['outage']);
    expect(calls.find(([, id]) => id === 'bug')).toEqual(['bury', 'bug', 'a bug']);
    const [deed, , what] = calls.find(([, id]) => id === 'outage') ?? [];
    expect(deed).toBe('retry');
    expect(Number.parseInt(String(what))).toBeGreaterThanOrEqual(150);
    expect(Number.parseInt(String(what))).toBeLessThanOrEqual(300);
  });

  it('handles last what may kill it, when nothing of its batch would come again for that (FT-14)', async () => {
    let before: Call[] = [];
    const { feed, calls, handled } = world({
      async handle({ job }) {
        if (job === 'later') throw later();
        if (job === 'deadly') before = [...calls];
      },
    });

    const failed = await feed([
      record('deadly', { job: 'deadly' }, { receives: 6, queue: 'patient' }),
      ...['fine', 'later', 'good'].map((job) => record(job, { job }, { queue: 'patient' })),
    ]);

    expect(handled.at(-1)).toBe('deadly');
    expect(before.filter(([deed]) => deed === 'done').map(([, id]) => id)).toEqual(['fine', 'good']);
    expect(failed).toEqual(['later']);
  });

  it('leaves to Lambda what it cannot delete itself', async () => {
    const { feed, handled } = world({ broken: 'done' });

    expect(await feed([record('a', { job: 'a' }, { receives: 6 }), record('b', { job: 'b' })])).toEqual([]);
    expect(handled).toEqual(['b', 'a']);
  });

  it.each([
    ['no JSON', '{', /^not JSON/],
    ['nothing', '', /^not JSON/],
    ['another shape', '{"job":1}', /^not a message of queue jobs/],
    ['null', 'null', /^not a message/],
  ])('buries a body that is %s, and handles its neighbours (NT-03)', async (_, body, reason) => {
    const { feed, calls, handled } = world();

    expect(await feed([record('bad', body), record('good', { job: 'x' })])).toEqual([]);
    expect(calls.find(([deed]) => deed === 'bury')).toEqual(['bury', 'bad', expect.stringMatching(reason) as string]);
    expect(handled).toEqual(['x']);
  });

  it('reads a body by reference, and buries the message whose body is gone', async () => {
    const { feed, calls, handled } = world({ chunks: { d1: '{"job":"large"}' } });

    expect(
      await feed([record('a', '{}', { reference: 'd1' }), record('b', '{"note":""}', { reference: 'd2' })]),
    ).toEqual([]);
    expect(handled).toEqual(['large']);
    expect(calls.find(([deed]) => deed === 'bury')?.[2]).toBe('its body d2 is no longer in the chunk store');
  });

  it('lets a message come again whose body cannot be read now', async () => {
    const { feed, handled } = world({ broken: 'chunks' });

    expect(await feed([record('a', '{}', { reference: 'd1' }), record('b', { job: 'b' })])).toEqual(['a']);
    expect(handled).toEqual(['b']);
  });

  it.each(['retry', 'bury'] as const)(
    'lets a message come again whose %s is throttled, and throws nothing (FT-11)',
    async (broken) => {
      const { feed } = world({
        broken,
        async handle({ job }) {
          if (job === 'later') throw later();
          if (job === 'never') throw never();
        },
      });

      const failed = await feed(['fine', 'later', 'never'].map((job) => record(job, { job })));

      expect(failed.sort()).toEqual({ retry: ['later'], bury: ['later', 'never'] }[broken]);
    },
  );

  it('handles a duplicate like any other: what a stage does twice has the effect of once', async () => {
    const { feed, handled } = world();
    expect(await feed([record('a', { job: 'a' }), record('a', { job: 'a' })])).toEqual([]);
    expect(handled).toEqual(['a', 'a']);
  });

  it.each([
    ['no event', undefined],
    ['no array', {}],
    ['an empty array', []],
    ['garbage', [null, 7, 'x', {}, { messageId: '' }]],
  ])('answers %s with no failures', async (_, records) => {
    const { feed, calls } = world();
    expect(await feed(records)).toEqual([]);
    expect(calls).toEqual([]);
  });

  it('hurts only the record that lacks its parts', async () => {
    const { feed, handled } = world();
    const bare = { messageId: 'bare', eventSourceARN: record('x', '').eventSourceARN };

    expect(await feed([bare, { messageId: 'stray' }, record('good', { job: 'good' })])).toEqual(['stray']);
    expect(handled).toEqual(['good']);
  });

  it('feeds each queue to its own stage, with who sent the message and under its own correlation id', async () => {
    const seen: [string, string][] = [];
    const { feed, handled, fields } = world({
      async handle(_job, { sender, trace }) {
        seen.push([sender, trace]);
      },
    });

    await feed([record('a', { job: 'a', trace: 't-1' }), record('b', { job: 'b' }, { queue: 'job-mail' })]);

    expect(handled.sort()).toEqual(['a', 'mail b']);
    expect(seen.sort()).toEqual([
      ['AROA1:session', 'b'],
      ['AROA1:session', 't-1'],
    ]);
    expect(fields).toContainEqual({ trace: 't-1' });
  });

  it('tells a handler to stop before the time is up, and gives back what was not begun', async () => {
    const { feed, calls, handled } = world({
      concurrency: 1,
      handle: (_job, { signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
        }),
    });

    const failed = await feed([record('slow', { job: 'slow' }), record('next', { job: 'next' })], 5050);

    expect(failed).toEqual(['slow', 'next']);
    expect(handled).toEqual(['slow']);
    expect(calls.map(([deed, id]) => [deed, id])).toEqual([
      ['retry', 'slow'],
      ['extend', 'next'],
    ]);
    expect(calls[0]?.[2]).toContain('timeout');
  });

  it('leaves a handler that does not listen, so that the answer is in time', async () => {
    const { feed, calls } = world({ handle: () => new Promise(() => undefined) });

    expect(await feed([record('deaf', { job: 'deaf' })], 5010)).toEqual(['deaf']);
    expect(calls.map(([deed]) => deed)).toEqual(['retry']);
  });
});

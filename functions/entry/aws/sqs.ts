import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import { attributeNames, readBody } from '#shared/adapters/aws/sqs-body.ts';
import type { FlushedBell } from '#shared/adapters/aws/sqs-bell.ts';
import { inParallel } from '#shared/domain/parallel.ts';
import { HawserError } from '#shared/errors.ts';
import type { FlowQueue } from '#shared/flow.ts';
import { handleDelivery, type HandleContext, type Limits, type Outcome } from '#shared/handle-delivery.ts';
import type { ChunkStore } from '#shared/ports/chunk-store.ts';
import type { Delivery, Queue } from '#shared/ports/queue.ts';
import type { Core } from './core.ts';
import { functionOf } from './pipeline.ts';

/** What is handed to a stage besides its message. */
export type RecordContext = HandleContext & {
  /** Who sent it, as the queue knows: `ROLEID:SESSIONNAME` for a role's session. */
  sender: string;
};

/** A stage bound to its queue. */
export interface Consumer {
  name: string;
  consume(deps: SqsDeps, record: SQSRecord, delivery: Delivery, limits: Limits): Promise<Outcome>;
}

export interface SqsDeps extends Pick<Core, 'log' | 'metrics' | 'clock' | 'withFields'> {
  queues: ReadonlyMap<string, Queue>;
  /** Bodies that did not fit into a message. */
  bodies: ChunkStore;
  /** 0…1, for the jitter of back-offs. */
  random?: () => number;
}

/** Binds a stage to its queue. */
export function consumer<T>(
  queue: FlowQueue<T>,
  handle: (message: T, context: RecordContext) => Promise<void>,
): Consumer {
  return {
    name: queue.name,
    consume(deps, record, delivery, limits) {
      const sender = record.attributes?.SenderId ?? '';
      const options = {
        ...deps,
        queue,
        // What is done is deleted by Lambda, a batch at a time.
        deliveries: { ...(deps.queues.get(queue.name) as Queue), done: async () => undefined },
        handle: (message: T, context: HandleContext) =>
          deps.withFields({ trace: context.trace }, () => handle(message, { ...context, sender })),
      };
      return handleDelivery(options, delivery, limits);
    },
  };
}

/** Before the function's own end: a handler's second to stop, and settling what it was at. */
const reserveMs = 5000;
const suspectAfter = 5;
/** Where nobody says how long the function has. */
const defaultMs = 60_000;
const neverStopped = new AbortController().signal;

/** A function that is fed by one or more queues. */
export function sqsFunction(
  core: Core,
  parts: { queues: ReadonlyMap<string, Queue>; bodies: ChunkStore; bell: FlushedBell },
  consumers: readonly Consumer[],
  options: { concurrency: number },
) {
  const handler = createSqsHandler({ ...core, ...parts }, consumers, options);
  return functionOf<SQSEvent, SQSBatchResponse>(core, handler, { bell: parts.bell });
}

/**
 * Feeds the records of an event to their stages, `concurrency` at a time, and answers the ids of those that must come
 * again (FT-10): those that failed for now, whose visibility is set to their back-off, and those that were not begun before
 * the time was up, which are given back. What is done, and what is a dead letter, is deleted by Lambda. Never throws (FT-11).
 * What was received often may be what kills the function: it is handled last, when what it could take along is done (FT-14).
 */
export function createSqsHandler(
  deps: SqsDeps,
  consumers: readonly Consumer[],
  { concurrency }: { concurrency: number },
): (event: SQSEvent, context: Partial<Pick<Context, 'getRemainingTimeInMillis'>>) => Promise<SQSBatchResponse> {
  return async function handle(event, context) {
    const failures = new Set<string>();
    const deadline = new AbortController();
    const left = (context.getRemainingTimeInMillis?.() ?? defaultMs) - reserveMs;
    const timer = setTimeout(() => deadline.abort(outOfTime()), Math.max(0, left));
    const handleAll = (records: readonly SQSRecord[]) =>
      inParallel(records, concurrency, async (record) => {
        const outcome = await handleRecord(deps, consumers, record, deadline.signal);
        if (outcome !== 'done' && outcome !== 'dead') failures.add(record.messageId);
      });
    const [suspects, others] = partition(recordsOf(deps, event), isSuspect);
    await handleAll(others);
    if (suspects.length > 0) await deleteNow(deps, consumers, others, failures);
    await handleAll(suspects);
    clearTimeout(timer);
    return { batchItemFailures: [...failures].map((itemIdentifier) => ({ itemIdentifier })) };
  };
}

/** Received more often than what fails for reasons of its own has tries. */
function isSuspect(record: SQSRecord): boolean {
  return deliveryOf(record).receives > suspectAfter;
}

/** Before Lambda does: a function that is killed does not answer, and its whole batch would come again. */
async function deleteNow(
  deps: SqsDeps,
  consumers: readonly Consumer[],
  records: readonly SQSRecord[],
  failures: ReadonlySet<string>,
): Promise<void> {
  const done = records.filter(({ messageId }) => !failures.has(messageId));
  for (const [name, ours] of Map.groupBy(done, (record) => queueOf(record, consumers))) {
    const deleting = deps.queues.get(name)?.done(ours.map(deliveryOf));
    await deleting?.catch((error: unknown) => deps.log.warn({ queue: name, error }, 'messages are left to Lambda'));
  }
}

function partition<T>(items: readonly T[], chosen: (item: T) => boolean): [T[], T[]] {
  return [items.filter((item) => chosen(item)), items.filter((item) => !chosen(item))];
}

/** One record: nothing about it, and nothing that it leads to, reaches its neighbours. */
async function handleRecord(
  deps: SqsDeps,
  consumers: readonly Consumer[],
  record: SQSRecord,
  signal: AbortSignal,
): Promise<Outcome> {
  const name = queueOf(record, consumers);
  try {
    const found = consumers.find((one) => one.name === name);
    const deliveries = deps.queues.get(name);
    if (found === undefined || deliveries === undefined) {
      deps.log.error(
        { message: record.messageId, source: record.eventSourceARN },
        'message of a queue that is not ours',
      );
      return 'unsettled';
    }
    const delivery = deliveryOf(record);
    if (signal.aborted) {
      await deliveries.extend(delivery, 0);
      return 'given-back';
    }
    const reference = record.messageAttributes?.[attributeNames.reference]?.stringValue;
    const body = await readBody(deps.bodies, name, { body: delivery.body, reference });
    if (body === undefined) {
      await deliveries.bury(delivery, `its body ${reference} is no longer in the chunk store`);
      return 'dead';
    }
    return await found.consume(deps, record, { ...delivery, body }, { signal, stopped: neverStopped });
  } catch (error) {
    deps.log.error(
      { queue: name, message: record.messageId, error },
      'message could not be handed on and will come again',
    );
    return 'unsettled';
  }
}

/** Records that can be named: one without an id can neither be handled nor come again. */
function recordsOf({ log }: SqsDeps, event: SQSEvent): SQSRecord[] {
  const records: unknown = (event as Partial<SQSEvent> | null | undefined)?.Records;
  const all = Array.isArray(records) ? (records as (Partial<SQSRecord> | null)[]) : [];
  const named = all.filter((record) => typeof record?.messageId === 'string' && record.messageId !== '');
  if (!Array.isArray(records) || named.length < all.length)
    log.error({ records: all.length, named: named.length }, 'event is none of a queue, or some of its records are not');
  return named as SQSRecord[];
}

function deliveryOf(record: SQSRecord): Delivery {
  return {
    id: record.messageId,
    body: record.body ?? '',
    receives: Number(record.attributes?.ApproximateReceiveCount ?? 1) || 1,
    receipt: record.receiptHandle ?? '',
  };
}

/** The flow's name of the queue that a record came from: its ARN ends with that, after the deployment's prefix. */
function queueOf(record: SQSRecord, consumers: readonly Consumer[]): string {
  const arn = typeof record.eventSourceARN === 'string' ? record.eventSourceARN : '';
  return consumers.find(({ name }) => arn.endsWith(`-${name}`) || arn.endsWith(`:${name}`))?.name ?? '';
}

function outOfTime(): HawserError {
  return new HawserError('timeout', 'the function ran out of time', {
    retry: 'later',
    hint: 'If it lasts, look at what the message asks for; it becomes a dead letter after its last try.',
  });
}

import { z } from 'zod';
import { isOutage, newerProblem } from './domain/dead-letters.ts';
import { HawserError, isRetryable, messageOf } from './errors.ts';
import type { FlowQueue } from './flow.ts';
import type { Clock } from './ports/clock.ts';
import type { Log } from './ports/log.ts';
import type { Metrics } from './ports/metrics.ts';
import type { Delivery, Queue } from './ports/queue.ts';

/** What a stage gets besides its message. */
export interface HandleContext {
  /** The message's own correlation id, else its delivery id. */
  trace: string;
  /** Aborted when the handler has had its time, or when who runs it must stop. */
  signal: AbortSignal;
  /** 1 on the first delivery. */
  receives: number;
}

export interface DeliveryOptions<T> {
  queue: FlowQueue<T>;
  deliveries: Queue;
  /**
   * Settles by returning (done) or throwing. A HawserError with retry `never` buries the message; one that says that something
   * is away (`isOutage`) lets it come again for more than an hour (FT-48); anything else may happen `tries` times.
   */
  handle: (message: T, context: HandleContext) => Promise<void>;
  log: Log;
  metrics: Metrics;
  clock: Clock;
  /** 0…1, for the jitter. */
  random?: () => number;
}

/** How long one delivery may run. */
export interface Limits {
  /** Aborted: the handler has a second to end; then it failed with the signal's reason. */
  signal: AbortSignal;
  /** Aborted: a failure is not the message's own, so it is given back at once. */
  stopped: AbortSignal;
  /** Awaited once the handler has ended or was given up, so that what kept the message hidden ends before it is settled. */
  beforeSettling?: () => Promise<void>;
}

/**
 * What became of a delivery. `dead`: buried, or its last try failed; `retried`: visible again after the back-off;
 * `given-back`: visible again at once; `unsettled`: the queue was not reached, so it comes again when its visibility ends.
 */
export type Outcome = 'done' | 'dead' | 'retried' | 'given-back' | 'unsettled';

const firstDelaySeconds = 1;
const maxDelaySeconds = 60;
const maxOutageDelaySeconds = 300;
const maxReasonLength = 2000;
/** What a handler gets to end by itself once it is told to. */
const graceMilliseconds = 1000;

/**
 * One message, from delivery to settlement, whatever hands it over: validates, handles, settles. Never throws (FT-11), so
 * that no message disturbs another (NT-03).
 */
export async function handleDelivery<T>(
  options: DeliveryOptions<T>,
  delivery: Delivery,
  limits: Limits,
): Promise<Outcome> {
  const { queue, deliveries, clock, metrics } = options;
  const log = options.log.child({ queue: queue.name, message: delivery.id });
  try {
    const parsed = parseMessage(queue, delivery);
    const startedAt = clock.monotonic();
    const failure = 'invalid' in parsed ? undefined : await run(options, delivery, parsed, limits.signal);
    await limits.beforeSettling?.();
    if ('invalid' in parsed) return await bury(parsed.invalid);
    metrics.observe('queue_handle', (clock.monotonic() - startedAt) / 1000, { queue: queue.name });
    return await settle(failure, parsed.trace);
  } catch (error) {
    // Disk full, network: the message comes again when its visibility ends.
    log.error({ error }, 'message could not be settled and will come again');
    return settled('unsettled');
  }

  async function settle(failure: { error: unknown } | undefined, trace: string): Promise<Outcome> {
    if (failure === undefined) {
      await deliveries.done([delivery]);
      return settled('done');
    }
    const { error } = failure;
    if (limits.stopped.aborted) {
      log.info({ trace, error }, 'message given back because the worker stops');
      await deliveries.extend(delivery, 0);
      return 'given-back';
    }
    const waits = isOutage(error);
    const isLast = !waits && delivery.receives >= (queue.tries ?? Infinity);
    if (!isRetryable(error) || isLast) return bury(reasonOf(error), { trace, error });
    const delaySeconds = (waits ? outageDelay : backOff)(delivery.receives, options.random);
    log.warn({ trace, error, receives: delivery.receives, delaySeconds }, 'message failed, will be tried again');
    await deliveries.retry(delivery, { delaySeconds, reason: reasonOf(error) });
    settled('retried');
    return delivery.receives >= queue.maxReceives ? 'dead' : 'retried';
  }

  async function bury(reason: string, fields: Record<string, unknown> = {}): Promise<Outcome> {
    log.error({ ...fields, reason }, 'message buried');
    await deliveries.bury(delivery, reason);
    metrics.count('queue_messages', { queue: queue.name, outcome: 'buried' });
    return 'dead';
  }

  function settled<O extends Outcome>(outcome: O): O {
    metrics.count('queue_messages', { queue: queue.name, outcome });
    return outcome;
  }
}

/** The message of a body, and its correlation id; or why it is none of this queue. */
export function parseMessage<T>(
  queue: Pick<FlowQueue<T>, 'name' | 'message'>,
  { id, body }: Pick<Delivery, 'id' | 'body'>,
): { message: T; trace: string } | { invalid: string } {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch (error) {
    return { invalid: `not JSON: ${messageOf(error)}` };
  }
  const result = queue.message.safeParse(json);
  if (!result.success) return { invalid: cut(invalidReason(queue.name, json, result.error)) };
  const { trace } = (json ?? {}) as { trace?: unknown };
  return { message: result.data, trace: typeof trace === 'string' ? trace : id };
}

/** Poison, or the word of a newer sender: that is parked, and sent again once we understand it (FT-110, INV-45). */
function invalidReason(queue: string, json: unknown, error: z.ZodError): string {
  const newer = newerProblem(json, error.issues);
  const why = newer === undefined ? z.prettifyError(error) : `${newer}; it is sent again by itself for a week`;
  return `not a message of queue ${queue}: ${why}`;
}

/**
 * Seconds until the next try of what failed because something else was away. Doubles up to five minutes, half of it random: 40
 * receives last for at least 79 minutes, so that an hour's outage makes no dead letters, and ends five minutes after the outage
 * does (FT-13, FT-48, TGT-07).
 */
export function outageDelay(tries: number, random: () => number = Math.random): number {
  return (0.5 + random() / 2) * Math.min(maxOutageDelaySeconds, firstDelaySeconds * 2 ** Math.min(tries - 1, 10));
}

/** Exponential, full jitter: somewhere between nothing and the cap, so that what failed together does not return together. Seconds. */
export function backOff(tries: number, random: () => number = Math.random): number {
  return random() * Math.min(maxDelaySeconds, firstDelaySeconds * 2 ** Math.min(tries - 1, 10));
}

/** Runs the handler within its limits. Returns what it threw. */
async function run<T>(
  options: DeliveryOptions<T>,
  delivery: Delivery,
  { message, trace }: { message: T; trace: string },
  signal: AbortSignal,
): Promise<{ error: unknown } | undefined> {
  const finished = new AbortController();
  const abandoned = abandonment(options.clock, signal, finished.signal);
  try {
    const handled = options.handle(message, { trace, signal, receives: delivery.receives });
    await Promise.race([handled, abandoned]);
    return undefined;
  } catch (error) {
    return { error };
  } finally {
    finished.abort();
  }
}

/** Throws a while after the signal: a handler that waits for somebody who never answers must hold up no stop. */
function abandonment(clock: Clock, signal: AbortSignal, finished: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const giveUp = async () => {
      await clock.sleep(graceMilliseconds, finished);
      reject(signal.reason);
    };
    if (signal.aborted) void giveUp();
    else signal.addEventListener('abort', () => void giveUp(), { once: true, signal: finished });
  });
}

function reasonOf(error: unknown): string {
  return cut(error instanceof HawserError ? `${error.code}: ${error.message}` : messageOf(error));
}

function cut(text: string): string {
  return text.length > maxReasonLength ? `${text.slice(0, maxReasonLength)}…` : text;
}

import { z } from 'zod';
import { HawserError, isRetryable, messageOf } from '../../errors.ts';
import type { FlowQueue } from '../../flow.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { Metrics } from '../../ports/metrics.ts';
import type { Delivery, Queue } from '../../ports/queue.ts';

/** What a stage gets besides its message. */
export interface HandleContext {
  /** The message's own correlation id, else its delivery id. */
  trace: string;
  /** Aborted when the handler took ten times its visibility, or still runs `stopSeconds` after the worker was told to stop. */
  signal: AbortSignal;
  /** 1 on the first delivery. */
  receives: number;
}

export interface ConsumeOptions<T> {
  queue: FlowQueue<T>;
  deliveries: Queue;
  /** Settles by returning (done) or throwing: a HawserError with retry `never` buries the message, anything else retries it. */
  handle: (message: T, context: HandleContext) => Promise<void>;
  /** Messages handled at the same time. */
  concurrency: number;
  log: Log;
  metrics: Metrics;
  clock: Clock;
  /** Stops the worker: what runs is finished, the rest is given back. */
  signal: AbortSignal;
  /** How long what runs may take once `signal` is aborted. */
  stopSeconds?: number;
  /** 0…1, for the jitter. */
  random?: () => number;
}

const waitSeconds = 20;
const firstDelaySeconds = 1;
const maxDelaySeconds = 60;
const maxVisibilities = 10;
const maxReasonLength = 2000;
/** What a handler gets to end by itself once it is told to. */
const graceMilliseconds = 1000;

/**
 * The embedded compute: feeds one stage from its queue until `signal` is aborted; resolves when nothing runs any more.
 * Never throws (FT-11), and no message disturbs another (NT-03): each is validated, handled and settled by itself.
 */
export async function consume<T>(options: ConsumeOptions<T>): Promise<void> {
  const { queue, deliveries, concurrency, log, clock, signal } = options;
  const running = new Set<Promise<void>>();
  const stopped = new AbortController();
  let failures = 0;

  while (!signal.aborted) {
    if (running.size >= concurrency) {
      await Promise.race(running);
      continue;
    }
    try {
      const max = Math.min(concurrency - running.size, queue.batch);
      const batch = await deliveries.receive({ max, waitSeconds, visibilitySeconds: queue.visibilitySeconds, signal });
      failures = 0;
      for (const delivery of batch) start(delivery);
    } catch (error) {
      failures += 1;
      const delay = backOff(failures, options.random);
      log.warn(
        { queue: queue.name, error, failures, delaySeconds: delay },
        'queue cannot be read, will be tried again',
      );
      await clock.sleep(delay * 1000, signal);
    }
  }
  await finish();

  function start(delivery: Delivery): void {
    const work = processDelivery(options, delivery, stopped.signal).finally(() => running.delete(work));
    running.add(work);
  }

  async function finish(): Promise<void> {
    const finished = new AbortController();
    const limit = clock.sleep((options.stopSeconds ?? 10) * 1000, finished.signal).then(() => stopped.abort());
    await Promise.all(running);
    finished.abort();
    await limit;
  }
}

/** One message, from delivery to settlement. */
async function processDelivery<T>(options: ConsumeOptions<T>, delivery: Delivery, stopped: AbortSignal): Promise<void> {
  const { queue, deliveries, clock, metrics } = options;
  const log = options.log.child({ queue: queue.name, message: delivery.id });
  try {
    // Told to stop between receiving and starting: somebody else, or the next start, gets it at once.
    if (options.signal.aborted) return await deliveries.extend(delivery, 0);
    const parsed = parse(queue, delivery);
    if ('invalid' in parsed) return await bury(parsed.invalid);
    const startedAt = clock.monotonic();
    const failure = await handleVisibly(options, delivery, parsed, stopped);
    metrics.observe('queue_handle', (clock.monotonic() - startedAt) / 1000, { queue: queue.name });
    await settle(failure, parsed.trace);
  } catch (error) {
    // Not settled (disk full, network): the message comes again when its visibility ends.
    log.error({ error }, 'message could not be settled and will come again');
    settled('unsettled');
  }

  async function settle(failure: { error: unknown } | undefined, trace: string): Promise<void> {
    if (failure === undefined) {
      await deliveries.done([delivery]);
      settled('done');
    } else if (stopped.aborted) {
      log.info({ trace, error: failure.error }, 'message given back because the worker stops');
      await deliveries.extend(delivery, 0);
    } else if (isRetryable(failure.error)) {
      const delaySeconds = backOff(delivery.receives, options.random);
      log.warn(
        { trace, error: failure.error, receives: delivery.receives, delaySeconds },
        'message failed, will be tried again',
      );
      await deliveries.retry(delivery, { delaySeconds, reason: reasonOf(failure.error) });
      settled('retried');
    } else {
      await bury(reasonOf(failure.error), { trace, error: failure.error });
    }
  }

  async function bury(reason: string, fields: Record<string, unknown> = {}): Promise<void> {
    log.error({ ...fields, reason }, 'message buried');
    await deliveries.bury(delivery, reason);
    settled('buried');
  }

  function settled(outcome: string): void {
    metrics.count('queue_messages', { queue: queue.name, outcome });
  }
}

/** Runs the handler and keeps the message hidden meanwhile. Returns what it threw. */
async function handleVisibly<T>(
  options: ConsumeOptions<T>,
  delivery: Delivery,
  parsed: { message: T; trace: string },
  stopped: AbortSignal,
): Promise<{ error: unknown } | undefined> {
  const finished = new AbortController();
  const tooLong = new AbortController();
  const signal = AbortSignal.any([stopped, tooLong.signal]);
  const hidden = keepHidden(options, delivery, finished.signal, tooLong);
  const abandoned = abandonment(options, signal, finished.signal);
  try {
    const handled = options.handle(parsed.message, { trace: parsed.trace, signal, receives: delivery.receives });
    await Promise.race([handled, abandoned]);
    return undefined;
  } catch (error) {
    return { error };
  } finally {
    finished.abort();
    await hidden;
  }
}

/** Throws a while after the signal: a handler that waits for somebody who never answers must hold up no stop. */
function abandonment(
  { clock }: Pick<ConsumeOptions<unknown>, 'clock'>,
  signal: AbortSignal,
  finished: AbortSignal,
): Promise<never> {
  return new Promise((_, reject) => {
    const giveUp = async () => {
      await clock.sleep(graceMilliseconds, finished);
      reject(signal.reason);
    };
    if (signal.aborted) void giveUp();
    else signal.addEventListener('abort', () => void giveUp(), { once: true, signal: finished });
  });
}

/** Extends the visibility at a third of it (FT-12), up to the limit; then the message may come again. */
async function keepHidden<T>(
  { queue, deliveries, clock, log }: ConsumeOptions<T>,
  delivery: Delivery,
  finished: AbortSignal,
  tooLong: AbortController,
): Promise<void> {
  const endsAt = clock.monotonic() + queue.visibilitySeconds * maxVisibilities * 1000;
  for (;;) {
    await clock.sleep((queue.visibilitySeconds * 1000) / 3, finished);
    if (finished.aborted) return;
    if (clock.monotonic() >= endsAt) {
      log.error({ queue: queue.name, message: delivery.id }, 'handler takes too long and is told to stop');
      tooLong.abort(
        new HawserError('timeout', `a message of queue ${queue.name} took more than ${maxVisibilities} visibilities`, {
          retry: 'later',
        }),
      );
      return;
    }
    try {
      await deliveries.extend(delivery, queue.visibilitySeconds);
    } catch (error) {
      log.warn({ queue: queue.name, message: delivery.id, error }, 'visibility could not be extended');
    }
  }
}

function parse<T>(queue: FlowQueue<T>, { id, body }: Delivery): { message: T; trace: string } | { invalid: string } {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch (error) {
    return { invalid: `not JSON: ${messageOf(error)}` };
  }
  const result = queue.message.safeParse(json);
  if (!result.success)
    return { invalid: cut(`not a message of queue ${queue.name}: ${z.prettifyError(result.error)}`) };
  const { trace } = (json ?? {}) as { trace?: unknown };
  return { message: result.data, trace: typeof trace === 'string' ? trace : id };
}

/** Exponential, full jitter: somewhere between nothing and the cap, so that what failed together does not return together. */
function backOff(tries: number, random: () => number = Math.random): number {
  return random() * Math.min(maxDelaySeconds, firstDelaySeconds * 2 ** Math.min(tries - 1, 10));
}

function reasonOf(error: unknown): string {
  return cut(error instanceof HawserError ? `${error.code}: ${error.message}` : messageOf(error));
}

function cut(text: string): string {
  return text.length > maxReasonLength ? `${text.slice(0, maxReasonLength)}…` : text;
}

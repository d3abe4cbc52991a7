import { HawserError } from '../../errors.ts';
import { backOff, handleDelivery, type DeliveryOptions } from '../../handle-delivery.ts';
import type { Delivery } from '../../ports/queue.ts';

export interface ConsumeOptions<T> extends DeliveryOptions<T> {
  /** Messages handled at the same time. */
  concurrency: number;
  /** Stops the worker: what runs is finished, the rest is given back. */
  signal: AbortSignal;
  /** How long what runs may take once `signal` is aborted. */
  stopSeconds?: number;
}

const waitSeconds = 20;
const maxVisibilities = 10;

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

/** One message, kept hidden while it is handled. */
async function processDelivery<T>(options: ConsumeOptions<T>, delivery: Delivery, stopped: AbortSignal): Promise<void> {
  // Told to stop between receiving and starting: somebody else, or the next start, gets it at once.
  if (options.signal.aborted) return giveBack(options, delivery);
  const handled = new AbortController();
  const tooLong = new AbortController();
  const hidden = keepHidden(options, delivery, handled.signal, tooLong);
  const beforeSettling = async () => {
    handled.abort();
    await hidden;
  };
  await handleDelivery(options, delivery, {
    signal: AbortSignal.any([stopped, tooLong.signal]),
    stopped,
    beforeSettling,
  });
}

async function giveBack<T>({ deliveries, queue, log }: ConsumeOptions<T>, delivery: Delivery): Promise<void> {
  await deliveries.extend(delivery, 0).catch((error: unknown) => {
    log.warn({ queue: queue.name, message: delivery.id, error }, 'message could not be given back');
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

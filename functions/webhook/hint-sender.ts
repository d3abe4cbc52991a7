import { HawserError, messageOf } from '#shared/errors.ts';
import type { Clock } from '#shared/ports/clock.ts';
import type { Log } from '#shared/ports/log.ts';
import { createCoalescer } from './coalesce.ts';
import { inTime } from './in-time.ts';

export interface HintSender {
  /** Resolves with the correlation id of a durable hint; `unavailable` where none could be stored in time (FT-04). */
  send(repository: string): Promise<string>;
}

export interface HintSenderDeps {
  /** Durable when resolved. */
  enqueue(hint: { repository: string; trace: string }): Promise<void>;
  /** Durable when resolved: where `enqueue` fails, or takes more than half of the time. */
  markDirty?(hint: { repository: string; trace: string }): Promise<void>;
  newTrace(): string;
  clock: Clock;
  log: Log;
  limits: { perEndpointPerSecond: number; burst: number; enqueueMilliseconds: number };
}

/** Sends hints, at most so many per repository and second; many deliveries may share one. */
export function createHintSender(deps: HintSenderDeps): HintSender {
  const failures = new Map<string, number>();
  const { perEndpointPerSecond: perSecond, burst, enqueueMilliseconds } = deps.limits;
  const coalescer = createCoalescer({ clock: deps.clock, send: sendOne }, { perSecond, burst });

  return {
    async send(repository) {
      try {
        const trace = await inTime(deps.clock, enqueueMilliseconds, coalescer.hint(repository));
        failures.delete(repository);
        return trace;
      } catch (cause) {
        countFailure(repository);
        throw new HawserError('unavailable', 'the hint could not be stored', {
          hint: 'Deliver it again; polling finds the push in any case.',
          retry: 'later',
          cause,
        });
      }
    },
  };

  async function sendOne(repository: string): Promise<string> {
    const trace = deps.newTrace();
    const hint = { repository, trace };
    if (deps.markDirty === undefined) {
      await inTime(deps.clock, enqueueMilliseconds, deps.enqueue(hint));
      return trace;
    }
    try {
      await inTime(deps.clock, enqueueMilliseconds / 2, deps.enqueue(hint));
    } catch (error) {
      deps.log.warn({ repository, trace, reason: messageOf(error) }, 'a hint is left to the sweep: the queue is away');
      await inTime(deps.clock, enqueueMilliseconds / 2, deps.markDirty(hint));
    }
    return trace;
  }

  /** GitLab switches a webhook off after four failures in a row: two are worth an alarm (FT-04). */
  function countFailure(repository: string): void {
    const consecutive = (failures.get(repository) ?? 0) + 1;
    failures.set(repository, consecutive);
    if (consecutive >= 2) deps.log.error({ repository, consecutive }, 'webhook deliveries fail in a row');
  }
}

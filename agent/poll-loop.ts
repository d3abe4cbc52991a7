import { HawserError, messageOf } from '#shared/errors.ts';
import type { ClusterCommand } from '#shared/messages/cluster-command.ts';
import type { Clock } from '#shared/ports/clock.ts';
import type { Assignment, Hub, HubUpdate } from '#shared/ports/hub.ts';
import type { Log } from '#shared/ports/log.ts';

export interface PollLoopDeps {
  hub: Pick<Hub, 'poll'>;
  clock: Clock;
  log: Log;
  random: () => number;
  /** Seconds that a poll may be held by the hub. */
  pollSeconds: number;
  /** Takes assignments in; answers those that a later try may cure. */
  take(assignments: readonly Assignment[]): Promise<Assignment[]>;
  obey(command: ClusterCommand): void;
}

/** Asks the service, for ever, what this cluster should run. */
export interface PollLoop {
  run(signal: AbortSignal): Promise<void>;
  /** Version of the cluster's head that was handed over last. */
  readonly version: number;
  readonly connected: boolean;
}

/** After a long outage a whole fleet comes back within this time; half of it, and the first second sees four times the steady load (FT-54). */
const longestBackoffMs = 60_000;
/** Whatever the hub says, a wake-up is not waited for longer than that. */
const longestPauseMs = 300_000;
/** A hub that says nothing and says it at once is not asked again at once. */
const pauseAfterNothingMs = 1000;

/**
 * Creates the loop. Taking assignments in happens beside it: one application whose chunks do not come keeps neither the
 * next poll nor a question waiting (INV-39).
 */
export function createPollLoop(deps: PollLoopDeps): PollLoop {
  const { clock, log, random } = deps;
  let version = 0;
  let connected = false;

  async function takeUntilDone(assignments: readonly Assignment[], signal: AbortSignal): Promise<void> {
    let open = await deps.take(assignments);
    for (let failures = 1; open.length > 0 && !signal.aborted; failures += 1) {
      await clock.sleep(backOff(failures), signal);
      if (!signal.aborted) open = await deps.take(open);
    }
  }

  function backOff(failures: number): number {
    return random() * Math.min(longestBackoffMs, 250 * 2 ** failures);
  }

  /** Where the hub holds no polls, a fleet spreads itself over the time between two: ± 20 % (FT-54, INV-41). */
  function pauseAfter(update: HubUpdate, after: number, tookMs: number): number {
    if (update.nextPollSeconds !== undefined)
      return Math.min(longestPauseMs, update.nextPollSeconds * 1000) * (0.8 + 0.4 * random());
    const isNothing = update.version === after && update.applications.length === 0 && update.commands.length === 0;
    return isNothing && tookMs < pauseAfterNothingMs ? pauseAfterNothingMs * (0.8 + 0.4 * random()) : 0;
  }

  return {
    get version() {
      return version;
    },
    get connected() {
      return connected;
    },
    async run(signal) {
      let failures = 0;
      while (!signal.aborted) {
        try {
          const after = version;
          const began = clock.monotonic();
          const update = await deps.hub.poll({ after, waitSeconds: deps.pollSeconds, signal });
          connected = true;
          failures = 0;
          version = update.version;
          for (const command of update.commands) deps.obey(command);
          void takeUntilDone(update.applications, signal);
          const pause = pauseAfter(update, after, clock.monotonic() - began);
          if (pause > 0) await clock.sleep(pause, signal);
        } catch (error) {
          if (signal.aborted) return;
          failures += 1;
          if (connected || failures === 1) {
            log.warn({ reason: messageOf(error) }, 'the service does not answer; going on with what is stored');
          }
          connected = false;
          const told = error instanceof HawserError ? error.data['retryAfterMs'] : undefined;
          await clock.sleep(Math.max(backOff(failures), typeof told === 'number' ? told : 0), signal);
        }
      }
    },
  };
}

import { HawserError, messageOf } from '#shared/errors.ts';
import type { ClusterCommand } from '#shared/messages/cluster-command.ts';
import type { Clock } from '#shared/ports/clock.ts';
import type { Assignment, Hub } from '#shared/ports/hub.ts';
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

const longestBackoffMs = 30_000;

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
          const update = await deps.hub.poll({ after: version, waitSeconds: deps.pollSeconds, signal });
          connected = true;
          failures = 0;
          version = update.version;
          for (const command of update.commands) deps.obey(command);
          void takeUntilDone(update.applications, signal);
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

import { HawserError, messageOf } from '#shared/errors.ts';
import type { Clock } from '#shared/ports/clock.ts';
import type { Hub } from '#shared/ports/hub.ts';
import type { Log } from '#shared/ports/log.ts';

export interface ChoiceDeps {
  /** The hub that is used while it can be reached; undefined where the service gives no direct access (now). */
  direct(): Promise<Hub | undefined>;
  /** The way that is always open; absent where only direct access is wanted. */
  https?: Hub;
  clock: Clock;
  log: Log;
  random: () => number;
}

/** A way that has carried something may stumble; one that never has is taken for closed at once. */
const failuresOfProven = 3;
/** Closed networks open rarely. */
const tryDirectAgainMs = 10 * 60_000;

/**
 * Direct where that is given and works, else HTTPS (`HAWSER_HUB=auto`): a network may let nobody out but to the service.
 * After a fall-back the direct way is tried again every ten minutes, give or take a fifth.
 */
export function createChosenHub(deps: ChoiceDeps): Hub {
  const { https, clock, log } = deps;
  let failures = 0;
  let proven = false;
  let closedUntil = -Infinity;

  async function run<T>(call: (hub: Hub) => Promise<T>): Promise<T> {
    const direct = clock.monotonic() < closedUntil && https !== undefined ? undefined : await openDirect();
    if (direct === undefined) {
      if (https === undefined) throw noDirectAccess();
      return call(https);
    }
    try {
      const result = await call(direct);
      if (!proven) log.info({}, 'speaking with the service directly');
      proven = true;
      failures = 0;
      return result;
    } catch (error) {
      failures += 1;
      if (https === undefined || !isOutage(error) || failures < (proven ? failuresOfProven : 1)) throw error;
      fallBack(error);
      return call(https);
    }
  }

  /** Code that cannot be loaded closes the way as a network does; where credentials are lacking HTTPS says so, too. */
  async function openDirect(): Promise<Hub | undefined> {
    try {
      return await deps.direct();
    } catch (error) {
      if (https === undefined || error instanceof HawserError) throw error;
      fallBack(error);
      return undefined;
    }
  }

  function fallBack(error: unknown): void {
    const wait = tryDirectAgainMs * (0.8 + 0.4 * deps.random());
    closedUntil = clock.monotonic() + wait;
    proven = false;
    failures = 0;
    const reason = messageOf(error);
    log.warn({ reason, againInMs: Math.round(wait) }, 'the direct way is closed; going on over HTTPS');
  }

  return {
    poll: (options) => run((hub) => hub.poll(options)),
    chunks: (digests) => run((hub) => hub.chunks(digests)),
    report: (report) => run((hub) => hub.report(report)),
    answer: (answer) => run((hub) => hub.answer(answer)),
  };
}

/** Not what is wrong with one chunk or one report. */
function isOutage(error: unknown): boolean {
  return (
    error instanceof HawserError && ['unavailable', 'unauthenticated', 'forbidden', 'internal'].includes(error.code)
  );
}

function noDirectAccess(): HawserError {
  return new HawserError('unavailable', 'the service gave no direct access, and HAWSER_HUB=direct wants it', {
    retry: 'later',
    hint: 'Set HAWSER_HUB=auto, or give the service an agent-session role.',
  });
}

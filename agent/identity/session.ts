import { HawserError, messageOf } from '#shared/errors.ts';
import type { TokenAnswer } from '#shared/messages/agent-identity.ts';
import type { Clock } from '#shared/ports/clock.ts';
import type { Log } from '#shared/ports/log.ts';

/** Short-lived credentials of this cluster: a bearer, and access to its rows and queues where the service gives that. */
export type Session = Pick<TokenAnswer, 'accessToken' | 'aws'>;

/** Keeps a session at hand. */
export interface SessionKeeper {
  /** The session that holds; a new one where there is none. Renews it in the background in good time. */
  current(): Promise<Session>;
  /** `refused` does not hold any more, whatever it said: another one. */
  renew(refused: Session): Promise<Session>;
}

export interface SessionDeps {
  /** One try to get a session. */
  obtain(): Promise<TokenAnswer>;
  clock: Clock;
  log: Log;
  random: () => number;
}

/** Renewed at four fifths of its life, give or take a twentieth of it, so that a fleet does not ask at once (FT-53). */
const renewAt = 0.8;
const renewJitter = 0.05;
/** Our clock may differ from the service's: what it says is believed within these bounds. */
const shortestLifeMs = 60_000;
const longestLifeMs = 3600_000;
const longestBackoffMs = 60_000;
/** Who was told no (revoked, unknown) asks less and less often, so that a later yes is noticed and nobody is pestered (FT-23). */
const longestRefusalMs = 300_000;
/** A session that is refused as soon as it is made is not a reason to make one after another. */
const forcedApartMs = 30_000;

/** Creates the keeper; nothing is asked before the first `current`. While one asks, all others wait for the same answer. */
export function createSessionKeeper(deps: SessionDeps): SessionKeeper {
  const { clock, log, random } = deps;
  let held: { session: Session; renewFrom: number; endsAt: number } | undefined;
  let asking: Promise<Session> | undefined;
  let failures = 0;
  let failed: { error: unknown; until: number } | undefined;
  let forcedUntil = -Infinity;

  async function ask(): Promise<Session> {
    try {
      const answer = await deps.obtain();
      held = keep(answer);
      if (failures > 0) log.info({}, 'the service gave new credentials');
      failures = 0;
      failed = undefined;
      return held.session;
    } catch (error) {
      failures += 1;
      failed = { error, until: clock.monotonic() + backOff(error) };
      log.warn({ reason: messageOf(error), failures }, 'no new credentials; going on with what holds');
      throw error;
    }
  }

  function keep({ accessToken, aws, expiresAt }: TokenAnswer) {
    const said = Date.parse(expiresAt) - clock.now();
    const life = Math.min(longestLifeMs, Math.max(shortestLifeMs, said));
    const now = clock.monotonic();
    const part = renewAt + (2 * random() - 1) * renewJitter;
    return {
      session: { accessToken, ...(aws === undefined ? {} : { aws }) },
      renewFrom: now + life * part,
      endsAt: now + life,
    };
  }

  function backOff(error: unknown): number {
    const known = error instanceof HawserError ? error : undefined;
    const refused = known?.code === 'unauthenticated' || known?.code === 'forbidden';
    const longest = refused ? longestRefusalMs : longestBackoffMs;
    const wait = (0.5 + 0.5 * random()) * Math.min(longest, 1000 * 2 ** Math.min(failures, 10));
    const told = known?.data['retryAfterMs'];
    return typeof told === 'number' ? Math.max(wait, told) : wait;
  }

  /** Single-flight; while the last failure is fresh, it is the answer. */
  function refresh(): Promise<Session> {
    if (asking !== undefined) return asking;
    if (failed !== undefined && clock.monotonic() < failed.until) return Promise.reject(failed.error);
    asking = ask().finally(() => (asking = undefined));
    return asking;
  }

  return {
    async current() {
      const now = clock.monotonic();
      if (held === undefined || now >= held.endsAt) return refresh();
      if (now >= held.renewFrom) refresh().catch(() => undefined);
      return held.session;
    },
    async renew(refused) {
      if (held !== undefined && held.session !== refused && clock.monotonic() < held.endsAt) return held.session;
      if (asking === undefined && clock.monotonic() < forcedUntil) {
        throw new HawserError('unauthenticated', 'The service refuses the credentials that it has just given', {
          retry: 'later',
          hint: 'See whether the cluster was revoked, or registered anew by another one.',
        });
      }
      forcedUntil = clock.monotonic() + forcedApartMs;
      return refresh();
    },
  };
}

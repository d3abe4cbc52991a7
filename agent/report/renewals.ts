import type { Clock } from '#shared/ports/clock.ts';

/** Applications whose roots were refused because their certificates have ended: asks the service to sign them again. */
export interface Renewals {
  /** A root of this application was refused for that. True where that has been in vain for a while. */
  note(application: string): boolean;
  /** A root of this application was taken: nothing to ask for any more. */
  settle(application: string): void;
  /** Whom to name in the next report; at most 500. */
  due(): string[];
  /** These were named in a report that arrived. */
  asked(applications: readonly string[]): void;
}

/** Of `AgentReport.renew`. */
const namedAtOnce = 500;
/** The first wish may get lost on its way; what is refused for good must not be asked for for ever. */
const firstWaitMs = 60_000;
const longestWaitMs = 3600_000;
const mostAsks = 8;
/** After so many wishes that were heard the clocks disagree, or nobody signs. */
const patientAsks = 3;

/**
 * Creates the list. Once an application was named, it is named again after 1, 2, 4 … minutes, eight times in all per start of the agent.
 * `inVain` is told once of one that stays refused although it was asked for.
 */
export function createRenewals(clock: Pick<Clock, 'monotonic'>, inVain: (application: string) => void): Renewals {
  const wanted = new Map<string, { asks: number; notBefore: number }>();
  return {
    note(application) {
      const known = wanted.get(application);
      if (known === undefined) wanted.set(application, { asks: 0, notBefore: clock.monotonic() });
      return (known?.asks ?? 0) >= patientAsks;
    },
    settle: (application) => void wanted.delete(application),
    due() {
      const now = clock.monotonic();
      return [...wanted]
        .filter(([, { asks, notBefore }]) => asks < mostAsks && notBefore <= now)
        .slice(0, namedAtOnce)
        .map(([application]) => application);
    },
    asked(applications) {
      for (const application of applications) {
        const known = wanted.get(application);
        if (known === undefined) continue;
        known.asks += 1;
        if (known.asks === patientAsks) inVain(application);
        known.notBefore = clock.monotonic() + Math.min(longestWaitMs, firstWaitMs * 2 ** (known.asks - 1));
      }
    },
  };
}

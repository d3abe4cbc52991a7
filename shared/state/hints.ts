import type { Hint } from '../messages/hint.ts';
import type { Clock } from '../ports/clock.ts';
import type { Queue } from '../ports/queue.ts';

/** Most applications in one hint: what one plan job takes on at once. */
const applicationsPerHint = 250;

/** Asks to plan these applications, grouped by repository. */
export async function sendHints(
  deps: { hints: Queue; clock: Clock },
  from: { organisation: string; trace: string },
  applications: ReadonlyMap<string, ReadonlySet<string>>,
  reason: Hint['reason'] = 'declared',
): Promise<void> {
  const bodies: string[] = [];
  const at = new Date(deps.clock.now()).toISOString();
  for (const [repository, ids] of applications) {
    const list = [...ids];
    for (let start = 0; start < list.length; start += applicationsPerHint) {
      const hint: Hint = {
        organisation: from.organisation,
        repository,
        reason,
        applications: list.slice(start, start + applicationsPerHint),
        trace: from.trace,
        at,
      };
      bodies.push(JSON.stringify(hint));
    }
  }
  if (bodies.length > 0) await deps.hints.send(bodies, { group: from.organisation });
}

/** Asks to read these repositories anew, as after a change of their credentials: what waits for them is planned. */
export async function sendRefresh(
  deps: { hints: Queue; clock: Clock },
  from: { organisation: string; trace: string },
  repositories: Iterable<string>,
): Promise<void> {
  const at = new Date(deps.clock.now()).toISOString();
  const bodies = [...repositories].map((repository) => {
    const hint: Hint = { organisation: from.organisation, repository, reason: 'refresh', trace: from.trace, at };
    return JSON.stringify(hint);
  });
  if (bodies.length > 0) await deps.hints.send(bodies, { group: from.organisation });
}

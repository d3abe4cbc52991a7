import { mayLiveAgain } from '#shared/domain/dead-letters.ts';
import { messageOf } from '#shared/errors.ts';
import type { Clock } from '#shared/ports/clock.ts';
import type { Log } from '#shared/ports/log.ts';
import type { DeadLetter, Queue } from '#shared/ports/queue.ts';
import type { StateStore } from '#shared/ports/state-store.ts';
import { organisationKey } from '#shared/state/keys.ts';
import { updateRow } from '#shared/state/update.ts';

export interface RedriveDeps {
  store: StateStore;
  queues?: ReadonlyMap<string, Queue>;
  clock: Clock;
  log: Log;
}

/**
 * Not agents' mail: sent again it would no longer come from its agent (FT-106), and what it said the next heartbeat has said
 * anew (INV-33).
 */
const redriven = ['hints', 'render-jobs', 'publish-jobs', 'reports'];
const everyMs = 15 * 60_000;
const mostAtOnce = 500;

/**
 * Every quarter of an hour: sends those dead letters again that died only because something was away, because no function
 * ran, or because a newer version had sent them (FT-13, FT-48, FT-110); all others wait for people. How long that goes on
 * is bounded by the age of the message itself. Never throws: what cannot be read now is looked at next time.
 */
export async function redriveWhenDue(deps: RedriveDeps, organisation: string): Promise<number> {
  if (deps.queues === undefined || !(await isDue(deps, organisation))) return 0;
  let sent = 0;
  for (const name of redriven) {
    const queue = deps.queues.get(name);
    if (queue === undefined) continue;
    try {
      sent += await redrive(deps, queue);
    } catch (error) {
      deps.log.warn({ queue: name, reason: messageOf(error) }, 'dead letters could not be looked at');
    }
  }
  return sent;
}

async function redrive({ clock, log }: RedriveDeps, queue: Queue): Promise<number> {
  const letters = await queue.deadLetters(mostAtOnce);
  const alive = letters.filter((letter) => mayLiveAgain(letter.reason, clock.now() - sentAt(letter)));
  if (alive.length === 0) return 0;
  const sent = await queue.redrive(alive.map(({ id }) => id));
  log.info({ queue: queue.name, sent, left: letters.length - sent }, 'dead letters of an outage are sent again');
  return sent;
}

async function isDue({ store, clock }: RedriveDeps, organisation: string): Promise<boolean> {
  const now = clock.now();
  let due = false;
  await updateRow<{ nextAt: number }>(store, organisationKey(organisation), 'REDRIVE', (row) => {
    due = row !== undefined && row.nextAt <= now;
    return row === undefined || due ? { nextAt: now + everyMs } : undefined;
  });
  return due;
}

/** When the message was first sent, as it says itself: sent again it is a new one to the queue. Long ago where it does not say. */
function sentAt({ body }: DeadLetter): number {
  try {
    const { at, receivedAt } = JSON.parse(body) as { at?: unknown; receivedAt?: unknown };
    const time = Date.parse(String(at ?? receivedAt));
    return Number.isNaN(time) ? 0 : time;
  } catch {
    return 0;
  }
}

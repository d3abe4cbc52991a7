import { HawserError } from '../../errors.ts';
import type { Clock } from '../../ports/clock.ts';

const baseMs = 50;
const capMs = 5_000;
/** With full jitter about 15 s on average, half a minute at most: longer than a partition takes to split. */
const attempts = 12;

/**
 * Runs `step` on what is left until nothing is: AWS answers a batch with success and names what it has not done
 * (UnprocessedItems, Failed). Between tries it waits a random time up to a doubling bound (full jitter). While a try gets
 * something done the count starts again. Throws `unavailable`, later, when nothing moves any more: never «done» for what is not (FT-45).
 */
export async function untilProcessed<T>(
  items: readonly T[],
  step: (items: readonly T[]) => Promise<readonly T[]>,
  options: { clock: Clock; what: string; random?: () => number },
): Promise<void> {
  const random = options.random ?? Math.random;
  let left = items;
  for (let attempt = 0; left.length > 0; attempt += 1) {
    if (attempt >= attempts) {
      throw new HawserError('unavailable', `${options.what}: AWS left ${left.length} of ${items.length} undone`, {
        retry: 'later',
        data: { undone: left.length, of: items.length },
        hint: 'Nothing to do: it is tried again later. If it lasts, look at the quotas of the account.',
      });
    }
    if (attempt > 0) await options.clock.sleep(fullJitter(attempt, random));
    const before = left.length;
    left = await step(left);
    if (left.length < before) attempt = 0;
  }
}

/** Milliseconds before try number `attempt` (1 is the first repeat): random up to a bound that doubles. */
export function fullJitter(attempt: number, random: () => number = Math.random): number {
  return Math.round(random() * Math.min(capMs, baseMs * 2 ** attempt));
}

/** Pieces of at most `size`, in order. */
export function inPieces<T>(items: readonly T[], size: number): T[][] {
  const pieces: T[][] = [];
  for (let at = 0; at < items.length; at += size) pieces.push(items.slice(at, at + size));
  return pieces;
}

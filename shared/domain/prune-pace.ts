/**
 * G-08: how fast deletes may follow each other in one cluster, and when to stop. Pure; the caller keeps the state, one per
 * cluster for the pace and one per application and round for the failures.
 */
export interface PruneTempo {
  /** Times of the deletes of the last second, ms since 1970, oldest first. */
  deletes: readonly number[];
}

export const deletesPerSecond = 5;
const failuresAllowed = 2;

export const unhurried: PruneTempo = { deletes: [] };

/** When the next delete may be sent: now, or as soon as fewer than five lie within a second. */
export function nextDeleteAt(tempo: PruneTempo, now: number): number {
  const recent = tempo.deletes.filter((at) => at > now - 1000);
  const fifth = recent.at(-deletesPerSecond);
  return fifth === undefined ? now : fifth + 1000;
}

/** The tempo after a delete was sent at `now`. */
export function afterDelete(tempo: PruneTempo, now: number): PruneTempo {
  return { deletes: [...tempo.deletes.filter((at) => at > now - 1000), now] };
}

/** Why the rest of a round's deletes must not be sent; undefined to go on. */
export function stopReason(round: {
  failures: number;
  /** Workloads of the application that turned unhealthy since the prune began. */
  unhealthy: number;
  /** Somebody pressed stop (suspended the application). */
  stopped: boolean;
}): string | undefined {
  if (round.stopped) return 'somebody stopped it';
  if (round.failures > failuresAllowed) return `${round.failures} deletes failed`;
  return round.unhealthy > 0 ? 'a workload of the application turned unhealthy' : undefined;
}

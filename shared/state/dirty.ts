import { randomInt } from 'node:crypto';
import type { Clock } from '../ports/clock.ts';
import type { Row, StateStore } from '../ports/state-store.ts';
import { eachRow } from './update.ts';

/** A repository that may have moved, and for which no hint could be sent: the row `T#org#D`, `REPOSITORY`. */
export interface Dirty {
  repository: string;
  trace: string;
  at: string;
}

/** A partition of its own: whoever takes webhooks may write here and nowhere else. */
export function dirtyKey(organisation: string): string {
  return `T#${organisation}#D`;
}

/** Durable once resolved (FT-04). Several pushes share one flag: a hint says no more than it does. */
export async function markDirty(
  { store, clock }: { store: StateStore; clock: Clock },
  organisation: string,
  { repository, trace }: { repository: string; trace: string },
): Promise<void> {
  const now = clock.now();
  // Another for each mark, whoever's clock it is from: what is set after a sweep has looked must survive it.
  const revision = now * 1000 + randomInt(1000);
  const value: Dirty = { repository, trace, at: new Date(now).toISOString() };
  await store.put({ partition: dirtyKey(organisation), sort: repository, revision, value });
}

export async function listDirty(store: StateStore, organisation: string): Promise<Row<Dirty>[]> {
  const rows: Row<Dirty>[] = [];
  for await (const row of eachRow<Dirty>(store, dirtyKey(organisation), '')) rows.push(row);
  return rows;
}

/** Takes the flag away, unless it was set again since. */
export async function clearDirty(store: StateStore, { partition, sort, revision }: Row<Dirty>): Promise<void> {
  await store.remove(partition, sort, { revision });
}

import type { Clock } from '../ports/clock.ts';
import type { StateStore } from '../ports/state-store.ts';
import { padded, pagesKey } from './keys.ts';

/**
 * What has changed for people's pages, where no process can tell them: a counter (`PAGES`) and, for a few minutes, which
 * applications and clusters each number stands for (`PAGES#number`). Pages ask with the last number that they know.
 */
export interface PageChanges {
  /** The newest number, to ask with the next time. */
  at: number;
  /** Application ids and `cluster:ID`; `unknown` where not all is known any more, so the page has to read anew. */
  changed: string[] | 'unknown';
}

interface PageChange {
  ids: string[] | 'many';
}

/** Longer than a page needs to come back; what is older costs it one reading of what it shows. */
const keptSeconds = 600;
/** More at once are not told one by one. */
const maxIds = 200;
const counter = 'PAGES';

/** Says that something has changed; two small writes, however many ids. */
export async function recordPageChanges(
  deps: { store: StateStore; clock: Clock },
  organisation: string,
  ids: readonly string[],
): Promise<void> {
  if (ids.length === 0) return;
  const partition = pagesKey(organisation);
  const number = await deps.store.increment(partition, counter);
  const value: PageChange = { ids: ids.length > maxIds ? 'many' : [...ids] };
  const expiresAt = Math.floor(deps.clock.now() / 1000) + keptSeconds;
  await deps.store.putMany([{ partition, sort: sortOf(number), revision: 1, value, expiresAt }]);
}

/**
 * What has changed after `after` (undefined: only the newest number is asked for). A number without its row, because its writer
 * died in between, is half-written, or is long ago, makes everything unknown: nothing is ever left out.
 */
export async function readPageChanges(
  store: StateStore,
  organisation: string,
  after: number | undefined,
): Promise<PageChanges> {
  const partition = pagesKey(organisation);
  const at = (await store.get(partition, counter))?.revision ?? 0;
  if (after === undefined || after === at) return { at, changed: [] };
  // A reader from the future: the store went back in time.
  if (after > at || at - after > maxIds) return { at, changed: 'unknown' };
  const { rows } = await store.query<PageChange>(partition, {
    prefix: `${counter}#`,
    after: sortOf(after),
    limit: at - after,
  });
  const told = rows.filter((row) => row.sort <= sortOf(at)).map((row) => row.value.ids);
  const ids = told.filter((one) => one !== 'many').flat();
  if (told.length < at - after || told.includes('many') || ids.length > maxIds) return { at, changed: 'unknown' };
  return { at, changed: [...new Set(ids)] };
}

function sortOf(number: number): string {
  return `${counter}#${padded(number)}`;
}

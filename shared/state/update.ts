import { HawserError } from '../errors.ts';
import type { Row, StateStore } from '../ports/state-store.ts';

/**
 * Read, change, write back if nobody else did meanwhile; again when somebody did (at most 20 times).
 * `change` gets undefined where the row is absent and returns undefined to leave things as they are.
 * Returns the row as it is afterwards.
 */
export async function updateRow<T>(
  store: StateStore,
  partition: string,
  sort: string,
  change: (value: T | undefined) => T | undefined,
  options: { expiresAt?: number } = {},
): Promise<Row<T> | undefined> {
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const row = await store.get<T>(partition, sort);
    const value = change(row?.value);
    if (value === undefined) return row;
    const next: Row<T> = { partition, sort, revision: (row?.revision ?? 0) + 1, value, ...options };
    if (await store.put(next, row === undefined ? { absent: true } : { revision: row.revision })) return next;
  }
  throw new HawserError('conflict', `row ${partition} ${sort} is being changed by too many at once`, {
    retry: 'later',
  });
}

/** All rows of a partition under a prefix, page by page. */
export async function* eachRow<T>(store: StateStore, partition: string, prefix: string): AsyncGenerator<Row<T>> {
  let after: string | undefined;
  for (;;) {
    const page = await store.query<T>(partition, { prefix, limit: 500, ...(after === undefined ? {} : { after }) });
    yield* page.rows;
    if (page.next === undefined) return;
    after = page.next;
  }
}

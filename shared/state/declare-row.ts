import { HawserError } from '../errors.ts';
import { canonicalJson, type JsonObject } from '../domain/json.ts';
import type { Row } from '../ports/state-store.ts';
import { identity, type DeclareContext, type DeclareItem } from './declare-context.ts';
import { organisationKey } from './keys.ts';

/** The row of a declared object that is not an application. */
type Declared<T> = T & {
  /** Applications that it concerns may not have heard of it yet. */
  pending?: true;
};

/** How often others may change an object while it is being declared. */
const attempts = 8;

/** Writes an object that nothing else has to hear of. */
export async function keepObject(context: DeclareContext, object: JsonObject, sort: string): Promise<DeclareItem> {
  return (await keepRow(context, object, sort, { declared: object }, false)).item;
}

/**
 * Writes an object that concerns applications, and has them hear of it if it is new or another: `tell` gets told which.
 * Whoever dies on the way tells them when the object is declared again, although it is unchanged by then (INV-04).
 */
export async function keepAndTell(
  context: DeclareContext,
  object: JsonObject,
  kept: { sort: string; value: { declared: JsonObject } },
  tell: () => Promise<void>,
): Promise<DeclareItem> {
  const { item, row } = await keepRow(context, object, kept.sort, kept.value, true);
  if (row === undefined || row.value.pending === undefined) return item;
  await tell();
  const { pending: _, ...value } = row.value;
  context.settle(() => context.deps.store.put({ ...row, value }, { revision: row.revision }));
  return item;
}

async function keepRow<T extends { declared: JsonObject }>(
  context: DeclareContext,
  object: JsonObject,
  sort: string,
  value: T,
  concerns: boolean,
): Promise<{ item: DeclareItem; row?: Row<Declared<T>> }> {
  const { deps, request } = context;
  const partition = organisationKey(request.organisation);
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const before = await deps.store.get<Declared<T>>(partition, sort);
    const same = before !== undefined && canonicalJson(before.value.declared) === canonicalJson(value.declared);
    const action = before === undefined ? 'created' : same ? 'unchanged' : 'configured';
    const item: DeclareItem = { ...identity(object), action };
    if (request.dryRun) return { item };
    if (same) return { item, row: before };
    const next: Declared<T> = { ...value, ...(concerns ? { pending: true as const } : {}) };
    const row = { partition, sort, revision: (before?.revision ?? 0) + 1, value: next };
    const condition = before === undefined ? ({ absent: true } as const) : { revision: before.revision };
    if (await deps.store.put(row, condition)) return { item, row };
  }
  const { kind, name } = identity(object);
  throw new HawserError('conflict', `${kind} ${name} is being changed by too many at once`, { retry: 'later' });
}

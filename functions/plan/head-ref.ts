import { selectorKey } from './selector.ts';
import { repositoryKey, sortKeys } from '#shared/state/keys.ts';
import type { Row, StateStore } from '#shared/ports/state-store.ts';

/**
 * What was last seen of one revision selector (`HEAD`, a branch…) of a repository: the row `HEADREF#selector`.
 * The row's revision is the ticket of the plan that claimed it.
 */
export interface HeadRef {
  selector: string;
  /** Newest commit that a plan claimed. */
  commit: string;
  /** Newest commit all of whose jobs are durable. */
  settled: string;
  /** Commits claimed since `settled` by plans that have not settled: what they started must be looked at again. */
  open: string[];
  seenAt: string;
  /** Why the selector could not be read last time; the applications keep what they have. */
  error?: { code: string; message: string; since: string; failures: number };
}

export async function readHeadRef(
  store: StateStore,
  organisation: string,
  repository: string,
  selector: string,
): Promise<Row<HeadRef> | undefined> {
  return store.get<HeadRef>(repositoryKey(organisation, repository), sortKeys.headRef(selectorKey(selector)));
}

export async function listHeadRefs(
  store: StateStore,
  organisation: string,
  repository: string,
): Promise<Row<HeadRef>[]> {
  return (await store.query<HeadRef>(repositoryKey(organisation, repository), { prefix: 'HEADREF#', limit: 500 })).rows;
}

/** What a claim decided: nothing moved, we plan from these commits on, or a later ticket has taken over. */
export type Claim = { outcome: 'unmoved' | 'superseded' | 'first' } | { outcome: 'claimed'; from: string[] };

/**
 * Claims a commit for the plan that holds `ticket`. The answer's `from` names every commit from which the way to ours
 * may hold work that nobody has finished: a later plan thereby sees what an earlier one began, even when the net
 * difference between the two ends is nothing (INV-05).
 */
export async function claimCommit(
  store: StateStore,
  where: { organisation: string; repository: string; selector: string },
  ticket: number,
  commit: string,
  now: string,
): Promise<Claim> {
  const partition = repositoryKey(where.organisation, where.repository);
  const sort = sortKeys.headRef(selectorKey(where.selector));
  for (;;) {
    const row = await store.get<HeadRef>(partition, sort);
    if (row === undefined) {
      const first: HeadRef = { selector: where.selector, commit, settled: commit, open: [], seenAt: now };
      if (await store.put({ partition, sort, revision: ticket, value: first }, { absent: true }))
        return { outcome: 'first' };
      continue;
    }
    if (row.revision >= ticket) return { outcome: 'superseded' };
    const { commit: claimed, settled, open, error } = row.value;
    if (claimed === commit && open.length === 0 && error === undefined) return { outcome: 'unmoved' };
    const moved = claimed !== commit || open.length > 0;
    const next: HeadRef = {
      selector: where.selector,
      commit,
      settled,
      open: moved ? [...new Set([...open, commit])].slice(-20) : [],
      seenAt: now,
    };
    if (!(await store.put({ partition, sort, revision: ticket, value: next }, { revision: row.revision }))) continue;
    return moved
      ? { outcome: 'claimed', from: [...new Set([settled, ...open])].filter((from) => from !== commit) }
      : { outcome: 'unmoved' };
  }
}

/** All jobs of this claim are durable. A later claim, if there is one, has taken our work into its own. */
export async function settleCommit(
  store: StateStore,
  where: { organisation: string; repository: string; selector: string },
  ticket: number,
  commit: string,
): Promise<void> {
  const partition = repositoryKey(where.organisation, where.repository);
  const sort = sortKeys.headRef(selectorKey(where.selector));
  const row = await store.get<HeadRef>(partition, sort);
  if (row === undefined || row.revision !== ticket) return;
  await store.put(
    { partition, sort, revision: ticket, value: { ...row.value, settled: commit, open: [] } },
    { revision: ticket },
  );
}

/** Remembers why a selector could not be read. Returns how many times in a row that has happened. */
export async function recordTrouble(
  store: StateStore,
  where: { organisation: string; repository: string; selector: string },
  trouble: { code: string; message: string },
  now: string,
): Promise<number> {
  const partition = repositoryKey(where.organisation, where.repository);
  const sort = sortKeys.headRef(selectorKey(where.selector));
  const row = await store.get<HeadRef>(partition, sort);
  const value: HeadRef = row?.value ?? { selector: where.selector, commit: '', settled: '', open: [], seenAt: now };
  const failures = (value.error?.failures ?? 0) + 1;
  const error = { ...trouble, since: value.error?.since ?? now, failures };
  // The claim's ticket stays as it is: nothing was claimed.
  await store.put(
    { partition, sort, revision: row?.revision ?? 0, value: { ...value, error } },
    row === undefined ? { absent: true } : { revision: row.revision },
  );
  return failures;
}

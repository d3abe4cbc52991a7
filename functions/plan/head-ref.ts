import { selectorKey } from './selector.ts';
import { repositoryKey, sortKeys } from '#shared/state/keys.ts';
import { updateRow } from '#shared/state/update.ts';
import type { Row, StateStore } from '#shared/ports/state-store.ts';

/** What was last seen of one revision selector (`HEAD`, a branch…) of a repository: the row `HEADREF#selector`. */
export interface HeadRef {
  selector: string;
  /** Newest commit that a plan claimed, and that plan's ticket. */
  commit: string;
  ticket: number;
  /** Newest commit all of whose jobs are durable, and the ticket of the plan that saw to it. */
  settled: string;
  settledTicket: number;
  /** Claims whose work may have to be looked at again. */
  open: OpenClaim[];
  seenAt: string;
  /** Why the selector could not be read last time; the applications keep what they have. */
  error?: { code: string; message: string; since: string; failures: number; ticket?: number };
  /** Applications that were asked for while it could not be read: no index knows them yet, so whoever reads it next plans them. */
  waiting?: string[];
}

/** A claim that is not known to be finished: its plan runs, or has died and its hint will be delivered again. */
interface OpenClaim {
  ticket: number;
  commit: string;
  /** ms since 1970. */
  at: number;
  /** Which hint: a second delivery of it knows its own earlier claims. */
  hint: string;
  /** Its plan has ended, but what it began is not settled yet. */
  done?: true;
}

/** One selector of one repository. */
export interface SelectorOf {
  organisation: string;
  repository: string;
  selector: string;
}

/** The plan that claims; `now` in ms since 1970. */
export interface Claimant {
  ticket: number;
  hint: string;
  now: number;
}

/**
 * What a claim decided. `claimed`: plan from these commits on ('' stands for the unknown: look at everything).
 * `busy`: another plan is at this very commit right now. `superseded`: a later ticket has claimed.
 * `healed`: it could not be read before. `seen` is the ticket that the row held afterwards: as long as it stays, nobody else has begun anything.
 */
export type Claim = { seen: number; healed?: true } & (
  | { outcome: 'unmoved' | 'superseded' | 'first' | 'busy' }
  | { outcome: 'claimed'; from: string[] }
);

/** So long another plan is trusted to be about to finish. */
const busyMs = 15_000;
/** Past this an unfinished claim is dead: its hint has been delivered again long ago, or lies with the dead letters. */
const deadMs = 15 * 60_000;
/** With more open claims than this, everything is looked at instead of each way by itself. */
const mostOpen = 30;
/** What a row can hold. */
const mostWaiting = 2000;

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

/**
 * Claims a commit for a plan. The answer's `from` names every commit from which the way to ours may hold work that
 * nobody has finished: a later plan thereby sees what an earlier one began, even when the net difference between the
 * two ends is nothing (INV-05).
 */
export async function claimCommit(
  store: StateStore,
  where: SelectorOf,
  claimant: Claimant,
  commit: string,
): Promise<Claim> {
  let claim: Claim = { outcome: 'first', seen: claimant.ticket };
  const { partition, sort } = keyOf(where);
  await updateRow<HeadRef>(store, partition, sort, (value) => {
    const decided = decide(value, where.selector, claimant, commit);
    const isHealed = value?.error !== undefined && decided.next !== undefined;
    claim = isHealed ? { ...decided.claim, healed: true } : decided.claim;
    return decided.next;
  });
  return claim;
}

function decide(
  value: HeadRef | undefined,
  selector: string,
  { ticket, hint, now }: Claimant,
  commit: string,
): { claim: Claim; next?: HeadRef } {
  const seenAt = new Date(now).toISOString();
  if (value === undefined) {
    const next = { selector, commit, ticket, settled: commit, settledTicket: ticket, open: [], seenAt };
    return { claim: { outcome: 'first', seen: ticket }, next };
  }
  const { error: _error, ...known } = value;
  if (value.ticket >= ticket) return { claim: { outcome: 'superseded', seen: value.ticket } };
  const unmoved = value.commit === commit;
  if (unmoved && value.open.length === 0) {
    const claim = { outcome: 'unmoved' as const, seen: value.ticket };
    return value.error === undefined ? { claim } : { claim, next: { ...known, seenAt } };
  }
  const own = value.open.some((open) => open.hint === hint);
  const others = value.open.filter((open) => open.commit === commit && open.done !== true && now - open.at < busyMs);
  if (unmoved && !own && others.length > 0) return { claim: { outcome: 'busy', seen: value.ticket } };
  const from = value.open.length >= mostOpen ? [''] : [value.settled, ...value.open.map((open) => open.commit)];
  const next: HeadRef = {
    ...known,
    commit,
    ticket,
    open: [...value.open, { ticket, commit, at: now, hint }].slice(-mostOpen),
    seenAt,
  };
  const ways = [...new Set(from)].filter((one) => one !== commit);
  return { claim: { outcome: 'claimed', from: ways, seen: ticket }, next };
}

/**
 * All jobs of this claim are durable and all that it read is written down. The newest claim's plan settles for those
 * before it, but for plans that still run: what they have not written down yet is looked at again should they die.
 */
export async function settleCommit(
  store: StateStore,
  where: SelectorOf,
  { ticket, hint, now }: Claimant,
  commit: string,
): Promise<void> {
  const { partition, sort } = keyOf(where);
  await updateRow<HeadRef>(store, partition, sort, (value) => {
    if (value === undefined) return undefined;
    if (value.ticket === ticket) {
      const open = value.open.filter(
        (one) => one.ticket !== ticket && one.hint !== hint && one.done !== true && now - one.at < deadMs,
      );
      return { ...value, settled: commit, settledTicket: ticket, open };
    }
    // A later claim has taken our way into its own; once that is settled, ours is of no more interest.
    const open = value.open.flatMap((one): OpenClaim[] => {
      if (one.ticket !== ticket) return [one];
      return value.settledTicket > ticket ? [] : [{ ...one, done: true }];
    });
    return { ...value, open };
  });
}

/** The plan gave up: its claim keeps nobody waiting, but its way is looked at again. */
export async function releaseClaim(store: StateStore, where: SelectorOf, ticket: number): Promise<void> {
  const { partition, sort } = keyOf(where);
  await updateRow<HeadRef>(store, partition, sort, (value) =>
    value?.open.some((one) => one.ticket === ticket && one.done !== true)
      ? { ...value, open: value.open.map((one) => (one.ticket === ticket ? { ...one, done: true } : one)) }
      : undefined,
  );
}

/** Remembers why a selector could not be read, and who waits for it. Returns how many times in a row that has happened. */
export async function recordTrouble(
  store: StateStore,
  where: SelectorOf,
  trouble: { code: string; message: string; asked: Iterable<string>; ticket: number },
  now: string,
): Promise<number> {
  const { partition, sort } = keyOf(where);
  const row = await updateRow<HeadRef>(store, partition, sort, (value) => {
    const known: HeadRef = value ?? {
      selector: where.selector,
      commit: '',
      ticket: 0,
      settled: '',
      settledTicket: 0,
      open: [],
      seenAt: now,
    };
    const { code, message, asked, ticket } = trouble;
    const failures = (known.error?.failures ?? 0) + 1;
    const waiting = [...new Set([...(known.waiting ?? []), ...asked])].slice(0, mostWaiting);
    const error = { code, message, since: known.error?.since ?? now, failures, ticket };
    return { ...known, error, ...(waiting.length === 0 ? {} : { waiting }) };
  });
  return row?.value.error?.failures ?? 1;
}

/** These waited, and have been planned. */
export async function forgetWaiting(
  store: StateStore,
  where: SelectorOf,
  applications: ReadonlySet<string>,
): Promise<void> {
  const { partition, sort } = keyOf(where);
  await updateRow<HeadRef>(store, partition, sort, (value) => {
    if (value?.waiting === undefined) return undefined;
    const { waiting, ...rest } = value;
    const left = waiting.filter((id) => !applications.has(id));
    return left.length === 0 ? rest : { ...rest, waiting: left };
  });
}

/** Forgets a selector that nobody reads from and that cannot be read any more. */
export async function forgetHeadRef(store: StateStore, where: SelectorOf): Promise<void> {
  const { partition, sort } = keyOf(where);
  await store.remove(partition, sort);
}

function keyOf(where: SelectorOf): { partition: string; sort: string } {
  return {
    partition: repositoryKey(where.organisation, where.repository),
    sort: sortKeys.headRef(selectorKey(where.selector)),
  };
}

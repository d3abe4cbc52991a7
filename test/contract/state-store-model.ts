import * as fc from 'fast-check';
import type { Condition, StateStore } from '#shared/ports/state-store.ts';

/** What a client may do to the one row of the property test. */
type Operation =
  | { do: 'put'; revision: number; condition?: Condition }
  | { do: 'remove'; condition?: Condition }
  | { do: 'increment'; by: number }
  | { do: 'get' };

type State = { revision: number; value: string } | undefined;

/** One operation as its client saw it: between `start` and `end` it took effect, with this answer. */
export interface Event {
  start: number;
  end: number;
  client: number;
  operation: Operation;
  /** What a put writes: tells it from all others. */
  mark: string;
  answer: unknown;
}

const revision = fc.integer({ min: 0, max: 4 });
const condition = fc.oneof(
  fc.constant<Condition>({ absent: true }),
  revision.map((value): Condition => ({ revision: value })),
  revision.map((value): Condition => ({ revisionBelow: value })),
);
const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ do: fc.constant('put' as const), revision, condition }, { requiredKeys: ['do', 'revision'] }),
  fc.record({ do: fc.constant('remove' as const), condition }, { requiredKeys: ['do'] }),
  fc.record({ do: fc.constant('increment' as const), by: fc.integer({ min: 1, max: 3 }) }),
  fc.constant<Operation>({ do: 'get' }),
);

/** What one client does, one after the other. */
export const operations = fc.array(operation, { minLength: 1, maxLength: 4 });

/** Runs one client's operations and writes down what it saw. */
export async function run(
  store: StateStore,
  key: { partition: string; sort: string },
  client: number,
  list: readonly Operation[],
  events: Event[],
): Promise<void> {
  for (const [index, next] of list.entries()) {
    const mark = `${client}.${index}`;
    const start = performance.now();
    const answer = await perform(store, key, next, mark);
    events.push({ start, end: performance.now(), client, operation: next, mark, answer });
  }
}

async function perform(
  store: StateStore,
  key: { partition: string; sort: string },
  next: Operation,
  mark: string,
): Promise<unknown> {
  if (next.do === 'put') return store.put({ ...key, revision: next.revision, value: { mark } }, next.condition);
  if (next.do === 'remove') return store.remove(key.partition, key.sort, next.condition);
  if (next.do === 'increment') return store.increment(key.partition, key.sort, next.by);
  const row = await store.get<{ mark?: string }>(key.partition, key.sort);
  return row === undefined ? null : { revision: row.revision, mark: row.value.mark ?? '' };
}

/**
 * True when the events can be put in one order that respects who ended before whom and in which the model gives the same
 * answers (linearisability, Wing and Gong's search).
 */
export function explains(events: readonly Event[], state?: State): boolean {
  if (events.length === 0) return true;
  const firstEnd = Math.min(...events.map((event) => event.end));
  return events.some((event, index) => {
    // Something else ended before this began: this cannot be the next.
    if (event.start > firstEnd) return false;
    const result = apply(state, event);
    return (
      JSON.stringify(result.answer) === JSON.stringify(event.answer) &&
      explains(events.toSpliced(index, 1), result.state)
    );
  });
}

function apply(state: State, { operation: done, mark }: Event): { state: State; answer: unknown } {
  if (done.do === 'get')
    return { state, answer: state === undefined ? null : { revision: state.revision, mark: state.value } };
  if (done.do === 'increment') {
    const next = (state?.revision ?? 0) + done.by;
    return { state: { revision: next, value: state?.value ?? '' }, answer: next };
  }
  if (done.do === 'put') {
    return holds(state, done.condition)
      ? { state: { revision: done.revision, value: mark }, answer: true }
      : { state, answer: false };
  }
  return state === undefined || holds(state, done.condition)
    ? { state: undefined, answer: true }
    : { state, answer: false };
}

function holds(state: State, wanted: Condition | undefined): boolean {
  if (wanted === undefined) return true;
  if ('absent' in wanted) return state === undefined;
  if ('revision' in wanted) return state?.revision === wanted.revision;
  return state === undefined || state.revision < wanted.revisionBelow;
}

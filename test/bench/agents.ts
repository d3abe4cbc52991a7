import { fileURLToPath } from 'node:url';
import { createDirectHub } from '#agent/hub/direct-hub.ts';
import { createPollLoop, type PollLoop } from '#agent/poll-loop.ts';
import { HawserError } from '#shared/errors.ts';
import type { Log } from '#shared/ports/log.ts';
import type { Delivery, Queue } from '#shared/ports/queue.ts';
import type { Row, StateStore } from '#shared/ports/state-store.ts';
import { clusterKey, sortKeys } from '#shared/state/keys.ts';
import { createVirtualClock, type VirtualClock } from '#test/kit/virtual-clock.ts';
import { percentile } from './measure.ts';
import { printRows, type BenchRow } from './row.ts';

const agents = Number(process.env['HAWSER_BENCH_AGENTS'] ?? 10_000);
const hourMs = 3600_000;
const organisation = 'bench';

/**
 * TGT-08, INV-41, FT-54: a fleet of agents with their real poll loop and direct hub, in virtual time, over rows in memory
 * that count who asks. An hour in sync; an hour in which nothing answers and one application of every cluster moves; then
 * the service is back.
 */
export async function benchAgents(): Promise<BenchRow[]> {
  const world = createWorld();
  for (let number = 0; number < agents; number += 1) publish(world, number, 1);
  const loops = Array.from({ length: agents }, (_, number) => startAgent(world, number));
  await world.clock.run(10 * 60_000);

  const steady = await measure(world, hourMs);
  world.up = false;
  for (let number = 0; number < agents; number += 1) publish(world, number, 2);
  await world.clock.run(hourMs);
  world.caughtUp.length = 0;

  world.up = true;
  const back = world.clock.monotonic();
  const recovery = await measure(world, 10 * 60_000);
  const current = loops.filter(({ version }) => version === 2).length;
  const mean = steady.total / 3600;
  return [
    { name: 'agents in sync: reads per agent and hour', value: steady.reads / agents, unit: 'reads', budget: 90 },
    { name: '… long polls of the queue per agent and hour', value: steady.polls / agents, unit: 'polls', budget: 240 },
    { name: '… requests a second of the fleet', value: mean, unit: '1/s', note: `${agents} agents` },
    {
      name: 'after an hour of outage: most requests in a second, against steady',
      value: recovery.peak / mean,
      unit: '×',
      budget: 3,
    },
    { name: '… agents that have what changed, after 10 minutes', value: current, unit: 'agents', atLeast: agents },
    {
      name: '… until 99 % of them had it',
      value: (percentile(world.caughtUp, 0.99) - back) / 1000,
      unit: 's',
      budget: 600,
    },
  ];
}

interface World {
  clock: VirtualClock;
  rows: Map<string, Map<string, Row>>;
  up: boolean;
  reads: number;
  polls: number;
  /** Requests by second. */
  seconds: Map<number, number>;
  /** When an agent took in what was published. */
  caughtUp: number[];
}

function createWorld(): World {
  return {
    clock: createVirtualClock(),
    rows: new Map(),
    up: true,
    reads: 0,
    polls: 0,
    seconds: new Map(),
    caughtUp: [],
  };
}

async function measure(world: World, milliseconds: number) {
  const before = { reads: world.reads, polls: world.polls };
  const from = Math.floor(world.clock.monotonic() / 1000);
  await world.clock.run(milliseconds);
  const seconds = [...world.seconds].filter(([second]) => second >= from).map(([, requests]) => requests);
  return {
    reads: world.reads - before.reads,
    polls: world.polls - before.polls,
    total: seconds.reduce((sum, requests) => sum + requests, 0),
    peak: seconds.reduce((most, requests) => Math.max(most, requests), 0),
  };
}

function startAgent(world: World, number: number): PollLoop {
  const { clock } = world;
  const random = generator(number);
  const hub = createDirectHub({
    organisation,
    cluster: nameOf(number),
    store: countingStore(world),
    snapshots: { read: () => request(world).then(() => new Uint8Array()) },
    wake: silentQueue(world),
    mail: { send: () => Promise.resolve() },
    clock,
    random,
  });
  const loop = createPollLoop({
    hub,
    clock,
    log: silentLog,
    random,
    pollSeconds: 25,
    async take(assignments) {
      if (assignments.length === 0) return [];
      await hub.chunks(['0'.repeat(64)]);
      world.caughtUp.push(clock.monotonic());
      return [];
    },
    obey: () => undefined,
  });
  // A fleet does not start in one second.
  // A signal of its own: one that all share is searched through at every wait. None is ever aborted: the process just ends.
  void clock.sleep(random() * 60_000).then(() => loop.run(new AbortController().signal));
  return loop;
}

/** One application of a cluster moves: the three rows that `moveHead` writes. */
function publish(world: World, number: number, version: number): void {
  const partition = clusterKey(organisation, nameOf(number));
  const certificate = { organisation, publicKey: 'x', notBefore: '', notAfter: '', signature: 'x' };
  const head = { application: 'app', generation: version, root: { root: '{}', signature: 'x', certificate } };
  write(world, { partition, sort: sortKeys.assignment('app'), revision: version, value: head });
  write(world, { partition, sort: sortKeys.head, revision: version, value: {} });
  const change = { application: 'app', at: world.clock.now() };
  write(world, { partition, sort: sortKeys.change(version), revision: version, value: change });
}

function write(world: World, row: Row): void {
  const partition = world.rows.get(row.partition) ?? new Map<string, Row>();
  world.rows.set(row.partition, partition.set(row.sort, row));
}

type Reads = Pick<StateStore, 'get' | 'getMany' | 'query'>;

/** What an agent may do with the table: read. */
function countingStore(world: World): StateStore {
  const read = (): Promise<void> => {
    world.reads += 1;
    return request(world);
  };
  const rowsOf = (partition: string) => world.rows.get(partition) ?? new Map<string, Row>();
  const reads: Reads = {
    async get<T>(partition: string, sort: string) {
      await read();
      return rowsOf(partition).get(sort) as Row<T> | undefined;
    },
    async getMany<T>(keys: readonly { partition: string; sort: string }[]) {
      await read();
      return keys.flatMap(({ partition, sort }) => (rowsOf(partition).get(sort) as Row<T> | undefined) ?? []);
    },
    async query<T>(partition: string, { prefix = '', after = '' } = {}) {
      await read();
      const rows = [...rowsOf(partition).values()].filter(({ sort }) => sort.startsWith(prefix) && sort > after);
      return { rows: rows as Row<T>[] };
    },
  };
  const refuse = () => Promise.reject(new HawserError('forbidden', 'an agent only reads'));
  return { ...reads, put: refuse, putMany: refuse, remove: refuse, increment: refuse, close: () => Promise.resolve() };
}

function silentQueue(world: World): Pick<Queue, 'receive' | 'done'> {
  return {
    async receive({ waitSeconds, signal }): Promise<Delivery[]> {
      world.polls += 1;
      await request(world);
      await world.clock.sleep(waitSeconds * 1000, signal);
      return [];
    },
    done: () => Promise.resolve(),
  };
}

function request(world: World): Promise<void> {
  if (!world.up)
    return Promise.reject(new HawserError('unavailable', 'the region does not answer', { retry: 'later' }));
  const second = Math.floor(world.clock.monotonic() / 1000);
  world.seconds.set(second, (world.seconds.get(second) ?? 0) + 1);
  return Promise.resolve();
}

const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLog,
};

function nameOf(number: number): string {
  return `cluster-${number}`;
}

/** Mulberry32: the same fleet in every run. */
function generator(seed: number): () => number {
  let state = seed + 1;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) printRows(await benchAgents());

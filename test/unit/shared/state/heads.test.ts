import { beforeEach, describe, expect, it } from 'vitest';
import type { SnapshotRoot } from '#shared/domain/snapshot.ts';
import { defaultPolicy } from '#shared/domain/application.ts';
import { createBell } from '#shared/adapters/embedded/memory-bell.ts';
import { createSystemClock } from '#shared/adapters/embedded/system-clock.ts';
import type { StateStore } from '#shared/ports/state-store.ts';
import type { Signer } from '#shared/ports/signer.ts';
import {
  announceHead,
  askForAll,
  confirmHead,
  moveHead,
  readChanges,
  readHead,
  takeTicket,
  type Decision,
} from '#shared/state/heads.ts';
import { clusterKey, sortKeys } from '#shared/state/keys.ts';
import { openMemoryStore } from '#test/kit/store.ts';

const certificate = { organisation: 'o', publicKey: '', notBefore: '', notAfter: '', signature: '' };
const signer: Signer = { sign: async () => ({ signature: 's', certificate }), rootPublicKey: async () => 'k' };
const clock = createSystemClock();
let store: StateStore;

beforeEach(() => {
  store = openMemoryStore();
});

function root(application: string, generation: number, inputDigest = 'd'): SnapshotRoot {
  return {
    format: 1,
    organisation: 'o',
    cluster: 'c',
    application,
    displayName: application,
    kind: 'Application',
    generation,
    revision: 'r',
    inputDigest,
    destinationNamespace: 'default',
    policy: defaultPolicy,
    chunks: [],
    objectCount: 0,
    totalBytes: 0,
    flags: [],
    dependsOn: [],
    owner: 'x',
  };
}

/** Moves the head as a publisher does: only forward, and only where it is as it was read. */
async function move(one: SnapshotRoot): Promise<boolean> {
  const head = await readHead(store, 'o', 'c', one.application);
  if (head !== undefined && head.revision >= one.generation) return false;
  return moveHead({ store, signer, bell: createBell(), clock }, one, decisionAt(one.generation), head);
}

function decisionAt(generation: number): Decision {
  return { contentOf: generation, decided: generation, served: [] };
}

describe('the head of an application', () => {
  it('only moves forward (INV-06)', async () => {
    expect(await move(root('a', 7))).toBe(true);
    expect(await move(root('a', 6, 'older'))).toBe(false);
    expect(await move(root('a', 8, 'newer'))).toBe(true);

    expect((await readHead(store, 'o', 'c', 'a'))?.value).toMatchObject({ generation: 8, inputDigest: 'newer' });
  });

  it('moves only from where its publisher saw it', async () => {
    await move(root('a', 7));
    const seen = await readHead(store, 'o', 'c', 'a');
    await move(root('a', 8));

    const late = moveHead({ store, signer, bell: createBell(), clock }, root('a', 9), decisionAt(9), seen);
    expect(await late).toBe(false);
    expect((await readHead(store, 'o', 'c', 'a'))?.value).toMatchObject({ generation: 8 });
  });

  it('is announced again when nobody knows whether it was (FT-41)', async () => {
    await move(root('a', 7));
    await announceHead({ store, signer, bell: createBell(), clock }, root('a', 7));

    expect((await readChanges({ store, clock }, 'o', 'c', 1)).heads.map((head) => head.application)).toEqual(['a']);
  });

  it('keeps its generation when a plan finds it as it should be, and raises the fence', async () => {
    await move(root('a', 7));
    const head = await readHead(store, 'o', 'c', 'a');
    expect(head && (await confirmHead(store, head, 9))).toBe(true);

    expect(await readHead(store, 'o', 'c', 'a')).toMatchObject({ revision: 9, value: { generation: 7, decided: 9 } });
    expect(await move(root('a', 8))).toBe(false);
  });

  it('gives out tickets once each, under any concurrency (INV-05)', async () => {
    const tickets = await Promise.all(Array.from({ length: 200 }, () => takeTicket(store, 'o')));

    expect(new Set(tickets).size).toBe(200);
  });
});

describe('what changed in a cluster', () => {
  it('is everything for a reader that knows nothing', async () => {
    await move(root('a', 1));
    await move(root('b', 2));

    const changes = await readChanges({ store, clock }, 'o', 'c', 0);
    expect(changes).toMatchObject({ scope: 'all', version: 2 });
    expect(changes.heads.map((head) => head.application)).toEqual(['a', 'b']);
  });

  it('is only what came after the reader’s version', async () => {
    await move(root('a', 1));
    await move(root('b', 2));
    await move(root('a', 3));

    const changes = await readChanges({ store, clock }, 'o', 'c', 2);
    expect(changes).toMatchObject({ scope: 'changes', version: 3 });
    expect(changes.heads.map((head) => [head.application, head.generation])).toEqual([['a', 3]]);
  });

  it('stops before a version whose publisher is between its two writes, and goes on when the row is there', async () => {
    await move(root('a', 1));
    const version = await store.increment(clusterKey('o', 'c'), sortKeys.head);
    await move(root('b', 3));

    expect(await readChanges({ store, clock }, 'o', 'c', 1)).toMatchObject({ scope: 'changes', version: 1, heads: [] });
    await store.put({
      partition: clusterKey('o', 'c'),
      sort: sortKeys.change(version),
      revision: version,
      value: { application: 'a', at: 0 },
    });
    expect(await readChanges({ store, clock }, 'o', 'c', 1)).toMatchObject({ scope: 'changes', version: 3 });
  });

  it('is everything when a version’s row never comes: its publisher died (INV-02)', async () => {
    await move(root('a', 1));
    await store.increment(clusterKey('o', 'c'), sortKeys.head);
    await move(root('b', 3));
    const later = { ...clock, now: () => Date.now() + 60_000 };

    expect(await readChanges({ store, clock: later }, 'o', 'c', 1)).toMatchObject({ scope: 'all', version: 3 });
  });

  it('waits for a publisher that has only counted up, rather than reading everything', async () => {
    await move(root('a', 1));
    await store.increment(clusterKey('o', 'c'), sortKeys.head);
    await store.increment(clusterKey('o', 'c'), sortKeys.head);

    expect(await readChanges({ store, clock }, 'o', 'c', 1)).toMatchObject({
      scope: 'changes',
      version: 1,
      unfinished: true,
    });
  });

  it('is everything for a reader that was away for longer than changes are kept (INV-02)', async () => {
    let awayMs = 0;
    const later = { ...clock, now: () => Date.now() + awayMs };
    store = openMemoryStore(later);
    await move(root('a', 1));
    await move(root('b', 2));
    awayMs = 25 * 3600_000;

    const changes = await readChanges({ store, clock: later }, 'o', 'c', 1);
    expect(changes).toMatchObject({ scope: 'all', version: 2, resend: true, unfinished: false });
    expect(changes.heads.map((head) => head.application)).toEqual(['a', 'b']);
  });

  it('does not ask an agent that has just started: it says everything by itself', async () => {
    await move(root('a', 1));
    await askForAll({ store, bell: createBell(), clock }, 'o', 'c');

    expect(await readChanges({ store, clock }, 'o', 'c', 0)).toMatchObject({ scope: 'all', version: 2, resend: false });
  });

  it('tells the agent to report everything again until it has taken that in (INV-32)', async () => {
    await move(root('a', 1));
    await askForAll({ store, bell: createBell(), clock }, 'o', 'c');

    expect(await readChanges({ store, clock }, 'o', 'c', 1)).toMatchObject({ version: 2, resend: true, heads: [] });
    expect(await readChanges({ store, clock }, 'o', 'c', 1)).toMatchObject({ version: 2, resend: true, heads: [] });
    expect(await readChanges({ store, clock }, 'o', 'c', 2)).toMatchObject({ version: 2, resend: false });
  });

  it('is everything for a reader from the future: the store went back in time (FT-49)', async () => {
    await move(root('a', 1));

    expect(await readChanges({ store, clock }, 'o', 'c', 99)).toMatchObject({ scope: 'all', version: 1 });
  });
});

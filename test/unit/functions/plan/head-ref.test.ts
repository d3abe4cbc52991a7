import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { claimCommit, readHeadRef, recordTrouble, settleCommit } from '#functions/plan/head-ref.ts';
import { openMemoryStore } from '#test/kit/store.ts';

const where = { organisation: 'o', repository: 'r', selector: 'HEAD' };

describe('claiming a commit', () => {
  it('plans from the last settled commit', async () => {
    const store = openMemoryStore();

    expect(await claimCommit(store, where, 1, 'A', 't')).toEqual({ outcome: 'first' });
    await settleCommit(store, where, 1, 'A');
    expect(await claimCommit(store, where, 2, 'B', 't')).toEqual({ outcome: 'claimed', from: ['A'] });
  });

  it('has nothing to do, and writes nothing, when the ref did not move', async () => {
    const store = openMemoryStore();
    await claimCommit(store, where, 1, 'A', 't');
    await settleCommit(store, where, 1, 'A');
    const before = await readHeadRef(store, 'o', 'r', 'HEAD');

    expect(await claimCommit(store, where, 2, 'A', 't')).toEqual({ outcome: 'unmoved' });
    expect(await readHeadRef(store, 'o', 'r', 'HEAD')).toEqual(before);
  });

  it('looks again at what an unfinished plan began, even when the ref went back (INV-05)', async () => {
    const store = openMemoryStore();
    await claimCommit(store, where, 1, 'A', 't');
    await settleCommit(store, where, 1, 'A');
    await claimCommit(store, where, 2, 'B', 't');

    // Ticket 2 sent jobs for A→B and died before settling; the ref is at A again.
    expect(await claimCommit(store, where, 3, 'A', 't')).toEqual({ outcome: 'claimed', from: ['B'] });
  });

  it('gives way to a later ticket', async () => {
    const store = openMemoryStore();
    await claimCommit(store, where, 5, 'B', 't');

    expect(await claimCommit(store, where, 4, 'A', 't')).toEqual({ outcome: 'superseded' });
    await settleCommit(store, where, 4, 'A');
    expect((await readHeadRef(store, 'o', 'r', 'HEAD'))?.value).toMatchObject({ commit: 'B' });
  });

  it('keeps the claim through trouble, counts it, and clears it with the next read', async () => {
    const store = openMemoryStore();
    await claimCommit(store, where, 1, 'A', 't');
    await settleCommit(store, where, 1, 'A');

    expect(await recordTrouble(store, where, { code: 'repository-unreachable', message: 'no route' }, 't1')).toBe(1);
    expect(await recordTrouble(store, where, { code: 'repository-unreachable', message: 'no route' }, 't2')).toBe(2);
    expect((await readHeadRef(store, 'o', 'r', 'HEAD'))?.value).toMatchObject({ commit: 'A', error: { failures: 2, since: 't1' } });
    await claimCommit(store, where, 2, 'A', 't');
    expect((await readHeadRef(store, 'o', 'r', 'HEAD'))?.value.error).toBeUndefined();
  });

  it('never loses a way: whatever order plans claim, settle and die in, every step is in some plan’s view (INV-02, INV-05)', async () => {
    const step = fc.record({ commit: fc.constantFrom('A', 'B', 'C', 'D'), settles: fc.boolean(), delayed: fc.nat({ max: 3 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const store = openMemoryStore();
        await claimCommit(store, where, 1, 'A', 't');
        await settleCommit(store, where, 1, 'A');
        const begun = new Set<string>(['A']);
        let ticket = 1;
        for (const { commit, settles } of steps) {
          ticket += 1;
          const claim = await claimCommit(store, where, ticket, commit, 't');
          if (claim.outcome === 'claimed') {
            // All that was begun and not settled, but for where we stand, must be looked at.
            const unseen = [...begun].filter((from) => from !== commit && !claim.from.includes(from));
            expect(unseen).toEqual([]);
            begun.add(commit);
          }
          if (settles && claim.outcome === 'claimed') {
            await settleCommit(store, where, ticket, commit);
            begun.clear();
            begun.add(commit);
          }
        }
      }),
      { numRuns: 200 },
    );
  });
});

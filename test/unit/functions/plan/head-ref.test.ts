import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  claimCommit,
  forgetHeadRef,
  readHeadRef,
  recordTrouble,
  releaseClaim,
  settleCommit,
  type Claimant,
} from '#functions/plan/head-ref.ts';
import { openMemoryStore } from '#test/kit/store.ts';

const where = { organisation: 'o', repository: 'r', selector: 'HEAD' };
const by = (ticket: number, hint = `h${ticket}`, now = 0): Claimant => ({ ticket, hint, now });

/** A store where ticket 1 has settled at commit A. */
async function settledAtA() {
  const store = openMemoryStore();
  await claimCommit(store, where, by(1), 'A');
  await settleCommit(store, where, by(1), 'A');
  return store;
}

describe('claiming a commit', () => {
  it('is the first claim of a selector that nobody has read', async () => {
    const store = openMemoryStore();

    expect(await claimCommit(store, where, by(1), 'A')).toEqual({ outcome: 'first', seen: 1 });
  });

  it('plans from the last settled commit', async () => {
    const store = await settledAtA();

    expect(await claimCommit(store, where, by(2), 'B')).toEqual({ outcome: 'claimed', from: ['A'], seen: 2 });
  });

  it('has nothing to do, and writes nothing, when the ref did not move', async () => {
    const store = await settledAtA();
    const before = await readHeadRef(store, 'o', 'r', 'HEAD');

    expect(await claimCommit(store, where, by(2), 'A')).toEqual({ outcome: 'unmoved', seen: 1 });
    expect(await readHeadRef(store, 'o', 'r', 'HEAD')).toEqual(before);
  });

  it('looks again at what an unfinished plan began, even when the ref went back (INV-05)', async () => {
    const store = await settledAtA();
    await claimCommit(store, where, by(2), 'B');

    // Ticket 2 sent jobs for A→B and died before settling; the ref is at A again.
    expect(await claimCommit(store, where, by(3), 'A')).toEqual({ outcome: 'claimed', from: ['B'], seen: 3 });
  });

  it('gives way to a later ticket', async () => {
    const store = openMemoryStore();
    await claimCommit(store, where, by(5), 'B');

    expect(await claimCommit(store, where, by(4), 'A')).toEqual({ outcome: 'superseded', seen: 5 });
    await settleCommit(store, where, by(4), 'A');
    expect((await readHeadRef(store, 'o', 'r', 'HEAD'))?.value).toMatchObject({ commit: 'B' });
  });

  it('leaves a plan alone that is at the same commit right now, but not for long and not its own (FT-17)', async () => {
    const store = await settledAtA();
    await claimCommit(store, where, by(2, 'push'), 'B');

    expect(await claimCommit(store, where, by(3, 'poll', 1000), 'B')).toMatchObject({ outcome: 'busy' });
    expect(await claimCommit(store, where, by(4, 'push', 2000), 'B')).toMatchObject({
      outcome: 'claimed',
      from: ['A'],
    });
    expect(await claimCommit(store, where, by(5, 'poll', 60_000), 'B')).toMatchObject({ outcome: 'claimed' });
  });

  it('keeps nobody waiting once its plan has given up', async () => {
    const store = await settledAtA();
    await claimCommit(store, where, by(2, 'push'), 'B');
    await releaseClaim(store, where, 2);

    expect(await claimCommit(store, where, by(3, 'poll', 1000), 'B')).toMatchObject({
      outcome: 'claimed',
      from: ['A'],
    });
  });

  it('looks at everything when too many plans are unfinished', async () => {
    const store = await settledAtA();
    for (let ticket = 2; ticket < 40; ticket += 1) await claimCommit(store, where, by(ticket), `c${ticket}`);

    expect(await claimCommit(store, where, by(40), 'Z')).toMatchObject({ outcome: 'claimed', from: [''] });
  });

  it('looks again at the way of a plan that was overtaken and then died, after the one that overtook it settled', async () => {
    const store = await settledAtA();
    await claimCommit(store, where, by(2, 'slow'), 'B');
    await claimCommit(store, where, by(3, 'fast'), 'C');
    await settleCommit(store, where, by(3, 'fast'), 'C');

    expect(await claimCommit(store, where, by(4, 'slow'), 'C')).toEqual({ outcome: 'claimed', from: ['B'], seen: 4 });
  });

  it('forgets the way of a plan that was overtaken and then finished', async () => {
    const store = await settledAtA();
    await claimCommit(store, where, by(2), 'B');
    await claimCommit(store, where, by(3), 'C');
    await settleCommit(store, where, by(3), 'C');
    await settleCommit(store, where, by(2), 'B');

    expect(await claimCommit(store, where, by(4), 'C')).toMatchObject({ outcome: 'unmoved' });
  });

  it('keeps the way of a plan that finished before the one that overtook it', async () => {
    const store = await settledAtA();
    await claimCommit(store, where, by(2), 'B');
    await claimCommit(store, where, by(3), 'A');
    await settleCommit(store, where, by(2), 'B');

    // Ticket 3 has died: what ticket 2 published for B has still to be undone.
    const later = by(4, 'h4', 60_000);
    expect(await claimCommit(store, where, later, 'A')).toMatchObject({ outcome: 'claimed', from: ['B'] });
  });

  it('takes a claim for dead that has not been finished for a quarter of an hour', async () => {
    const store = await settledAtA();
    await claimCommit(store, where, by(2), 'B');
    await claimCommit(store, where, by(3, 'h3', 3_600_000), 'B');
    await settleCommit(store, where, by(3, 'h3', 3_600_000), 'B');

    expect(await claimCommit(store, where, by(4, 'h4', 3_600_000), 'B')).toMatchObject({ outcome: 'unmoved' });
  });

  it('keeps the claim through trouble, counts it, and clears it with the next read', async () => {
    const store = await settledAtA();

    expect(
      await recordTrouble(
        store,
        where,
        { code: 'repository-unreachable', message: 'no route', asked: [], ticket: 1 },
        't1',
      ),
    ).toBe(1);
    expect(
      await recordTrouble(
        store,
        where,
        { code: 'repository-unreachable', message: 'no route', asked: [], ticket: 1 },
        't2',
      ),
    ).toBe(2);
    expect((await readHeadRef(store, 'o', 'r', 'HEAD'))?.value).toMatchObject({
      commit: 'A',
      error: { failures: 2, since: 't1' },
    });
    await claimCommit(store, where, by(2), 'A');
    expect((await readHeadRef(store, 'o', 'r', 'HEAD'))?.value.error).toBeUndefined();
  });

  it('looks at everything after trouble with a selector that was never read', async () => {
    const store = openMemoryStore();
    await recordTrouble(
      store,
      where,
      { code: 'repository-unreachable', message: 'no route', asked: [], ticket: 1 },
      't1',
    );

    expect(await claimCommit(store, where, by(2), 'A')).toMatchObject({ outcome: 'claimed', from: [''] });
  });

  it('starts anew after a selector was forgotten', async () => {
    const store = await settledAtA();
    await forgetHeadRef(store, where);

    expect(await claimCommit(store, where, by(2), 'B')).toMatchObject({ outcome: 'first' });
  });

  it('never loses a way: whatever order plans claim, settle and die in, every step is in some plan’s view (INV-02, INV-05)', async () => {
    const step = fc.record({ commit: fc.constantFrom('A', 'B', 'C', 'D'), settles: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const store = await settledAtA();
        const begun = new Set<string>(['A']);
        for (const [index, { commit, settles }] of steps.entries()) {
          const claimant = by(index + 2, `h${index}`, index * 60_000);
          const claim = await claimCommit(store, where, claimant, commit);
          if (claim.outcome !== 'claimed') continue;
          // All that was begun and not settled, but for where we stand, must be looked at.
          const unseen = [...begun].filter((from) => from !== commit && !claim.from.includes(from));
          expect(unseen).toEqual([]);
          begun.add(commit);
          if (!settles) continue;
          await settleCommit(store, where, claimant, commit);
          begun.clear();
          begun.add(commit);
        }
      }),
      { numRuns: 200 },
    );
  });
});

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fullJitter, inPieces, untilProcessed } from '#shared/adapters/aws/backoff.ts';
import type { Clock } from '#shared/ports/clock.ts';

/** Sleeps take no time and are written down. */
function countingClock(): Clock & { slept: number[] } {
  const slept: number[] = [];
  return {
    slept,
    now: () => 0,
    monotonic: () => 0,
    async sleep(milliseconds) {
      slept.push(milliseconds);
    },
  };
}

describe('until all is processed', () => {
  it('hands over exactly what is left, however little a step does, and ends when nothing is (FT-45)', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(40), fc.infiniteStream(fc.integer({ min: 1, max: 7 })), async (count, done) => {
        const items = Array.from({ length: count }, (_, index) => index);
        const processed: number[] = [];

        await untilProcessed(
          items,
          async (left) => {
            const [some = 1] = [...done.take(1)];
            processed.push(...left.slice(0, some));
            return left.slice(some);
          },
          { clock: countingClock(), what: 'test' },
        );

        expect(processed).toEqual(items);
      }),
    );
  });

  it('gives up with «later» when nothing moves, after waits that grow to seconds', async () => {
    const clock = countingClock();

    await expect(
      untilProcessed([1, 2, 3], async (left) => left, { clock, what: 'table x: write', random: () => 1 }),
    ).rejects.toMatchObject({ code: 'unavailable', retry: 'later', data: { undone: 3, of: 3 } });
    expect(clock.slept).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000, 5000, 5000]);
  });

  it('counts anew after a step that got something done', async () => {
    const clock = countingClock();
    let turn = 0;

    await untilProcessed(
      [1, 2, 3, 4],
      async (left) => {
        turn += 1;
        return turn % 10 === 0 ? left.slice(1) : left;
      },
      { clock, what: 'test', random: () => 1 },
    );

    expect(turn).toBe(40);
  });

  it('does nothing for nothing', async () => {
    await untilProcessed([], () => Promise.reject(new Error('called')), { clock: countingClock(), what: 'test' });
  });

  it('passes an error on at once', async () => {
    const clock = countingClock();

    await expect(
      untilProcessed([1], () => Promise.reject(new Error('broken')), { clock, what: 'test' }),
    ).rejects.toThrow('broken');
    expect(clock.slept).toEqual([]);
  });
});

describe('full jitter', () => {
  it('is anything between nothing and a bound that doubles up to 5 s', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.double({ min: 0, max: 1, noNaN: true }), (attempt, chance) => {
        const wait = fullJitter(attempt, () => chance);

        expect(wait).toBeGreaterThanOrEqual(0);
        expect(wait).toBeLessThanOrEqual(Math.min(5000, 50 * 2 ** attempt));
      }),
    );
  });
});

describe('pieces', () => {
  it('hold everything once, in order, none larger than asked for', () => {
    fc.assert(
      fc.property(fc.array(fc.nat()), fc.integer({ min: 1, max: 9 }), (items, size) => {
        const pieces = inPieces(items, size);

        expect(pieces.flat()).toEqual(items);
        expect(pieces.every((piece) => piece.length > 0 && piece.length <= size)).toBe(true);
      }),
    );
  });
});

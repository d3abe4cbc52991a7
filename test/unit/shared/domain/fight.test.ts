import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { afterCorrection, atPeace, correctAt, freeCorrections, isFight, windowMs } from '#shared/domain/fight.ts';

/** Corrects as soon as it may, `times` times, each `pauses` after the drift; returns when. */
function fight(times: number, start = 0): { at: number[]; paused: boolean } {
  let state = atPeace;
  let now = start;
  const at: number[] = [];
  for (let index = 0; index < times; index += 1) {
    const next = correctAt(state, now);
    if (!Number.isFinite(next)) return { at, paused: true };
    now = next;
    at.push(now);
    state = afterCorrection(state, now);
    now += 10;
  }
  return { at, paused: false };
}

describe('an object that somebody keeps changing back (INV-28)', () => {
  it('is corrected five times at once, then after ever longer waits, then no more', () => {
    const { at, paused } = fight(100);
    expect(paused).toBe(true);
    const waits = at.slice(1).map((time, index) => time - (at[index] as number));
    expect(waits.slice(0, 4)).toEqual([10, 10, 10, 10]);
    const long = waits.slice(4);
    // The first of the long waits ends when the window of the five free corrections has passed.
    expect(long[0]).toBeGreaterThanOrEqual(windowMs - 100);
    expect(long.slice(1)).toEqual([40_000, 80_000, 160_000, 300_000]);
    expect(at.length).toBeLessThan(15);
  });

  it('is at peace at first and in a fight from the fifth correction on', () => {
    let state = atPeace;
    expect(isFight(state, 0)).toBe(false);
    for (let index = 0; index < 5; index += 1) {
      expect(isFight(state, index)).toBe(false);
      state = afterCorrection(state, index);
    }
    expect(isFight(state, 5)).toBe(true);
    expect(correctAt(state, 5)).toBe(windowMs);
  });

  it('is forgiven after ten quiet minutes, unless it was paused', () => {
    let state = atPeace;
    for (let index = 0; index < 5; index += 1) state = afterCorrection(state, index);
    const later = 4 + 2 * windowMs;
    expect(isFight(state, later)).toBe(false);
    expect(correctAt(state, later)).toBe(later);
    expect(afterCorrection(state, later)).toEqual({ corrections: [later], waits: 0, paused: false });
    const paused = { ...state, paused: true };
    expect(isFight(paused, later * 10)).toBe(true);
    expect(correctAt(paused, later * 10)).toBe(Infinity);
  });

  it('that drifts now and then never counts as a fight', () => {
    let state = atPeace;
    for (let index = 0; index < 100; index += 1) {
      const now = index * 76_000;
      expect(correctAt(state, now)).toBe(now);
      state = afterCorrection(state, now);
      expect(isFight(state, now)).toBe(false);
    }
  });

  it('is never corrected more than five times in any five minutes, however the drift comes', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 400_000 }), { maxLength: 60 }), (gaps) => {
        let state = atPeace;
        let now = 0;
        const at: number[] = [];
        for (const gap of gaps) {
          now += gap;
          const next = correctAt(state, now);
          expect(next).toBeGreaterThanOrEqual(now);
          if (!Number.isFinite(next)) return;
          now = next;
          at.push(now);
          state = afterCorrection(state, now);
        }
        for (const time of at) {
          const window = at.filter((other) => other >= time && other < time + windowMs);
          expect(window.length).toBeLessThanOrEqual(freeCorrections);
        }
        expect(state.corrections.length).toBeLessThanOrEqual(freeCorrections + 1);
      }),
    );
  });

  it('survives a clock that goes back', () => {
    let state = atPeace;
    for (let index = 0; index < 3; index += 1) state = afterCorrection(state, 1_000_000);
    expect(correctAt(state, 0)).toBe(0);
    expect(afterCorrection(state, 0).corrections).toEqual([0]);
  });
});

import { describe, expect, it } from 'vitest';
import type { Clock } from '#shared/ports/clock.ts';

/** What every clock must do. `pass` lets time go by where the clock does not do so by itself. */
export function describeClock(
  name: string,
  open: () => { clock: Clock; pass: (milliseconds: number) => Promise<void> },
): void {
  describe(`clock: ${name}`, () => {
    it('gives stamps in milliseconds since 1970', () => {
      const { clock } = open();

      expect(clock.now()).toBeGreaterThan(Date.UTC(2025, 0, 1));
      expect(clock.now()).toBeLessThan(Date.UTC(2200, 0, 1));
    });

    it('never runs backwards', async () => {
      const { clock, pass } = open();
      const times = [clock.monotonic(), clock.monotonic()];
      await pass(5);
      times.push(clock.monotonic());

      expect(times).toEqual(times.toSorted((a, b) => a - b));
    });

    it('sleeps until the time is over, not less', async () => {
      const { clock, pass } = open();
      for (const milliseconds of [0, 0.5, 1, 3, 20]) {
        const start = clock.monotonic();
        const sleeping = clock.sleep(milliseconds);
        await pass(milliseconds);
        await sleeping;

        expect(clock.monotonic() - start).toBeGreaterThanOrEqual(milliseconds);
      }
    });

    it('ends a sleep when the signal is aborted, without an error', async () => {
      const { clock } = open();
      const stop = new AbortController();
      const sleeping = clock.sleep(3_600_000, stop.signal);
      stop.abort();

      expect(await sleeping).toBeUndefined();
      expect(await clock.sleep(3_600_000, stop.signal)).toBeUndefined();
    });

    it('sleeps longer than a timer of the platform can, until it is told otherwise', async () => {
      const { clock, pass } = open();
      const stop = new AbortController();
      let over = false;
      const sleeping = clock.sleep(2 ** 32, stop.signal).then(() => (over = true));
      await pass(20);

      expect(over).toBe(false);
      stop.abort();
      await sleeping;
    });
  });
}

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Bell } from '#shared/ports/bell.ts';

/** What every bell must do. Rings may come late and may be lost on other transports; the suite waits for those that come. */
export function describeBell(name: string, open: () => Promise<{ bell: Bell; close: () => Promise<void> }>): void {
  describe(`bell: ${name}`, () => {
    let bell: Bell;
    let close: () => Promise<void>;
    beforeAll(async () => ({ bell, close } = await open()));
    afterAll(() => close());

    let count = 0;
    const fresh = (): string => `cluster:acme/${(count += 1)}`;
    function hear(channel: string): { heard: (string | undefined)[]; stop: () => void } {
      const heard: (string | undefined)[] = [];
      return { heard, stop: bell.listen(channel, (payload) => heard.push(payload)) };
    }

    it('tells everybody who listens to the channel, and nobody else', async () => {
      const channel = fresh();
      const [one, two, other] = [hear(channel), hear(channel), hear(`${channel}0`)];

      bell.ring(channel, 'first');
      bell.ring(channel);

      await expect
        .poll(() => [one.heard, two.heard])
        .toEqual([
          ['first', undefined],
          ['first', undefined],
        ]);
      expect(other.heard).toEqual([]);
      for (const listener of [one, two, other]) listener.stop();
    });

    it('falls silent for who stopped listening, once or twice', async () => {
      const channel = fresh();
      const [gone, there] = [hear(channel), hear(channel)];
      gone.stop();
      gone.stop();

      bell.ring(channel, 'x');

      await expect.poll(() => there.heard).toEqual(['x']);
      expect(gone.heard).toEqual([]);
      there.stop();
    });

    it('takes the same function twice as two listeners', async () => {
      const channel = fresh();
      let rings = 0;
      const listener = (): void => void (rings += 1);
      const [stopOne, stopTwo] = [bell.listen(channel, listener), bell.listen(channel, listener)];

      bell.ring(channel);
      await expect.poll(() => rings).toBe(2);
      stopOne();
      bell.ring(channel);
      await expect.poll(() => rings).toBe(3);
      stopTwo();
    });

    it('does not let one listener disturb the others or who rings', async () => {
      const channel = fresh();
      const stopBad = bell.listen(channel, () => {
        throw new Error('a page that is gone');
      });
      const good = hear(channel);

      bell.ring(channel, 'x');

      await expect.poll(() => good.heard).toEqual(['x']);
      stopBad();
      good.stop();
    });

    it('lets a listener stop or start listening while it hears', async () => {
      const channel = fresh();
      const later: { heard: (string | undefined)[]; stop: () => void }[] = [];
      const stop = bell.listen(channel, () => {
        stop();
        later.push(hear(channel));
      });

      bell.ring(channel, 'first');
      await expect.poll(() => later.length).toBe(1);
      bell.ring(channel, 'second');

      await expect.poll(() => later[0]?.heard).toEqual(['second']);
      expect(later).toHaveLength(1);
      later[0]?.stop();
    });

    it('rings where nobody listens', () => {
      expect(bell.ring(fresh(), 'x')).toBeUndefined();
    });
  });
}

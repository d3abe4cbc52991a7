import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { configMap, createHarness, valuesIn, type Harness } from './harness.ts';

/** What happens: a new desired state (names with values), and how many writes later the agent dies. */
const events = fc.array(
  fc.record({
    state: fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd', 'e'), fc.constantFrom('1', '2', '3'), {
      minKeys: 1,
      noNullPrototype: true,
    }),
    crashAfter: fc.integer({ min: 1, max: 7 }),
    /** Seconds that the agent lives at most before the next event. */
    lives: fc.integer({ min: 1, max: 12 }),
  }),
  { minLength: 1, maxLength: 6 },
);

async function publish(harness: Harness, state: Record<string, string>): Promise<number> {
  const objects = Object.entries(state).map(([name, value]) => configMap(name, value));
  return harness.hub.publish({ application: 'web', objects });
}

const isDone = (harness: Harness, generation: number) => () => {
  const report = harness.hub.reportOf('web');
  return report?.sync.status === 'Synced' && report.sync.generation === generation;
};

describe('crash safety', () => {
  it(
    'ends in the state of the crash-free run wherever it dies, any number of times (INV-15, INV-17, INV-20, INV-25)',
    { timeout: 120_000 },
    async () => {
      await fc.assert(
        fc.asyncProperty(events, async (happened) => {
          const harness = await createHarness();
          try {
            let generation = 0;
            for (const { state, crashAfter, lives } of happened) {
              generation = await publish(harness, state);
              const { crashed, kill } = harness.start({ crashAfter });
              const life = { over: false };
              void crashed.then(() => (life.over = true));
              for (let second = 0; second < lives && !life.over; second += 1) await harness.clock.advance(1000);
              await kill();
            }
            harness.start();
            await harness.until(isDone(harness, generation), `generation ${generation}`, 120);
            expect(valuesIn(harness.model)).toEqual(happened.at(-1)?.state);
          } finally {
            await harness.end();
          }
        }),
        { numRuns: 60 },
      );
    },
  );

  it('writes nothing once it is in sync, however often it is restarted (INV-29)', async () => {
    const harness = await createHarness();
    try {
      const generation = await publish(harness, { a: '1', b: '2' });
      const first = harness.start();
      await harness.until(isDone(harness, generation), 'synced');
      await first.kill();
      const before = harness.model.writes.length;
      for (let n = 0; n < 3; n += 1) {
        const { kill } = harness.start();
        await harness.clock.advance(60_000);
        await kill();
      }
      expect(harness.model.writes.slice(before)).toEqual([]);
    } finally {
      await harness.end();
    }
  });

  it(
    'takes the same and older assignments any number of times in any order for nothing (INV-13, INV-15)',
    { timeout: 60_000 },
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 12 }), async (order) => {
          const harness = await createHarness();
          try {
            const roots = [];
            for (let n = 0; n < 4; n += 1) {
              await publish(harness, { a: String(n) });
              roots.push((await harness.hub.poll({ after: 0, waitSeconds: 0 })).applications[0]);
            }
            harness.hub.forget('web');
            harness.start();
            let newest = 0;
            for (const index of order) {
              harness.hub.assign(roots[index] as never);
              newest = Math.max(newest, index);
              await harness.until(isDone(harness, newest + 1), `generation ${newest + 1}`);
              expect(valuesIn(harness.model)).toEqual({ a: String(newest) });
            }
          } finally {
            await harness.end();
          }
        }),
        { numRuns: 25 },
      );
    },
  );

  it('records the intent before the first create and keeps an entry until the object is confirmed gone (INV-17, INV-25)', async () => {
    const harness = await createHarness();
    try {
      await publish(harness, { a: '1', b: '1' });
      const { kill } = harness.start();
      await harness.until(isDone(harness, 1), 'synced');
      expect(harness.model.writes.map((call) => `${call.verb} ${call.key}`)).toEqual([
        'create /Namespace//hawser-system',
        'create /Secret/hawser-system/hawser-app-web',
        'apply /ConfigMap/shop/a',
        'apply /ConfigMap/shop/b',
        'patch /Secret/hawser-system/hawser-app-web',
      ]);
      const before = harness.model.writes.length;
      await publish(harness, { b: '1' });
      await harness.until(isDone(harness, 2), 'pruned');
      expect(harness.model.writes.slice(before).map((call) => `${call.verb} ${call.key}`)).toEqual([
        'patch /Secret/hawser-system/hawser-app-web',
        'delete /ConfigMap/shop/a',
        'patch /Secret/hawser-system/hawser-app-web',
      ]);
      await kill();
    } finally {
      await harness.end();
    }
  });
});

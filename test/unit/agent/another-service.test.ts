import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { configMap, createHarness, valuesIn, type Harness } from './harness.ts';

/**
 * A cluster in which another service's agent has left its state: what it stored cannot be verified, so it is refused, found in
 * the way when the first record is written, and taken over (INV-18, FT-55).
 */
let old: Harness;
let now: Harness;
beforeEach(async () => {
  old = await createHarness();
  now = await createHarness({}, old.model);
});
afterEach(async () => {
  await now.end();
  await old.end();
});

type Values = Record<string, string>;
const objectsOf = (values: Values) => Object.entries(values).map(([name, value]) => configMap(name, value));

/** Publishes `base`, and `web` that depends on it, and waits until both are applied. */
async function run(harness: Harness, base: Values, web: Values): Promise<{ kill(): Promise<void> }> {
  const agent = harness.start();
  const generation = await harness.hub.publish({ application: 'base', objects: objectsOf(base) });
  const last = await harness.hub.publish({
    application: 'web',
    objects: objectsOf(web),
    root: { dependsOn: [{ application: 'base', generation }] },
  });
  const synced = (application: string, of: number) => {
    const report = harness.hub.reportOf(application);
    return report?.sync.status === 'Synced' && report.sync.generation === of;
  };
  await harness.until(() => synced('base', generation) && synced('web', last), 'both are synced', 120);
  return agent;
}

describe('what another service left', () => {
  it('is taken over, also by who waits for somebody else at that moment', async () => {
    await (await run(old, { a: '1' }, { b: '1', c: '1' })).kill();
    await run(now, { a: '1' }, { b: '1', c: '1' });

    expect(valuesIn(now.model)).toEqual({ a: '1', b: '1', c: '1' });
  });

  it('is watched and corrected like everything else', async () => {
    await (await run(old, { a: '1' }, { b: '1', c: '1' })).kill();
    await run(now, { a: '1' }, { b: '1', c: '1' });
    for (const name of ['a', 'b']) {
      now.model.edit(`/ConfigMap/shop/${name}`, (live) => {
        live['data'] = { value: 'edited' };
      });
    }

    await now.until(() => Object.values(valuesIn(now.model)).every((value) => value === '1'), 'corrected');
  });

  it('is pruned where the new snapshot does not hold it, from the first operation on', async () => {
    await (await run(old, { a: '1', gone: '1' }, { b: '1', c: '1', away: '1' })).kill();
    await run(now, { a: '2' }, { b: '1', c: '2' });

    await now.until(() => !('gone' in valuesIn(now.model)) && !('away' in valuesIn(now.model)), 'pruned', 120);
    expect(valuesIn(now.model)).toEqual({ a: '2', b: '1', c: '2' });
  });
});

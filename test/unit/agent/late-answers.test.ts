import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ApplicationReport } from '#shared/messages/agent-report.ts';
import { configMap, createHarness, valuesIn, type Harness } from './harness.ts';
import type { ModelCall } from './model-cluster.ts';

const key = '/ConfigMap/shop/a';

let harness: Harness;
/** What others do once a request has taken effect; the watches tell of it before the request's answer is there. */
let meanwhile: (call: ModelCall) => void;

beforeEach(async () => {
  meanwhile = () => undefined;
  harness = await createHarness({ after: (call) => meanwhile(call) });
});

afterEach(() => harness.end());

const synced = (generation: number) => () =>
  harness.hub.reportOf('web')?.sync.status === 'Synced' && harness.hub.reportOf('web')?.sync.generation === generation;
const events = () =>
  harness.hub.reports
    .flatMap((report) => report.applications)
    .flatMap((app: ApplicationReport) => app.events.map((event) => event.reason));

/** Runs `act` after the next call of this kind, once. */
function once(verb: ModelCall['verb'], dryRun: boolean, act: () => void): void {
  meanwhile = (call) => {
    if (call.verb !== verb || call.key !== key || call.dryRun !== dryRun) return;
    meanwhile = () => undefined;
    act();
  };
}

describe('answers that come after what a watch has told since', () => {
  it('FT-101: an object that is deleted before the apply is answered is made again', async () => {
    harness.start();
    once('apply', false, () => harness.model.remove(key));
    const generation = await harness.hub.publish({ application: 'web', objects: [configMap('a'), configMap('b')] });
    await harness.until(() => valuesIn(harness.model)['a'] === '1' && synced(generation)(), 'a is there');
  });

  it('FT-101: so is one that is deleted before its correction is answered', async () => {
    harness.start();
    const generation = await harness.hub.publish({ application: 'web', objects: [configMap('a')] });
    await harness.until(synced(generation), 'synced');
    once('apply', false, () => harness.model.remove(key));
    harness.model.edit(key, (live) => void (live['data'] = { value: 'theirs' }));
    await harness.until(() => valuesIn(harness.model)['a'] === '1', 'a is there');
  });

  it('one of an early wave, too: the operation makes it again instead of waiting for it', async () => {
    harness.start();
    once('apply', false, () => harness.model.remove(key));
    const last = configMap('b', '1', { 'argocd.argoproj.io/sync-wave': '1' });
    const generation = await harness.hub.publish({ application: 'web', objects: [configMap('a'), last] });
    await harness.until(synced(generation), 'synced');
    expect(valuesIn(harness.model)).toEqual({ a: '1', b: '1' });
  });

  it('makes what is deleted again and again in such a wave no more often than drift is corrected (INV-28)', async () => {
    harness.start();
    meanwhile = (call) => {
      if (call.verb === 'apply' && call.key === key && !call.dryRun) harness.model.remove(key);
    };
    const last = configMap('b', '1', { 'argocd.argoproj.io/sync-wave': '1' });
    const generation = await harness.hub.publish({ application: 'web', objects: [configMap('a'), last] });
    await harness.clock.advance(240_000);
    const applies = harness.model.writes.filter((call) => call.verb === 'apply' && call.key === key);
    // The operation's own, and what a fight allows in five minutes.
    expect(applies.length).toBeGreaterThan(1);
    expect(applies.length).toBeLessThanOrEqual(6);
    expect(harness.hub.reportOf('web')?.conditions.map((condition) => condition.type)).toContain('Fight');
    // Whoever did it stops: the operation goes on by itself.
    meanwhile = () => undefined;
    await harness.until(synced(generation), 'synced', 900);
  });

  it('FT-101: what somebody made under its name since is seen, and set right', async () => {
    harness.start();
    once('apply', false, () => {
      const mine = structuredClone(harness.model.objects.get(key));
      harness.model.remove(key);
      if (mine !== undefined) harness.model.put({ ...mine, data: { value: 'theirs' } });
    });
    const generation = await harness.hub.publish({ application: 'web', objects: [configMap('a')] });
    await harness.until(() => valuesIn(harness.model)['a'] === '1' && synced(generation)(), 'a is ours');
    const entries = harness.hub.reportOf('web')?.resources ?? [];
    expect(entries.map((entry) => entry.name)).toEqual(['a']);
  });

  it('a deletion that is noticed by a dry run is a deletion, not a change of every field', async () => {
    harness.start();
    const generation = await harness.hub.publish({ application: 'web', objects: [configMap('a')] });
    await harness.until(synced(generation), 'synced');
    // Gone when the dry run is carried out; the watch has not told it yet.
    harness.model.options.before = (call) => {
      if (call.verb !== 'apply' || !call.dryRun || call.key !== key) return undefined;
      harness.model.objects.delete(key);
      delete harness.model.options.before;
      return undefined;
    };
    harness.model.edit(key, (live) => void (live['data'] = { value: 'theirs' }));
    await harness.until(() => valuesIn(harness.model)['a'] === '1', 'a is there');
    const drift = harness.hub.reports.flatMap((report) => report.applications).flatMap((app) => app.drift ?? []);
    expect(drift.map((entry) => entry.change)).not.toContain('modified');
    expect(events()).toContain('DriftDetected');
  });

  it('what is compared and not applied is missing once it is deleted, also while the comparison is under way', async () => {
    harness.start();
    const policy = { automated: false };
    const first = await harness.hub.publish({ application: 'web', objects: [configMap('a')] });
    await harness.until(synced(first), 'synced');
    once('apply', true, () => harness.model.remove(key));
    await harness.hub.publish({ application: 'web', objects: [configMap('a', '2')], policy });
    const isMissing = () => {
      const report = harness.hub.reportOf('web');
      return report?.resources?.find((entry) => entry.name === 'a')?.health?.status === 'Missing';
    };
    await harness.until(isMissing, 'missing');
  });

  it('what is compared as equal is missing once it is deleted', async () => {
    harness.start();
    const first = await harness.hub.publish({ application: 'web', objects: [configMap('a')] });
    await harness.until(synced(first), 'synced');
    const policy = { automated: false };
    const second = await harness.hub.publish({ application: 'web', objects: [configMap('a', '2')], policy });
    await harness.until(() => harness.hub.reportOf('web')?.sync.status === 'OutOfSync', `generation ${second}`);
    harness.model.remove(key);
    const isMissing = () =>
      harness.hub.reportOf('web')?.resources?.find((entry) => entry.name === 'a')?.health?.status === 'Missing';
    await harness.until(isMissing, 'missing');
  });
});

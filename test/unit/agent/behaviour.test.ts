import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Written } from '#agent/cluster/apply.ts';
import { HawserError } from '#shared/errors.ts';
import type { KubeObject } from '#shared/domain/kube-object.ts';
import type { ApplicationReport } from '#shared/messages/agent-report.ts';
import { configMap, createHarness, valuesIn, type Harness } from './harness.ts';
import type { ModelCall } from './model-cluster.ts';

let harness: Harness;
let refuse: (call: ModelCall) => Written | undefined;

beforeEach(async () => {
  refuse = () => undefined;
  harness = await createHarness({ before: (call) => refuse(call) });
});

afterEach(() => harness.end());

const report = (application = 'web') => harness.hub.reportOf(application);
const synced =
  (generation: number, application = 'web') =>
  () =>
    report(application)?.sync.status === 'Synced' && report(application)?.sync.generation === generation;
const until = (condition: (now: ApplicationReport) => boolean, what: string, application = 'web', seconds = 60) =>
  harness.until(
    () => {
      const now = report(application);
      return now !== undefined && condition(now);
    },
    what,
    seconds,
  );
const refused = (message: string): Written => ({ ok: false, reason: 'invalid', status: 422, message });
const writesSince = (from: number) => harness.model.writes.slice(from).map((call) => `${call.verb} ${call.key}`);

/** A Deployment that is healthy as soon as its status says so. */
function deployment(name: string, image: string): KubeObject {
  const metadata = { name, namespace: 'shop', generation: 1 };
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec: { replicas: 1, image } } as unknown as KubeObject;
}

function becomeHealthy(name: string): void {
  harness.model.edit(`apps/Deployment/shop/${name}`, (live) => {
    live['status'] = {
      observedGeneration: 1,
      replicas: 1,
      updatedReplicas: 1,
      readyReplicas: 1,
      availableReplicas: 1,
      conditions: [
        { type: 'Available', status: 'True' },
        { type: 'Progressing', status: 'True', reason: 'NewReplicaSetAvailable' },
      ],
    };
  });
}

describe('objects that are to stay when they leave Git', () => {
  const stays = [configMap('kept', '1', { 'kustomize.toolkit.fluxcd.io/prune': 'disabled' }), configMap('plain')];
  const after = async (kind: 'Application' | 'Kustomization', prune = true): Promise<void> => {
    const about = { application: 'web', root: { kind }, policy: { prune } };
    harness.start();
    const first = await harness.hub.publish({ ...about, objects: [configMap('a'), ...stays] });
    await harness.until(synced(first), 'synced');
    const next = await harness.hub.publish({ ...about, objects: [configMap('a')] });
    await until((now) => now.operation?.generation === next && now.operation.phase === 'Succeeded', 'done');
  };

  it('are nobody’s in Flux: the Kustomization is as it should be, and deletes them neither now nor later', async () => {
    await after('Kustomization');
    expect(valuesIn(harness.model)).toEqual({ a: '1', kept: '1' });
    expect(report()).toMatchObject({ sync: { status: 'Synced' }, resources: [{ name: 'a' }] });
  });

  it('are nobody’s in Flux where nothing is pruned at all', async () => {
    await after('Kustomization', false);
    expect(valuesIn(harness.model)).toEqual({ a: '1', kept: '1', plain: '1' });
    expect(report()?.sync.status).toBe('Synced');
  });

  it('stay the application’s in Argo CD, which is out of sync', async () => {
    await after('Application');
    expect(valuesIn(harness.model)).toEqual({ a: '1', kept: '1' });
    expect(report()?.sync.status).toBe('OutOfSync');
  });
});

describe('operations', () => {
  it('say of a hook that failed that it did, and why, and apply nothing after it', async () => {
    harness.start();
    const job = {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'migrate', namespace: 'shop', annotations: { 'argocd.argoproj.io/hook': 'PreSync' } },
      spec: {},
    } as unknown as KubeObject;
    await harness.hub.publish({ application: 'web', objects: [job, configMap('after')] });
    await until((now) => now.operation?.message?.includes('waiting for completion of hook') === true, 'waiting');
    harness.model.edit('batch/Job/shop/migrate', (live) => {
      live['status'] = { conditions: [{ type: 'Failed', status: 'True', message: 'took too long' }] };
    });
    await until((now) => now.operation?.message?.includes('hook Job shop/migrate failed') === true, 'failed');
    expect(report()?.operation?.resources).toEqual([
      expect.objectContaining({ name: 'migrate', hookType: 'PreSync', action: 'failed', message: 'took too long' }),
    ]);
    expect(valuesIn(harness.model)).toEqual({});
  });

  it('waits for dependencies to be applied and healthy, and starts when they are', async () => {
    harness.start();
    const base = await harness.hub.publish({ application: 'base', objects: [deployment('db', '1')] });
    await harness.hub.publish({
      application: 'web',
      objects: [configMap('a')],
      root: { dependsOn: [{ application: 'base', generation: base }] },
    });
    await until((now) => now.conditions.some((condition) => condition.type === 'DependencyNotReady'), 'the condition');
    expect(valuesIn(harness.model)).toEqual({});
    becomeHealthy('db');
    await until((now) => now.sync.status === 'Synced' && now.conditions.length === 0, 'web synced');
    expect(valuesIn(harness.model)).toEqual({ a: '1' });
  });

  it('goes on when the generation that it waits for brings the dependency nothing new', async () => {
    harness.start();
    const same = { application: 'base', objects: [configMap('base')] };
    const base = await harness.hub.publish(same);
    await harness.until(synced(base, 'base'), 'base synced');
    await harness.hub.publish({
      application: 'web',
      objects: [configMap('a')],
      root: { dependsOn: [{ application: 'base', generation: base + 2 }] },
    });
    await until((now) => now.conditions.some(({ message }) => message.includes('has not applied generation')), 'why');
    const before = harness.model.writes.length;
    await harness.hub.publish(same);
    await until((now) => now.sync.status === 'Synced' && now.conditions.length === 0, 'web synced');

    expect(valuesIn(harness.model)).toEqual({ a: '1', base: '1' });
    expect(writesSince(before).filter((call) => call.includes('ConfigMap/shop/base'))).toEqual([]);
  });

  it('tries again as the policy says, then gives up and says why', async () => {
    harness.start();
    refuse = (call) =>
      call.key === '/ConfigMap/shop/bad' && call.verb === 'apply' ? refused('no such field') : undefined;
    const retry = { limit: 2, seconds: 5, factor: 2, maxSeconds: 60 };
    await harness.hub.publish({
      application: 'web',
      objects: [configMap('bad'), configMap('good')],
      policy: { retry },
    });
    await until((now) => now.operation?.retryCount === 1, 'first retry');
    expect(report()?.operation?.message).toContain('Retrying attempt #1 in 5 s');
    await until((now) => now.operation?.phase === 'Failed', 'failed');
    expect(report()?.operation?.message).toContain('no such field (retried 2 times)');
    expect(report()?.conditions.map((condition) => condition.type)).toContain('SyncError');
    // One bad object does not keep the others from being applied, and nothing more is tried for this generation.
    expect(valuesIn(harness.model)).toEqual({ good: '1' });
    const before = harness.model.writes.length;
    await harness.clock.advance(600_000);
    expect(writesSince(before)).toEqual([]);
  });

  it('prunes nothing in a round in which an object failed (INV-20, INV-21, FT-81)', async () => {
    harness.start();
    const first = await harness.hub.publish({ application: 'web', objects: [configMap('a'), configMap('b')] });
    await harness.until(synced(first), 'synced');
    refuse = (call) => (call.key === '/ConfigMap/shop/bad' && call.verb === 'apply' ? refused('refused') : undefined);
    await harness.hub.publish({
      application: 'web',
      objects: [configMap('b'), configMap('bad')],
      policy: { retry: { limit: 1, seconds: 1, factor: 1, maxSeconds: 1 } },
    });
    await until((now) => now.operation?.phase === 'Failed', 'failed');
    await harness.clock.advance(60_000);
    expect(valuesIn(harness.model)).toEqual({ a: '1', b: '1' });
  });

  it('prunes nothing while the kind cannot be read (G-12, FT-82)', async () => {
    harness.start();
    const first = await harness.hub.publish({ application: 'web', objects: [configMap('a'), configMap('b')] });
    await harness.until(synced(first), 'synced');
    refuse = (call) => (call.key === '/ConfigMap/shop/a' && call.verb === 'get' ? refused('500') : undefined);
    await harness.hub.publish({ application: 'web', objects: [configMap('b')] });
    await until((now) => now.operation?.phase === 'Succeeded' && now.operation.generation === 2, 'operation over');
    expect(valuesIn(harness.model)).toEqual({ a: '1', b: '1' });
    expect(report()?.operation?.resources).toContainEqual(
      expect.objectContaining({
        name: 'a',
        status: 'PruneSkipped',
        message: expect.stringContaining('G-12') as string,
      }),
    );
  });

  it('judges anew when a newer generation comes while a prune waits (FT-92)', async () => {
    harness.start();
    const first = await harness.hub.publish({ application: 'web', objects: [configMap('a'), configMap('b')] });
    await harness.until(synced(first), 'synced');
    await harness.hub.publish({ application: 'web', objects: [configMap('b')] });
    await harness.clock.advance(3000);
    const third = await harness.hub.publish({ application: 'web', objects: [configMap('a'), configMap('b')] });
    await harness.until(synced(third), 'synced again');
    await harness.clock.advance(60_000);
    expect(harness.model.writes.filter((call) => call.verb === 'delete')).toEqual([]);
    expect(valuesIn(harness.model)).toEqual({ a: '1', b: '1' });
  });

  it('deletes at most five objects a second in the whole cluster (G-08)', async () => {
    harness.start();
    const many = Array.from({ length: 60 }, (_, index) => configMap(`c-${index}`));
    const first = await harness.hub.publish({ application: 'web', objects: many });
    await harness.until(synced(first), 'synced');
    const times: number[] = [];
    refuse = (call) => {
      if (call.verb === 'delete') times.push(harness.clock.monotonic());
      return undefined;
    };
    const second = await harness.hub.publish({ application: 'web', objects: many.slice(12) });
    await harness.until(synced(second), 'pruned');
    expect(times).toHaveLength(12);
    for (const [index, at] of times.entries())
      if (index >= 5) expect(at - (times[index - 5] ?? 0)).toBeGreaterThanOrEqual(1000);
  });

  it('runs a dry run without changing anything, and a selection without the rest', async () => {
    harness.start();
    const sync = { id: 's1', by: 'ann', at: new Date().toISOString() };
    const policy = { automated: false };
    const objects = [configMap('a'), configMap('b')];
    await harness.hub.publish({ application: 'web', objects, policy, root: { sync: { ...sync, dryRun: true } } });
    await until((now) => now.operation?.phase === 'Succeeded', 'dry run');
    expect(report()?.operation?.resources.map((result) => result.message)).toEqual([
      'configmap/a created (dry run)',
      'configmap/b created (dry run)',
    ]);
    expect(valuesIn(harness.model)).toEqual({});
    await harness.hub.publish({
      application: 'web',
      objects,
      policy,
      root: { sync: { ...sync, id: 's2', resources: ['/ConfigMap/shop/b'] } },
    });
    await until((now) => now.operation?.generation === 2 && now.operation.phase === 'Succeeded', 'selection');
    expect(valuesIn(harness.model)).toEqual({ b: '1' });
    expect(report()?.sync.status).toBe('OutOfSync');
  });

  it('does nothing while suspended, and goes on afterwards', async () => {
    harness.start();
    const first = await harness.hub.publish({ application: 'web', objects: [configMap('a')] });
    await harness.until(synced(first), 'synced');
    await harness.hub.publish({ application: 'web', objects: [configMap('a', '2')], policy: { suspended: true } });
    await until((now) => now.generation === 2, 'taken in');
    harness.model.remove('/ConfigMap/shop/a');
    await harness.clock.advance(60_000);
    expect(valuesIn(harness.model)).toEqual({});
    const third = await harness.hub.publish({ application: 'web', objects: [configMap('a', '2')] });
    await harness.until(synced(third), 'resumed');
  });
});

describe('corrections', () => {
  it('makes at most five corrections of an object in five minutes, then waits longer and longer and says so (INV-28)', async () => {
    harness.start();
    const first = await harness.hub.publish({ application: 'web', objects: [configMap('a')] });
    await harness.until(synced(first), 'synced');
    const before = harness.model.writes.length;
    const key = '/ConfigMap/shop/a';
    for (let second = 0; second < 290; second += 1) {
      if (valuesIn(harness.model)['a'] === '1')
        harness.model.edit(key, (live) => void ((live['data'] as Record<string, string>)['value'] = 'theirs'));
      await harness.clock.advance(1000);
    }
    expect(harness.model.writes.slice(before).filter((call) => call.key === key).length).toBeLessThanOrEqual(5);
    expect(report()?.conditions.map((condition) => condition.type)).toContain('Fight');
    // What is desired changed: the past is forgotten.
    const second = await harness.hub.publish({ application: 'web', objects: [configMap('a', '2')] });
    await harness.until(synced(second), 'applied again');
  });

  it('takes no difference that ignore rules exclude for drift', async () => {
    harness.start();
    const ignoreDifferences = [{ group: '', kind: 'ConfigMap', jsonPointers: ['/data/value'] }];
    const first = await harness.hub.publish({
      application: 'web',
      objects: [configMap('a')],
      policy: { ignoreDifferences },
    });
    await harness.until(synced(first), 'synced');
    harness.model.edit(
      '/ConfigMap/shop/a',
      (live) => void ((live['data'] as Record<string, string>)['value'] = 'theirs'),
    );
    await harness.clock.advance(10_000);
    expect(valuesIn(harness.model)).toEqual({ a: 'theirs' });
    expect(report()?.drift).toEqual([]);
  });

  it('keeps ignored live values when it applies, where the policy says so', async () => {
    harness.start();
    const ignoreDifferences = [{ group: '', kind: 'ConfigMap', jsonPointers: ['/data/value'] }];
    const policy = { ignoreDifferences, respectIgnoreDifferences: true };
    const first = await harness.hub.publish({ application: 'web', objects: [configMap('a')], policy });
    await harness.until(synced(first), 'synced');
    harness.model.edit(
      '/ConfigMap/shop/a',
      (live) => void ((live['data'] as Record<string, string>)['value'] = 'theirs'),
    );
    const changed = configMap('a');
    changed['data'] = { value: '1', more: 'x' };
    const second = await harness.hub.publish({ application: 'web', objects: [changed], policy });
    await harness.until(synced(second), 'synced again');
    expect(harness.model.objects.get('/ConfigMap/shop/a')?.['data']).toEqual({ value: 'theirs', more: 'x' });
  });

  it('backs off when a correction is refused, and shows why', async () => {
    harness.start();
    const first = await harness.hub.publish({ application: 'web', objects: [configMap('a')] });
    await harness.until(synced(first), 'synced');
    let tries = 0;
    refuse = (call) => {
      if (call.key !== '/ConfigMap/shop/a' || call.verb !== 'apply' || call.dryRun) return undefined;
      tries += 1;
      return refused('denied by policy');
    };
    harness.model.edit(
      '/ConfigMap/shop/a',
      (live) => void ((live['data'] as Record<string, string>)['value'] = 'theirs'),
    );
    await harness.clock.advance(60_000);
    expect(tries).toBeLessThanOrEqual(5);
    expect(tries).toBeGreaterThanOrEqual(3);
    expect(report()?.drift[0]?.note).toContain('denied by policy');
    refuse = () => undefined;
    await harness.until(() => valuesIn(harness.model)['a'] === '1', 'corrected', 400);
  });
});

describe('isolation', () => {
  it('keeps other applications going when one has a bad root, a missing chunk or an unknown kind (INV-16, INV-39, FT-80)', async () => {
    harness.start();
    await harness.hub.publish({ application: 'bad', objects: [configMap('x')] });
    await harness.until(synced(1, 'bad'), 'first');
    const [assignment] = (await harness.hub.poll({ after: 0, waitSeconds: 0 })).applications;
    if (assignment === undefined) throw new Error('no assignment');
    const forged = { ...assignment.root, root: assignment.root.root.replace('"generation":1', '"generation":9') };
    harness.hub.assign({ application: 'bad', generation: 9, root: forged });
    await harness.hub.publish({
      application: 'strange',
      objects: [{ apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name: 'w', namespace: 'shop' } }],
    });
    const good = await harness.hub.publish({ application: 'good', objects: [configMap('y')] });
    await harness.until(synced(good, 'good'), 'good');
    await until(
      (now) => now.conditions.some((condition) => condition.type === 'ComparisonError'),
      'the forgery is shown',
      'bad',
    );
    expect(report('bad')?.generation).toBe(1);
    expect(report('bad')?.sync.status).toBe('Unknown');
    await until(
      (now) => now.operation?.message.includes('does not know') === true,
      'the unknown kind is shown',
      'strange',
    );
    expect(valuesIn(harness.model)).toEqual({ x: '1', y: '1' });
  });

  it('goes on when its stored state is damaged, with what the hub has (FT-55)', async () => {
    const first = harness.start();
    const generation = await harness.hub.publish({ application: 'web', objects: [configMap('a')] });
    await harness.until(synced(generation), 'synced');
    await first.kill();
    const key = '/Secret/hawser-system/hawser-app-web';
    harness.model.edit(key, (secret) => {
      const data = secret['data'] as Record<string, string>;
      for (const name of Object.keys(data))
        if (name.startsWith('chunk.')) data[name] = Buffer.from('broken').toString('base64');
    });
    const damaged = JSON.stringify(harness.model.objects.get(key)?.['data']);
    harness.start();
    const next = await harness.hub.publish({ application: 'web', objects: [configMap('a', '2')] });
    await harness.until(synced(next), 'synced again');
    expect(valuesIn(harness.model)).toEqual({ a: '2' });
    expect(JSON.stringify(harness.model.objects.get(key)?.['data'])).not.toBe(damaged);
  });

  it('sends only the newest state of each application after the hub was away (FT-105)', async () => {
    harness.start();
    let generation = await harness.hub.publish({ application: 'web', objects: [configMap('a')] });
    await harness.until(synced(generation), 'synced');
    const reportNow = harness.hub.report;
    let lost = 0;
    harness.hub.report = () => {
      lost += 1;
      return Promise.reject(new Error('away'));
    };
    for (let n = 2; n < 6; n += 1) {
      generation = await harness.hub.publish({ application: 'web', objects: [configMap('a', String(n))] });
      await harness.until(() => valuesIn(harness.model)['a'] === String(n), 'applied without reports');
    }
    expect(lost).toBeGreaterThan(0);
    harness.hub.report = reportNow;
    const before = harness.hub.reports.length;
    await harness.until(synced(generation), 'reported');
    expect(
      harness.hub.reports
        .slice(before)
        .flatMap((message) => message.applications)
        .map((each) => each.generation),
    ).toEqual([generation]);
  });
});

describe('a deletion order', () => {
  const order = () => ({
    cascade: 'foreground' as const,
    by: 'ann',
    at: new Date(harness.clock.now()).toISOString(),
    until: new Date(harness.clock.now() + 600_000).toISOString(),
  });
  const wave = (name: string, number: number) =>
    configMap(name, '1', { 'argocd.argoproj.io/sync-wave': String(number) });
  const hook = (name: string, phase: string) =>
    configMap(name, '1', {
      'argocd.argoproj.io/hook': phase,
      'argocd.argoproj.io/hook-delete-policy': 'HookSucceeded',
    });

  it('runs its hooks around deletes in reverse waves, keeps what asks for it, and says when all is done (G-10)', async () => {
    harness.start();
    const kept = configMap('kept', '1', { 'argocd.argoproj.io/sync-options': 'Delete=false' });
    const objects = [
      wave('first', 0),
      wave('second', 1),
      kept,
      hook('before', 'PreDelete'),
      hook('after', 'PostDelete'),
    ];
    const first = await harness.hub.publish({ application: 'web', objects });
    await harness.until(synced(first), 'synced');
    expect(valuesIn(harness.model)).toEqual({ first: '1', second: '1', kept: '1' });
    const before = harness.model.writes.length;
    await harness.hub.publish({ application: 'web', objects, root: { deletion: order() } });
    await until((now) => now.deleted === true, 'deleted');
    expect(valuesIn(harness.model)).toEqual({ kept: '1' });
    const steps = writesSince(before).filter((call) => call.includes('ConfigMap'));
    expect(steps).toEqual([
      'apply /ConfigMap/shop/before',
      'delete /ConfigMap/shop/second',
      'delete /ConfigMap/shop/first',
      'apply /ConfigMap/shop/after',
      expect.stringMatching(/^delete .*(before|after)$/),
      expect.stringMatching(/^delete .*(before|after)$/),
    ]);
    expect([...harness.model.objects.keys()].filter((key) => key.includes('/Secret/'))).toEqual([]);
  });

  it('deletes nothing when it has expired, or when it says orphan', async () => {
    harness.start();
    const first = await harness.hub.publish({ application: 'web', objects: [configMap('a')] });
    await harness.until(synced(first), 'synced');
    await harness.hub.publish({
      application: 'web',
      objects: [configMap('a')],
      root: { deletion: { ...order(), until: new Date(harness.clock.now() - 1000).toISOString() } },
    });
    await until((now) => now.conditions.some((condition) => condition.type === 'DeletionError'), 'expired');
    await harness.clock.advance(60_000);
    expect(valuesIn(harness.model)).toEqual({ a: '1' });
    await harness.hub.publish({
      application: 'web',
      objects: [configMap('a')],
      root: { deletion: { ...order(), cascade: 'orphan' } },
    });
    await until((now) => now.deleted === true, 'forgotten');
    expect(valuesIn(harness.model)).toEqual({ a: '1' });
  });

  it('is carried out to its end wherever the agent dies (INV-17)', async () => {
    for (let crashAfter = 1; crashAfter < 12; crashAfter += 1) {
      const own = await createHarness();
      try {
        const objects = [wave('first', 0), wave('second', 1), hook('after', 'PostDelete')];
        const calm = own.start();
        await own.hub.publish({ application: 'web', objects });
        await own.until(() => own.hub.reportOf('web')?.sync.status === 'Synced', 'synced');
        await calm.kill();
        await own.hub.publish({ application: 'web', objects, root: { deletion: order() } });
        const dying = own.start({ crashAfter });
        await own.clock.advance(30_000);
        await dying.kill();
        own.start();
        await own.until(
          () => own.hub.reportOf('web')?.deleted === true,
          `deleted after a crash at write ${crashAfter}`,
        );
        expect(valuesIn(own.model)).toEqual({});
      } finally {
        await own.end();
      }
    }
  });
});

describe('taking assignments in', () => {
  it('keeps no application waiting for the chunks of another, and comes back for those (INV-39)', async () => {
    harness.start();
    const chunks = harness.hub.chunks;
    await harness.hub.publish({ application: 'slow', objects: [configMap('slow')] });
    let refusals = 0;
    harness.hub.chunks = () => {
      refusals += 1;
      return Promise.reject(new HawserError('unavailable', 'not now', { retry: 'later' }));
    };
    await harness.clock.advance(2000);
    expect(refusals).toBeGreaterThan(0);
    harness.hub.chunks = async (digests) => {
      const found = await chunks(digests);
      const slow = [...found].filter(([, text]) => Buffer.from(text).includes('"slow"'));
      if (slow.length > 0 && !released.now) throw new HawserError('unavailable', 'not now', { retry: 'later' });
      return found;
    };
    const released = { now: false };
    const quick = await harness.hub.publish({ application: 'quick', objects: [configMap('quick')] });
    await harness.until(synced(quick, 'quick'), 'quick');
    expect(valuesIn(harness.model)).toEqual({ quick: '1' });
    released.now = true;
    await harness.until(synced(1, 'slow'), 'slow', 120);
  });
});

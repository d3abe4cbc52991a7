import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { KubeObject } from '#shared/domain/kube-object.ts';
import type { ApplicationReport } from '#shared/messages/agent-report.ts';
import {
  agentBundle,
  startAgent,
  startTestCluster,
  writeVerbs,
  type AgentProcess,
  type TestCluster,
} from '#test/kit/cluster.ts';
import { createFakeHub, type FakeHub } from '#test/kit/fake-hub.ts';

let cluster: TestCluster;
let hub: FakeHub;
let agent: AgentProcess;
let space = 0;
let namespace: string;

beforeAll(async () => {
  [cluster] = await Promise.all([startTestCluster('agent'), agentBundle()]);
}, 20 * 60_000);

afterAll(async () => {
  await cluster?.stop();
}, 30_000);

beforeEach(async () => {
  space += 1;
  namespace = `space-${space}`;
  hub = await createFakeHub();
  await hub.listen();
});

afterEach(async (context) => {
  if (context.task.result?.state === 'fail') console.log(agent?.log.slice(-60).join('\n'));
  await agent?.stop('SIGKILL');
  await hub?.close();
}, 20_000);

/** An agent with a state namespace of its own, as if the cluster were fresh. */
async function start(environment: Record<string, string> = {}): Promise<void> {
  agent = await startAgent(cluster.sandbox, hub, { HAWSER_NAMESPACE: `hawser-${space}`, ...environment });
}

function configMap(name: string, data: Record<string, string> = { value: '1' }): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data };
}

function deployment(name: string, image = 'registry.example/web:1', replicas = 1): KubeObject {
  const labels = { app: name };
  const template = { metadata: { labels }, spec: { containers: [{ name: 'web', image }] } };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace },
    spec: { replicas, selector: { matchLabels: labels }, template },
  } as unknown as KubeObject;
}

function publish(
  application: string,
  objects: KubeObject[],
  more: Partial<Parameters<FakeHub['publish']>[0]> = {},
): Promise<number> {
  return hub.publish({
    application,
    objects,
    destinationNamespace: namespace,
    ...more,
    policy: { createNamespace: true, ...more.policy },
  });
}

const isSynced = (generation: number) => (report: ApplicationReport) =>
  report.sync.status === 'Synced' && report.sync.generation === generation;
const path = (name: string) => `/api/v1/namespaces/${namespace}/configmaps/${name}`;
const dataOf = async (name: string) => (await cluster.get(path(name)))?.['data'] as Record<string, string> | undefined;

async function eventually(condition: () => Promise<boolean>, what: string, timeoutMs = 10_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('apply', { timeout: 30_000 }, () => {
  it('applies a signed snapshot, marks it as ours and reports it healthy', async () => {
    await start();
    const generation = await publish('web', [configMap('settings'), deployment('web')]);

    const report = await hub.until('web', (now) => isSynced(generation)(now) && now.health.status === 'Healthy');

    expect(report.operation).toMatchObject({ phase: 'Succeeded', generation, initiatedBy: { automated: true } });
    expect(report.operation?.resources.map((result) => result.message)).toEqual([
      'configmap/settings created',
      'deployment.apps/web created',
    ]);
    expect(report.images).toEqual(['registry.example/web:1']);
    const live = await cluster.get(path('settings'));
    expect(live?.metadata['managedFields']).toContainEqual(
      expect.objectContaining({ manager: 'hawser', operation: 'Apply' }),
    );
    const parent = await cluster.get(`/api/v1/namespaces/hawser-${space}/secrets/hawser-app-web`);
    expect(parent?.metadata.labels?.['applyset.kubernetes.io/id']).toBe(
      live?.metadata.labels?.['applyset.kubernetes.io/part-of'],
    );
    expect(parent?.metadata.annotations?.['applyset.kubernetes.io/contains-group-kinds']).toBe(
      'ConfigMap,Deployment.apps',
    );
  });

  it('needs exactly three writes for a change of one object of many, and none while in sync (INV-17, INV-29)', async () => {
    await start();
    const many = Array.from({ length: 20 }, (_, index) => configMap(`c-${index}`));
    const first = await publish('web', many);
    await hub.until('web', isSynced(first));
    await new Promise((resolve) => setTimeout(resolve, 300));

    const before = Date.now();
    const second = await publish('web', [configMap('c-0', { value: '2' }), ...many.slice(1)]);
    await hub.until('web', isSynced(second));
    await new Promise((resolve) => setTimeout(resolve, 500));

    const writes = (await cluster.auditSince(before)).map((entry) => `${entry.verb} ${entry.uri.replace(/\?.*/, '')}`);
    expect(writes).toEqual([
      `patch /api/v1/namespaces/hawser-${space}/secrets/hawser-app-web`,
      `patch ${path('c-0')}`,
      `patch /api/v1/namespaces/hawser-${space}/secrets/hawser-app-web`,
    ]);
  });

  it('writes once for a generation that changes no object', async () => {
    await start();
    const first = await publish('web', [configMap('a')]);
    await hub.until('web', isSynced(first));
    await new Promise((resolve) => setTimeout(resolve, 300));
    const before = Date.now();
    const second = await publish('web', [configMap('a')], { revision: 'only-the-commit-moved' });
    const report = await hub.until('web', isSynced(second));
    expect(report.sync.revision).toBe('only-the-commit-moved');
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect((await cluster.auditSince(before)).map((entry) => entry.verb)).toEqual(['patch']);
  });

  it('applies waves in order and waits for health between them', async () => {
    await start();
    const late = {
      ...configMap('late'),
      metadata: { ...configMap('late').metadata, annotations: { 'argocd.argoproj.io/sync-wave': '2' } },
    };
    const generation = await publish('web', [late, deployment('web')]);
    const report = await hub.until('web', isSynced(generation));
    expect(report.operation?.resources.map((result) => result.name)).toEqual(['web', 'late']);
    const [web, after] = [
      await cluster.get(`/apis/apps/v1/namespaces/${namespace}/deployments/web`),
      await cluster.get(path('late')),
    ];
    const status = web?.['status'] as { conditions: { type: string; lastTransitionTime: string }[] } | undefined;
    const available = status?.conditions.find((condition) => condition.type === 'Available');
    expect(Date.parse(String(after?.metadata['creationTimestamp']))).toBeGreaterThanOrEqual(
      Date.parse(available?.lastTransitionTime ?? ''),
    );
  });

  it('runs hooks around the sync and deletes those that ask for it', async () => {
    await start();
    const hook = (name: string, phase: string): KubeObject =>
      ({
        apiVersion: 'batch/v1',
        kind: 'Job',
        metadata: {
          name,
          namespace,
          annotations: { 'argocd.argoproj.io/hook': phase, 'argocd.argoproj.io/hook-delete-policy': 'HookSucceeded' },
        },
        spec: {
          template: {
            spec: { restartPolicy: 'Never', containers: [{ name: 'job', image: 'registry.example/job:1' }] },
          },
        },
      }) as unknown as KubeObject;
    const generation = await publish('web', [configMap('a'), hook('before', 'PreSync'), hook('after', 'PostSync')]);

    const report = await hub.until(
      'web',
      (now) => isSynced(generation)(now) && now.operation?.phase === 'Succeeded',
      25_000,
    );

    expect(report.operation?.resources.map((result) => [result.name, result.phase])).toEqual([
      ['before', 'PreSync'],
      ['a', 'Sync'],
      ['after', 'PostSync'],
    ]);
    await eventually(
      async () => (await cluster.list(`/apis/batch/v1/namespaces/${namespace}/jobs`)).length === 0,
      'hooks are gone',
    );
  });

  it('applies a definition and its instances in one snapshot (FT-64)', async () => {
    await start();
    const group = `g${space}.example.com`;
    const definition = {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: `widgets.${group}` },
      spec: {
        group,
        scope: 'Namespaced',
        names: { plural: 'widgets', singular: 'widget', kind: 'Widget' },
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
          },
        ],
      },
    } as unknown as KubeObject;
    const widget = {
      apiVersion: `${group}/v1`,
      kind: 'Widget',
      metadata: { name: 'one', namespace },
      spec: { size: 3 },
    } as unknown as KubeObject;
    const generation = await publish('web', [widget, definition]);
    await hub.until('web', isSynced(generation));
    expect((await cluster.get(`/apis/${group}/v1/namespaces/${namespace}/widgets/one`))?.['spec']).toEqual({ size: 3 });
  });

  it('reports an immutable field as a failure, and recreates where force says so (FT-67)', async () => {
    await start();
    const job = (image: string): KubeObject =>
      ({
        apiVersion: 'batch/v1',
        kind: 'Job',
        metadata: { name: 'once', namespace },
        spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'job', image }] } } },
      }) as unknown as KubeObject;
    const first = await publish('web', [job('registry.example/job:1')]);
    await hub.until('web', isSynced(first));
    await publish('web', [job('registry.example/job:2')], {
      policy: { retry: { limit: 0, seconds: 1, factor: 1, maxSeconds: 1 } },
    });
    const failed = await hub.until('web', (report) => report.operation?.phase === 'Failed');
    expect(failed.operation?.message).toContain('ImmutableField');
    expect(failed.conditions.map((condition) => condition.type)).toContain('SyncError');
    const third = await publish('web', [job('registry.example/job:3')], { policy: { force: true } });
    await hub.until('web', isSynced(third), 15_000);
  });
});

describe('drift', { timeout: 30_000 }, () => {
  it('undoes an edit and says so', async () => {
    await start();
    const generation = await publish('web', [configMap('a'), configMap('b')]);
    await hub.until('web', isSynced(generation));
    await cluster.send('PATCH', path('a'), { data: { value: 'edited' } });
    await eventually(async () => (await dataOf('a'))?.['value'] === '1', 'the edit is undone');
    const report = await hub.until('web', (now) => now.drift.some((drift) => drift.correctedAt !== undefined));
    expect(report.drift[0]).toMatchObject({
      kind: 'ConfigMap',
      name: 'a',
      change: 'modified',
      fields: [{ path: '/data/value', desired: '"1"', live: '"edited"' }],
    });
    expect(report.sync.status).toBe('Synced');
  });

  it('leaves fields alone that somebody else added', async () => {
    await start();
    const generation = await publish('web', [configMap('a')]);
    await hub.until('web', isSynced(generation));
    await cluster.send('PATCH', path('a'), { data: { theirs: 'x' }, metadata: { annotations: { note: 'mine' } } });
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(await dataOf('a')).toEqual({ value: '1', theirs: 'x' });
    expect(hub.reportOf('web')?.drift).toEqual([]);
  });

  it('recreates what was deleted, and takes back what lost our label', async () => {
    await start();
    const generation = await publish('web', [configMap('a'), configMap('b')]);
    await hub.until('web', isSynced(generation));
    await cluster.send('DELETE', path('a'));
    await eventually(async () => (await dataOf('a')) !== undefined, 'a is back');
    await cluster.send('PATCH', path('b'), { metadata: { labels: { 'applyset.kubernetes.io/part-of': null } } });
    await eventually(
      async () => (await cluster.get(path('b')))?.metadata.labels?.['applyset.kubernetes.io/part-of'] !== undefined,
      'b is marked again',
    );
  });

  it('only reports where self-heal is off, with the values of Secrets masked', async () => {
    await start();
    const secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 's', namespace },
      data: { key: 'b2xk' },
    } as unknown as KubeObject;
    const generation = await publish('web', [secret], { policy: { selfHeal: false } });
    await hub.until('web', isSynced(generation));
    await cluster.send('PATCH', `/api/v1/namespaces/${namespace}/secrets/s`, { data: { key: 'Y2FuYXJ5' } });
    const report = await hub.until('web', (now) => now.sync.status === 'OutOfSync');
    expect(report.drift[0]).toMatchObject({ name: 's', change: 'modified', note: 'self-heal is off' });
    expect(JSON.stringify(hub.reports)).not.toContain('Y2FuYXJ5');
    expect(agent.log.join()).not.toContain('Y2FuYXJ5');
    hub.command({ type: 'live', question: 'q', application: 'web', key: `/Secret/${namespace}/s` });
    await hub.untilTrue(() => hub.answers.length > 0, 'an answer');
    expect(JSON.stringify(hub.answers)).not.toMatch(/Y2FuYXJ5|b2xk/);
  });

  it('compares without writing objects where nobody asked for a sync, then syncs when somebody does', async () => {
    await start();
    await publish('web', [configMap('a')], { policy: { automated: false } });
    const compared = await hub.until('web', (now) => now.sync.status === 'OutOfSync');
    expect(compared.health.status).toBe('Missing');
    expect(await dataOf('a')).toBeUndefined();
    const generation = await publish('web', [configMap('a')], {
      policy: { automated: false },
      root: { sync: { id: 'sync-1', by: 'ann', at: new Date().toISOString() } },
    });
    const synced = await hub.until('web', isSynced(generation));
    expect(synced.operation?.initiatedBy).toEqual({ username: 'ann' });
  });
});

describe('prune', { timeout: 40_000 }, () => {
  it('deletes what is no longer desired, after a moment, and nothing else (INV-20, INV-24)', async () => {
    await start();
    const first = await publish('web', [configMap('a'), configMap('b'), configMap('c')]);
    await hub.until('web', isSynced(first));
    await cluster.send('POST', `/api/v1/namespaces/${namespace}/configmaps`, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'copy', labels: (await cluster.get(path('a')))?.metadata.labels },
    });
    const second = await publish('web', [configMap('b'), configMap('c')]);
    const report = await hub.until('web', isSynced(second), 15_000);
    expect(report.operation?.resources).toContainEqual(
      expect.objectContaining({ name: 'a', status: 'Pruned', action: 'deleted' }),
    );
    expect(await cluster.get(path('a'))).toBeUndefined();
    expect(await cluster.get(path('copy'))).toBeDefined();
  });

  it('holds a prune of everything until exactly that list is confirmed (G-02, G-03, G-13)', async () => {
    await start();
    const many = Array.from({ length: 12 }, (_, index) => configMap(`c-${index}`));
    const first = await publish('web', many);
    await hub.until('web', isSynced(first));
    await publish('web', []);
    const held = await hub.until('web', (now) => now.hold !== undefined, 15_000);
    expect(held.hold?.guards).toContain('G-02');
    expect(held.hold?.objects).toHaveLength(12);
    expect(
      await cluster.list(`/api/v1/namespaces/${namespace}/configmaps?labelSelector=applyset.kubernetes.io/part-of`),
    ).toHaveLength(12);
    const confirmedPrunes = {
      listDigest: held.hold?.listDigest ?? '',
      until: new Date(Date.now() + 60_000).toISOString(),
    };
    const confirmed = await publish('web', [], {
      root: { sync: { id: 's', by: 'ann', at: new Date().toISOString(), prune: true, confirmedPrunes } },
    });
    await hub.until('web', isSynced(confirmed), 15_000);
    expect(
      await cluster.list(`/api/v1/namespaces/${namespace}/configmaps?labelSelector=applyset.kubernetes.io/part-of`),
    ).toEqual([]);
  });

  it('keeps objects and says so where pruning is off', async () => {
    await start();
    const first = await publish('web', [configMap('a'), configMap('b')], { policy: { prune: false } });
    await hub.until('web', isSynced(first));
    await publish('web', [configMap('b', { value: '2' })], { policy: { prune: false } });
    const report = await hub.until(
      'web',
      (now) =>
        now.operation?.generation === now.generation && now.operation.phase === 'Succeeded' && now.generation > first,
    );
    expect(report.sync.status).toBe('OutOfSync');
    expect(report.resources).toContainEqual(expect.objectContaining({ name: 'a', requiresPruning: true }));
    expect(report.operation?.resources).toContainEqual(expect.objectContaining({ name: 'a', status: 'PruneSkipped' }));
    expect(await dataOf('a')).toBeDefined();
  });

  it('hands an object that moved over to the application that declares it now (G-09, FT-83)', async () => {
    await start();
    const first = await publish('one', [configMap('a'), configMap('moving')]);
    await hub.until('one', isSynced(first));
    const uid = (await cluster.get(path('moving')))?.metadata.uid;
    await publish('two', [configMap('moving'), configMap('own')]);
    const shared = await hub.until('two', (now) =>
      now.conditions.some((condition) => condition.type === 'SharedResourceWarning'),
    );
    expect(shared.conditions[0]?.message).toContain('one');
    const second = await publish('one', [configMap('a')]);
    await hub.until('one', isSynced(second), 15_000);
    await hub.until('two', (now) => now.sync.status === 'Synced', 15_000);
    expect((await cluster.get(path('moving')))?.metadata.uid).toBe(uid);
  });

  it('carries out a deletion order and forgets the application (G-10); vanishing from the list does nothing (INV-26)', async () => {
    await start();
    const first = await publish('web', [configMap('a'), deployment('web')]);
    await hub.until('web', isSynced(first));
    hub.forget('web');
    hub.command({ type: 'resend' });
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(await dataOf('a')).toBeDefined();
    const now = Date.now();
    await publish('web', [configMap('a'), deployment('web')], {
      root: {
        deletion: {
          cascade: 'foreground',
          by: 'ann',
          at: new Date(now).toISOString(),
          until: new Date(now + 600_000).toISOString(),
        },
      },
    });
    await hub.until('web', (report) => report.deleted === true, 20_000);
    expect(await dataOf('a')).toBeUndefined();
    expect(await cluster.get(`/apis/apps/v1/namespaces/${namespace}/deployments/web`)).toBeUndefined();
    expect(await cluster.get(`/api/v1/namespaces/hawser-${space}/secrets/hawser-app-web`)).toBeUndefined();
  });
});

describe('restart', { timeout: 60_000 }, () => {
  it('heals from what is stored, with the service gone (INV-42)', async () => {
    await start();
    const generation = await publish('web', [configMap('a'), configMap('b')]);
    await hub.until('web', isSynced(generation));
    await agent.stop('SIGKILL');
    hub.setAvailable(false);
    await cluster.send('DELETE', path('a'));
    await cluster.send('PATCH', path('b'), { data: { value: 'edited' } });
    await start();
    await eventually(
      async () => (await dataOf('a')) !== undefined && (await dataOf('b'))?.['value'] === '1',
      'healed offline',
    );
    hub.setAvailable(true);
    await hub.until('web', isSynced(generation), 40_000);
  });

  it('writes nothing after a restart in sync (INV-29)', async () => {
    await start();
    const generation = await publish('web', [configMap('a'), deployment('web')]);
    await hub.until('web', (report) => isSynced(generation)(report) && report.health.status === 'Healthy');
    await agent.stop();
    const before = Date.now();
    const reports = hub.reports.length;
    await start();
    await hub.untilTrue(
      () =>
        hub.reports.slice(reports).some((report) => report.applications.some((app) => app.sync.status === 'Synced')),
      'a report after the restart',
    );
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(await cluster.auditSince(before, writeVerbs)).toEqual([]);
  });

  it('never goes back a generation (INV-15)', async () => {
    await start();
    const old = await publish('web', [configMap('a', { value: 'old' })]);
    await hub.until('web', isSynced(old));
    const oldRoot = (await hub.poll({ after: 0, waitSeconds: 0 })).applications[0];
    const generation = await publish('web', [configMap('a', { value: 'new' })]);
    await hub.until('web', isSynced(generation));
    await agent.stop();
    hub.assign(oldRoot as never);
    await start();
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect((await dataOf('a'))?.['value']).toBe('new');
  });
});

import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HawserError } from '#shared/errors.ts';
import { sha256 } from '#shared/domain/digest.ts';
import type { JsonObject } from '#shared/domain/json.ts';
import type { ApplicationReport } from '#shared/messages/agent-report.ts';
import type { ApplicationDetail, ApplicationList, ApplicationSummary } from '#shared/messages/api.ts';
import type { HubUpdate } from '#shared/ports/hub.ts';
import { readHead, rootOf } from '#shared/state/heads.ts';
import { listOf } from '#functions/api/routes/applications.ts';
import {
  cluster,
  configMap,
  drain,
  openApi,
  openServiceParts,
  organisation,
  type ServiceParts,
} from '#test/kit/service-parts.ts';

let parts: ServiceParts;
let api: Awaited<ReturnType<typeof openApi>>;
beforeEach(async () => {
  parts = await openServiceParts();
  api = await openApi(parts);
  await push('1');
});
afterEach(() => parts.close());

async function ask<T = Record<string, unknown>>(
  method: string,
  path: string,
  body?: unknown,
  token = api.tokens.admin,
): Promise<T> {
  const response = await api.ask(token, method, `/api/v1${path}`, body);
  const answer = (await response.json()) as T;
  await drain(parts);
  return answer;
}

async function push(value: string): Promise<void> {
  parts.git.push('demo', { 'web/a.yaml': configMap('a', value), 'other/a.yaml': configMap('a', value) });
  const hint = { organisation, repository: 'demo', reason: 'push', trace: `push-${value}`, at: value };
  await parts.hints.send([JSON.stringify(hint)]);
  await drain(parts);
}

function argo(name: string, spec: object = {}): JsonObject {
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Application',
    metadata: { name, namespace: 'argocd', labels: { team: 'shop' } },
    spec: {
      project: 'default',
      source: { repoURL: 'https://git.test/demo.git', path: name },
      destination: { server: 'https://kubernetes.default.svc', namespace: 'shop' },
      ...spec,
    },
  } as JsonObject;
}

const gitRepository = {
  apiVersion: 'source.toolkit.fluxcd.io/v1',
  kind: 'GitRepository',
  metadata: { name: 'demo', namespace: 'flux-system' },
  spec: { url: 'https://git.test/demo.git', ref: { branch: 'main' } },
};
const kustomization = {
  apiVersion: 'kustomize.toolkit.fluxcd.io/v1',
  kind: 'Kustomization',
  metadata: { name: 'web', namespace: 'flux-system' },
  spec: {
    interval: '1m',
    path: 'web',
    prune: true,
    targetNamespace: 'shop',
    sourceRef: { kind: 'GitRepository', name: 'demo' },
  },
};

const apply = (...objects: object[]) => ask<{ items: Record<string, string>[] }>('POST', '/objects', { objects });

async function generationOf(application: string): Promise<number> {
  return (await readHead(parts.store, organisation, cluster, application))?.value.generation ?? 0;
}

/** What the agent says of an application once its newest generation is applied. */
async function applied(application: string, more: Partial<ApplicationReport> = {}): Promise<void> {
  const head = await readHead(parts.store, organisation, cluster, application);
  const generation = head?.value.generation ?? 0;
  const revision = head === undefined ? '' : rootOf(head.value).revision;
  const startedAt = new Date(parts.clock.now()).toISOString();
  const operation = {
    phase: 'Succeeded' as const,
    message: 'successfully synced (all tasks run)',
    generation,
    revision,
    startedAt,
    finishedAt: startedAt,
    initiatedBy: { automated: true },
    retryCount: 0,
    resources: [],
  };
  const one: ApplicationReport = {
    application,
    generation,
    sync: { status: 'Synced', revision, generation },
    health: { status: 'Healthy' },
    operation,
    resources: [resource],
    drift: [],
    conditions: [],
    events: [],
    images: ['nginx:1'],
    ...more,
  };
  const response = await api.ask(api.tokens.agent, 'POST', '/api/v1/agent/reports', {
    format: 1,
    epoch: '2026',
    sequence: (sequence += 1),
    agentVersion: '1',
    version: 1,
    applications: [one],
    heartbeat: { digest: '', applications: 1, objects: 1, memoryBytes: 1 },
  });
  expect(response.status).toBe(202);
  await drain(parts);
}
let sequence = 0;
const resource = {
  group: '',
  version: 'v1',
  kind: 'ConfigMap',
  namespace: 'shop',
  name: 'a',
  status: 'Synced' as const,
};

describe('handing objects in', () => {
  it('says of each what happened: created, unchanged, configured, refused', async () => {
    expect((await apply(argo('web'))).items).toMatchObject([
      { kind: 'Application', name: 'web', action: 'created', application: 'web' },
    ]);
    expect((await apply(argo('web'))).items).toMatchObject([{ action: 'unchanged' }]);
    const changed = argo('web', { destination: { name: 'in-cluster', namespace: 'moved' } });
    expect((await apply(changed, argo('bad', { project: 'absent' }), { kind: 'Pod' })).items).toMatchObject([
      { action: 'configured' },
      { action: 'refused', message: 'project absent does not exist' },
      { action: 'refused', message: 'apiVersion or kind is missing' },
    ]);
  });

  it('takes Flux objects in any order', async () => {
    expect((await apply(kustomization, gitRepository)).items).toMatchObject([
      { kind: 'Kustomization', action: 'created', application: 'flux-system-web' },
      { kind: 'GitRepository', action: 'created' },
    ]);
    expect(await generationOf('flux-system-web')).toBeGreaterThan(0);
  });

  it('keeps a Kustomization whose source is still to come, and goes on when it has', async () => {
    expect((await apply(kustomization)).items).toMatchObject([
      { action: 'created', message: 'GitRepository flux-system/demo does not exist' },
    ]);
    await apply(gitRepository);

    expect(await generationOf('flux-system-web')).toBeGreaterThan(0);
  });

  it('changes nothing when it is a dry run', async () => {
    const { items } = await ask<{ items: unknown[] }>('POST', '/objects', { objects: [argo('web')], dryRun: true });

    expect(items).toMatchObject([{ action: 'created' }]);
    expect((await api.ask(api.tokens.admin, 'GET', '/api/v1/applications/web')).status).toBe(404);
  });

  it('is refused for a cluster that nobody registered', async () => {
    expect(await ask('POST', '/objects', { objects: [argo('web')], cluster: 'nowhere' })).toMatchObject({
      status: 404,
    });
  });
});

describe('an Application, as Argo CD’s users read it', () => {
  const read = () => ask<{ status: JsonObject & Record<string, never> }>('GET', '/objects/applications/argocd/web');

  it('comes back as it was declared, with status', async () => {
    await apply(argo('web'));
    const object = await read();

    expect(object).toMatchObject(argo('web'));
    expect(object).toHaveProperty('metadata.uid');
    expect(object.status['sync']).toMatchObject({ status: 'Unknown' });
  });

  it('keeps people’s jq lines working', async () => {
    await apply(argo('web'));
    await applied('web');
    const { status } = await read();
    const commit = parts.git.tip('demo')?.commit;

    expect(status).toMatchObject({
      sync: {
        status: 'Synced',
        revision: commit,
        comparedTo: { source: { path: 'web' }, destination: { namespace: 'shop' } },
      },
      health: { status: 'Healthy' },
      operationState: {
        phase: 'Succeeded',
        message: 'successfully synced (all tasks run)',
        operation: { sync: { revision: commit }, initiatedBy: { automated: true } },
        syncResult: { revision: commit },
      },
      resources: [{ version: 'v1', kind: 'ConfigMap', namespace: 'shop', name: 'a', status: 'Synced' }],
      history: [{ revision: commit, deployedAt: expect.any(String), id: expect.any(Number) }],
      summary: { images: ['nginx:1'] },
      conditions: [],
    });
  });

  it('is OutOfSync while a newer generation waits, and shows what fails', async () => {
    await apply(argo('web'));
    await applied('web');
    await push('2');
    expect((await read()).status['sync']).toMatchObject({ status: 'OutOfSync' });

    parts.git.push('demo', { 'web/a.yaml': 'broken' });
    await parts.hints.send([JSON.stringify({ organisation, repository: 'demo', reason: 'push', trace: 'x', at: 'x' })]);
    await drain(parts);
    const { status } = await read();
    expect(status['sync']).toMatchObject({ status: 'Unknown' });
    expect(status['conditions']).toMatchObject([{ type: 'ComparisonError', message: 'a file says that it is broken' }]);
  });

  it('is one piece: its line says what its conditions say, also before the list does', async () => {
    await push('1');
    await apply(argo('web'));
    await applied('web');
    const key = { partition: `T#${organisation}`, sort: 'APP#web' };
    const before = await parts.store.get(key.partition, key.sort);
    parts.git.push('demo', { 'web/a.yaml': 'broken' });
    await parts.hints.send([JSON.stringify({ organisation, repository: 'demo', reason: 'push', trace: 'y', at: 'y' })]);
    await drain(parts);
    // The list is written a moment after the status.
    await parts.store.put({ ...key, revision: 1e6, value: before?.value });

    expect(await ask('GET', '/applications/web')).toMatchObject({
      sync: 'Unknown',
      message: 'a file says that it is broken',
      conditions: [{ type: 'ComparisonError' }],
    });
    expect((await read()).status['sync']).toMatchObject({ status: 'Unknown' });
  });

  it('is listed by kind and namespace, by any of its names', async () => {
    await apply(argo('web'), argo('other'));
    const names = async (path: string) =>
      ((await ask<{ items: { metadata: { name: string } }[] }>('GET', path)).items ?? []).map(
        (one) => one.metadata.name,
      );

    expect(await names('/objects/applications')).toEqual(['other', 'web']);
    expect(await names('/objects/app?namespace=argocd')).toEqual(['other', 'web']);
    expect(await names('/objects/Application?namespace=elsewhere')).toEqual([]);
    expect(await ask('GET', '/objects/pods')).toMatchObject({ status: 404 });
  });
});

describe('a refresh', () => {
  const refresh = async () => {
    // Not as `ask` does: nothing is drained.
    const answer = await api.ask(api.tokens.admin, 'POST', '/api/v1/applications/web/refresh');
    return ((await answer.json()) as { ticket: number }).ticket;
  };
  const planned = async () => {
    const answer = await api.ask(api.tokens.admin, 'GET', '/api/v1/applications/web');
    return ((await answer.json()) as { plannedTicket: number }).plannedTicket;
  };
  beforeEach(async () => {
    await push('1');
    await apply(argo('web'));
  });

  it('is done when a plan that began after it has found nothing new', async () => {
    const ticket = await refresh();
    expect(await planned()).toBeLessThan(ticket);
    await drain(parts);
    expect(await planned()).toBeGreaterThan(ticket);
  });

  it('is done when what it found is published, not when it is being rendered', async () => {
    parts.git.push('demo', { 'web/a.yaml': configMap('a', '2') });
    const ticket = await refresh();
    for (const delivery of await parts.hints.receive({ max: 10, waitSeconds: 0, visibilitySeconds: 60 })) {
      await parts.plan(JSON.parse(delivery.body) as never);
      await parts.hints.done([delivery]);
    }
    expect(await planned()).toBeLessThan(ticket);
    await drain(parts);
    expect(await planned()).toBeGreaterThan(ticket);
  });

  it('is done when its plan failed, and when the mended source takes the complaint back', async () => {
    parts.git.push('demo', { 'web/a.yaml': 'broken' });
    const failed = await refresh();
    await drain(parts);
    expect(await planned()).toBeGreaterThan(failed);

    parts.git.push('demo', { 'web/a.yaml': configMap('a', '1') });
    const ticket = await refresh();
    const [delivery] = await parts.hints.receive({ max: 10, waitSeconds: 0, visibilitySeconds: 60 });
    if (delivery) await parts.plan(JSON.parse(delivery.body) as never);
    // The plan has found all well, but the complaint still stands.
    expect(await planned()).toBeLessThan(ticket);
    await drain(parts);
    expect(await planned()).toBeGreaterThan(ticket);
  });

  it('is done when the repository cannot be reached, each time anew', async () => {
    parts.git.fail(new HawserError('repository-unreachable', 'no route to git.test', { retry: 'later' }));
    for (const _ of [1, 2]) {
      const ticket = await refresh();
      await drain(parts);
      expect(await planned()).toBeGreaterThan(ticket);
    }
  });

  it('of what is being deleted or cannot be read is refused', async () => {
    await ask('DELETE', '/applications/web');
    await drain(parts);
    expect(await ask('POST', '/applications/web/refresh')).toMatchObject({ status: 409 });
  });
});

describe('a Kustomization, as Flux’s users read it', () => {
  const read = () =>
    ask<{ status: { conditions: { type: string; status: string; reason: string; message: string }[] } & JsonObject }>(
      'GET',
      '/objects/ks/flux-system/web',
    );
  const ready = async () => (await read()).status.conditions.find((condition) => condition.type === 'Ready');

  it('is not ready before it is applied, and then says which revision is', async () => {
    await apply(gitRepository, kustomization);
    await applied('flux-system-web', { sync: { status: 'OutOfSync' }, operation: undefined });
    expect(await ready()).toMatchObject({ status: 'Unknown', reason: 'Progressing' });

    await applied('flux-system-web');
    const revision = `main@sha1:${parts.git.tip('demo')?.commit}`;
    expect(await ready()).toMatchObject({
      status: 'True',
      reason: 'ReconciliationSucceeded',
      message: `Applied revision: ${revision}`,
    });
    expect((await read()).status).toMatchObject({
      lastAppliedRevision: revision,
      lastAttemptedRevision: revision,
      observedGeneration: 1,
      inventory: { entries: [{ id: 'shop_a__ConfigMap', v: 'v1' }] },
      history: [{ lastReconciledStatus: 'ReconciliationSucceeded' }],
    });
  });

  it('says why it is not ready', async () => {
    await apply(gitRepository, kustomization);
    await applied('flux-system-web', { health: { status: 'Degraded', message: 'web: crash loop' } });
    expect(await ready()).toMatchObject({ status: 'False', reason: 'HealthCheckFailed', message: 'web: crash loop' });

    parts.clock.setNow(parts.clock.now() + 120_000);
    expect(await ready()).toMatchObject({ status: 'Unknown', message: expect.stringContaining('has not been heard') });
  });

  it('has a GitRepository that says what was read, or why nothing was', async () => {
    await apply(gitRepository, kustomization);
    const commit = parts.git.tip('demo')?.commit;
    expect(await ask('GET', '/objects/gitrepositories/flux-system/demo')).toMatchObject({
      status: { artifact: { revision: `main@sha1:${commit}` }, conditions: [{ type: 'Ready', status: 'True' }] },
    });

    parts.git.fail(new HawserError('repository-unreachable', 'no route to git.test', { retry: 'later' }));
    await push('2');
    expect(await ask('GET', '/objects/gitrepositories/flux-system/demo')).toMatchObject({
      status: { conditions: [{ type: 'Ready', status: 'False', message: 'no route to git.test' }] },
    });
  });
});

describe('the list of applications', () => {
  it('shows trouble with a source on every application that reads it, whatever way its URL is written', async () => {
    await apply(argo('web'), argo('other', { source: { repoURL: 'https://git.test/demo', path: 'other' } }));
    await applied('web');
    parts.git.fail(new HawserError('repository-unreachable', 'no route to git.test', { retry: 'later' }));
    await push('2');

    const { items } = await ask<ApplicationList>('GET', '/applications');
    expect(items.map((one) => [one.id, one.sync, one.message])).toEqual([
      ['other', 'Unknown', 'no route to git.test'],
      ['web', 'Unknown', 'no route to git.test'],
    ]);
  });

  it('says when what it shows is old (INV-32)', async () => {
    await apply(argo('web'));
    await applied('web');
    const stale = async () => (await ask<ApplicationList>('GET', '/applications')).items[0]?.stale;
    expect(await stale()).toBe(false);

    parts.clock.setNow(parts.clock.now() + 91_000);
    expect(await stale()).toBe(true);
  });

  const summary = (id: string, more: Partial<ApplicationSummary>): ApplicationSummary => ({
    id,
    kind: 'Application',
    name: id,
    namespace: 'argocd',
    project: 'default',
    cluster: 'home',
    destinationNamespace: 'shop',
    repository: '',
    path: '',
    targetRevision: '',
    sync: 'Synced',
    health: 'Healthy',
    suspended: false,
    automated: true,
    objects: 1,
    drifted: 0,
    held: false,
    stale: false,
    updatedAt: '2026-01-01',
    deleting: false,
    ...more,
  });
  const all = [
    summary('a', { health: 'Degraded', cluster: 'far', updatedAt: '2026-01-03' }),
    summary('b', { sync: 'OutOfSync', project: 'team', updatedAt: '2026-01-02' }),
    summary('c', { health: 'Missing', path: 'charts/shop' }),
  ];
  const ids = (query: Parameters<typeof listOf>[1]) => listOf(all, query).items.map((one) => one.id);

  it('filters by facets that may repeat, and searches for all words anywhere', () => {
    expect(ids({ health: ['Degraded', 'Missing'] })).toEqual(['a', 'c']);
    expect(ids({ health: 'Degraded', cluster: 'home' })).toEqual([]);
    expect(ids({ sync: 'OutOfSync', project: 'team' })).toEqual(['b']);
    expect(ids({ search: 'CHARTS default' })).toEqual(['c']);
    expect(ids({ kind: 'Kustomization' })).toEqual([]);
  });

  it('counts over what the search leaves, so that a facet can be widened', () => {
    expect(listOf(all, { health: 'Degraded' })).toMatchObject({
      total: 1,
      counts: {
        health: { Degraded: 1, Healthy: 1, Missing: 1 },
        sync: { Synced: 2, OutOfSync: 1 },
        clusters: { far: 1, home: 2 },
      },
    });
    expect(listOf(all, { search: 'team' }).counts.health).toEqual({ Healthy: 1 });
  });

  it('sorts both ways; worst health first', () => {
    expect(ids({ sort: '-name' })).toEqual(['c', 'b', 'a']);
    expect(ids({ sort: 'health' })).toEqual(['a', 'c', 'b']);
    expect(ids({ sort: '-health' })).toEqual(['b', 'c', 'a']);
    expect(ids({ sort: 'updated' })).toEqual(['c', 'b', 'a']);
    expect(ids({ sort: '-updated' })).toEqual(['a', 'b', 'c']);
  });

  it('comes in pages', () => {
    const first = listOf(all, { limit: 2 });
    expect(first).toMatchObject({ items: [{ id: 'a' }, { id: 'b' }], next: '2', total: 3 });
    const second = listOf(all, { limit: 2, cursor: first.next ?? '' });
    expect(second.items.map((one) => one.id)).toEqual(['c']);
    expect(second.next).toBeUndefined();
    expect(ids({ cursor: 'nonsense' })).toEqual(['a', 'b', 'c']);
  });

  it('refuses filters that make no sense', async () => {
    expect(await ask('GET', '/applications?limit=0')).toMatchObject({ status: 400, type: '/problems/invalid-input' });
    expect(await ask('GET', '/applications?sort=color')).toMatchObject({ status: 400 });
  });
});

describe('one application', () => {
  beforeEach(async () => {
    await apply(argo('web', { syncPolicy: { automated: {} } }));
    await applied('web');
  });
  const detail = () => ask<ApplicationDetail>('GET', '/applications/web');

  it('is shown with everything that its page needs', async () => {
    expect(await detail()).toMatchObject({
      id: 'web',
      sync: 'Synced',
      health: 'Healthy',
      declared: { kind: 'Application', status: { sync: { status: 'Synced' } } },
      resources: [{ key: '/ConfigMap/shop/a', status: 'Synced' }],
      desired: { generation: await generationOf('web'), objectCount: 1 },
      operationState: { phase: 'Succeeded' },
      images: ['nginx:1'],
    });
  });

  it('has desired manifests, now and then, with Secrets masked and numbers whole', async () => {
    const secret = '{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"},"data":{"p":"Y2FuYXJ5"}}';
    const before = await generationOf('web');
    parts.git.push('demo', { 'web/s.yaml': secret });
    await parts.hints.send([JSON.stringify({ organisation, repository: 'demo', reason: 'push', trace: 's', at: 's' })]);
    await drain(parts);

    const now = await api.ask(api.tokens.viewer, 'GET', '/api/v1/applications/web/manifests');
    expect(await now.text()).not.toContain('Y2FuYXJ5');
    expect(await ask('GET', `/applications/web/manifests?generation=${before}`)).toMatchObject({
      generation: before,
      objects: [{ kind: 'ConfigMap' }],
    });
    expect(await ask('GET', '/applications/web/manifests?generation=no')).toMatchObject({ status: 404 });
  });

  it('has a history with what is current, and events in pages', async () => {
    await push('2');
    const { items } = await ask<{ items: { generation: number; current: boolean; deployedAt?: string }[] }>(
      'GET',
      '/applications/web/history',
    );
    expect(items.map((one) => [one.current, one.deployedAt !== undefined])).toEqual([
      [true, false],
      [false, true],
    ]);

    const first = await ask<{ items: { reason: string }[]; next: string }>('GET', '/applications/web/events?limit=1');
    const second = await ask<{ items: { reason: string }[] }>(
      'GET',
      `/applications/web/events?limit=1&cursor=${encodeURIComponent(first.next)}`,
    );
    expect([...first.items, ...second.items].map((one) => one.reason)).toEqual(['Published', 'Published']);
    expect((await ask<{ items: object[] }>('GET', '/events')).items).toMatchObject([
      { application: 'web' },
      { application: 'web' },
    ]);
  });

  it('is synced when somebody asks, with what they ask for', async () => {
    const answer = await ask<{ generation: number }>('POST', '/applications/web/sync', {
      prune: true,
      resources: ['/ConfigMap/shop/a'],
    });
    const head = await readHead(parts.store, organisation, cluster, 'web');

    expect(head?.value.generation).toBe(answer.generation);
    expect(head && rootOf(head.value).sync).toMatchObject({ by: 'ada', prune: true, resources: ['/ConfigMap/shop/a'] });
  });

  it('is brought back to an older generation, of those that there are', async () => {
    const first = await generationOf('web');
    await push('2');
    const { generation } = await ask<{ generation: number }>('POST', '/applications/web/rollback', {
      generation: first,
    });

    expect(await generationOf('web')).toBe(generation);
    expect(await ask('GET', '/applications/web/manifests')).toMatchObject({ objects: [{ data: { value: '1' } }] });
    expect(await ask('POST', '/applications/web/rollback', { generation: 999 })).toMatchObject({ status: 404 });
  });

  it('is suspended and resumed, also against a declaration that says nothing of it', async () => {
    const policy = async () => {
      const head = await readHead(parts.store, organisation, cluster, 'web');
      return head && rootOf(head.value).policy.suspended;
    };
    await ask('POST', '/applications/web/suspend', {});
    expect(await policy()).toBe(true);
    await apply(argo('web', { syncPolicy: { automated: { prune: true } } }));
    expect(await policy()).toBe(true);
    await ask('POST', '/applications/web/resume', {});
    expect(await policy()).toBe(false);
  });

  it('lets held prunes go only where the list is still the one that was looked at (G-13)', async () => {
    const listDigest = sha256('list');
    const confirm = (digest: string) => ask('POST', '/applications/web/confirm', { listDigest: digest });
    expect(await confirm(listDigest)).toMatchObject({ status: 409 });
    await applied('web', {
      hold: { guards: ['G-03'], listDigest, objects: ['/ConfigMap/shop/a'], reason: 'too many' },
    });
    expect(await confirm(sha256('other'))).toMatchObject({ status: 409 });
    await confirm(listDigest);

    const head = await readHead(parts.store, organisation, cluster, 'web');
    expect(head && rootOf(head.value).sync).toMatchObject({ prune: true, confirmedPrunes: { listDigest } });
  });

  it('is deleted by order, orphaning what it holds unless told otherwise (G-10, INV-27)', async () => {
    await ask('DELETE', '/applications/web');
    const head = await readHead(parts.store, organisation, cluster, 'web');
    expect(head && rootOf(head.value).deletion).toMatchObject({ cascade: 'orphan', by: 'ada' });
    expect(await detail()).toMatchObject({ deleting: true });
    expect(await ask('POST', '/applications/web/sync', {})).toMatchObject({ status: 409 });
    expect(await ask('DELETE', '/applications/web?cascade=all')).toMatchObject({ status: 400 });

    await applied('web', { deleted: true });
    expect((await api.ask(api.tokens.admin, 'GET', '/api/v1/applications/web')).status).toBe(404);
  });

  it('asks its agent for live state, and masks what comes back (NT-92)', async () => {
    const live = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'a' }, data: { p: 'Y2FuYXJ5' } };
    const { version } = await poll('after=0');
    const question = ask('GET', `/applications/web/resource?key=${encodeURIComponent('/ConfigMap/shop/a')}`);
    const update = await poll(`after=${version}&wait=5`);
    const [command] = update.commands;
    expect(command).toMatchObject({ type: 'live', application: 'web', key: '/ConfigMap/shop/a' });
    await api.ask(api.tokens.agent, 'POST', '/api/v1/agent/answers', {
      question: (command as { question: string }).question,
      live,
    });

    expect(JSON.stringify(await question)).not.toContain('Y2FuYXJ5');
    expect(await question).toMatchObject({ desired: { kind: 'ConfigMap' }, live: { kind: 'Secret' } });
    expect(await ask('GET', '/applications/web/resource?key=/Secret/kube-system/x')).toMatchObject({ status: 404 });
  });

  it('takes no answer from the agent of another cluster (NT-111)', async () => {
    const { version } = await poll('after=0');
    const question = ask<{ nodes: object[]; live: boolean }>('GET', '/applications/web/tree');
    const update = await poll(`after=${version}&wait=5`);
    const { question: id } = update.commands[0] as { question: string };
    await api.ask(api.tokens.otherAgent, 'POST', '/api/v1/agent/answers', { question: id, nodes: [] });
    const node = { uid: 'u', group: '', version: 'v1', kind: 'Pod', namespace: 'shop', name: 'p', owners: [] };
    await api.ask(api.tokens.agent, 'POST', '/api/v1/agent/answers', { question: id, nodes: [node] });

    expect(await question).toMatchObject({ live: true, nodes: [{ name: 'p' }] });
  });
});

async function poll(query: string, token = api.tokens.agent): Promise<HubUpdate> {
  return (await (await api.ask(token, 'GET', `/api/v1/agent/poll?${query}`)).json()) as HubUpdate;
}

describe('an agent', () => {
  it('gets all heads of its cluster at first, then what changed', async () => {
    await apply(argo('web'), argo('other'));
    const all = await poll('after=0');
    expect(all).toMatchObject({ scope: 'all', applications: [{ application: 'other' }, { application: 'web' }] });

    await ask('POST', '/applications/web/sync', {});
    expect(await poll(`after=${all.version}`)).toMatchObject({
      scope: 'changes',
      applications: [{ application: 'web', generation: await generationOf('web') }],
    });
  });

  it('hears of a new generation at once, not at the end of its wait', async () => {
    await apply(argo('web'));
    const { version } = await poll('after=0');
    const waiting = poll(`after=${version}&wait=50`);
    await ask('POST', '/applications/web/sync', {});

    expect(await waiting).toMatchObject({ applications: [{ application: 'web' }] });
  });

  it('hears nothing of other clusters and organisations', async () => {
    await apply(argo('web'));

    expect(await poll('after=0', api.tokens.otherAgent)).toMatchObject({ version: 0, applications: [] });
    expect(await poll('after=0', api.tokens.rivalAgent)).toMatchObject({ version: 0, applications: [] });
  });

  it('gets chunks of its own cluster only (INV-34, NT-112)', async () => {
    await apply(argo('web'));
    const head = await readHead(parts.store, organisation, cluster, 'web');
    const digests = [...(head ? rootOf(head.value).chunks : []), sha256('absent')];
    const chunks = async (token: string) =>
      (
        (await (await api.ask(token, 'POST', '/api/v1/agent/chunks', { digests })).json()) as {
          chunks: Record<string, string>;
        }
      ).chunks;

    const own = await chunks(api.tokens.agent);
    expect(Object.keys(own)).toEqual([digests[0]]);
    const text = gunzipSync(Buffer.from(own[digests[0] ?? ''] ?? '', 'base64'));
    expect(sha256(text)).toBe(digests[0]);
    expect(await chunks(api.tokens.otherAgent)).toEqual({});
    expect(await chunks(api.tokens.rivalAgent)).toEqual({});
  });

  it('may report of ten thousand objects at once (LIM-16)', async () => {
    await apply(argo('web'));
    const resources = Array.from({ length: 10_000 }, (_, index) => ({
      ...resource,
      name: `object-with-a-long-name-${index}`,
    }));
    await applied('web', { resources });

    expect((await ask<ApplicationDetail>('GET', '/applications/web')).resources).toHaveLength(10_000);
  });

  it('that reports as somebody else is still who its token says (NT-111)', async () => {
    await apply(argo('web'));
    const before = await ask<ApplicationDetail>('GET', '/applications/web');
    await api.ask(api.tokens.otherAgent, 'POST', '/api/v1/agent/reports', {
      format: 1,
      epoch: '9',
      sequence: 1,
      organisation: 'rival',
      cluster,
      agentVersion: '1',
      version: 1,
      applications: [
        {
          application: 'web',
          generation: 1,
          sync: { status: 'Synced' },
          health: { status: 'Degraded' },
          drift: [],
          conditions: [],
          events: [],
        },
      ],
      heartbeat: { digest: '', applications: 1, objects: 1, memoryBytes: 1 },
    });
    await drain(parts);

    expect((await ask<ApplicationDetail>('GET', '/applications/web')).health).toBe(before.health);
  });
});

describe('the stream', () => {
  /** Reads events until one fits; fails when the stream ends before. */
  async function until(response: Response, wanted: (event: string) => boolean): Promise<string> {
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    for (;;) {
      const { done, value } = (await reader?.read()) ?? { done: true, value: undefined };
      text += value ?? '';
      const found = text.split('\n\n').find(wanted);
      if (found !== undefined) {
        await reader?.cancel();
        return found;
      }
      if (done) throw new Error(`the stream ended with ${text}`);
    }
  }

  it('tells of applications as they change, and of those that go', async () => {
    await apply(argo('web'));
    const response = await api.ask(api.tokens.viewer, 'GET', '/api/v1/stream');
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    const told = until(response, (event) => event.includes('"sync":"Synced"'));
    await applied('web');
    expect(await told).toMatch(/^event: application\ndata: \{.*"id":"web"/);

    const second = await api.ask(api.tokens.viewer, 'GET', '/api/v1/stream');
    const removed = until(second, (event) => event.startsWith('event: removed'));
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
    await ask('DELETE', '/applications/web');
    await applied('web', { deleted: true });
    expect(await removed).toContain('"id":"web"');
  });

  it('tells nothing of other organisations', async () => {
    const response = await api.ask(api.tokens.rival, 'GET', '/api/v1/stream');
    const told = until(response, (event) => event.startsWith('event:'));
    await apply(argo('web'));
    await applied('web');
    parts.bell.ring('organisation:rival', 'own');

    expect(await told).toContain('"id":"own"');
  });

  it('ends when the token does (NT-110)', async () => {
    const token = api.tokens.viewer;
    const response = await api.ask(token, 'GET', '/api/v1/stream');
    await parts.store.remove(`T#${organisation}`, `TOKEN#${sha256(token)}`);
    await parts.clock.advance(16_000);
    parts.bell.ring(`organisation:${organisation}`, 'web');

    await expect(until(response, (event) => event.startsWith('event:'))).rejects.toThrow('the stream ended');
  });
});

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HawserError } from '#shared/errors.ts';
import type { JsonObject } from '#shared/domain/json.ts';
import { ownerMark } from '#shared/domain/tracking.ts';
import type { PublishJob } from '#shared/messages/publish-job.ts';
import type { Row } from '#shared/ports/state-store.ts';
import { declareObjects } from '#shared/state/declare.ts';
import { forgetApplication, orderDeletion } from '#shared/state/delete-application.ts';
import { readHead, rootOf, takeTicket, type Head } from '#shared/state/heads.ts';
import { applicationKey, organisationKey } from '#shared/state/keys.ts';
import { getApplication } from '#shared/state/registry.ts';
import { readStatus } from '#shared/state/status.ts';
import {
  cluster,
  configMap,
  drain,
  openProject,
  openServiceParts,
  organisation,
  type ServiceParts,
} from '#test/kit/service-parts.ts';

let parts: ServiceParts;
beforeEach(async () => {
  parts = await openServiceParts();
});
afterEach(() => parts.close());

function argo(name: string, spec: Record<string, unknown> = {}, metadata: Record<string, unknown> = {}): JsonObject {
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Application',
    metadata: { name, namespace: 'argocd', ...metadata },
    spec: {
      project: 'default',
      source: { repoURL: 'https://git.test/demo.git', path: name },
      destination: { server: 'https://kubernetes.default.svc', namespace: 'shop' },
      syncPolicy: { automated: { prune: true } },
      ...spec,
    },
  } as JsonObject;
}

/** Declares objects as somebody who hands them in, and lets everything come to rest. */
async function declare(...objects: JsonObject[]) {
  const items = await declareObjects(parts, {
    organisation,
    objects,
    homeCluster: cluster,
    defaultCluster: cluster,
    by: 'ada',
    trace: `declare-${parts.clock.now()}`,
  });
  await drain(parts);
  return items;
}

async function push(files: Record<string, string>): Promise<void> {
  parts.git.push('demo', files);
  const hint = { organisation, repository: 'demo', reason: 'push', trace: Math.random().toString(), at: 'now' };
  await parts.hints.send([JSON.stringify(hint)]);
  await drain(parts);
}

async function head(application: string): Promise<Row<Head> | undefined> {
  return readHead(parts.store, organisation, cluster, application);
}

/** The texts of the objects that a head holds. */
async function texts(application: string): Promise<string[]> {
  const row = await head(application);
  const lines = await Promise.all(
    (row === undefined ? [] : rootOf(row.value).chunks).map(async (digest) =>
      Buffer.from((await parts.snapshots.read(organisation, cluster, digest)) ?? []).toString(),
    ),
  );
  return lines.flatMap((line) => line.split('\n'));
}

async function objects(
  application: string,
): Promise<{ kind: string; metadata: Record<string, never>; data: JsonObject }[]> {
  return (await texts(application)).map((text) => JSON.parse(text));
}

async function conditions(application: string): Promise<string[]> {
  const status = await readStatus(parts.store, organisation, application);
  return (status?.sourceConditions ?? []).map(({ type, message }) => `${type}: ${message}`);
}

/** Sends a request of a person and returns its ticket; `times` deliveries of it. */
async function request(application: string, what: object, times = 1): Promise<number> {
  const generation = await takeTicket(parts.store, organisation);
  const job = {
    organisation,
    application,
    generation,
    inputDigest: '',
    intent: { revision: '', dependsOn: [], initiatedBy: 'ada', renderDigest: '' },
    result: { status: 'repeat', ...what } as PublishJob['result'],
    trace: 't',
    at: new Date(parts.clock.now()).toISOString(),
  } satisfies PublishJob;
  await parts.publishJobs.send(Array.from({ length: times }, () => JSON.stringify(job)));
  await drain(parts);
  return generation;
}

const sync = { sync: { id: 's1', by: 'ada', at: '2026-01-01T00:00:00Z' } };

describe('binding rendered objects', () => {
  it('gives namespaced objects the destination’s namespace, and cluster-scoped ones none', async () => {
    await push({
      'web/a.yaml': configMap('a', '1'),
      'web/b.yaml': '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"b","namespace":"other"}}',
      'web/c.yaml': '{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"c","namespace":"wrong"}}',
    });
    await declare(argo('web', { source: { repoURL: 'https://git.test/demo.git', path: 'web', directory: {} } }));

    const placed = (await objects('web')).map(({ kind, metadata }) => [kind, metadata['name'], metadata['namespace']]);
    expect(placed).toEqual([
      ['ConfigMap', 'a', 'shop'],
      ['ConfigMap', 'b', 'other'],
      ['Namespace', 'c', undefined],
    ]);
  });

  it('marks objects with their application as Argo CD does, and CRDs only as ours', async () => {
    await push({
      'web/a.yaml': configMap('a', '1'),
      'web/b.yaml':
        '{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"xs.test"},"spec":{"group":"test","scope":"Cluster","names":{"kind":"X"}}}',
      'web/c.yaml': '{"apiVersion":"test/v1","kind":"X","metadata":{"name":"x"}}',
    });
    await declare(argo('web'));

    const marks = (await objects('web')).map(({ metadata }) => [
      metadata['labels']?.['applyset.kubernetes.io/part-of'],
      metadata['annotations']?.['argocd.argoproj.io/tracking-id'],
    ]);
    expect(marks).toEqual([
      [ownerMark('web'), 'web:/ConfigMap:shop/a'],
      [ownerMark('web'), undefined],
      [ownerMark('web'), 'web:test/X:shop/x'],
    ]);
  });

  it('keeps 64-bit integers to the digit (NT-171)', async () => {
    const text =
      '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"spec":{"big":12345678901234567890,"exact":9007199254740993}}';
    await push({ 'web/a.yaml': text });
    await declare(argo('web'));

    expect((await texts('web'))[0]).toContain('"big":12345678901234567890,"exact":9007199254740993');
  });

  it('lets the last of two equal objects win, and says so', async () => {
    await push({ 'web/a.yaml': `${configMap('a', '1')}\n${configMap('a', '2')}` });
    await declare(argo('web'));

    expect((await objects('web')).map((object) => object.data)).toEqual([{ value: '2' }]);
    expect(await conditions('web')).toEqual([
      'RepeatedResourceWarning: ConfigMap shop/a appears more than once; the last one counts',
    ]);
  });

  it.each([
    ['what is no JSON', 'oops'],
    ['what is no object', '[1]'],
    ['null', 'null'],
    ['an object without metadata', '{"apiVersion":"v1","kind":"ConfigMap"}'],
    ['an object without a name', '{"apiVersion":"v1","kind":"ConfigMap","metadata":{}}'],
    ['a namespace that is a number', '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":1}}'],
  ])('refuses %s that a renderer gave, as the application’s trouble alone (INV-09, NT-03)', async (_what, text) => {
    await push({ 'web/a.yaml': text, 'other/a.yaml': configMap('a', '1') });
    await declare(argo('web'), argo('other'));

    expect(await conditions('web')).toEqual([
      expect.stringMatching(/^ComparisonError: rendered object 1.* is no Kubernetes object/),
    ]);
    expect(await objects('other')).toHaveLength(1);
    expect(await parts.publishJobs.counts()).toMatchObject({ dead: 0 });
  });

  it('binds again what was bound by guess, once the cluster says what lives in namespaces (NT-162)', async () => {
    await push({ 'web/a.yaml': '{"apiVersion":"cert.test/v1","kind":"Issuer","metadata":{"name":"a"}}' });
    await declare(argo('web'));
    expect((await objects('web'))[0]?.metadata['namespace']).toBe('shop');

    const kind = { group: 'cert.test', version: 'v1', kind: 'Issuer', plural: 'issuers', namespaced: false };
    await parts.reports.send([
      JSON.stringify({
        organisation,
        cluster,
        receivedAt: 'now',
        report: {
          format: 1,
          epoch: 'e',
          sequence: 1,
          agentVersion: '1',
          version: 0,
          applications: [],
          heartbeat: { digest: '', applications: 0, objects: 0, memoryBytes: 0 },
          capabilities: { kubernetesVersion: '1.35', uid: 'u', kinds: [kind] },
        },
      }),
    ]);
    await drain(parts);

    expect((await objects('web'))[0]?.metadata['namespace']).toBeUndefined();
    expect(parts.renderer.renders).toBe(1);
  });
});

describe('the fence', () => {
  const fenced = (rules: Record<string, unknown>) =>
    ({
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'AppProject',
      metadata: { name: 'team', namespace: 'argocd' },
      spec: { sourceRepos: ['*'], destinations: [{ server: '*', namespace: 'shop' }], ...rules },
    }) as JsonObject;

  it('keeps an application from objects that its project does not permit, in Argo CD’s words, and hurts nobody else (NT-101)', async () => {
    await push({
      'web/a.yaml': '{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"x"}}',
      'web/b.yaml': '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"b","namespace":"kube-system"}}',
      'good/a.yaml': configMap('a', '1'),
    });
    await declare(fenced({}), argo('web', { project: 'team' }), argo('good', { project: 'team' }));

    expect(await conditions('web')).toEqual([
      "InvalidSpecError: Namespace x: resource :Namespace is not permitted in project team; ConfigMap kube-system/b: namespace kube-system is not permitted in project 'team'",
    ]);
    expect(await head('web')).toBeUndefined();
    expect(await objects('good')).toHaveLength(1);
  });

  it('keeps an application from declaring its own way out: projects and applications of others (NT-103, NT-108)', async () => {
    await push({
      'web/a.yaml': JSON.stringify({ ...fenced({}), spec: openProject('team') }),
      'web/b.yaml': JSON.stringify(argo('escape')),
    });
    await declare(fenced({}), argo('web', { project: 'team' }));

    expect((await conditions('web'))[0]).toContain("namespace argocd is not permitted in project 'team'");
    expect(await getApplication(parts.store, organisation, 'escape')).toBeUndefined();
  });

  it('holds what is published against a fence that was tightened, without a push (NT-160)', async () => {
    await push({ 'web/a.yaml': configMap('a', '1') });
    await declare(fenced({}), argo('web', { project: 'team' }));
    const before = await head('web');
    await declare(fenced({ namespaceResourceBlacklist: [{ group: '', kind: 'ConfigMap' }] }));

    expect((await conditions('web'))[0]).toContain('resource :ConfigMap is not permitted in project team');
    expect((await head('web'))?.value.generation).toBe(before?.value.generation);
  });

  it('never lets anybody manage the agent’s own objects (NT-108)', async () => {
    await push({
      'web/a.yaml': '{"apiVersion":"v1","kind":"Secret","metadata":{"name":"a","namespace":"hawser-system"}}',
    });
    await declare(argo('web'));

    expect((await conditions('web'))[0]).toContain('belongs to Hawser itself');
  });
});

describe('a failure', () => {
  it('keeps the head and says why; the mend clears it (INV-26)', async () => {
    await push({ 'web/a.yaml': configMap('a', '1') });
    await declare(argo('web'));
    const before = await head('web');
    await push({ 'web/a.yaml': '{"broken":true}' });

    expect(await conditions('web')).toEqual(['ComparisonError: a file says that it is broken']);
    expect((await head('web'))?.value).toEqual(before?.value);

    await push({ 'web/a.yaml': configMap('a', '1') });
    expect(await conditions('web')).toEqual([]);
    expect((await head('web'))?.value.generation).toBe(before?.value.generation);
  });

  it('of a source that cannot be read keeps the head, and one retry is under way however many selectors fail (INV-26, INV-40)', async () => {
    await push({ 'web/a.yaml': configMap('a', '1') });
    const at = (targetRevision: string) => ({
      source: { repoURL: 'https://git.test/demo.git', path: 'web', targetRevision },
    });
    await declare(argo('web', at('main')), argo('two', at('HEAD')), argo('three', at('other')));
    parts.git.fail(new HawserError('repository-unreachable', 'no route', { retry: 'later' }));

    for (let round = 0; round < 4; round += 1) {
      await push({ 'web/a.yaml': configMap('a', '2') });
      parts.clock.setNow(parts.clock.now() + 400_000);
      await drain(parts);
    }

    const { ready, delayed } = await parts.hints.counts();
    expect(ready + delayed).toBeLessThanOrEqual(4);
    expect((await head('web'))?.value).toMatchObject({ generation: expect.any(Number) });
  });

  it('of one application’s second repository holds up nobody else in the first (INV-39)', async () => {
    await push({ 'web/a.yaml': configMap('a', '1'), 'other/a.yaml': configMap('a', '1') });
    const sources = [
      { repoURL: 'https://git.test/demo.git', path: 'web' },
      { repoURL: 'https://git.test/absent.git', path: 'x' },
    ];
    await declare(argo('web', { source: undefined, sources }), argo('other'));

    expect((await conditions('web'))[0]).toContain('there is no HEAD in absent');
    expect(await objects('other')).toHaveLength(1);
  });
});

describe('a request of a person', () => {
  beforeEach(async () => {
    await push({ 'web/a.yaml': configMap('a', '1') });
    await declare(argo('web'));
  });

  it('to sync becomes a generation of its own with the same content, once however often it is delivered (INV-04)', async () => {
    const before = await head('web');
    const generation = await request('web', sync, 3);

    const after = await head('web');
    expect(after?.value).toMatchObject({ generation, contentOf: before?.value.generation });
    expect(after && rootOf(after.value)).toMatchObject({
      sync: { id: 's1' },
      chunks: before && rootOf(before.value).chunks,
    });
    const { rows } = await parts.store.query<{ reason: string }>(applicationKey(organisation, 'web'), {
      prefix: 'EVENT#',
    });
    expect(rows.filter((row) => row.value.reason === 'SyncRequested')).toHaveLength(1);
  });

  it('to sync, delivered once more after newer pushes, changes nothing (INV-04)', async () => {
    const job = await takeTicket(parts.store, organisation);
    const again = {
      organisation,
      application: 'web',
      generation: job,
      inputDigest: '',
      intent: { revision: '', dependsOn: [], initiatedBy: 'ada', renderDigest: '' },
      result: { status: 'repeat', ...sync },
      trace: 't',
      at: 'now',
    };
    await parts.publishJobs.send([JSON.stringify(again)]);
    await drain(parts);
    await push({ 'web/a.yaml': configMap('a', '2') });
    const before = await head('web');
    await parts.publishJobs.send([JSON.stringify(again)]);
    await drain(parts);

    expect(await head('web')).toEqual(before);
  });

  it('does not swallow a push that was being rendered meanwhile (INV-02)', async () => {
    parts.git.push('demo', { 'web/a.yaml': configMap('a', '2') });
    const hint = { organisation, repository: 'demo', reason: 'push' as const, trace: 'p', at: 'now' };
    await parts.plan(hint);
    await request('web', sync);

    expect((await objects('web')).map((object) => object.data)).toEqual([{ value: '2' }]);
  });

  it('to roll back brings the old content as a new generation (INV-06), and the next push counts again', async () => {
    const first = (await head('web'))?.value.generation;
    await push({ 'web/a.yaml': configMap('a', '2') });
    const generation = await request('web', { of: first }, 2);

    expect((await objects('web')).map((object) => object.data)).toEqual([{ value: '1' }]);
    expect((await head('web'))?.value.generation).toBe(generation);
    await push({ 'web/a.yaml': configMap('a', '3') });
    expect((await objects('web')).map((object) => object.data)).toEqual([{ value: '3' }]);
  });

  it('to roll back to content that is gone changes nothing, and is only told (INV-10)', async () => {
    const first = await head('web');
    await push({ 'web/a.yaml': configMap('a', '2') });
    const before = await head('web');
    await parts.chunkStore.remove(
      `T#${organisation}#C#${cluster}#B`,
      first === undefined ? [] : rootOf(first.value).chunks,
    );
    await request('web', { of: first?.value.generation });

    expect(await head('web')).toEqual(before);
    expect(await conditions('web')).toEqual([]);
    const { rows } = await parts.store.query<{ reason: string; message: string }>(applicationKey(organisation, 'web'), {
      prefix: 'EVENT#',
    });
    expect(rows.map((row) => row.value)).toContainEqual(
      expect.objectContaining({ reason: 'Refused', message: expect.stringContaining('no content of generation') }),
    );
  });

  it('keeps the dependencies of what it repeats', async () => {
    const git = {
      apiVersion: 'source.toolkit.fluxcd.io/v1',
      kind: 'GitRepository',
      metadata: { name: 'demo', namespace: 'flux' },
      spec: { url: 'https://git.test/demo.git' },
    };
    const flux = (name: string, dependsOn: object[]) => ({
      apiVersion: 'kustomize.toolkit.fluxcd.io/v1',
      kind: 'Kustomization',
      metadata: { name, namespace: 'flux' },
      spec: {
        path: 'web',
        sourceRef: { kind: 'GitRepository', name: 'demo' },
        targetNamespace: 'shop',
        dependsOn,
        interval: '1m',
      },
    });
    await declare(git as JsonObject, flux('base', []) as JsonObject, flux('top', [{ name: 'base' }]) as JsonObject);
    const before = await head('flux-top');
    await request('flux-top', sync);

    const after = await head('flux-top');
    expect(before && rootOf(before.value).dependsOn).toHaveLength(1);
    expect(after && rootOf(after.value).dependsOn).toEqual(before && rootOf(before.value).dependsOn);
  });
});

describe('app of apps', () => {
  const finalizers = ['resources-finalizer.argocd.argoproj.io'];
  const child = (name: string, metadata = {}) => JSON.stringify(argo(name, {}, metadata));
  const children = (names: string[]) => ({
    'apps/children.yaml': names.map((name) => child(name, name === 'one' ? { finalizers } : {})).join('\n'),
    ...Object.fromEntries(names.map((name) => [`${name}/a.yaml`, configMap('a', name)])),
    'keep/a.yaml': configMap('a', 'keep'),
  });

  it('registers what an application declares instead of sending it to the cluster', async () => {
    await push(children(['one', 'two']));
    await declare(argo('apps'));

    expect(await texts('apps')).toEqual([]);
    expect((await objects('one')).map((object) => object.data)).toEqual([{ value: 'one' }]);
    expect(await getApplication(parts.store, organisation, 'two')).toMatchObject({ parent: 'apps' });
  });

  it('follows changes of the children', async () => {
    await push(children(['one']));
    await declare(argo('apps'));
    const moved = JSON.stringify(argo('one', { destination: { name: 'in-cluster', namespace: 'moved' } }));
    await push({ ...children(['one']), 'apps/children.yaml': moved });

    expect((await objects('one'))[0]?.metadata['namespace']).toBe('moved');
  });

  it('orders the deletion of those that are gone, each as its finalizer says (G-10)', async () => {
    await push(children(['one', 'two', 'keep']));
    await declare(argo('apps'));
    await push(children(['keep']));
    // So long another application may come to declare them.
    expect((await head('one')) && rootOf((await head('one'))!.value).deletion).toBeUndefined();
    await parts.clock.advance(15_000);
    await drain(parts);

    const orders = await Promise.all(
      ['one', 'two', 'keep'].map(async (id) => {
        const row = await head(id);
        return row && rootOf(row.value).deletion?.cascade;
      }),
    );
    expect(orders).toEqual(['foreground', 'orphan', undefined]);
  });

  it('orders no deletion without prune, and never of all at once (G-02, G-03)', async () => {
    await push(children(['one', 'two']));
    await declare(argo('apps'));
    await push({ 'apps/other.yaml': configMap('x', '1') });

    expect(await getApplication(parts.store, organisation, 'one')).not.toHaveProperty('deleting');
    expect(await conditions('apps')).toEqual([expect.stringContaining('NeedsConfirmation: 2 applications')]);

    await declare(argo('apps', { syncPolicy: { automated: {} } }));
    expect(await getApplication(parts.store, organisation, 'one')).not.toHaveProperty('deleting');
  });

  it('deletes nothing while an object is refused: it may be one of those that seem gone', async () => {
    await push(children(['one', 'two', 'keep']));
    await declare(argo('apps'));
    const broken = '{"apiVersion":"argoproj.io/v1alpha1","kind":"ApplicationSet","metadata":{"name":"set"}}';
    await push({ ...children(['keep']), 'apps/z.yaml': broken });

    expect(await getApplication(parts.store, organisation, 'two')).not.toHaveProperty('deleting');
    expect(await conditions('apps')).toEqual(['SyncError: ApplicationSet set: ApplicationSet is not supported yet']);
  });

  it('declares only when asked where the application is not automated, as in Argo CD', async () => {
    await push(children(['one']));
    await declare(argo('apps', { syncPolicy: {} }));
    expect(await getApplication(parts.store, organisation, 'one')).toBeUndefined();

    await request('apps', { sync: { ...sync.sync, dryRun: true } });
    expect(await getApplication(parts.store, organisation, 'one')).toBeUndefined();
    await request('apps', sync);
    expect(await getApplication(parts.store, organisation, 'one')).toMatchObject({ parent: 'apps' });
  });

  it('takes its children with it when it is deleted with what it holds', async () => {
    await push(children(['one', 'two']));
    await declare(argo('apps'));
    const parent = await getApplication(parts.store, organisation, 'apps');
    if (parent) await orderDeletion(parts, organisation, parent, { by: 'ada', trace: 't', cascade: 'background' });
    await drain(parts);

    expect(await getApplication(parts.store, organisation, 'one')).toHaveProperty('deleting.cascade', 'foreground');
    expect(await getApplication(parts.store, organisation, 'two')).toHaveProperty('deleting.cascade', 'orphan');
  });

  // Which of the two is published first follows from their names.
  for (const other of ['aaa', 'others']) {
    it(`deletes nothing of what moves to another application in one push (to ${other})`, async () => {
      await push({ ...children(['one', 'two', 'keep']), [`${other}/x.yaml`]: child('keep2') });
      await declare(argo('apps'), argo(other));
      const before = (await getApplication(parts.store, organisation, 'one'))?.declared['metadata'];
      await push({
        ...children(['one', 'two', 'keep']),
        ...children(['keep']),
        [`${other}/x.yaml`]: child('one', { finalizers }),
      });
      await parts.clock.advance(60_000);
      await drain(parts);

      const one = await getApplication(parts.store, organisation, 'one');
      expect(one).toMatchObject({ parent: other });
      expect(one).not.toHaveProperty('deleting');
      expect((one!.declared['metadata'] as JsonObject)['uid']).toBe((before as JsonObject)['uid']);
      expect(rootOf((await head('one'))!.value).deletion).toBeUndefined();
      expect((await objects('one')).map((object) => object.data)).toEqual([{ value: 'one' }]);
      expect(await conditions(other)).toEqual([]);
      expect(await getApplication(parts.store, organisation, 'two')).toHaveProperty('deleting');
    });
  }

  it('hands over what another application comes to declare in the very moment in which the first gives it up', async () => {
    await push({ ...children(['one', 'two', 'keep']), 'others/x.yaml': child('keep2') });
    await declare(argo('apps'), argo('others'));
    const { get } = parts.store;
    let came = false;
    parts.store.get = async (partition, sort) => {
      const found = await get<never>(partition, sort);
      if (came || sort !== 'CLAIM') return found;
      came = true;
      const own = { organisation, homeCluster: cluster, defaultCluster: cluster, by: 'others', trace: 't' };
      const [item] = await declareObjects(parts, {
        ...own,
        parent: 'others',
        objects: [argo('one', {}, { finalizers })],
      });
      expect(item).toMatchObject({ action: 'refused' });
      return found;
    };
    await push({ ...children(['two', 'keep']), 'one/a.yaml': configMap('a', 'one'), 'others/x.yaml': child('keep2') });
    parts.store.get = get;
    await parts.clock.advance(60_000);
    await drain(parts);

    expect(came).toBe(true);
    expect(await getApplication(parts.store, organisation, 'one')).toMatchObject({ parent: 'others' });
    expect(await getApplication(parts.store, organisation, 'one')).not.toHaveProperty('deleting');
    expect(rootOf((await head('one'))!.value).deletion).toBeUndefined();
  });

  it('hands over what another application has been declaring for long, when the first no longer does', async () => {
    await push({ ...children(['one', 'two', 'keep']), 'others/x.yaml': child('one', { finalizers }) });
    await declare(argo('apps'));
    await declare(argo('others'));
    expect(await conditions('others')).toEqual([expect.stringContaining('is declared by apps already')]);
    await parts.clock.advance(3_600_000);
    await push({
      ...children(['two', 'keep']),
      'one/a.yaml': configMap('a', 'one'),
      'others/x.yaml': child('one', { finalizers }),
    });

    expect(await getApplication(parts.store, organisation, 'one')).toMatchObject({ parent: 'others' });
    expect(await getApplication(parts.store, organisation, 'one')).not.toHaveProperty('deleting');
    expect(rootOf((await head('one'))!.value).deletion).toBeUndefined();
    expect(await conditions('others')).toEqual([]);
  });

  it('does not hand over what another application has declared once, and does no more', async () => {
    await push({ ...children(['one', 'two', 'keep']), 'others/x.yaml': child('one') });
    await declare(argo('apps'));
    await declare(argo('others', { syncPolicy: { automated: { prune: true, allowEmpty: true } } }));
    await push({ ...children(['one', 'two', 'keep']), 'others/x.yaml': configMap('x', '1') });
    await parts.clock.advance(3_600_000);
    await push({ ...children(['two', 'keep']), 'others/x.yaml': configMap('x', '1') });

    expect(await getApplication(parts.store, organisation, 'one')).toMatchObject({ parent: 'apps', deleting: {} });
  });

  it('lets another application declare what the one that is gone declared', async () => {
    await push({ ...children(['one']), 'others/children.yaml': child('one') });
    await declare(argo('apps'));
    await declare(argo('others'));
    expect(await conditions('others')).toEqual([
      'SyncError: Application one: application one is declared by apps already',
    ]);

    const parent = await getApplication(parts.store, organisation, 'apps');
    if (parent) await forgetApplication(parts, organisation, parent);
    await request('others', sync);
    expect(await getApplication(parts.store, organisation, 'one')).toMatchObject({ parent: 'others' });
  });

  it('refuses a second application under an id that is taken (two owners would prune each other’s objects)', async () => {
    await push({ 'web/a.yaml': configMap('a', '1') });
    await declare(argo('b-c', {}, { namespace: 'a' }));
    const [item] = await declare(argo('c', {}, { namespace: 'a-b' }));

    expect(item).toMatchObject({ action: 'refused', message: expect.stringContaining('Application a/b-c already') });
  });
});

describe('deleting', () => {
  it('publishes a signed order, over which nothing that was on its way wins', async () => {
    await push({ 'web/a.yaml': configMap('a', '1') });
    await declare(argo('web'));
    const application = await getApplication(parts.store, organisation, 'web');
    parts.git.push('demo', { 'web/a.yaml': configMap('a', '2') });
    await parts.plan({ organisation, repository: 'demo', reason: 'push', trace: 'p', at: 'now' });
    if (application)
      await orderDeletion(parts, organisation, application, { by: 'ada', trace: 't', cascade: 'orphan' });
    await drain(parts);
    await request('web', sync);

    const after = await head('web');
    expect(after && rootOf(after.value)).toMatchObject({ deletion: { cascade: 'orphan', by: 'ada' } });
  });

  it('is taken back by declaring the application again', async () => {
    await push({ 'web/a.yaml': configMap('a', '1') });
    await declare(argo('web'));
    const application = await getApplication(parts.store, organisation, 'web');
    if (application)
      await orderDeletion(parts, organisation, application, { by: 'ada', trace: 't', cascade: 'orphan' });
    await drain(parts);
    await declare(argo('web'));

    const after = await head('web');
    expect(after && rootOf(after.value).deletion).toBeUndefined();
    expect(await objects('web')).toHaveLength(1);
  });
});

describe('moving to another cluster', () => {
  const far = 'far';
  beforeEach(async () => {
    const value = { id: far, labels: {}, registeredAt: 'x', tokenDigest: '', servers: [] };
    await parts.store.putMany([
      { partition: organisationKey(organisation), sort: `CLUSTER#${far}`, revision: 1, value },
    ]);
    await push({ 'web/a.yaml': configMap('a', '1') });
    await declare(argo('web'));
    await declare(argo('web', { destination: { name: far, namespace: 'shop' } }));
  });

  it('publishes there, and has the former agent let go without deleting anything, as in Argo CD', async () => {
    const there = await readHead(parts.store, organisation, far, 'web');
    const here = await head('web');

    expect(there && rootOf(there.value)).toMatchObject({ cluster: far, objectCount: 1 });
    expect(here && rootOf(here.value)).toMatchObject({
      cluster,
      deletion: { cascade: 'orphan', by: 'moved to cluster far' },
    });
    expect(await getApplication(parts.store, organisation, 'web')).toMatchObject({
      cluster: far,
      formerClusters: [cluster],
    });
  });

  it('is over when the former agent has said so, and only then', async () => {
    const gone = (generation: number) => ({
      organisation,
      cluster,
      receivedAt: 'now',
      report: {
        format: 1 as const,
        epoch: 'e',
        sequence: 1,
        agentVersion: '1',
        version: 1,
        applications: [
          {
            application: 'web',
            generation,
            sync: { status: 'Unknown' as const },
            health: { status: 'Unknown' as const },
            drift: [],
            conditions: [],
            events: [],
            deleted: true,
          },
        ],
        heartbeat: { digest: '', applications: 0, objects: 0, memoryBytes: 0 },
      },
    });
    const generation = (await head('web'))?.value.generation ?? 0;
    await parts.report(gone(generation - 1));
    expect(await head('web')).toBeDefined();
    await parts.report(gone(generation));
    expect(await head('web')).toBeUndefined();
    expect(await getApplication(parts.store, organisation, 'web')).not.toHaveProperty('formerClusters');
    expect(await readHead(parts.store, organisation, far, 'web')).toBeDefined();
  });

  it('and back again publishes in the first once more', async () => {
    await declare(argo('web'));

    const here = await head('web');
    const there = await readHead(parts.store, organisation, far, 'web');
    expect(here && rootOf(here.value).deletion).toBeUndefined();
    expect(there && rootOf(there.value).deletion).toMatchObject({ cascade: 'orphan' });
  });

  it('does not hinder bringing back a generation that was published in the first (INV-10)', async () => {
    const { rows } = await parts.store.query(applicationKey(organisation, 'web'), { prefix: 'HISTORY#' });
    await push({ 'web/a.yaml': configMap('a', '2') });
    await request('web', { of: Number(rows[0]?.sort.slice('HISTORY#'.length)) });

    const there = await readHead(parts.store, organisation, far, 'web');
    const text = await parts.snapshots.read(organisation, far, (there && rootOf(there.value).chunks[0]) ?? '');
    expect(Buffer.from(text ?? []).toString()).toContain('"value":"1"');
  });
});

describe('what cannot be found any more', () => {
  it('a render’s input or output is asked for again', async () => {
    await push({ 'web/a.yaml': configMap('a', '1') });
    const items = await declareObjects(parts, {
      organisation,
      objects: [argo('web')],
      homeCluster: cluster,
      defaultCluster: cluster,
      by: 'ada',
      trace: 't',
    });
    expect(items).toMatchObject([{ action: 'created' }]);
    const [delivery] = await parts.hints.receive({ max: 1, waitSeconds: 0, visibilitySeconds: 60 });
    await parts.plan(JSON.parse(delivery?.body ?? ''));
    const listed = await parts.chunkStore.list(`T#${organisation}#I`);
    await parts.chunkStore.remove(
      `T#${organisation}#I`,
      listed.chunks.map((chunk) => chunk.digest),
    );
    await drain(parts);

    expect(await objects('web')).toHaveLength(1);
  });

  it('the first output of an input is the one that counts when a second render gives another (INV-08, NT-50)', async () => {
    await push({ 'web/a.yaml': configMap('a', '1') });
    await declare(argo('web'));
    const { rows } = await parts.store.query<{ output: string }>(`T#${organisation}#I`, { prefix: 'OUTPUT#' });
    const other = await parts.inputs.write(organisation, Buffer.from(configMap('a', 'random')));
    const generation = await takeTicket(parts.store, organisation);
    await parts.publish({
      organisation,
      application: 'web',
      generation,
      inputDigest: 'another-input-digest',
      intent: {
        revision: 'r',
        dependsOn: [],
        initiatedBy: 'push',
        renderDigest: rows[0]?.sort.slice('OUTPUT#'.length) ?? '',
      },
      result: { status: 'rendered', output: other, warnings: [] },
      trace: 't',
      at: 'now',
    });

    const after = await head('web');
    expect((await objects('web')).map((object) => object.data)).toEqual([{ value: '1' }]);
    expect(after && rootOf(after.value).flags).toEqual(['non-deterministic']);
    expect((await parts.store.get(organisationKey(organisation), 'APP#web'))?.value).toMatchObject({ generation });
  });
});

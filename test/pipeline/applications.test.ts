import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ApplicationDetail, EventView } from '#shared/messages/api.ts';
import { eventually, startTestProduct, type TestProduct } from '#test/kit/product.ts';

/** What applications go through in the hands of people: by hand, in order, in need of each other, back and away. */
let product: TestProduct;
let work: string;

beforeAll(async () => {
  product = await startTestProduct();
  work = await product.clone('apps');
}, 900_000);

afterAll(async () => {
  await product?.end();
});

const detail = (id: string) => product.api<ApplicationDetail>('GET', `/api/v1/applications/${id}`);

async function push(contents: Record<string, string>): Promise<string> {
  for (const [path, content] of Object.entries(contents)) {
    await mkdir(join(work, path, '..'), { recursive: true });
    await writeFile(join(work, path), content);
  }
  await product.git(work, 'add', '-A');
  await product.git(work, 'commit', '-qm', 'change');
  await product.git(work, 'push', '-q', 'origin', 'HEAD:main');
  return (await product.git(work, 'rev-parse', 'HEAD')).trim();
}

const configMap = (name: string, content = 'x', annotations = '{}') =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}, annotations: ${annotations}}\ndata: {v: "${content}"}\n`;

function application(name: string, syncPolicy: unknown = { automated: { prune: true, selfHeal: true } }, spec = {}) {
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Application',
    metadata: { name, namespace: 'argocd' },
    spec: {
      project: 'default',
      source: { repoURL: `${product.run.git}/apps.git`, targetRevision: 'main', path: name },
      destination: { server: 'https://kubernetes.default.svc', namespace: name },
      syncPolicy: { ...(syncPolicy as object), syncOptions: ['CreateNamespace=true'] },
      ...spec,
    },
  };
}

function kustomization(name: string, spec: Record<string, unknown> = {}) {
  return {
    apiVersion: 'kustomize.toolkit.fluxcd.io/v1',
    kind: 'Kustomization',
    metadata: { name, namespace: 'flux' },
    spec: {
      interval: '5m',
      prune: true,
      path: './flux',
      targetNamespace: 'default',
      sourceRef: { kind: 'GitRepository', name: 'apps' },
      ...spec,
    },
  };
}

const apply = (...objects: unknown[]) =>
  product.api<{ items: { action: string }[] }>('POST', '/api/v1/objects', { objects });

async function until(id: string, sync: string, health: string, milliseconds = 30_000): Promise<ApplicationDetail> {
  return eventually(
    `${id} is ${sync} and ${health}`,
    async () => {
      const one = await detail(id);
      return one.sync === sync && one.health === health ? one : undefined;
    },
    milliseconds,
  );
}

const message = (id: string, pattern: RegExp) =>
  eventually(`${id} says ${String(pattern)}`, async () => {
    const said = (await detail(id)).message ?? '';
    return pattern.test(said) ? said : undefined;
  });

async function value(namespace: string, name: string): Promise<string | undefined> {
  const answer = await product.kube.request('GET', `/api/v1/namespaces/${namespace}/configmaps/${name}`);
  return answer.status === 200 ? (JSON.parse(answer.text) as { data: { v: string } }).data.v : undefined;
}

const untilValue = (namespace: string, name: string, wanted: string | undefined) =>
  eventually(`${namespace}/${name} is ${wanted}`, async () => (await value(namespace, name)) === wanted);

/** Runs the CLI as people do; answers with its exit code and all that it printed. */
function hawser(...args: string[]): Promise<{ code: number; text: string }> {
  const cli = join(import.meta.dirname, '..', '..', 'cli', 'hawser.js');
  const env = { ...process.env, HAWSER_SERVER: product.run.url, HAWSER_TOKEN: product.run.token };
  return new Promise((resolve) => {
    execFile(process.execPath, [cli, ...args], { env }, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, text: stdout + stderr }),
    );
  });
}

describe('an application that is synced by hand', () => {
  it('differs until it is synced; diff and wait say so by exit codes', async () => {
    await push({ 'manual/cm.yaml': configMap('c', 'one') });
    await apply(application('manual', {}));
    await until('manual', 'OutOfSync', 'Missing');
    expect(await hawser('diff', 'manual')).toMatchObject({ code: 1, text: expect.stringContaining('v: one') });
    expect(await hawser('wait', 'manual', '--timeout', '1s')).toMatchObject({ code: 1 });
    expect(await value('manual', 'c')).toBeUndefined();

    expect(await hawser('sync', 'manual', '--wait', '--timeout', '20s')).toMatchObject({ code: 0 });
    expect(await value('manual', 'c')).toBe('one');
    expect(await hawser('diff', 'manual')).toMatchObject({ code: 0 });
    expect(await hawser('wait', 'nobody', '--timeout', '1s')).toMatchObject({ code: 3 });
    expect(await hawser('wait')).toMatchObject({ code: 2 });
  });

  it('is applied when it is rolled back, and goes on from Git with the next sync', async () => {
    await push({ 'manual/cm.yaml': configMap('c', 'two') });
    await until('manual', 'OutOfSync', 'Healthy');
    expect(await hawser('sync', 'manual', '--wait', '--timeout', '20s')).toMatchObject({ code: 0 });
    expect(await value('manual', 'c')).toBe('two');

    expect(await hawser('rollback', 'manual', '--wait', '--timeout', '20s')).toMatchObject({ code: 0 });
    expect(await value('manual', 'c')).toBe('one');
    await push({ 'manual/cm.yaml': configMap('c', 'three') });
    expect(await hawser('sync', 'manual', '--wait', '--timeout', '20s')).toMatchObject({ code: 0 });
    expect(await value('manual', 'c')).toBe('three');
  });

  it('is brought to what was pushed a moment ago, as a pipeline of a CI does; or the sync says why not', async () => {
    for (const content of ['four', 'five', 'six']) {
      await push({ 'manual/cm.yaml': configMap('c', content) });
      expect(await hawser('sync', 'manual', '--wait', '--timeout', '20s')).toMatchObject({ code: 0 });
      expect(await value('manual', 'c')).toBe(content);
    }
    await push({ 'manual/cm.yaml': `${configMap('c', 'seven')}---\nkind: [\n` });
    expect(await hawser('sync', 'manual', '--wait', '--timeout', '20s')).toMatchObject({
      code: 3,
      text: expect.stringContaining('manual/cm.yaml'),
    });
    expect(await hawser('sync', 'manual', '--published', '--wait', '--timeout', '20s')).toMatchObject({ code: 0 });
    expect(await value('manual', 'c')).toBe('six');
    await push({ 'manual/cm.yaml': configMap('c', 'six') });
    expect(await hawser('sync', 'manual', '--wait', '--timeout', '20s')).toMatchObject({ code: 0 });
  });
});

describe('a suspended application', () => {
  it('is left alone by pushes and drift correction until it is resumed', async () => {
    await push({ 'paused/cm.yaml': configMap('c', 'one') });
    await apply(application('paused'));
    await until('paused', 'Synced', 'Healthy');
    await product.api('POST', '/api/v1/applications/paused/suspend');
    await eventually('it is suspended', async () => (await detail('paused')).suspended);
    await push({ 'paused/cm.yaml': configMap('c', 'two') });
    await until('paused', 'OutOfSync', 'Healthy');
    expect(await value('paused', 'c')).toBe('one');

    await product.api('POST', '/api/v1/applications/paused/resume');
    await untilValue('paused', 'c', 'two');
  });
});

describe('order', () => {
  it('runs a PreSync hook first; where it fails nothing else is applied, and a push heals it', async () => {
    const hook = (outcome: string) =>
      `apiVersion: batch/v1\nkind: Job\nmetadata: {name: migrate-${outcome}, annotations: {argocd.argoproj.io/hook: PreSync}}\nspec:\n  backoffLimit: 0\n  template:\n    metadata: {annotations: {sandbox.hawser.dev/outcome: ${outcome}}}\n    spec: {restartPolicy: Never, containers: [{name: c, image: x}]}\n`;
    await push({ 'hooks/job.yaml': hook('fail'), 'hooks/cm.yaml': configMap('after') });
    await apply(application('hooks'));

    await message('hooks', /hook Job hooks\/migrate-fail failed/);
    expect(await value('hooks', 'after')).toBeUndefined();
    await push({ 'hooks/job.yaml': hook('succeed') });
    await untilValue('hooks', 'after', 'x');
    await until('hooks', 'Synced', 'Healthy');
  });

  it('waits with a later wave for an earlier one that never gets healthy, and names it', async () => {
    await push({
      'waves/a.yaml':
        'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: stuck, annotations: {argocd.argoproj.io/sync-wave: "-1"}}\nspec:\n  progressDeadlineSeconds: 2\n  selector: {matchLabels: {a: b}}\n  template:\n    metadata: {labels: {a: b}}\n    spec: {nodeSelector: {no: such}, containers: [{name: c, image: x}]}\n',
      'waves/b.yaml': configMap('later'),
    });
    await apply(application('waves'));

    await message('waves', /Deployment waves\/stuck/);
    expect(await value('waves', 'later')).toBeUndefined();
  });

  it('tells a circle of dependencies, and nobody else is held up by it', async () => {
    await push({ 'flux/cm.yaml': configMap('flux'), 'beside/cm.yaml': configMap('c', 'one') });
    await apply(
      kustomization('first', { dependsOn: [{ name: 'second' }] }),
      kustomization('second', { dependsOn: [{ name: 'first' }] }),
      kustomization('orphan', { dependsOn: [{ name: 'nobody' }] }),
      application('beside'),
    );
    await message('flux-first', /GitRepository flux\/apps does not exist/);
    await apply({
      apiVersion: 'source.toolkit.fluxcd.io/v1',
      kind: 'GitRepository',
      metadata: { name: 'apps', namespace: 'flux' },
      spec: { interval: '1m', url: `${product.run.git}/apps.git`, ref: { branch: 'main' } },
    });

    await message('flux-first', /flux-second depends on this application in its turn/);
    await message('flux-orphan', /nobody/);
    await push({ 'beside/cm.yaml': configMap('c', 'two') });
    await untilValue('beside', 'c', 'two');
    await apply(kustomization('first'));
    await until('flux-first', 'Synced', 'Healthy');
  });
});

describe('objects', () => {
  it('of a kind that the cluster does not know wait for it, and come by themselves when it does', async () => {
    const group = 'tests.example.com';
    await push({
      'unknown/w.yaml': `apiVersion: ${group}/v1\nkind: Widget\nmetadata: {name: w}\nspec: {big: 9223372036854775807, octal: 0o17, old: 010, yes: on}\n`,
      'unknown/cm.yaml': configMap('beside'),
    });
    await apply(application('unknown'));
    await message('unknown', /does not know Widget in tests\.example\.com\/v1/);
    expect(await value('unknown', 'beside')).toBe('x');

    await push({
      'crd/x.yaml': `apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: widgets.${group}}\nspec:\n  group: ${group}\n  names: {kind: Widget, plural: widgets}\n  scope: Namespaced\n  versions:\n  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}\n`,
    });
    await apply(application('crd'));
    await until('unknown', 'Synced', 'Healthy');
    const { text } = await product.kube.request('GET', `/apis/${group}/v1/namespaces/unknown/widgets/w`);
    expect(text).toContain('"spec":{"big":9223372036854775807,"octal":15,"old":8,"true":true}');
  });

  it('outside of what the project permits are named, and none is applied (NT-101)', async () => {
    await apply({
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'AppProject',
      metadata: { name: 'tight', namespace: 'argocd' },
      spec: { sourceRepos: ['*'], destinations: [{ server: '*', namespace: 'fenced' }] },
    });
    await push({
      'fenced/role.yaml':
        'apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: evil}\nrules: []\n',
      'fenced/cm.yaml': configMap('fine'),
    });
    await apply(application('fenced', undefined, { project: 'tight' }));

    await message('fenced', /ClusterRole evil: .* is not permitted in project tight/);
    expect(await value('fenced', 'fine')).toBeUndefined();
    await rm(join(work, 'fenced/role.yaml'));
    await push({});
    await untilValue('fenced', 'fine', 'x');
  });

  it('that two applications declare stay with one of them, and the other says whose they are', async () => {
    const shared = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shared, namespace: default}\ndata: {v: "1"}\n';
    await push({ 'owner/x.yaml': shared, 'claimant/x.yaml': shared });
    await apply(application('owner'));
    await until('owner', 'Synced', 'Healthy');
    await apply(application('claimant'));

    await message('claimant', /ConfigMap default\/shared is part of application owner as well/);
    expect((await detail('owner')).sync).toBe('Synced');
  });

  it('are applied by the hundreds', async () => {
    const many = Array.from({ length: 300 }, (_, index) => configMap(`many-${index}`));
    await push({ 'many/x.yaml': many.join('---\n') });
    await apply(application('many'));

    const app = await until('many', 'Synced', 'Healthy');
    expect(app.resources).toHaveLength(300);
  });
});

describe('an app of apps', () => {
  it('whose child is refused says which and why, and takes the others', async () => {
    const child = (name: string, project: string) => JSON.stringify(application(name, undefined, { project }));
    await push({
      'parent/good.json': child('child', 'default'),
      'parent/bad.json': child('stranger', 'nosuch'),
      'child/cm.yaml': configMap('c'),
    });
    await apply(application('parent'));

    await until('child', 'Synced', 'Healthy');
    const events = await eventually('the event is there', async () => {
      const ids = ['parent', 'stranger'];
      const said: string[] = [];
      for (const id of ids) {
        const one = await product
          .api<{ items: EventView[] }>('GET', `/api/v1/applications/${id}/events`)
          .catch(() => undefined);
        said.push(...(one?.items ?? []).map((event) => event.message));
        said.push(...((await detail(id).catch(() => undefined))?.conditions ?? []).map((each) => each.message));
      }
      return said.find((text) => text.includes('nosuch'));
    });
    expect(events).toContain('project nosuch');
  });
});

describe('deletion', () => {
  it('leaves the objects, or takes them along, as it was told', async () => {
    await push({ 'left/cm.yaml': configMap('c'), 'taken/cm.yaml': configMap('c') });
    await apply(application('left'), application('taken'));
    await until('left', 'Synced', 'Healthy');
    await until('taken', 'Synced', 'Healthy');

    expect(await hawser('delete', 'left', '--yes', '--wait', '--timeout', '20s')).toMatchObject({ code: 0 });
    expect(
      await hawser('delete', 'taken', '--cascade', 'foreground', '--yes', '--wait', '--timeout', '20s'),
    ).toMatchObject({ code: 0 });
    expect(await value('left', 'c')).toBe('x');
    expect(await value('taken', 'c')).toBeUndefined();
    expect((await product.kube.request('GET', '/api/v1/namespaces/taken')).status).toBe(200);
  });
});

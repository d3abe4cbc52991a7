import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ApplicationDetail, ApplicationList, EventView, HistoryView } from '#shared/messages/api.ts';
import { eventually, startTestProduct, type TestProduct } from '#test/kit/product.ts';

/** The README's tour, as a user takes it: the demo comes up, changes, breaks, drifts, shrinks, goes back. */
let product: TestProduct;
let work: string;

beforeAll(async () => {
  product = await startTestProduct({ demo: true });
  work = await product.clone('demo');
}, 900_000);

afterAll(async () => {
  await product?.end();
});

const detail = (id: string) => product.api<ApplicationDetail>('GET', `/api/v1/applications/${id}`);
const list = () => product.api<ApplicationList>('GET', '/api/v1/applications');
const events = async (id: string) =>
  (await product.api<{ items: EventView[] }>('GET', `/api/v1/applications/${id}/events`)).items;

async function push(message: string): Promise<string> {
  await product.git(work, 'add', '-A');
  await product.git(work, 'commit', '-qm', message);
  await product.git(work, 'push', '-q', 'origin', 'HEAD:main');
  return (await product.git(work, 'rev-parse', 'HEAD')).trim();
}

async function edit(file: string, from: string | RegExp, to: string): Promise<void> {
  const path = join(work, file);
  const text = await readFile(path, 'utf8');
  expect(text).toMatch(from);
  await writeFile(path, text.replace(from, to));
}

async function untilGood(id: string): Promise<ApplicationDetail> {
  return eventually(
    `${id} is Synced and Healthy`,
    async () => {
      const one = await detail(id);
      return one.sync === 'Synced' && one.health === 'Healthy' ? one : undefined;
    },
    60_000,
  );
}

describe('the demo', () => {
  it('comes up whole: app of apps, kustomize, Helm, plain YAML and Flux are Synced and Healthy', async () => {
    await eventually(
      'all are good',
      async () => {
        const { items } = await list();
        return items.length === 8 && items.every((one) => one.sync === 'Synced' && one.health === 'Healthy');
      },
      120_000,
    );

    const names = (await list()).items.map((one) => one.id).sort();
    expect(names).toEqual([
      'flux-system-infra',
      'flux-system-tenants',
      'monitoring',
      'podinfo-production',
      'podinfo-staging',
      'redis',
      'redis-staging',
      'root',
    ]);
  });

  it('runs what a push changed and shows the commit’s author and message', async () => {
    await edit('podinfo/overlays/staging/kustomization.yaml', /newTag: .*/, 'newTag: 6.9.99');
    const commit = await push('podinfo: 6.9.99 to staging');

    const app = await eventually('the new revision is applied', async () => {
      const one = await detail('podinfo-staging');
      return one.revision === commit && one.sync === 'Synced' && one.health === 'Healthy' ? one : undefined;
    });
    expect(app.commit).toMatchObject({
      author: 'Ada Test',
      message: expect.stringContaining('podinfo: 6.9.99 to staging'),
    });
    const { items } = await product.kube.get<{
      items: { spec: { template: { spec: { containers: { image: string }[] } } } }[];
    }>('/apis/apps/v1/namespaces/podinfo-staging/deployments');
    expect(items[0]?.spec.template.spec.containers[0]?.image).toMatch(/:6\.9\.99$/);
  });

  it('leaves applications alone whose inputs a push did not change', async () => {
    const before = (await detail('redis')).desired?.generation;
    await writeFile(join(work, 'README.md'), 'changed\n');
    await push('readme only');
    await new Promise((resolve) => setTimeout(resolve, 1000));

    expect((await detail('redis')).desired?.generation).toBe(before);
  });

  it('shows an object as declared, with status in Argo CD’s and in Flux’s own shape', async () => {
    const argo = await product.api<{
      status: { sync: { status: string }; health: { status: string }; operationState: { phase: string } };
    }>('GET', '/api/v1/objects/applications/argocd/redis');
    expect(argo.status).toMatchObject({
      sync: { status: 'Synced' },
      health: { status: 'Healthy' },
      operationState: { phase: 'Succeeded' },
    });
    const flux = await product.api<{
      status: { conditions: { type: string; status: string; reason: string }[]; lastAppliedRevision: string };
    }>('GET', '/api/v1/objects/kustomizations/flux-system/tenants');
    expect(flux.status.conditions).toContainEqual(
      expect.objectContaining({ type: 'Ready', status: 'True', reason: 'ReconciliationSucceeded' }),
    );
    expect(flux.status.lastAppliedRevision).toMatch(/^main@sha1:[0-9a-f]{40}$/);
  });
});

describe('drift', () => {
  it('undoes a deletion and shows it', async () => {
    const path = '/apis/apps/v1/namespaces/podinfo-staging/deployments';
    const name = (await product.kube.get<{ items: { metadata: { name: string; uid: string } }[] }>(path)).items[0]
      ?.metadata;
    await product.kube.request('DELETE', `${path}/${name?.name}`);

    await eventually('it is back', async () => {
      const answer = await product.kube.request('GET', `${path}/${name?.name}`);
      return (
        answer.status === 200 && (JSON.parse(answer.text) as { metadata: { uid: string } }).metadata.uid !== name?.uid
      );
    });
    const drift = await eventually('the drift is shown', async () =>
      (await detail('podinfo-staging')).drift.find((one) => one.change === 'deleted' && one.correctedAt !== undefined),
    );
    expect(drift).toMatchObject({ kind: 'Deployment', name: name?.name });
  });

  it('undoes an edit and shows which field', async () => {
    const path = '/apis/apps/v1/namespaces/podinfo-production/deployments';
    const before = (
      await product.kube.get<{ items: { metadata: { name: string }; spec: { replicas: number } }[] }>(path)
    ).items[0];
    await product.kube.request(
      'PATCH',
      `${path}/${before?.metadata.name}`,
      { spec: { replicas: 7 } },
      'application/merge-patch+json',
    );

    await eventually('replicas are back', async () => {
      const now = (await product.kube.get<{ items: { spec: { replicas: number } }[] }>(path)).items[0];
      return now?.spec.replicas === before?.spec.replicas;
    });
    const drift = await eventually('the drift is shown', async () =>
      (await detail('podinfo-production')).drift.find((one) => one.change === 'modified'),
    );
    expect(drift?.fields.map((field) => field.path)).toContain('/spec/replicas');
    await untilGood('podinfo-production');
  });
});

describe('bad input hurts its own application only (INV-39)', () => {
  it('shows a broken manifest with file and reason, keeps what runs, and heals with the next push', async () => {
    const file = 'podinfo/overlays/staging/kustomization.yaml';
    const good = await readFile(join(work, file), 'utf8');
    const before = await detail('podinfo-staging');
    await writeFile(join(work, file), `${good}\n  broken: [yaml`);
    await push('a mistake');

    const broken = await eventually('the error is shown', async () => {
      const one = await detail('podinfo-staging');
      return one.conditions.some((condition) => condition.type === 'ComparisonError') ? one : undefined;
    });
    expect(broken.sync).toBe('Unknown');
    expect(broken.conditions[0]?.message).toContain('podinfo/overlays/staging/kustomization.yaml');
    expect(broken.desired?.generation).toBe(before.desired?.generation);
    expect((await list()).items.filter((one) => one.id !== 'podinfo-staging' && one.sync !== 'Synced')).toEqual([]);

    await writeFile(join(work, file), good);
    await push('mended');
    await untilGood('podinfo-staging');
  });

  it('says which path is missing', async () => {
    const { items } = await product.api<{ items: { action: string }[] }>('POST', '/api/v1/objects', {
      objects: [
        {
          apiVersion: 'argoproj.io/v1alpha1',
          kind: 'Application',
          metadata: { name: 'nowhere', namespace: 'argocd' },
          spec: {
            project: 'default',
            source: { repoURL: `${product.run.git}/demo.git`, path: 'no/such/path', targetRevision: 'main' },
            destination: { server: 'https://kubernetes.default.svc', namespace: 'nowhere' },
            syncPolicy: { automated: {} },
          },
        },
      ],
    });
    expect(items[0]?.action).toBe('created');

    const app = await eventually('the condition is there', async () => {
      const one = await detail('nowhere');
      return one.conditions.length > 0 ? one : undefined;
    });
    expect(app.conditions[0]?.message).toContain('no/such/path');
    await product.api('DELETE', '/api/v1/applications/nowhere');
  });
});

describe('taking away', () => {
  it('prunes what a commit removed, after everything else was applied (INV-20)', async () => {
    const path = '/api/v1/namespaces/podinfo-staging/services';
    const name =
      (await product.kube.get<{ items: { metadata: { name: string } }[] }>(path)).items[0]?.metadata.name ?? '';
    await rm(join(work, 'podinfo/base/service.yaml'));
    await edit('podinfo/base/kustomization.yaml', /\s*- service\.yaml/, '');
    await push('no service any more');

    await eventually(
      'the Service is gone',
      async () => (await product.kube.request('GET', `${path}/${name}`)).status === 404,
      40_000,
    );
    await untilGood('podinfo-staging');
  });

  it('brings an older generation back as a new one', async () => {
    const { items } = await product.api<{ items: HistoryView[] }>(
      'GET',
      '/api/v1/applications/podinfo-staging/history',
    );
    const older = items.find((entry) => entry.deployedAt !== undefined && !entry.current);
    await product.api('POST', '/api/v1/applications/podinfo-staging/rollback', { generation: older?.generation });

    const app = await eventually('the old content is applied', async () => {
      const one = await detail('podinfo-staging');
      return one.sync === 'Synced' && one.health === 'Healthy' && one.revision === older?.revision ? one : undefined;
    });
    expect(app.generation).toBeGreaterThan(items[0]?.generation ?? 0);
    // Until Git gives something else: neither a refresh nor a push elsewhere brings back what somebody rolled back from.
    await product.api('POST', '/api/v1/applications/podinfo-staging/refresh');
    await writeFile(join(work, 'README.md'), 'elsewhere\n');
    await push('elsewhere');
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect((await detail('podinfo-staging')).revision).toBe(older?.revision);
    expect((await events('podinfo-staging')).map((event) => event.reason)).toContain('RolledBack');
  });

  it('deletes a child that its parent declares no more, with its objects where the finalizer says so (G-10)', async () => {
    await rm(join(work, 'apps/redis-staging.yaml')).catch(async () => {
      throw new Error(`apps: ${(await product.git(work, 'ls-files', 'apps')).replaceAll('\n', ' ')}`);
    });
    await push('no redis in staging');

    await eventually(
      'the application is gone',
      async () => !(await list()).items.some((one) => one.id === 'redis-staging'),
      60_000,
    );
    const sets = await product.kube.get<{ items: unknown[] }>('/apis/apps/v1/namespaces/redis-staging/statefulsets');
    expect(sets.items).toEqual([]);
  });

  it('keeps everything when the branch is deleted, and says so (NT-11)', async () => {
    const before = (await product.kube.get<{ items: unknown[] }>('/apis/apps/v1/deployments')).items.length;
    await product.git(work, 'push', '-q', 'origin', 'HEAD:keep');
    await product.git(work, 'push', '-q', 'origin', ':main');

    await eventually('the trouble is shown', async () =>
      (await detail('monitoring')).conditions.some((condition) => condition.type === 'SourceMissing'),
    );
    expect((await product.kube.get<{ items: unknown[] }>('/apis/apps/v1/deployments')).items.length).toBe(before);
    await product.git(work, 'push', '-q', 'origin', 'HEAD:main');
    await untilGood('monitoring');
  });
});

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { JsonObject } from '#shared/domain/json.ts';
import type { Application } from '#shared/domain/application.ts';
import { readHead } from '#shared/state/heads.ts';
import { getApplication } from '#shared/state/registry.ts';
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
  const child = argo('web', 'one', {});
  parts.git.push('demo', {
    'apps/web.yaml': JSON.stringify(child),
    'one/a.yaml': configMap('a', '1'),
    'two/a.yaml': '',
  });
  await parts.hints.send([JSON.stringify({ organisation, repository: 'demo', reason: 'push', trace: 't', at: 'now' })]);
  await drain(parts);
});
afterEach(() => parts.close());

const healing = { automated: { prune: true, selfHeal: true } };

function argo(name: string, path: string, syncPolicy: object): JsonObject {
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Application',
    metadata: { name, namespace: 'argocd' },
    spec: {
      project: 'default',
      source: { repoURL: 'https://git.test/demo.git', path, directory: {} },
      destination: { server: 'https://kubernetes.default.svc', namespace: 'shop' },
      syncPolicy,
    },
  } as JsonObject;
}

async function ask<T = Record<string, unknown>>(method: string, path: string, body?: unknown): Promise<T> {
  const response = await api.ask(api.tokens.admin, method, `/api/v1${path}`, body);
  const answer = (await response.json()) as T;
  await drain(parts);
  return answer;
}

const apply = async (object: JsonObject) =>
  (await ask<{ items: Record<string, string>[] }>('POST', '/objects', { objects: [object] })).items[0];
const web = (): Promise<Application | undefined> => getApplication(parts.store, organisation, 'web');
const pathOf = (application: Application | undefined) => application?.sources[0]?.path;

/** The agent says that it has carried out the order to delete. */
async function carryOut(application: string): Promise<void> {
  const generation = (await readHead(parts.store, organisation, cluster, application))?.value.generation ?? 0;
  const response = await api.ask(api.tokens.agent, 'POST', '/api/v1/agent/reports', {
    format: 1,
    epoch: '2026',
    sequence: 1,
    agentVersion: '1',
    version: 1,
    applications: [
      {
        application,
        generation,
        deleted: true,
        sync: { status: 'Synced', revision: '', generation },
        health: { status: 'Healthy' },
        resources: [],
        drift: [],
        conditions: [],
        events: [],
        images: [],
      },
    ],
    heartbeat: { digest: '', applications: 0, objects: 0, memoryBytes: 1 },
  });
  expect(response.status).toBe(202);
  await drain(parts);
}

describe('a child that somebody changes by hand', () => {
  it('comes back as Git has it where its parent heals itself, and whoever changed it is told', async () => {
    await apply(argo('apps', 'apps', healing));
    const item = await apply(argo('web', 'two', {}));

    expect(item).toMatchObject({
      action: 'configured',
      message: expect.stringContaining('declared by application apps'),
    });
    expect(pathOf(await web())).toBe('one');
    const { items } = await ask<{ items: object[] }>('GET', '/applications/apps/events');
    expect(items).toContainEqual(
      expect.objectContaining({ reason: 'DriftDetected', object: 'argoproj.io/Application/argocd/web' }),
    );
    expect(items).toContainEqual(expect.objectContaining({ reason: 'DriftCorrected' }));
    expect(items).not.toContainEqual(expect.objectContaining({ reason: 'Resumed' }));
  });

  it('stays as it is until the next sync of a parent that does not, and stays its child', async () => {
    await apply(argo('apps', 'apps', { automated: { prune: true } }));
    const item = await apply(argo('web', 'two', {}));

    expect(item).toMatchObject({ message: expect.stringContaining('with its next sync') });
    expect(await web()).toMatchObject({ parent: 'apps' });
    expect(pathOf(await web())).toBe('two');
    await ask('POST', '/applications/apps/sync', {});
    expect(pathOf(await web())).toBe('one');
  });
});

describe('a child that somebody deletes', () => {
  it('is declared again by a parent that heals itself, once it is gone and not before', async () => {
    await apply(argo('apps', 'apps', healing));
    await ask('DELETE', '/applications/web');
    expect(await web()).toHaveProperty('deleting');

    const uid = (await web())?.declared['metadata'];
    await carryOut('web');
    expect(await web()).toMatchObject({ parent: 'apps' });
    expect(await web()).not.toHaveProperty('deleting');
    expect((await web())?.declared['metadata']).not.toEqual(uid);
  });

  it('is gone where its parent does not heal itself, or is suspended', async () => {
    await apply(argo('apps', 'apps', healing));
    await ask('POST', '/applications/apps/suspend');
    await ask('DELETE', '/applications/web');
    await carryOut('web');

    expect(await web()).toBeUndefined();
  });
});

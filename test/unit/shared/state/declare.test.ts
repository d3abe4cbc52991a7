import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HawserError } from '#shared/errors.ts';
import type { JsonObject } from '#shared/domain/json.ts';
import type { StateStore } from '#shared/ports/state-store.ts';
import { declareObjects } from '#shared/state/declare.ts';
import { orderDeletion } from '#shared/state/delete-application.ts';
import { getApplication } from '#shared/state/registry.ts';
import { cluster, openApi, openServiceParts, organisation, type ServiceParts } from '#test/kit/service-parts.ts';

let parts: ServiceParts;
beforeEach(async () => {
  parts = await openServiceParts();
});
afterEach(() => parts.close());

/** The store, and how often it was asked for what. */
function counted(store: StateStore): { store: StateStore; asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    store: {
      ...store,
      get(partition, sort) {
        asked.push(`${partition} ${sort}`);
        return store.get(partition, sort);
      },
      query(partition, options) {
        asked.push(`${partition} ${options?.prefix}*`);
        return store.query(partition, options);
      },
    },
  };
}

describe('declaring many applications at once', () => {
  it('reads what they have in common once: clusters, project, repository', async () => {
    const objects = Array.from({ length: 50 }, (_, index) => ({
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'Application',
      metadata: { name: `app-${index}`, namespace: 'argocd' },
      spec: {
        source: { repoURL: 'https://git.test/demo.git', path: `apps/${index}` },
        destination: { name: 'in-cluster', namespace: 'shop' },
      },
    }));
    const { store, asked } = counted(parts.store);
    const request = { organisation, objects, homeCluster: cluster, defaultCluster: cluster, by: 'ada', trace: 't' };

    const items = await declareObjects({ ...parts, store }, request);

    expect(items.map(({ action }) => action)).toEqual(objects.map(() => 'created'));
    const common = asked.filter((what) => what.startsWith(`T#${organisation} `));
    expect(common.filter((what) => what.includes('CLUSTER#'))).toHaveLength(1);
    expect(common.filter((what) => what.includes('PROJECT#'))).toHaveLength(1);
    expect(common.filter((what) => what.includes('REPOSITORY')).length).toBeLessThan(5);
  });
});

describe('what arrives in any order', () => {
  const gitRepository = {
    apiVersion: 'source.toolkit.fluxcd.io/v1',
    kind: 'GitRepository',
    metadata: { name: 'demo', namespace: 'flux' },
    spec: { url: 'https://git.test/demo.git' },
  };
  const kustomization = {
    apiVersion: 'kustomize.toolkit.fluxcd.io/v1',
    kind: 'Kustomization',
    metadata: { name: 'web', namespace: 'flux' },
    spec: { path: 'web', sourceRef: { kind: 'GitRepository', name: 'demo' }, targetNamespace: 'shop', interval: '1m' },
  };
  const application = (spec: JsonObject): JsonObject => ({
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Application',
    metadata: { name: 'web', namespace: 'argocd' },
    spec: {
      source: { repoURL: 'https://git.test/demo.git', path: 'web' },
      destination: { name: 'in-cluster', namespace: 'shop' },
      ...spec,
    },
  });
  const appProject = {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'AppProject',
    metadata: { name: 'shop', namespace: 'argocd' },
    spec: { sourceRepos: ['*'], destinations: [{ server: '*', namespace: '*' }] },
  };
  const declare = (objects: JsonObject[], store: StateStore = parts.store, parent?: string) =>
    declareObjects(
      { ...parts, store },
      {
        organisation,
        objects,
        homeCluster: cluster,
        defaultCluster: cluster,
        by: 'ada',
        trace: 't',
        ...(parent === undefined ? {} : { parent }),
      },
    );
  const invalid = async (id: string) => (await getApplication(parts.store, organisation, id))?.invalid;
  const asParent = async () => {
    await declare([{ ...application({}), metadata: { name: 'parent', namespace: 'argocd' } }]);
    return 'parent';
  };

  it('finds a GitRepository that came while the Kustomization was being written (FT-12)', async () => {
    let came = false;
    const store: StateStore = {
      ...parts.store,
      async put(row, condition) {
        if (row.sort === 'SPEC' && !came) {
          came = true;
          await declare([gitRepository]);
        }
        return parts.store.put(row, condition);
      },
    };
    await declare([kustomization], store);

    expect(came).toBe(true);
    expect(await invalid('flux-web')).toBeUndefined();
  });

  it('tells the readers of a GitRepository when it is declared again, where who declared it first died on the way (INV-04)', async () => {
    await declare([kustomization]);
    const dying: StateStore = {
      ...parts.store,
      query: () => Promise.reject(new HawserError('unavailable', 'cut off', { retry: 'later' })),
    };
    await expect(declare([gitRepository], dying)).rejects.toThrow('cut off');
    expect(await invalid('flux-web')).toContain('does not exist');

    expect(await declare([gitRepository])).toMatchObject([{ action: 'unchanged' }]);
    expect(await invalid('flux-web')).toBeUndefined();
  });

  it('reads no application for a GitRepository that is as it was', async () => {
    await declare([gitRepository, kustomization]);
    const { store, asked } = counted(parts.store);
    await declare([gitRepository], store);

    expect(asked.filter((what) => what.includes('APP#'))).toEqual([]);
  });

  it('lets an application in whose project comes after it', async () => {
    const parent = await asParent();
    await declare([application({ project: 'shop' })], parts.store, parent);
    expect(await invalid('web')).toContain('project shop does not exist');

    await declare([appProject]);
    expect(await getApplication(parts.store, organisation, 'web')).toMatchObject({ project: 'shop', parent, cluster });
    expect(await invalid('web')).toBeUndefined();
  });

  it('lets an application in whose cluster comes after it', async () => {
    const parent = await asParent();
    const destination = { name: 'far', namespace: 'shop' };
    await declare([application({ destination })], parts.store, parent);
    expect(await invalid('web')).toContain('no cluster is registered for far');

    const { ask, tokens } = await openApi(parts);
    expect((await ask(tokens.admin, 'POST', '/api/v1/clusters', { name: 'far' })).status).toBe(201);
    expect(await getApplication(parts.store, organisation, 'web')).toMatchObject({ cluster: 'far', parent });
    expect(await invalid('web')).toBeUndefined();
  });

  it('takes no deletion back because something that the application reads was declared', async () => {
    await declare([gitRepository, kustomization]);
    const one = await getApplication(parts.store, organisation, 'flux-web');
    if (one) await orderDeletion(parts, organisation, one, { by: 'ada', trace: 't', cascade: 'orphan' });
    await declare([{ ...gitRepository, spec: { url: 'https://git.test/other.git' } }]);

    expect(await getApplication(parts.store, organisation, 'flux-web')).toHaveProperty('deleting.cascade', 'orphan');
  });

  it('shows at a Kustomization that its GitRepository has become one it may not read, and takes the GitRepository', async () => {
    await declare([gitRepository, kustomization]);
    await declare([
      {
        ...appProject,
        metadata: { name: 'default' },
        spec: { ...appProject.spec, sourceRepos: ['https://git.test/demo.git'] },
      },
    ]);
    const [item] = await declare([{ ...gitRepository, spec: { url: 'https://git.test/other.git' } }]);

    expect(item).toMatchObject({ action: 'configured' });
    expect(await invalid('flux-web')).toContain('https://git.test/other.git');
  });
});

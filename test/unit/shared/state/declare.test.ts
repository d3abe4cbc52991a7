import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StateStore } from '#shared/ports/state-store.ts';
import { declareObjects } from '#shared/state/declare.ts';
import { cluster, openServiceParts, organisation, type ServiceParts } from '#test/kit/service-parts.ts';

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

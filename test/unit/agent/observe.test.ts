import { describe, expect, it } from 'vitest';
import { takeApplied, takeSeen } from '#agent/reconcile/observe.ts';
import type { AppRuntime } from '#agent/reconcile/runtime.ts';
import type { KubeObject } from '#shared/domain/kube-object.ts';

const key = 'apps/Deployment/shop/web';

/** As much of an application as observing needs. */
function application(): AppRuntime {
  return {
    observed: new Map(),
    suspects: new Map(),
    comparisons: new Map(),
    desired: { objects: new Map() },
    record: { inventory: new Map() },
    root: { owner: 'web' },
  } as unknown as AppRuntime;
}

function deployment(version: number, available: number, more: Partial<KubeObject['metadata']> = {}): KubeObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'shop', uid: 'u', resourceVersion: String(version), generation: 1, ...more },
    spec: { replicas: 1 },
    status: {
      observedGeneration: 1,
      replicas: 1,
      updatedReplicas: 1,
      readyReplicas: available,
      availableReplicas: available,
      conditions: [{ type: 'Available', status: available === 1 ? 'True' : 'False' }],
    },
  };
}

const healthOf = (app: AppRuntime) => app.observed.get(key)?.health?.status;

describe('what a write answers with', () => {
  it('FT-101: does not take the place of what a watch has told since', () => {
    const app = application();
    takeSeen(app, key, deployment(105, 1), () => false);

    takeApplied(app, key, deployment(100, 0));

    expect(healthOf(app)).toBe('Healthy');
    expect(app.observed.get(key)).toMatchObject({ resourceVersion: '105', drift: 'none' });
  });

  it('takes the place of what a watch told before', () => {
    const app = application();
    takeSeen(app, key, deployment(95, 1), () => false);

    takeApplied(app, key, deployment(100, 0));

    expect(healthOf(app)).toBe('Progressing');
    expect(app.observed.get(key)?.resourceVersion).toBe('100');
  });

  it('has an object looked at that somebody has changed since', () => {
    const app = application();
    takeSeen(app, key, deployment(105, 1, { labels: { tier: 'changed' } }), () => false);

    takeApplied(app, key, deployment(100, 0));

    expect(app.observed.get(key)?.drift).toBe('suspect');
  });

  it('is another object where the one that was seen has been deleted and made anew', () => {
    const app = application();
    takeSeen(app, key, deployment(105, 1, { uid: 'old' }), () => false);

    takeApplied(app, key, deployment(100, 0));

    expect(app.observed.get(key)?.uid).toBe('u');
  });
});

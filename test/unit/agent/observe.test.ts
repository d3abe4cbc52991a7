import { describe, expect, it } from 'vitest';
import { asking, takeApplied, takeGone, takeRead, takeSeen } from '#agent/reconcile/observe.ts';
import type { AppRuntime } from '#agent/reconcile/runtime.ts';
import { createWatchListener } from '#agent/watch-listener.ts';
import type { KubeObject } from '#shared/domain/kube-object.ts';

const key = 'apps/Deployment/shop/web';

/** As much of an application as observing needs. */
function application(): AppRuntime {
  return {
    observed: new Map(),
    suspects: new Map(),
    comparisons: new Map(),
    asking: new Map(),
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

  it('takes the place of the object that had the name before', () => {
    const app = application();
    takeSeen(app, key, deployment(95, 1, { uid: 'old' }), () => false);

    takeApplied(app, key, deployment(100, 0));

    expect(app.observed.get(key)).toMatchObject({ uid: 'u', resourceVersion: '100' });
  });

  it('FT-101: does not bring back what a watch has told to be gone since', async () => {
    const app = application();
    await asking(app, key, async () => {
      takeSeen(app, key, deployment(100, 0), () => false);
      takeGone(app, key, 105);
      takeApplied(app, key, deployment(100, 0));
    });

    expect(app.observed.has(key)).toBe(false);
    expect(app.asking.size).toBe(0);
  });

  it('is there where the deletion was that of the object before it', async () => {
    const app = application();
    takeSeen(app, key, deployment(90, 1, { uid: 'old' }), () => false);
    await asking(app, key, async () => {
      takeGone(app, key, 95);
      takeApplied(app, key, deployment(100, 0));
    });

    expect(app.observed.get(key)).toMatchObject({ uid: 'u', resourceVersion: '100' });
  });

  it('FT-101: does not take the place of what somebody made anew since', async () => {
    const app = application();
    await asking(app, key, async () => {
      takeGone(app, key, 105);
      takeSeen(app, key, deployment(110, 1, { uid: 'theirs' }), () => false);
      takeApplied(app, key, deployment(100, 0));
    });

    expect(app.observed.get(key)).toMatchObject({ uid: 'theirs', resourceVersion: '110' });
  });

  it('forgets what was told for a request that failed', async () => {
    const app = application();
    const asked = asking(app, key, async () => {
      takeGone(app, key, 105);
      throw new Error('no answer');
    });
    await expect(asked).rejects.toThrow('no answer');
    expect(app.asking.size).toBe(0);
  });
});

describe('what a read answers with', () => {
  it('does not bring back what is gone, nor take the place of what is newer', async () => {
    const app = application();
    await asking(app, key, async () => {
      takeGone(app, key, 105);
      takeRead(app, key, deployment(100, 1));
    });
    expect(app.observed.has(key)).toBe(false);

    takeSeen(app, key, deployment(110, 1), () => false);
    takeRead(app, key, deployment(108, 0));
    expect(app.observed.get(key)?.resourceVersion).toBe('110');
  });
});

describe('what a watch tells', () => {
  it('FT-101: is dropped where it is of an object that had the name before', () => {
    const app = application();
    takeApplied(app, key, deployment(100, 1));

    expect(takeSeen(app, key, deployment(90, 1, { uid: 'old' }), () => false)).toBe('nothing');
    expect(takeGone(app, key, 95)).toBe('nothing');

    expect(app.observed.get(key)?.uid).toBe('u');
  });

  /** A list that begins and ends while an object is written which it does not hold. */
  async function listedWhileWriting(version: number, namespace: string) {
    const app = application();
    const listener = createWatchListener({
      applications: new Map([['web', app]]),
      ownerOf: () => 'web',
      differs: () => false,
      wake: () => undefined,
      changed: () => undefined,
    });
    await asking(app, key, async () => {
      listener.listed({ group: 'apps', kind: 'Deployment', namespace }, new Set(), version);
      takeApplied(app, key, deployment(100, 1));
    });
    return app;
  }

  it.each<[string, number, string, boolean]>([
    ['gone where the list is newer than the write (INV-30)', 105, '', false],
    ['there where the list is older than the write', 95, '', true],
    ['there where the list is of another namespace', 105, 'other', true],
  ])('has an object that a list lacks during its write %s', async (_what, version, namespace, there) => {
    expect((await listedWhileWriting(version, namespace)).observed.has(key)).toBe(there);
  });
});

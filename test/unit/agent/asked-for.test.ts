import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { KubeObject } from '#shared/domain/kube-object.ts';
import type { SnapshotRoot } from '#shared/domain/snapshot.ts';
import { configMap, createHarness, valuesIn, type Harness } from './harness.ts';

/** An application that is synced by hand, while somebody's sync waits for its first wave to become healthy. */
let harness: Harness;
let first: number;
beforeEach(async () => {
  harness = await createHarness();
  harness.start();
  first = await publish('1', { sync: { id: 's1', by: 'ada', at: '2026-01-01T00:00:00Z' } });
  await harness.until(() => operation()?.message.startsWith('waiting for healthy state') === true, 'it waits');
});
afterEach(() => harness.end());

const operation = () => harness.hub.reportOf('web')?.operation;
const sync = (id: string) => ({ id, by: 'ada', at: '2026-01-01T00:00:00Z' });

function publish(value: string, root: Partial<SnapshotRoot> = {}, policy: object = {}): Promise<number> {
  const objects = [deployment(value), configMap('late', value, { 'argocd.argoproj.io/sync-wave': '1' })];
  return harness.hub.publish({ application: 'web', objects, policy: { automated: false, ...policy }, root });
}

function deployment(image: string): KubeObject {
  const metadata = { name: 'db', namespace: 'shop', generation: 1 };
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec: { replicas: 1, image } } as unknown as KubeObject;
}

function becomeHealthy(): void {
  harness.model.edit('apps/Deployment/shop/db', (live) => {
    live['status'] = {
      observedGeneration: 1,
      replicas: 1,
      updatedReplicas: 1,
      readyReplicas: 1,
      availableReplicas: 1,
      conditions: [{ type: 'Available', status: 'True' }],
    };
  });
}

describe('a sync that somebody has asked for', () => {
  it('is brought to its end with what it began with, and what was pushed meanwhile waits for the next', async () => {
    const second = await publish('2');
    await harness.clock.advance(10_000);
    expect(operation()).toMatchObject({ phase: 'Running', generation: first });
    becomeHealthy();
    await harness.until(() => operation()?.phase === 'Succeeded', 'it ends');
    expect(operation()).toMatchObject({ generation: first });
    expect(valuesIn(harness.model)).toEqual({ late: '1' });

    await harness.until(() => harness.hub.reportOf('web')?.sync.status === 'OutOfSync', 'the push is seen');
    await harness.clock.advance(60_000);
    expect(harness.hub.reportOf('web')).toMatchObject({ generation: second });
    expect(valuesIn(harness.model)).toEqual({ late: '1' });
  });

  it('is not done twice where the push carries it on', async () => {
    await publish('2', { sync: sync('s1') });
    becomeHealthy();
    await harness.until(() => operation()?.phase === 'Succeeded', 'it ends');
    await harness.clock.advance(60_000);

    expect(valuesIn(harness.model)).toEqual({ late: '1' });
  });

  it('gives way to a newer one, to a suspension and to automation at once', async () => {
    const second = await publish('2', { sync: sync('s2') });
    await harness.until(() => operation()?.generation === second, 'the newer one');
    await publish('3', {}, { suspended: true });
    await harness.until(() => operation()?.phase === 'Failed', 'superseded');
    expect(operation()?.message).toBe('superseded by generation 3');

    const last = await publish('4', {}, { automated: true });
    await harness.until(() => operation()?.generation === last, 'automated');
  });

  it('that the agent has not begun with is begun with what lies there by then', async () => {
    becomeHealthy();
    await harness.until(() => operation()?.phase === 'Succeeded', 'it ends');
    // Two in one: the agent never saw the root of the request alone.
    await publish('2', { sync: sync('s2') });
    await publish('3', { sync: sync('s2') });
    becomeHealthy();
    await harness.until(() => valuesIn(harness.model)['late'] === '3', 'applied');
  });
});

import { describe, expect, it } from 'vitest';
import { decideDeletion, type DeletionInput } from '#shared/domain/deletion-order.ts';
import type { LiveObject } from '#shared/domain/prune-plan.ts';
import { afterDelete, nextDeleteAt, stopReason, unhurried } from '#shared/domain/prune-pace.ts';
import { application, now, ours, owner } from './prune-kit.ts';

const keys = ['/ConfigMap/shop/settings', 'apps/Deployment/shop/web', '/Namespace//shop'];

function order(more: Partial<DeletionInput> = {}): DeletionInput {
  return {
    root: {
      application,
      owner,
      generation: 9,
      deletion: { cascade: 'foreground', by: 'ada', at: '', until: new Date(now + 60_000).toISOString() },
    },
    newestGeneration: 9,
    inventory: keys.map((key) => ({ key, version: 'v1', uid: key })),
    live: new Map(keys.map((key) => [key, ours(key)])),
    failedGroups: new Set(),
    otherOwners: new Map(),
    now,
    begun: false,
    ...more,
  };
}

function withDeletion(deletion: Partial<NonNullable<DeletionInput['root']['deletion']>>): DeletionInput['root'] {
  const { root } = order();
  return { ...root, deletion: { ...(root.deletion as NonNullable<typeof root.deletion>), ...deletion } };
}

describe('an order to delete an application', () => {
  it('deletes what the inventory holds, in reverse (G-10)', () => {
    expect(decideDeletion(order()).delete.map(({ key }) => key)).toEqual([
      'apps/Deployment/shop/web',
      '/ConfigMap/shop/settings',
      '/Namespace//shop',
    ]);
  });

  it.each([
    ['there is none', { root: { application, owner, generation: 9 } }],
    ['it has expired', { root: withDeletion({ until: new Date(now).toISOString() }) }],
    ['its end is no time', { root: withDeletion({ until: 'soon' }) }],
    ['a newer generation is known', { newestGeneration: 10 }],
    ['it says to leave the objects', { root: withDeletion({ cascade: 'orphan' }) }],
  ])('deletes nothing where %s (INV-27)', (_what, more) => {
    const decision = decideDeletion(order(more));
    expect(decision.refused).toBeDefined();
    expect(decision).toMatchObject({ delete: [], forget: [] });
  });

  it('is brought to its end when it was begun in time', () => {
    const root = withDeletion({ until: new Date(now - 1).toISOString() });
    expect(decideDeletion(order({ root, begun: true })).delete).toHaveLength(3);
  });

  it.each([
    ['it does not bear our mark', ours('x', { labels: {} })],
    ['no field of it was written by us', ours('x', { managers: ['kubectl'] })],
    ['a controller owns it', ours('x', { controlled: true })],
    ['ignored (no delete)', ours('x', { annotations: { 'argocd.argoproj.io/sync-options': 'Delete=false' } })],
  ])('keeps an object where %s', (reason, live) => {
    const [key = ''] = keys;
    const input = order({ inventory: [{ key, version: 'v1', uid: 'x' }], live: new Map([[key, live]]) });
    expect(decideDeletion(input)).toMatchObject({ delete: [], keep: [{ key, reason }] });
  });

  it('keeps what another application has now, and definitions', () => {
    const definition = 'apiextensions.k8s.io/CustomResourceDefinition//things.example.com';
    const [moved = ''] = keys;
    const input = order({
      inventory: [moved, definition].map((key) => ({ key, version: 'v1', uid: key })),
      live: new Map([moved, definition].map((key) => [key, ours(key)])),
      otherOwners: new Map([[moved, 'other']]),
    });
    expect(decideDeletion(input).keep.map(({ key }) => key)).toEqual([moved, definition]);
  });

  it('waits for what cannot be read and what is on its way out, and forgets what is gone', () => {
    const input = order({
      failedGroups: new Set(['apps']),
      live: new Map<string, LiveObject | 'missing'>([
        [keys[0] as string, 'missing' as const],
        [keys[1] as string, 'missing' as const],
        [keys[2] as string, ours(keys[2] as string, { deletionTimestamp: 'x' })],
      ]),
    });
    expect(decideDeletion(input)).toMatchObject({
      delete: [],
      forget: [keys[0]],
      open: [{ key: keys[1] }, { key: keys[2] }],
    });
  });
});

describe('the pace of deletes (G-08)', () => {
  it('is five a second, whatever is asked', () => {
    let tempo = unhurried;
    let at = 0;
    const times: number[] = [];
    for (let index = 0; index < 50; index += 1) {
      at = nextDeleteAt(tempo, at);
      times.push(at);
      tempo = afterDelete(tempo, at);
      expect(tempo.deletes.length).toBeLessThanOrEqual(5);
    }
    for (const [index, time] of times.entries()) {
      const within = times.slice(index).filter((other) => other < time + 1000);
      expect(within.length).toBeLessThanOrEqual(5);
    }
    expect(times.at(-1)).toBe(9000);
  });

  it('stops after three failures, an unhealthy workload, or when somebody says so', () => {
    const fine = { failures: 2, unhealthy: 0, stopped: false };
    expect(stopReason(fine)).toBeUndefined();
    expect(stopReason({ ...fine, failures: 3 })).toBe('3 deletes failed');
    expect(stopReason({ ...fine, unhealthy: 1 })).toContain('unhealthy');
    expect(stopReason({ ...fine, stopped: true })).toContain('stopped');
  });
});

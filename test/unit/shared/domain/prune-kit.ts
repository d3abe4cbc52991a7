import type { InventoryEntry } from '#shared/domain/inventory.ts';
import type { LiveObject, PruneInput } from '#shared/domain/prune-plan.ts';
import { ownerLabel, ownerMark } from '#shared/domain/tracking.ts';

export const now = Date.UTC(2026, 5, 1);
export const application = 'shop';
export const owner = ownerMark(application);

/** A live object that is ours beyond doubt. */
export function ours(uid: string, more: Partial<LiveObject> = {}): LiveObject {
  return {
    uid,
    resourceVersion: '7',
    labels: { [ownerLabel]: owner },
    annotations: {},
    managers: ['hawser', 'kube-controller-manager'],
    ...more,
  };
}

/** Ten harmless objects that are desired, and `gone` that are not any more; everything about the round is in order. */
export function safeInput(gone: readonly string[] = ['/ConfigMap/shop/old'], kept = 10): PruneInput {
  const desired = Array.from({ length: kept }, (_, index) => ({ key: `/ConfigMap/shop/kept-${index}` }));
  const keys = [...desired.map(({ key }) => key), ...gone];
  const inventory: InventoryEntry[] = keys.map((key) => ({ key, version: 'v1', uid: `uid of ${key}` }));
  return {
    application,
    owner,
    root: {
      verified: true,
      complete: true,
      generation: 8,
      newestGeneration: 8,
      appliedGeneration: 8,
      objectCount: kept,
    },
    desired,
    inventory,
    live: new Map(inventory.map(({ key, uid }) => [key, ours(uid)])),
    roundErrors: [],
    failedGroups: new Set(),
    policy: { prune: true, allowEmpty: false, suspended: false },
    now,
    tombstones: new Map(gone.map((key) => [key, { since: now - 6000, generation: 8 }])),
    clusterBudget: { managedObjects: 1000, prunesLast10Min: 0 },
    otherOwners: new Map(),
  };
}

/** The input with one live object changed. */
export function withLive(
  input: PruneInput,
  key: string,
  more: Partial<LiveObject> | 'missing' | 'unknown',
): PruneInput {
  const live = new Map(input.live);
  const before = live.get(key);
  live.set(key, typeof more === 'string' ? more : { ...(before as LiveObject), ...more });
  return { ...input, live };
}

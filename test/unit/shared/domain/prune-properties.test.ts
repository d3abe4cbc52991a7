import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decidePrunes } from '#shared/domain/prune-guards.ts';
import type { LiveObject, PruneInput } from '#shared/domain/prune-plan.ts';
import { pruneListDigest } from '#shared/domain/prune-plan.ts';
import { isProtected } from '#shared/domain/prune-rules/protected-kinds.ts';
import { parseKey } from '#shared/domain/kube-object.ts';
import { fieldManager, ownerLabel, ownerMark } from '#shared/domain/tracking.ts';
import { application, now, owner } from './prune-kit.ts';

const keys = [
  '/ConfigMap/a/one',
  '/ConfigMap/a/two',
  '/Secret/a/three',
  '/Service/b/four',
  'apps/Deployment/a/five',
  'apps/Deployment/b/six',
  'apps/StatefulSet/b/seven',
  'batch/Job/b/eight',
  '/Namespace//a',
  '/PersistentVolumeClaim/a/nine',
  'example.com/Thing/a/ten',
  'apiextensions.k8s.io/CustomResourceDefinition//things.example.com',
];
const someKeys = fc.subarray(keys);
const mostly = <T>(usual: T, ...others: T[]) =>
  fc.oneof({ weight: 20, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(...others) });
const uidOf = (key: string) => `uid of ${key}`;

const liveObject = (key: string): fc.Arbitrary<LiveObject | 'missing' | 'unknown'> =>
  fc.oneof(
    {
      weight: 20,
      arbitrary: fc.record({
        uid: mostly(uidOf(key), 'another'),
        resourceVersion: fc.constantFrom('1', '2'),
        labels: mostly<Record<string, string>>({ [ownerLabel]: owner }, {}, { [ownerLabel]: ownerMark('other') }),
        annotations: mostly<Record<string, string>>({}, { 'argocd.argoproj.io/sync-options': 'Prune=false' }),
        managers: mostly<string[]>([fieldManager], ['kubectl'], []),
      }),
    },
    { weight: 1, arbitrary: fc.constantFrom('missing' as const, 'unknown' as const) },
  );

/** Any round at all: mostly in order, so that deletions happen, with every kind of trouble thrown in. */
const anyInput: fc.Arbitrary<PruneInput> = fc
  .tuple(someKeys, someKeys, someKeys, fc.tuple(...keys.map(liveObject)))
  .chain(([desired, inventory, moved, live]) =>
    fc.record({
      application: fc.constant(application),
      owner: fc.constant(owner),
      root: fc.record({
        verified: mostly(true, false),
        complete: mostly(true, false),
        generation: fc.constant(8),
        newestGeneration: mostly(8, 9),
        appliedGeneration: mostly(8, 7, 0),
        objectCount: mostly(desired.length, desired.length + 1),
      }),
      desired: fc.constant(desired.map((key) => ({ key }))),
      inventory: fc.constant(inventory.map((key) => ({ key, version: 'v1', uid: uidOf(key) }))),
      live: fc.constant(new Map(keys.map((key, index) => [key, live[index] as LiveObject]))),
      roundErrors: mostly<string[]>([], ['refused']),
      failedGroups: mostly(new Set<string>(), new Set(['']), new Set(['apps'])),
      policy: fc.record({ prune: mostly(true, false), allowEmpty: fc.boolean(), suspended: mostly(false, true) }),
      now: fc.constant(now),
      tombstones: fc
        .constantFrom(4000, 5000, 60_000)
        .map((age) => new Map(keys.map((key, index) => [key, { since: now - age - index, generation: 8 }]))),
      clusterBudget: fc.record({
        managedObjects: fc.constantFrom(10, 10_000),
        prunesLast10Min: fc.constantFrom(0, 24, 250),
      }),
      otherOwners: fc.constantFrom(new Map<string, string>(), new Map(moved.map((key) => [key, 'other']))),
      alreadyPruned: fc.constantFrom<string[]>([], ['/ConfigMap/a/gone']),
      options: fc.constantFrom({}, { applicationMinimum: 0 }, { applicationMinimum: 100 }),
    }),
  );

const confirming = fc
  .tuple(anyInput, fc.constantFrom('exact', 'other', 'expired'), fc.integer({ min: 1, max: 3_600_000 }))
  .map(([input, how, time]): PruneInput => {
    const hold = decidePrunes(input).hold;
    const listDigest = how === 'other' ? pruneListDigest('other', keys) : (hold?.listDigest ?? 'none');
    const until = new Date(how === 'expired' ? now - time : now + time).toISOString();
    return { ...input, confirmed: { listDigest, until } };
  });

const runs = { numRuns: 2000 };

describe('whatever a round looks like', () => {
  it('deletes only with a complete, verified, newest and fully applied snapshot, and without any error (INV-20, INV-21)', () => {
    let deletions = 0;
    fc.assert(
      fc.property(fc.oneof(anyInput, confirming), (input) => {
        const decision = decidePrunes(input);
        if (decision.delete.length === 0) return;
        deletions += 1;
        const { root } = input;
        expect(root).toMatchObject({ verified: true, complete: true, newestGeneration: 8, appliedGeneration: 8 });
        expect(input.desired).toHaveLength(root.objectCount);
        expect(input.roundErrors).toEqual([]);
        expect(input.policy).toMatchObject({ prune: true, suspended: false });
        expect(decision.hold).toBeUndefined();
        expect(decision.blocked).toBeUndefined();
      }),
      runs,
    );
    // The property would hold for a function that deletes nothing.
    expect(deletions).toBeGreaterThan(100);
  });

  it('deletes only objects of the inventory that are ours, undesired, alive, unkept and not moved (INV-24)', () => {
    fc.assert(
      fc.property(fc.oneof(anyInput, confirming), (input) => {
        const desired = new Set(input.desired.map(({ key }) => key));
        const inventory = new Map(input.inventory.map((entry) => [entry.key, entry]));
        for (const item of decidePrunes(input).delete) {
          const live = input.live.get(item.key) as LiveObject;
          expect(desired.has(item.key)).toBe(false);
          expect(item).toMatchObject({ uid: inventory.get(item.key)?.uid, resourceVersion: live.resourceVersion });
          expect(live.uid).toBe(item.uid);
          expect(live.labels[ownerLabel]).toBe(owner);
          expect(live.managers).toContain(fieldManager);
          expect(live.annotations).toEqual({});
          expect(input.otherOwners.has(item.key)).toBe(false);
          expect(input.failedGroups.has(parseKey(item.key).group)).toBe(false);
          expect(input.tombstones.get(item.key)?.since).toBeLessThanOrEqual(now - 5000);
        }
      }),
      runs,
    );
  });

  it('stays within the budgets unless exactly this list was confirmed (INV-22, INV-23)', () => {
    fc.assert(
      fc.property(fc.oneof(anyInput, confirming), (input) => {
        const decision = decidePrunes(input);
        if (decision.delete.length === 0) return;
        const pending = [...decision.delete, ...decision.wait].map(({ key }) => key);
        const all = [...pending, ...(input.alreadyPruned ?? [])];
        const confirmed =
          input.confirmed !== undefined &&
          input.confirmed.listDigest === pruneListDigest(application, all) &&
          Date.parse(input.confirmed.until) > now;
        if (confirmed) return;
        const had = new Set([...input.inventory.map(({ key }) => key), ...all]).size;
        expect(all.length).toBeLessThanOrEqual(Math.max(input.options?.applicationMinimum ?? 5, had * 0.2));
        const { managedObjects, prunesLast10Min } = input.clusterBudget;
        expect(prunesLast10Min + pending.length).toBeLessThanOrEqual(Math.max(25, managedObjects * 0.02));
        for (const key of pending) expect(isProtected(parseKey(key))).toBe(false);
        if (!input.policy.allowEmpty) expect(input.desired.length).toBeGreaterThan(0);
      }),
      runs,
    );
  });

  it('forgets only what is gone, replaced or handed over, and says something of every extra exactly once (INV-25)', () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        const decision = decidePrunes(input);
        const desired = new Set(input.desired.map(({ key }) => key));
        const extras = input.inventory.map(({ key }) => key).filter((key) => !desired.has(key));
        for (const key of decision.forget) {
          const live = input.live.get(key);
          expect(live === 'missing' || (typeof live === 'object' && live.uid !== uidOf(key))).toBe(true);
        }
        if (decision.blocked !== undefined) {
          expect([
            ...decision.delete,
            ...decision.wait,
            ...decision.skip,
            ...decision.handOver,
            ...decision.forget,
          ]).toEqual([]);
          return;
        }
        const said = [
          ...decision.delete.map(({ key }) => key),
          ...decision.wait.map(({ key }) => key),
          ...decision.skip.map(({ key }) => key),
          ...decision.handOver.map(({ key }) => key),
          ...decision.forget,
          ...(decision.hold?.objects ?? []),
        ];
        expect(said.sort()).toEqual(extras.sort());
      }),
      runs,
    );
  });

  it('gives the same answer for the same facts in any order', () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        const turned = { ...input, inventory: input.inventory.toReversed(), desired: input.desired.toReversed() };
        const [a, b] = [decidePrunes(input), decidePrunes(turned)];
        expect(b.delete).toEqual(a.delete);
        expect(b.hold).toEqual(a.hold);
      }),
    );
  });
});

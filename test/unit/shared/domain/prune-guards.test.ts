import { describe, expect, it } from 'vitest';
import { decidePrunes, isStillDue, pruneGuards, type PruneGuards } from '#shared/domain/prune-guards.ts';
import { liveObjectOf, type PruneInput, pruneListDigest } from '#shared/domain/prune-plan.ts';
import { ownerLabel, ownerMark } from '#shared/domain/tracking.ts';
import { application, now, ours, owner, safeInput, withLive } from './prune-kit.ts';

const old = '/ConfigMap/shop/old';

describe('an object that the snapshot no longer holds', () => {
  it('is deleted when every guard is content, with uid and resource version as preconditions (INV-24)', () => {
    expect(decidePrunes(safeInput())).toEqual({
      delete: [{ key: old, version: 'v1', uid: `uid of ${old}`, resourceVersion: '7', wave: 0 }],
      wait: [],
      skip: [],
      handOver: [],
      forget: [],
    });
  });

  it('is forgotten once a read says that it is gone, and only then (INV-25)', () => {
    expect(decidePrunes(withLive(safeInput(), old, 'missing'))).toMatchObject({ forget: [old], delete: [] });
    expect(decidePrunes(withLive(safeInput(), old, 'unknown'))).toMatchObject({ forget: [], delete: [] });
    const failed = { ...withLive(safeInput(), old, 'missing'), failedGroups: new Set(['']) };
    expect(decidePrunes(failed)).toMatchObject({ forget: [], delete: [], skip: [{ guard: 'G-12' }] });
  });

  it('is left alone where it is a hook', () => {
    const input = safeInput();
    const inventory = input.inventory.map((entry) => (entry.key === old ? { ...entry, hook: true } : entry));
    expect(decidePrunes({ ...input, inventory })).toEqual({ delete: [], wait: [], skip: [], handOver: [], forget: [] });
  });

  it('is deleted after what was applied after it', () => {
    const gone = ['/Service/shop/a', '/ConfigMap/shop/b', 'apps/Deployment/shop/c'];
    const input = safeInput(gone);
    const inventory = input.inventory.map((entry) =>
      entry.key === '/ConfigMap/shop/b' ? { ...entry, wave: 5 } : entry,
    );
    expect(decidePrunes({ ...input, inventory }).delete.map(({ key }) => key)).toEqual([
      '/ConfigMap/shop/b',
      'apps/Deployment/shop/c',
      '/Service/shop/a',
    ]);
  });
});

/** One datum differs from an input that deletes `key`; only the guard named `name` is in the way. */
interface GuardRow {
  guard: string;
  name: string;
  /** How the decision says so. */
  shows: 'blocked' | 'skip' | 'wait' | 'hand over' | 'forget' | 'hold';
  key?: string;
  input: PruneInput;
}

const root = (more: Partial<PruneInput['root']>): PruneInput => {
  const input = safeInput();
  return { ...input, root: { ...input.root, ...more } };
};
const many = (count: number, kind = '/ConfigMap', namespace = 'shop') =>
  Array.from({ length: count }, (_, index) => `${kind}/${namespace}/gone-${index}`);
const protectedRow = (key: string): GuardRow => ({
  guard: 'G-04',
  name: 'protected',
  shows: 'hold',
  key,
  input: safeInput([key]),
});

/** `extensions/…` moved to `networking.k8s.io/…`: the same object under two keys. */
function movedGroup(): PruneInput {
  const [before, after] = ['extensions/Ingress/shop/web', 'networking.k8s.io/Ingress/shop/web'];
  const input = safeInput([before]);
  const live = ours('uid of ingress');
  return {
    ...input,
    root: { ...input.root, objectCount: 11 },
    desired: [...input.desired, { key: after }],
    inventory: [
      ...input.inventory.filter(({ key }) => key !== before),
      { key: before, version: 'v1beta1', uid: 'uid of ingress' },
      { key: after, version: 'v1', uid: 'uid of ingress' },
    ],
    live: new Map([...input.live, [before, live], [after, live]]),
  };
}

function namespaceInUse(): PruneInput {
  const key = '/Namespace//shop';
  const input = safeInput([key]);
  return confirmedFor(input, [key]);
}

function kindInUse(): PruneInput {
  const key = 'apiextensions.k8s.io/CustomResourceDefinition//things.example.com';
  const input = withLive(safeInput([key]), key, { instances: 0 });
  const desired = [...input.desired, { key: 'example.com/Thing/shop/one' }];
  return { ...input, desired, root: { ...input.root, objectCount: desired.length } };
}

function confirmedFor(input: PruneInput, keys: string[]): PruneInput {
  const until = new Date(now + 3_600_000).toISOString();
  return { ...input, confirmed: { listDigest: pruneListDigest(application, keys), until } };
}

const guardRows: GuardRow[] = [
  { guard: 'G-01', name: 'verified', shows: 'blocked', input: root({ verified: false }) },
  { guard: 'G-01', name: 'complete', shows: 'blocked', input: root({ complete: false }) },
  { guard: 'G-01', name: 'newest', shows: 'blocked', input: root({ newestGeneration: 9 }) },
  { guard: 'G-01', name: 'applied', shows: 'blocked', input: root({ appliedGeneration: 7 }) },
  { guard: 'G-01', name: 'count', shows: 'blocked', input: root({ objectCount: 11 }) },
  {
    guard: 'G-12',
    name: 'errors',
    shows: 'blocked',
    input: { ...safeInput(), roundErrors: ['Service shop/web: refused'] },
  },
  {
    guard: 'suspended',
    name: 'suspended',
    shows: 'blocked',
    input: { ...safeInput(), policy: { prune: true, allowEmpty: false, suspended: true } },
  },
  { guard: 'G-02', name: 'empty', shows: 'hold', input: safeInput([old], 0) },
  {
    guard: 'G-02',
    name: 'last of a kind',
    shows: 'hold',
    key: 'apps/Deployment/shop/gone-0',
    input: safeInput(many(2, 'apps/Deployment')),
  },
  { guard: 'G-03', name: 'application', shows: 'hold', key: '/ConfigMap/shop/gone-0', input: safeInput(many(6)) },
  {
    guard: 'G-03',
    name: 'cluster',
    shows: 'hold',
    input: { ...safeInput(), clusterBudget: { managedObjects: 1000, prunesLast10Min: 25 } },
  },
  protectedRow('/Namespace//other'),
  protectedRow('/PersistentVolumeClaim/shop/data'),
  protectedRow('/PersistentVolume//data'),
  protectedRow('apiextensions.k8s.io/CustomResourceDefinition//things.example.com'),
  protectedRow('storage.k8s.io/StorageClass//fast'),
  protectedRow('apiregistration.k8s.io/APIService//v1.metrics'),
  protectedRow('admissionregistration.k8s.io/MutatingWebhookConfiguration//hook'),
  protectedRow('admissionregistration.k8s.io/ValidatingWebhookConfiguration//hook'),
  protectedRow('rbac.authorization.k8s.io/ClusterRole//hawser-agent'),
  protectedRow('rbac.authorization.k8s.io/ClusterRoleBinding//hawser'),
  protectedRow('apps/Deployment/hawser-system/agent'),
  protectedRow('s3.aws.upbound.io/Bucket//data'),
  protectedRow('apiextensions.crossplane.io/Composition//x'),
  protectedRow('rds.services.k8s.aws/DBInstance/shop/db'),
  protectedRow('resources.azure.com/ResourceGroup/shop/rg'),
  protectedRow('cluster.x-k8s.io/Cluster/shop/c'),
  protectedRow('infrastructure.cluster.x-k8s.io/AWSCluster/shop/c'),
  protectedRow('karpenter.sh/NodePool//default'),
  protectedRow('argoproj.io/Application/argocd/a'),
  protectedRow('kustomize.toolkit.fluxcd.io/Kustomization/flux-system/a'),
  {
    guard: 'G-04',
    name: 'protected',
    shows: 'hold',
    input: withLive(safeInput(), old, { annotations: { 'argocd.argoproj.io/sync-options': 'Prune=confirm' } }),
  },
  { guard: 'G-05', name: 'uid', shows: 'skip', input: withLive(safeInput(), old, { uid: 'another' }) },
  {
    guard: 'G-05',
    name: 'uid',
    shows: 'skip',
    input: { ...safeInput(), inventory: safeInput().inventory.map((entry) => ({ ...entry, uid: '' })) },
  },
  { guard: 'G-05', name: 'owner mark', shows: 'skip', input: withLive(safeInput(), old, { labels: {} }) },
  {
    guard: 'G-05',
    name: 'owner mark',
    shows: 'skip',
    input: withLive(safeInput(), old, { labels: { [ownerLabel]: ownerMark('other') } }),
  },
  { guard: 'G-05', name: 'field manager', shows: 'skip', input: withLive(safeInput(), old, { managers: ['kubectl'] }) },
  { guard: 'G-05', name: 'controlled', shows: 'skip', input: withLive(safeInput(), old, { controlled: true }) },
  { guard: 'G-06', name: 'same uid', shows: 'forget', key: 'extensions/Ingress/shop/web', input: movedGroup() },
  {
    guard: 'G-06',
    name: 'terminating',
    shows: 'skip',
    input: withLive(safeInput(), old, { deletionTimestamp: '2026-01-01T00:00:00Z' }),
  },
  ...[
    { 'argocd.argoproj.io/sync-options': 'Prune=false' },
    { 'helm.sh/resource-policy': 'keep' },
    { 'kustomize.toolkit.fluxcd.io/prune': 'disabled' },
  ].map((annotations): GuardRow => ({
    guard: 'G-06',
    name: 'kept',
    shows: 'skip',
    input: withLive(safeInput(), old, { annotations }),
  })),
  { guard: 'G-06', name: 'namespace in use', shows: 'skip', key: '/Namespace//shop', input: namespaceInUse() },
  {
    guard: 'G-06',
    name: 'kind in use',
    shows: 'skip',
    key: 'apiextensions.k8s.io/CustomResourceDefinition//things.example.com',
    input: kindInUse(),
  },
  { guard: 'G-07', name: 'tombstone', shows: 'wait', input: { ...safeInput(), tombstones: new Map() } },
  {
    guard: 'G-07',
    name: 'tombstone',
    shows: 'wait',
    input: { ...safeInput(), tombstones: new Map([[old, { since: now - 4999, generation: 8 }]]) },
  },
  {
    guard: 'G-07',
    name: 'tombstone',
    shows: 'wait',
    input: { ...safeInput(), tombstones: new Map([[old, { since: now + 1, generation: 8 }]]) },
  },
  {
    guard: 'G-07',
    name: 'tombstone',
    shows: 'wait',
    input: { ...safeInput(), tombstones: new Map([[old, { since: now - 6000, generation: 9 }]]) },
  },
  {
    guard: 'G-09',
    name: 'moved',
    shows: 'hand over',
    input: { ...safeInput(), otherOwners: new Map([[old, 'other']]) },
  },
  { guard: 'G-12', name: 'failed group', shows: 'skip', input: { ...safeInput(), failedGroups: new Set(['']) } },
  {
    guard: 'policy',
    name: 'prune is off',
    shows: 'skip',
    input: { ...safeInput(), policy: { prune: false, allowEmpty: false, suspended: false } },
  },
];

describe('each guard', () => {
  it.each(guardRows.map((row) => [`${row.guard} ${row.name} (${row.key ?? old})`, row] as const))(
    '%s prevents a deletion that nothing else prevents',
    (_title, { guard, name, shows, key = old, input }) => {
      const decision = decidePrunes(input);
      expect(decision.delete.map((item) => item.key)).not.toContain(key);
      if (shows === 'blocked') expect(decision.blocked?.guard).toBe(guard);
      else if (shows === 'skip') expect(decision.skip).toContainEqual(expect.objectContaining({ key, guard }));
      else if (shows === 'wait') expect(decision.wait.map((each) => each.key)).toContain(key);
      else if (shows === 'hand over') expect(decision.handOver).toContainEqual({ key, to: 'other' });
      else if (shows === 'forget') expect(decision.forget).toContain(key);
      else expect(decision.hold).toMatchObject({ guards: [guard], objects: expect.arrayContaining([key]) as string[] });
      // The mutation check: with this one guard taken out, the very same input deletes the object.
      expect(decidePrunes(input, without(guard, name)).delete.map((item) => item.key)).toContain(key);
    },
  );

  it('is in the table', () => {
    const all = [...pruneGuards.round, ...pruneGuards.object, ...pruneGuards.list].map(
      ({ guard, name }) => `${guard} ${name}`,
    );
    expect(new Set(guardRows.map(({ guard, name }) => `${guard} ${name}`))).toEqual(new Set(all));
  });
});

function without(guard: string, name: string): PruneGuards {
  const others = <T extends { guard: string; name: string }>(guards: readonly T[]) =>
    guards.filter((each) => each.guard !== guard || each.name !== name);
  return { round: others(pruneGuards.round), object: others(pruneGuards.object), list: others(pruneGuards.list) };
}

describe('G-02', () => {
  it('lets an application become empty where its policy allows that', () => {
    const input = { ...safeInput([old], 0), policy: { prune: true, allowEmpty: true, suspended: false } };
    expect(decidePrunes(input).delete).toHaveLength(1);
  });

  it('counts a snapshot of nothing but hooks as empty', () => {
    const input = safeInput([old], 0);
    const hooks = {
      ...input,
      desired: [{ key: 'batch/Job/shop/hook', hook: true }],
      root: { ...input.root, objectCount: 1 },
    };
    expect(decidePrunes(hooks).hold?.guards).toEqual(['G-02']);
  });

  it('lets the only Deployment of an application go', () => {
    expect(decidePrunes(safeInput(['apps/Deployment/shop/only'])).delete).toHaveLength(1);
  });

  it('lets two Deployments go where a third stays', () => {
    const input = safeInput(many(2, 'apps/Deployment'));
    const desired = [...input.desired, { key: 'apps/Deployment/shop/stays' }];
    expect(
      decidePrunes({ ...input, desired, root: { ...input.root, objectCount: desired.length } }).delete,
    ).toHaveLength(2);
  });
});

describe('G-03 (FT-88)', () => {
  it.each([
    [5, 0, false],
    [5, 10, false],
    [6, 10, true],
    [20, 80, false],
    [21, 79, true],
    [25, 75, true],
    [90, 10, true],
  ])('with %i going and %i staying holds: %s', (going, staying, holds) => {
    const input = { ...safeInput(many(going), staying), policy: { prune: true, allowEmpty: true, suspended: false } };
    expect(decidePrunes(input).hold !== undefined).toBe(holds);
  });

  it('lets small clusters prune 25 objects and large ones two percent in ten minutes', () => {
    const budget = (managedObjects: number, prunesLast10Min: number) =>
      decidePrunes({ ...safeInput(), clusterBudget: { managedObjects, prunesLast10Min } }).hold !== undefined;
    expect([budget(30, 24), budget(30, 25), budget(10_000, 199), budget(10_000, 200)]).toEqual([
      false,
      true,
      false,
      true,
    ]);
  });

  it('judges a list as a whole, however many rounds it takes: what has gone already counts', () => {
    const gone = many(6);
    const rest = safeInput(gone.slice(4));
    expect(decidePrunes(rest).delete).toHaveLength(2);
    expect(decidePrunes({ ...rest, alreadyPruned: gone.slice(0, 4) }).hold?.guards).toEqual(['G-03']);
  });

  it('counts what waits for its tombstone: stones that fall one by one do not slip under the cap', () => {
    const gone = many(6);
    const input = safeInput(gone);
    const tombstones = new Map(gone.map((key, index) => [key, { since: now - 1000 * index - 4000, generation: 8 }]));
    expect(decidePrunes({ ...input, tombstones })).toMatchObject({ delete: [], wait: [], hold: { guards: ['G-03'] } });
  });

  it('can be tightened by options', () => {
    expect(
      decidePrunes({ ...safeInput(), options: { applicationMinimum: 0, applicationShare: 0 } }).hold?.guards,
    ).toEqual(['G-03']);
  });
});

describe('G-04', () => {
  it('lets a definition go that has no instances', () => {
    const key = 'apiextensions.k8s.io/CustomResourceDefinition//things.example.com';
    expect(decidePrunes(withLive(safeInput([key]), key, { instances: 0 })).delete).toHaveLength(1);
    expect(decidePrunes(withLive(safeInput([key]), key, { instances: 10 })).hold?.reason).toContain(
      'with 10 instances',
    );
  });

  it('shows the reclaim policy of a volume', () => {
    const key = '/PersistentVolume//data';
    expect(decidePrunes(withLive(safeInput([key]), key, { reclaimPolicy: 'Delete' })).hold?.reason).toContain(
      'reclaim policy Delete',
    );
  });

  it('holds the whole list: nothing goes while a hold is active (INV-21)', () => {
    const decision = decidePrunes(safeInput([old, '/PersistentVolumeClaim/shop/data']));
    expect(decision).toMatchObject({
      delete: [],
      hold: { objects: ['/ConfigMap/shop/old', '/PersistentVolumeClaim/shop/data'] },
    });
  });
});

describe('G-13 (FT-89)', () => {
  const gone = many(6);
  const digest = pruneListDigest(application, gone);
  const until = new Date(now + 3_600_000).toISOString();
  const confirm = (more: Partial<PruneInput>, confirmed = { listDigest: digest, until }) =>
    decidePrunes({ ...safeInput(gone), confirmed, ...more });

  it('a confirmation of exactly this list lets it go', () => {
    expect(decidePrunes(safeInput(gone)).hold?.listDigest).toBe(digest);
    expect(confirm({}).delete).toHaveLength(6);
  });

  it('is void once the list has changed', () => {
    expect(decidePrunes({ ...safeInput([...gone, old]), confirmed: { listDigest: digest, until } })).toMatchObject({
      delete: [],
      hold: { reason: expect.stringContaining('changed since it was confirmed') as string },
    });
    expect(
      decidePrunes({
        ...safeInput(gone.slice(1), 1),
        confirmed: { listDigest: digest, until },
        options: { applicationMinimum: 0 },
      }).delete,
    ).toEqual([]);
  });

  it('is void once it has expired, where it has no time, and where it is for too long', () => {
    for (const bad of [new Date(now).toISOString(), 'never', new Date(now + 48 * 3_600_000).toISOString()]) {
      expect(confirm({}, { listDigest: digest, until: bad })).toMatchObject({ delete: [], hold: {} });
    }
  });

  it('is void for another application', () => {
    const other = pruneListDigest('other', gone);
    expect(confirm({}, { listDigest: other, until }).delete).toEqual([]);
  });

  it('stays valid while the list is being carried out', () => {
    const rest = {
      ...safeInput(gone.slice(3)),
      alreadyPruned: gone.slice(0, 3),
      confirmed: { listDigest: digest, until },
    };
    expect(decidePrunes(rest).delete).toHaveLength(3);
  });

  it('overrules no guard but G-02, G-03 and G-04', () => {
    expect(confirm({ roundErrors: ['x'] }).delete).toEqual([]);
    expect(confirm({ failedGroups: new Set(['']) }).delete).toEqual([]);
    expect(confirm({ tombstones: new Map() }).delete).toEqual([]);
  });
});

describe('what is not ours', () => {
  it('of a recreated object is let go of, because ours is gone (FT-86)', () => {
    const input = withLive(safeInput(), old, { uid: 'another', labels: {}, managers: ['kubectl'] });
    expect(decidePrunes(input)).toMatchObject({ delete: [], forget: [old], skip: [] });
  });

  it('is never found by its labels: a copy that an operator made is no candidate (FT-85)', () => {
    const input = safeInput();
    const live = new Map([...input.live, ['/Pod/shop/copy', ours('copy', { controlled: true })]]);
    expect(decidePrunes({ ...input, live }).delete.map(({ key }) => key)).toEqual([old]);
  });
});

describe('the last look before a delete (G-07, FT-92)', () => {
  const [item] = decidePrunes(safeInput()).delete;
  const current = { newestGeneration: 8, desired: false, live: ours(`uid of ${old}`) };
  const check = (more: Partial<typeof current> | { live: 'missing' | 'unknown' }) =>
    isStillDue(item as NonNullable<typeof item>, { generation: 8 }, { ...current, ...more });

  it('agrees while nothing has changed', () => expect(check({})).toBe(true));
  it.each([
    ['a newer generation is known', { newestGeneration: 9 }],
    ['it is desired again', { desired: true }],
    ['it is gone', { live: 'missing' as const }],
    ['it cannot be read', { live: 'unknown' as const }],
    ['another object bears its name', { live: ours('another') }],
    ['it is being deleted', { live: ours(`uid of ${old}`, { deletionTimestamp: 'x' }) }],
  ])('refuses when %s', (_what, more) => expect(check(more)).toBe(false));
});

describe('a live object as pruning sees it', () => {
  it('has its managers, its controller and its reclaim policy', () => {
    const live = liveObjectOf({
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: {
        name: 'x',
        uid: 'u',
        resourceVersion: '3',
        labels: { [ownerLabel]: owner },
        ownerReferences: [{ uid: 'o', controller: true }],
        managedFields: [{ manager: 'hawser' }, { manager: 'hawser' }, { manager: 'kubectl' }],
      },
      spec: { persistentVolumeReclaimPolicy: 'Retain' },
    });
    expect(live).toEqual({
      uid: 'u',
      resourceVersion: '3',
      labels: { [ownerLabel]: owner },
      annotations: {},
      managers: ['hawser', 'kubectl'],
      controlled: true,
      reclaimPolicy: 'Retain',
    });
  });
});

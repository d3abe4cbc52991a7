import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { orderObjects, pruneOrder, stepsOf } from '#shared/domain/apply-order.ts';
import { hookName, hookOf, waveOf } from '#shared/domain/hooks.ts';
import type { KubeObject } from '#shared/domain/kube-object.ts';
import { isKeptOnDeletion, optionsOf } from '#shared/domain/object-options.ts';

function make(
  kind: string,
  name: string,
  more: { namespace?: string; annotations?: Record<string, string>; spec?: object } = {},
): KubeObject {
  const [apiVersion = 'v1', bare = kind] = kind.includes(' ') ? kind.split(' ') : ['v1', kind];
  const { spec, ...metadata } = more;
  return {
    apiVersion,
    kind: bare,
    metadata: { name, ...metadata },
    ...(spec === undefined ? {} : { spec: spec as never }),
  };
}

const argo = (name: string, value: string) => ({ [`argocd.argoproj.io/${name}`]: value });
const names = (objects: KubeObject[]) => orderObjects(objects).map(({ object }) => object.metadata.name);

describe('the order in which objects are applied', () => {
  it('is phase, then wave, then kind, then name', () => {
    const objects = [
      make('apps/v1 Deployment', 'deploy', { namespace: 'n' }),
      make('ConfigMap', 'post', { annotations: argo('hook', 'PostSync') }),
      make('ConfigMap', 'late', { annotations: argo('sync-wave', '5') }),
      make('Service', 'service'),
      make('ConfigMap', 'b'),
      make('ConfigMap', 'a'),
      make('ConfigMap', 'early', { annotations: argo('sync-wave', '-1') }),
      make('batch/v1 Job', 'pre', { annotations: argo('hook', 'PreSync') }),
      make('example.com/v1 Thing', 'other'),
      make('ConfigMap', 'fail', { annotations: argo('hook', 'SyncFail') }),
    ];
    expect(names(objects)).toEqual(['pre', 'early', 'a', 'b', 'service', 'deploy', 'other', 'late', 'post', 'fail']);
  });

  it('brings a Namespace ahead of what lies in it, into its phase and wave', () => {
    const tasks = orderObjects([
      make('Namespace', 'shop'),
      make('batch/v1 Job', 'migrate', {
        namespace: 'shop',
        annotations: { ...argo('hook', 'PreSync'), ...argo('sync-wave', '-3') },
      }),
      make('ConfigMap', 'settings', { namespace: 'shop' }),
    ]);
    expect(tasks.map(({ key, phase, wave }) => `${key} ${phase} ${wave}`)).toEqual([
      '/Namespace//shop PreSync -3',
      'batch/Job/shop/migrate PreSync -3',
      '/ConfigMap/shop/settings Sync 0',
    ]);
  });

  it('brings a CustomResourceDefinition ahead of its instances', () => {
    const definition = make('apiextensions.k8s.io/v1 CustomResourceDefinition', 'things.example.com', {
      annotations: argo('sync-wave', '2'),
      spec: { group: 'example.com', names: { kind: 'Thing' } },
    });
    const tasks = orderObjects([make('example.com/v1 Thing', 'one'), definition, make('ConfigMap', 'a')]);
    expect(tasks.map(({ object, wave }) => [object.metadata.name, wave])).toEqual([
      ['a', 0],
      ['things.example.com', 0],
      ['one', 0],
    ]);
  });

  it('leaves skipped hooks and Helm tests out, and runs a hook once per phase', () => {
    const tasks = orderObjects([
      make('Pod', 'test', { annotations: { 'helm.sh/hook': 'test' } }),
      make('Pod', 'skipped', { annotations: argo('hook', 'Skip') }),
      make('Pod', 'both', { annotations: argo('hook', 'PreSync, PostSync') }),
    ]);
    expect(tasks.map(({ object, phase }) => [object.metadata.name, phase])).toEqual([
      ['both', 'PreSync'],
      ['both', 'PostSync'],
    ]);
  });

  it('does not depend on the order in which objects come', () => {
    const kinds = ['ConfigMap', 'Namespace', 'apps/v1 Deployment', 'example.com/v1 Thing', 'Secret'];
    const object = fc
      .record({
        kind: fc.constantFrom(...kinds),
        name: fc.constantFrom('a', 'b', 'c'),
        namespace: fc.constantFrom('a', 'b'),
        wave: fc.integer({ min: -2, max: 2 }),
      })
      .map(({ kind, name, namespace, wave }) =>
        make(kind, name, {
          ...(kind === 'Namespace' ? {} : { namespace }),
          annotations: argo('sync-wave', String(wave)),
        }),
      );
    const unique = fc.uniqueArray(object, {
      selector: (each) => `${each.kind}/${each.metadata.namespace}/${each.metadata.name}`,
    });
    fc.assert(
      fc.property(unique, (objects) => {
        const forward = orderObjects(objects);
        expect(orderObjects(objects.toReversed()).map(({ key }) => key)).toEqual(forward.map(({ key }) => key));
        expect(forward.map(({ order }) => order)).toEqual(forward.map((_, index) => index));
        const placeOf = new Map(forward.map(({ key, order }) => [key, order]));
        for (const { object: each, order } of forward) {
          const namespace = placeOf.get(`/Namespace//${each.metadata.namespace}`);
          if (namespace !== undefined) expect(namespace).toBeLessThan(order);
        }
        const steps = stepsOf(forward);
        expect(steps.flat()).toEqual(forward);
        for (const step of steps) expect(new Set(step.map(({ phase, wave }) => `${phase} ${wave}`)).size).toBe(1);
      }),
    );
  });
});

describe('the order in which objects are deleted', () => {
  it('is the other way round: last wave first, kinds and names in reverse, PruneLast after all', () => {
    const objects = [
      { key: '/Namespace//n' },
      { key: 'apps/Deployment/n/a' },
      { key: 'apps/Deployment/n/b' },
      { key: '/ConfigMap/n/late', wave: 3 },
      { key: '/ConfigMap/n/last', wave: 9, last: true },
    ];
    expect(pruneOrder(objects).map(({ key }) => key)).toEqual([
      '/ConfigMap/n/late',
      'apps/Deployment/n/b',
      'apps/Deployment/n/a',
      '/Namespace//n',
      '/ConfigMap/n/last',
    ]);
  });
});

describe('hooks', () => {
  it.each([
    ['PreSync', ['PreSync'], false],
    ['PostSync,SyncFail', ['PostSync', 'SyncFail'], false],
    ['Sync', ['Sync'], false],
    ['PreDelete', [], true],
    ['PostDelete', ['PostDelete'], false],
  ])("Argo CD's %s run in %j", (text, phases, preDelete) => {
    expect(hookOf(make('Pod', 'x', { annotations: argo('hook', text) }))).toEqual({
      phases,
      preDelete,
      skip: false,
      deletePolicies: ['BeforeHookCreation'],
    });
  });

  it.each([
    ['pre-install,pre-upgrade', ['PreSync'], false],
    ['post-install', ['PostSync'], false],
    ['post-delete', ['PostDelete'], false],
    ['test', [], true],
    ['test-success', [], true],
    ['pre-rollback', [], true],
    ['pre-install,test', ['PreSync'], false],
  ])("Helm's %s run in %j", (text, phases, skip) => {
    expect(hookOf(make('Pod', 'x', { annotations: { 'helm.sh/hook': text } }))).toMatchObject({ phases, skip });
  });

  it('are not plain objects nor those that Helm installs before its charts', () => {
    expect(hookOf(make('Pod', 'x'))).toBeUndefined();
    expect(hookOf(make('Pod', 'x', { annotations: { 'helm.sh/hook': 'crd-install' } }))).toBeUndefined();
  });

  it("of Argo CD hide Helm's annotations", () => {
    const annotations = {
      ...argo('hook', 'Sync'),
      'helm.sh/hook': 'post-install',
      'helm.sh/hook-weight': '7',
      'helm.sh/hook-delete-policy': 'hook-failed',
    };
    const object = make('Pod', 'x', { annotations });
    expect(hookOf(object)).toMatchObject({ phases: ['Sync'], deletePolicies: ['BeforeHookCreation'] });
    expect(waveOf(object)).toBe(0);
  });

  it('are deleted as their policies say', () => {
    expect(
      hookOf(
        make('Pod', 'x', {
          annotations: {
            ...argo('hook', 'Sync'),
            ...argo('hook-delete-policy', 'HookSucceeded, HookFailed, Nonsense'),
          },
        }),
      )?.deletePolicies,
    ).toEqual(['HookSucceeded', 'HookFailed']);
    expect(
      hookOf(
        make('Pod', 'x', {
          annotations: {
            'helm.sh/hook': 'pre-install',
            'helm.sh/hook-delete-policy': 'before-hook-creation,hook-succeeded',
          },
        }),
      )?.deletePolicies,
    ).toEqual(['BeforeHookCreation', 'HookSucceeded']);
  });

  it('get a name that is the same for every try of an operation', () => {
    expect(hookName('Migrate-', 'ABCDEF0123', 'PreSync', 1_700_000_000_999)).toBe('migrate-abcdef0-presync-1700000000');
  });
});

describe('the wave of an object', () => {
  it.each([
    [argo('sync-wave', '3'), 3],
    [argo('sync-wave', '-3'), -3],
    [{ ...argo('sync-wave', 'x'), 'helm.sh/hook-weight': '4' }, 4],
    [{ 'helm.sh/hook-weight': '-5' }, -5],
    [argo('sync-wave', '1.5'), 0],
    [{}, 0],
  ])('of %j is %i', (annotations, wave) => expect(waveOf(make('Pod', 'x', { annotations }))).toBe(wave));
});

describe('options of an object', () => {
  it.each([
    [argo('sync-options', 'Replace=true, Force=true'), { replace: true, force: true }],
    [argo('sync-options', 'Prune=false'), { keep: true }],
    [argo('sync-options', 'Prune=confirm'), { confirmPrune: true }],
    [argo('sync-options', 'PruneLast=true'), { pruneLast: true }],
    [argo('compare-options', 'IgnoreExtraneous'), { ignoreExtraneous: true }],
    [argo('ignore-healthcheck', 'true'), { ignoreHealth: true }],
    [{ 'helm.sh/resource-policy': 'keep' }, { keep: true }],
    [{ 'kustomize.toolkit.fluxcd.io/prune': 'disabled' }, { keep: true }],
    [{ 'kustomize.toolkit.fluxcd.io/prune': 'Disabled' }, { keep: true }],
    [{ 'kustomize.toolkit.fluxcd.io/reconcile': 'disabled' }, { skip: true, keep: true }],
    [{ 'kustomize.toolkit.fluxcd.io/ssa': 'IfNotPresent' }, { ifNotPresent: true }],
    [{ 'kustomize.toolkit.fluxcd.io/ssa': 'Ignore' }, { skip: true, keep: true }],
    [{ 'kustomize.toolkit.fluxcd.io/force': 'enabled' }, { force: true }],
    [{ 'cli-utils.sigs.k8s.io/on-remove': 'keep' }, { keep: true }],
    [{ 'client.lifecycle.config.k8s.io/deletion': 'detach' }, { keep: true }],
    [argo('sync-options', 'Prune=true,Replace=false'), {}],
  ])('of %j are %j', (annotations, options) => expect(optionsOf(make('Pod', 'x', { annotations }))).toEqual(options));

  it('keep an object when its application is deleted', () => {
    expect(isKeptOnDeletion(make('Pod', 'x', { annotations: argo('sync-options', 'Delete=false') }))).toBe(true);
    expect(isKeptOnDeletion(make('Pod', 'x', { annotations: { 'helm.sh/resource-policy': 'keep' } }))).toBe(true);
    expect(isKeptOnDeletion(make('Pod', 'x'))).toBe(false);
  });
});

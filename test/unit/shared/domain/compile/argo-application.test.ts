import { describe, expect, it } from 'vitest';
import { argoApplicationId, compileArgoApplication } from '#shared/domain/compile/argo-application.ts';
import type { CompileContext } from '#shared/domain/compile/context.ts';
import type { JsonObject } from '#shared/domain/json.ts';

const context: CompileContext = {
  homeCluster: 'home',
  defaultCluster: 'home',
  resolveCluster: ({ name }) => name ?? 'home',
};

function application(spec: JsonObject, metadata: JsonObject = {}): JsonObject {
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Application',
    metadata: { name: 'shop', namespace: 'argocd', ...metadata },
    spec: {
      source: { repoURL: 'https://git.example/shop.git', path: 'app' },
      destination: { namespace: 'shop' },
      ...spec,
    },
  };
}

describe('compiling an Argo CD Application', () => {
  it('takes over source, destination and defaults', () => {
    const { application: compiled } = compileArgoApplication(application({}), context);

    expect(compiled).toMatchObject({
      id: 'shop',
      project: 'default',
      cluster: 'home',
      destinationNamespace: 'shop',
      sources: [{ url: 'https://git.example/shop.git', path: 'app', revision: 'HEAD', render: { tool: 'auto' } }],
      policy: { automated: false, prune: false, selfHeal: false },
    });
  });

  it('reads the sync policy with its options', () => {
    const { application: compiled } = compileArgoApplication(
      application({
        syncPolicy: {
          automated: { prune: true, selfHeal: true },
          syncOptions: ['CreateNamespace=true', 'PruneLast=true', 'PrunePropagationPolicy=background', 'Replace=false'],
          retry: { limit: 3, backoff: { duration: '10s', factor: 3, maxDuration: '1m30s' } },
        },
      }),
      context,
    );

    expect(compiled.policy).toMatchObject({
      automated: true,
      prune: true,
      selfHeal: true,
      createNamespace: true,
      pruneLast: true,
      replace: false,
      prunePropagation: 'background',
      retry: { limit: 3, seconds: 10, factor: 3, maxSeconds: 90 },
    });
  });

  it('takes `automated.enabled: false` as not automated', () => {
    const { application: compiled } = compileArgoApplication(
      application({ syncPolicy: { automated: { enabled: false, prune: true } } }),
      context,
    );

    expect(compiled.policy.automated).toBe(false);
  });

  it('puts the namespace into the id of an Application outside Argo CD’s own namespace', () => {
    expect(argoApplicationId('argocd', 'shop')).toBe('shop');
    expect(argoApplicationId('team-a', 'shop')).toBe('team-a-shop');
  });

  it.each([
    ['../other', 'NT-21'],
    ['/etc', 'NT-21'],
    ['a/../../b', 'NT-21'],
    ['..\\x', 'NT-21'],
    ['a\0b', 'NT-21'],
  ])('refuses the path %j (%s)', (path) => {
    const object = application({ source: { repoURL: 'https://git.example/shop.git', path } });

    expect(() => compileArgoApplication(object, context)).toThrow(/outside the repository/);
  });

  it('names every field that is wrong', () => {
    const object = application({ source: { repoURL: 5, path: ['x'] } });

    expect(() => compileArgoApplication(object, context)).toThrow(/spec\.source\.repoURL.*spec\.source\.path/);
  });

  it.each([
    [{ chart: 'redis', repoURL: 'https://charts.example' }, /chart/],
    [{ repoURL: 'oci://reg.example/x', path: '.' }, /oci/],
    [{ repoURL: 'https://git.example/x.git', path: '.', plugin: {} }, /plugin/],
  ])('says that %j is not supported yet', (source, words) => {
    expect(() => compileArgoApplication(application({ source }), context)).toThrow(words);
  });

  it('refuses two tools in one source', () => {
    const object = application({
      source: { repoURL: 'https://git.example/x.git', path: '.', helm: {}, kustomize: {} },
    });

    expect(() => compileArgoApplication(object, context)).toThrow(/more than one of helm, kustomize, directory/);
  });

  it.each(['9e99h', '-1s', 'NaN', '1,5m', '99999999999h'])('refuses the retry duration %j (NT-75)', (duration) => {
    const object = application({ syncPolicy: { retry: { backoff: { duration } } } });

    expect(() => compileArgoApplication(object, context)).toThrow(/not a duration/);
  });
});

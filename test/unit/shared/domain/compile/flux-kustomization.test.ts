import { describe, expect, it } from 'vitest';
import { compileFluxKustomization, kustomizationId } from '#shared/domain/compile/flux-kustomization.ts';
import type { JsonObject } from '#shared/domain/json.ts';

const context = { homeCluster: 'home', defaultCluster: 'home', resolveCluster: () => 'home' };
const repository: JsonObject = {
  spec: { url: 'https://git.example/fleet.git', ref: { branch: 'main' }, interval: '1m' },
};

function kustomization(spec: JsonObject): JsonObject {
  return {
    apiVersion: 'kustomize.toolkit.fluxcd.io/v1',
    kind: 'Kustomization',
    metadata: { name: 'apps', namespace: 'flux-system' },
    spec: {
      interval: '10m',
      prune: true,
      path: './apps',
      sourceRef: { kind: 'GitRepository', name: 'fleet' },
      ...spec,
    },
  };
}

describe('compiling a Flux Kustomization', () => {
  it('is automated, heals and prunes as `spec.prune` says', () => {
    const { application } = compileFluxKustomization(kustomization({}), repository, context);

    expect(application).toMatchObject({
      id: 'flux-system-apps',
      sources: [{ path: 'apps', revision: 'refs/heads/main', render: { tool: 'flux' } }],
      policy: { automated: true, selfHeal: true, prune: true, timeoutSeconds: 570 },
    });
  });

  it('names its dependencies by application id', () => {
    const spec = { dependsOn: [{ name: 'infra' }, { name: 'crds', namespace: 'platform' }] };
    const { application } = compileFluxKustomization(kustomization(spec), repository, context);

    expect(application.dependsOn).toEqual(['flux-system-infra', 'platform-crds']);
  });

  it('follows Flux’s order of ref fields', () => {
    const of = (ref: JsonObject) =>
      compileFluxKustomization(kustomization({}), { spec: { url: 'https://git.example/x', ref } }, context).application
        .sources[0]?.revision;

    expect(of({ commit: 'abc', branch: 'main', tag: 'v1' })).toBe('abc');
    expect(of({ name: 'refs/pull/1/head', tag: 'v1' })).toBe('refs/pull/1/head');
    expect(of({ semver: '1.x', tag: 'v1' })).toBe('1.x');
    expect(of({ tag: 'v1', branch: 'main' })).toBe('refs/tags/v1');
    expect(of({})).toBe('refs/heads/master');
  });

  it('is suspended when it or its GitRepository is', () => {
    const suspended = (spec: JsonObject, source: JsonObject) =>
      compileFluxKustomization(kustomization(spec), { spec: { url: 'https://git.example/x', ...source } }, context)
        .application.policy.suspended;

    expect(suspended({ suspend: true }, {})).toBe(true);
    expect(suspended({}, { suspend: true })).toBe(true);
    expect(suspended({}, {})).toBe(false);
  });

  it('says what it does not support yet', () => {
    const spec = {
      decryption: { provider: 'sops' },
      postBuild: { substituteFrom: [{ kind: 'ConfigMap', name: 'x' }] },
    };

    expect(() => compileFluxKustomization(kustomization(spec), repository, context)).toThrow(
      /spec\.decryption, spec\.postBuild\.substituteFrom are not supported yet/,
    );
  });

  it('keeps Kustomizations of several clusters apart by id', () => {
    expect(kustomizationId('home', 'home', 'flux-system', 'apps')).toBe('flux-system-apps');
    expect(kustomizationId('edge', 'home', 'flux-system', 'apps')).toBe('edge-flux-system-apps');
  });
});

import { describe, expect, it } from 'vitest';
import { defaultPolicy, type Application } from '#shared/domain/application.ts';
import { applicationViolations, objectViolation } from '#shared/domain/fence.ts';
import type { Project } from '#shared/domain/project.ts';

const project: Project = {
  name: 'shop',
  description: '',
  sourceRepos: ['https://git.example/shop/*', '!https://git.example/shop/secret.git'],
  destinations: [
    { server: 'https://kubernetes.default.svc', namespace: 'shop-*' },
    { server: 'https://kubernetes.default.svc', namespace: '!shop-admin' },
  ],
  clusterResourceWhitelist: [{ group: '', kind: 'Namespace' }],
  namespaceResourceBlacklist: [{ group: '', kind: 'ResourceQuota' }],
  declared: {},
};
const servers = ['https://kubernetes.default.svc'];

function application(url: string, namespace: string): Application {
  return {
    id: 'web',
    kind: 'Application',
    name: 'web',
    namespace: 'argocd',
    declared: {},
    project: 'shop',
    cluster: 'home',
    destinationNamespace: namespace,
    sources: [
      {
        repository: 'r',
        url,
        revision: 'HEAD',
        path: '',
        render: { tool: 'auto', directory: { recurse: false, include: '', exclude: '' } },
      },
    ],
    policy: defaultPolicy,
    dependsOn: [],
    labels: {},
  };
}

describe('the fence of a project (NT-101)', () => {
  it('permits what matches its repositories and destinations', () => {
    expect(
      applicationViolations(project, application('https://git.example/shop/web.git', 'shop-web'), servers),
    ).toEqual([]);
  });

  it('refuses foreign repositories in Argo CD’s words', () => {
    expect(
      applicationViolations(project, application('https://git.example/other/web.git', 'shop-web'), servers),
    ).toEqual(["application repo https://git.example/other/web.git is not permitted in project 'shop'"]);
  });

  it('lets a denied pattern win', () => {
    expect(
      applicationViolations(project, application('https://git.example/shop/secret.git', 'shop-web'), servers),
    ).toHaveLength(1);
    expect(
      applicationViolations(project, application('https://git.example/shop/web.git', 'shop-admin'), servers),
    ).toHaveLength(1);
  });

  it('does not let * cross a slash in repositories', () => {
    expect(
      applicationViolations(project, application('https://git.example/shop/a/b.git', 'shop-web'), servers),
    ).toHaveLength(1);
  });

  it.each([
    [{ group: '', kind: 'ConfigMap', namespace: 'shop-web', name: 'x' }, true, undefined],
    [
      { group: '', kind: 'ConfigMap', namespace: 'kube-system', name: 'x' },
      true,
      "namespace kube-system is not permitted in project 'shop'",
    ],
    [
      { group: '', kind: 'ResourceQuota', namespace: 'shop-web', name: 'x' },
      true,
      'resource :ResourceQuota is not permitted in project shop',
    ],
    [{ group: '', kind: 'Namespace', namespace: '', name: 'shop-web' }, false, undefined],
    [
      { group: 'rbac.authorization.k8s.io', kind: 'ClusterRole', namespace: '', name: 'x' },
      false,
      'resource rbac.authorization.k8s.io:ClusterRole is not permitted in project shop',
    ],
  ])('judges %j', (id, namespaced, expected) => {
    expect(objectViolation(project, 'home', servers, id, namespaced)).toBe(expected);
  });

  it('permits no cluster-scoped kind where none is listed', () => {
    const { clusterResourceWhitelist: _none, ...bare } = project;

    expect(
      objectViolation(bare, 'home', servers, { group: '', kind: 'Namespace', namespace: '', name: 'shop-web' }, false),
    ).toMatch(/not permitted/);
  });

  it('keeps everybody out of Hawser’s own namespace (NT-108)', () => {
    const open: Project = { ...project, destinations: [{ server: '*', namespace: '*' }] };

    expect(
      objectViolation(
        open,
        'home',
        servers,
        { group: '', kind: 'Secret', namespace: 'hawser-system', name: 'x' },
        true,
      ),
    ).toMatch(/belongs to Hawser itself/);
  });
});

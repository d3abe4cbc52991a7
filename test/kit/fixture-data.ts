import type {
  ApplicationDetail,
  ClusterView,
  EventView,
  HistoryView,
  QueueView,
  RepositoryView,
  ResourceDetail,
  ResourceView,
  TreeView,
} from '#shared/messages/api.ts';
import type { DeadLetter } from '#shared/ports/queue.ts';
import type { z } from 'zod';

/** A small team's applications and what belongs to them, as the API would answer. */
export interface FixtureData {
  applications: ApplicationDetail[];
  otherObjects: Record<string, unknown>[];
  resources: Record<string, z.infer<typeof ResourceDetail>>;
  trees: Record<string, TreeView>;
  histories: Record<string, HistoryView[]>;
  events: EventView[];
  clusters: ClusterView[];
  repositories: RepositoryView[];
  queues: z.infer<typeof QueueView>[];
  deadLetters: Record<string, DeadLetter[]>;
}

const repository = 'https://git.shop.example/shop/gitops.git';
const older = '6dcb09b5b57875f334f61aebed695e2e4193db5e';
const newer = '1481a2de7b2a7d02428ad93446ab166be7793fbb';
const minute = 60_000;

/** New data each time; ages are relative to now. */
export function fixtureData(): FixtureData {
  const now = Date.now();
  const ago = (milliseconds: number): string => new Date(now - milliseconds).toISOString();
  const commit = (sha: string, message: string, time: string) => ({
    sha,
    author: 'Mona Lisa',
    email: 'mona@shop.example',
    message,
    time,
  });
  const commits = {
    [older]: commit(older, 'Add podinfo', ago(90 * minute)),
    [newer]: commit(newer, 'Raise the replicas of podinfo\n\nBlack Friday is near.', ago(12 * minute)),
  };

  function application(
    id: string,
    change: Partial<ApplicationDetail> & { spec?: object; labels?: Record<string, string> } = {},
  ): ApplicationDetail {
    const { spec, labels, ...rest } = change;
    const kind = rest.kind ?? 'Application';
    const name = rest.name ?? id;
    const namespace = rest.namespace ?? (kind === 'Application' ? 'argocd' : 'flux-system');
    const resources = rest.resources ?? [deployment(id, 'web')];
    const sync = rest.sync ?? 'Synced';
    const health = rest.health ?? 'Healthy';
    const revision = rest.revision ?? newer;
    return {
      id,
      kind,
      name,
      namespace,
      project: 'shop',
      cluster: 'production',
      destinationNamespace: id,
      repository,
      path: id,
      targetRevision: 'main',
      sync,
      health,
      revision,
      generation: 41,
      commit: commits[newer],
      suspended: false,
      automated: true,
      objects: resources.length,
      drifted: 0,
      held: false,
      stale: false,
      updatedAt: ago(3 * minute),
      deleting: false,
      declared: {
        apiVersion: kind === 'Application' ? 'argoproj.io/v1alpha1' : 'kustomize.toolkit.fluxcd.io/v1',
        kind,
        metadata: {
          name,
          namespace,
          ...(labels === undefined ? {} : { labels }),
          creationTimestamp: ago(5 * 24 * 60 * minute),
        },
        spec: spec ?? { source: { repoURL: repository, path: id, targetRevision: 'main' } },
        status:
          kind === 'Application'
            ? { sync: { status: sync, revision }, health: { status: health } }
            : { conditions: [{ type: 'Ready', status: 'True', message: `Applied revision: main@sha1:${revision}` }] },
      },
      resources,
      drift: [],
      conditions: [],
      images: ['ghcr.io/stefanprodan/podinfo:6.9.0'],
      desired: {
        generation: 41,
        revision: newer,
        commit: commits[newer],
        publishedAt: ago(11 * minute),
        objectCount: resources.length,
      },
      dependsOn: [],
      children: [],
      reportedAt: ago(10_000),
      operationState: {
        phase: 'Succeeded',
        message: 'successfully synced (all tasks run)',
        generation: 41,
        revision,
        startedAt: ago(11 * minute),
        finishedAt: ago(10 * minute),
        initiatedBy: { automated: true },
        retryCount: 0,
        resources: [],
      },
      operation: 'Succeeded',
      ...rest,
    };
  }

  const drifted = { ...deployment('podinfo-production', 'podinfo'), status: 'OutOfSync' as const };
  const surplus: ResourceView = {
    ...identity('', 'ConfigMap', 'podinfo-production', 'old-settings'),
    version: 'v1',
    status: 'OutOfSync',
    requiresPruning: true,
  };
  const service: ResourceView = {
    ...identity('', 'Service', 'podinfo-production', 'podinfo'),
    version: 'v1',
    status: 'Synced',
    health: { status: 'Healthy' },
  };

  return {
    applications: [
      application('podinfo-production', {
        sync: 'OutOfSync',
        revision: older,
        automated: false,
        drifted: 1,
        message: 'Deployment podinfo-production/podinfo differs',
        resources: [drifted, service, surplus],
        labels: { team: 'shop', env: 'production' },
      }),
      application('podinfo-staging', { cluster: 'staging', labels: { team: 'shop', env: 'staging' } }),
      application('redis', {
        health: 'Degraded',
        healthMessage: 'StatefulSet redis/redis: 0 of 3 replicas are ready',
        labels: { team: 'data' },
      }),
      application('team-a-redis', { name: 'redis', namespace: 'team-a' }),
      application('monitoring', {
        held: true,
        sync: 'OutOfSync',
        hold: {
          guards: ['G-03'],
          listDigest: 'd'.repeat(64),
          objects: ['apps/Deployment/monitoring/prometheus', '/ConfigMap/monitoring/rules'],
          reason: 'more than half of its objects would be deleted',
        },
      }),
      application('infra', { kind: 'Kustomization', spec: { path: './flux/infra', prune: true } }),
      application('tenants', { kind: 'Kustomization', suspended: true, labels: { team: 'shop' } }),
      application('evil', {
        message: '\u001b[31mred\u001b[0m \u009b2J \u202egnp.exe',
        cluster: 'staging',
        stale: true,
        declared: {
          apiVersion: 'argoproj.io/v1alpha1',
          kind: 'Application',
          metadata: {
            name: 'evil',
            namespace: 'argocd',
            annotations: { note: '\u001b[2J \u009b31m\nnext', bell: 'a\u0007b' },
          },
        },
      }),
    ],
    otherObjects: [
      {
        apiVersion: 'source.toolkit.fluxcd.io/v1',
        kind: 'GitRepository',
        metadata: {
          name: 'gitops',
          namespace: 'flux-system',
          labels: { team: 'shop' },
          creationTimestamp: ago(26 * 60 * minute),
        },
        spec: { url: repository, ref: { branch: 'main' } },
        status: {
          conditions: [{ type: 'Ready', status: 'True', message: `stored artifact for revision 'main@sha1:${newer}'` }],
        },
      },
      {
        apiVersion: 'argoproj.io/v1alpha1',
        kind: 'AppProject',
        metadata: { name: 'shop', namespace: 'argocd' },
        spec: {
          description: 'The shop',
          sourceRepos: [repository],
          destinations: [{ name: 'production', namespace: 'podinfo-*' }],
        },
      },
    ],
    resources: {
      [drifted.key]: {
        key: drifted.key,
        desired: deploymentObject(3, '6.9.0'),
        live: {
          ...deploymentObject(1, '6.9.0'),
          metadata: {
            ...deploymentObject(1, '6.9.0').metadata,
            uid: '5f2c',
            resourceVersion: '77',
            managedFields: [{ manager: 'hawser' }],
          },
          status: { replicas: 1 },
        },
        differences: [{ path: '/spec/replicas', desired: '3', live: '1' }],
      },
      [service.key]: {
        key: service.key,
        desired: { kind: 'Service' },
        live: { kind: 'Service', status: {} },
        differences: [],
      },
      [surplus.key]: {
        key: surplus.key,
        live: {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name: 'old-settings', namespace: 'podinfo-production', uid: '6a1d' },
          data: { COLOUR: 'blue' },
        },
        differences: [],
      },
    },
    trees: { 'podinfo-production': tree([drifted, service, surplus], ago) },
    histories: {
      'podinfo-production': [
        history(3, 41, newer, {
          commit: commits[newer],
          publishedAt: ago(11 * minute),
          current: true,
          initiatedBy: 'push',
        }),
        history(2, 30, older, {
          commit: commits[older],
          publishedAt: ago(80 * minute),
          deployedAt: ago(79 * minute),
          initiatedBy: 'mona',
          rollbackOf: 12,
        }),
        history(1, 12, older, {
          commit: commits[older],
          publishedAt: ago(89 * minute),
          deployedAt: ago(88 * minute),
          initiatedBy: 'push',
        }),
      ],
    },
    events: [
      event('podinfo-production', ago(12 * minute), 'Normal', 'Published', `1481a2d: Raise the replicas of podinfo`),
      event(
        'podinfo-production',
        ago(10 * minute),
        'Warning',
        'Drift',
        'Deployment podinfo-production/podinfo: /spec/replicas',
      ),
      event(
        'redis',
        ago(2 * minute),
        'Warning',
        'SyncFailed',
        'StatefulSet redis/redis: spec.serviceName: field is immutable',
      ),
    ],
    clusters: [
      cluster('production', {
        seenAt: ago(9000),
        connected: true,
        isDefault: true,
        labels: { env: 'production' },
        applications: 6,
        objects: 240,
      }),
      cluster('staging', {
        seenAt: ago(200 * minute),
        connected: false,
        labels: { env: 'staging' },
        applications: 2,
        objects: 40,
      }),
    ],
    repositories: [
      {
        id: 'gitops',
        url: repository,
        applications: 8,
        lastRevision: newer,
        lastSeenAt: ago(40_000),
        hasCredentials: true,
        webhookPath: '/webhooks/github/gitops',
      },
      {
        id: 'charts',
        url: 'https://git.shop.example/shop/charts.git',
        applications: 1,
        error: 'authentication failed for https://git.shop.example/shop/charts.git',
        hasCredentials: false,
        webhookPath: '/webhooks/github/charts',
      },
    ],
    queues: [
      { name: 'hints', ready: 0, inFlight: 0, delayed: 0, dead: 0 },
      { name: 'render-jobs', ready: 3, inFlight: 2, delayed: 1, dead: 1 },
    ],
    deadLetters: {
      'render-jobs': [
        {
          id: 'm-1',
          body: '{"application":"redis"}',
          reason: 'render-limit: more than 60 s',
          receives: 3,
          diedAt: now - 5 * minute,
        },
      ],
    },
  };
}

function identity(group: string, kind: string, namespace: string, name: string) {
  return { group, kind, namespace, name, key: `${group}/${kind}/${namespace}/${name}` };
}

function deployment(namespace: string, name: string): ResourceView {
  return {
    ...identity('apps', 'Deployment', namespace, name),
    version: 'v1',
    status: 'Synced',
    health: { status: 'Healthy' },
  };
}

function deploymentObject(replicas: number, tag: string) {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'podinfo', namespace: 'podinfo-production' },
    spec: {
      replicas,
      template: { spec: { containers: [{ name: 'podinfo', image: `ghcr.io/stefanprodan/podinfo:${tag}` }] } },
    },
  };
}

function tree(resources: ResourceView[], ago: (milliseconds: number) => string): TreeView {
  const base = { group: 'apps', version: 'v1', namespace: 'podinfo-production' };
  const pod = { group: '', version: 'v1', kind: 'Pod', namespace: 'podinfo-production' };
  return {
    live: true,
    resources: resources.map((resource) => (resource.kind === 'Deployment' ? { ...resource, uid: 'd1' } : resource)),
    nodes: [
      { ...base, kind: 'Deployment', name: 'podinfo', uid: 'd1', owners: [], createdAt: ago(30 * minute) },
      {
        ...base,
        kind: 'ReplicaSet',
        name: 'podinfo-7d',
        uid: 'r1',
        owners: ['d1'],
        health: { status: 'Healthy' },
        createdAt: ago(30 * minute),
      },
      {
        ...pod,
        name: 'podinfo-7d-b',
        uid: 'p2',
        owners: ['r1'],
        health: { status: 'Progressing', message: 'ImagePullBackOff' },
        createdAt: ago(5 * minute),
      },
      {
        ...pod,
        name: 'podinfo-7d-a',
        uid: 'p1',
        owners: ['r1'],
        health: { status: 'Healthy' },
        createdAt: ago(30 * minute),
        info: '1/1 ready',
      },
    ],
  };
}

function history(id: number, generation: number, revision: string, rest: Partial<HistoryView>): HistoryView {
  return { id, generation, revision, publishedAt: '', initiatedBy: 'push', objectCount: 3, current: false, ...rest };
}

function event(application: string, at: string, type: EventView['type'], reason: string, message: string): EventView {
  return { application, at, type, reason, message };
}

function cluster(id: string, rest: Partial<ClusterView>): ClusterView {
  return {
    id,
    labels: {},
    registeredAt: new Date(Date.now() - 9 * 24 * 60 * minute).toISOString(),
    kubernetesVersion: 'v1.35.1',
    agentVersion: '0.1.0',
    connected: false,
    applications: 0,
    objects: 0,
    memoryBytes: 96 * 1024 * 1024,
    isDefault: false,
    identity: 'service-account',
    ...rest,
  };
}

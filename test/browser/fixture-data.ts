import { createHash } from 'node:crypto';
import type { HealthStatus, SyncStatus } from '#shared/domain/status.ts';
import type {
  ApplicationDetail,
  ApplicationSummary,
  ClusterView,
  EventView,
  HistoryView,
  RepositoryView,
  ResourceDetail,
  TreeView,
} from '#shared/messages/api.ts';

/** One organisation's data as the API shows it, the same for the same size on every machine. */
export interface FixtureData {
  details: Map<string, ApplicationDetail>;
  clusters: ClusterView[];
  repositories: RepositoryView[];
}

const teams = ['shop', 'payments', 'search', 'platform', 'data', 'identity'] as const;
const services = [
  'web',
  'api',
  'worker',
  'cache',
  'ledger',
  'gateway',
  'indexer',
  'mailer',
  'catalog',
  'checkout',
  'session',
  'billing',
  'audit',
  'exporter',
] as const;
const clusterIds = ['eu-west-prod', 'us-east-prod', 'eu-west-staging', 'edge-zurich-1'] as const;
const people = [
  ['Mara Lindqvist', 'mara@example.com'],
  ['Tomás Reyes', 'tomas@example.com'],
  ['Ishaan Patel', 'ishaan@example.com'],
  ['Noor van Dijk', 'noor@example.com'],
] as const;
const messages = [
  'Raise memory limit of the worker to 768Mi',
  'Roll out checkout 4.18.2',
  'Bump base image for CVE-2026-31412',
  'Allow ingress from the new gateway',
  'Scale to 6 replicas before the sale',
  'Move feature flags to a ConfigMap',
  'Add PodDisruptionBudget',
] as const;

export const hostile = '<img src=x onerror="window.hacked=1"><b>bold</b> {{7*7}}';

/** Milliseconds that all of the fixture's times are before. */
export const fixtureNow = Date.now();

export function ago(seconds: number): string {
  return new Date(fixtureNow - seconds * 1000).toISOString();
}

/** `count` applications; the first dozen show one special state each. */
export function createFixtureData(count: number): FixtureData {
  const details = new Map<string, ApplicationDetail>();
  for (let index = 0; index < count; index += 1) {
    const detail = createDetail(index);
    details.set(detail.id, detail);
  }
  const all = [...details.values()];
  return { details, clusters: clusterIds.map((id) => createCluster(id, all)), repositories: createRepositories(all) };
}

function createDetail(index: number): ApplicationDetail {
  const team = pick(teams, index);
  const round = Math.floor(index / (teams.length * services.length));
  const name = `${team}-${pick(services, Math.floor(index / teams.length))}${round === 0 ? '' : `-${round + 1}`}`;
  const cluster = pick(clusterIds, index * 7 + Math.floor(index / 5));
  const commit = commitOf(index);
  const kind = index % 5 === 3 ? ('Kustomization' as const) : ('Application' as const);
  const generation = 800 + index * 3;
  const summary: ApplicationSummary = {
    id: name,
    kind,
    name,
    namespace: kind === 'Application' ? 'argocd' : 'flux-system',
    project: team,
    cluster,
    destinationNamespace: team,
    repository:
      index % 4 === 0 ? 'https://github.com/example/deploy.git' : 'https://git.example.com/platform/deploy.git',
    path: `apps/${team}/${name}`,
    targetRevision: 'main',
    sync: 'Synced',
    health: 'Healthy',
    revision: commit.sha,
    generation,
    commit,
    operation: 'Succeeded',
    suspended: false,
    automated: index % 6 !== 5,
    objects: 7,
    drifted: 0,
    held: false,
    stale: false,
    updatedAt: ago(60 + index * 137),
    deleting: false,
  };
  const detail: ApplicationDetail = {
    ...summary,
    declared: declaredOf(summary),
    resources: resourcesOf(name, team),
    drift: [],
    conditions: [],
    images: [`registry.example.com/${name}:4.${index}.2`],
    desired: { generation, revision: commit.sha, commit, publishedAt: ago(70 + index * 137), objectCount: 7 },
    dependsOn: [],
    children: [],
    reportedAt: ago(12),
    operationState: {
      phase: 'Succeeded',
      message: 'successfully synced (all tasks run)',
      generation,
      revision: commit.sha,
      startedAt: ago(64 + index * 137),
      finishedAt: ago(62 + index * 137),
      initiatedBy: index % 6 === 5 ? { username: 'mara' } : { automated: true },
      retryCount: 0,
      resources: resourcesOf(name, team).map(
        ({ group, version, kind: objectKind, namespace, name: objectName }, at) => ({
          group,
          version,
          kind: objectKind,
          namespace,
          name: objectName,
          status: 'Synced',
          message: '',
          action: at === 2 ? 'configured' : 'unchanged',
          phase: 'Sync',
        }),
      ),
    },
  };
  return specialise(detail, index);
}

/** The states that every view has to show well, on known applications. */
function specialise(detail: ApplicationDetail, index: number): ApplicationDetail {
  const deployment = detail.resources.find((resource) => resource.kind === 'Deployment');
  switch (index) {
    case 1:
      return withHealth(
        detail,
        'Degraded',
        `Deployment "${detail.name}" exceeded its progress deadline: 1 of 3 replicas available`,
      );
    case 2: {
      if (deployment === undefined) return detail;
      const drift = {
        group: 'apps',
        version: 'v1',
        kind: 'Deployment',
        namespace: detail.destinationNamespace,
        name: detail.name,
        key: deployment.key,
        change: 'modified' as const,
        fields: [
          { path: '.spec.replicas', desired: '3', live: '5' },
          {
            path: '.spec.template.spec.containers[name="app"].resources.limits.memory',
            desired: '"512Mi"',
            live: '"2Gi"',
          },
        ],
        seenAt: ago(340),
        note: 'self-heal is off',
      };
      return { ...withSync(detail, 'OutOfSync', deployment.key), drifted: 1, drift: [drift] };
    }
    case 3: {
      const reason =
        'The snapshot lacks 41 % of what is owned (7 of 17 objects); more than the guard lets go without a person.';
      const objects = [
        '/ConfigMap/platform/flags-legacy',
        '/Secret/platform/smtp-credentials',
        '/PersistentVolumeClaim/platform/uploads',
        'apps/StatefulSet/platform/redis',
        '/Service/platform/redis',
        'batch/CronJob/platform/nightly-export',
        'networking.k8s.io/Ingress/platform/admin',
      ];
      return {
        ...withSync(detail, 'OutOfSync'),
        held: true,
        hold: {
          guards: ['G-03', 'G-09'],
          listDigest: createHash('sha256').update(objects.join('\n')).digest('hex'),
          objects,
          reason,
        },
        conditions: [{ type: 'NeedsConfirmation', message: reason, lastTransitionTime: ago(1900) }],
      };
    }
    case 4:
      return { ...withHealth(detail, 'Healthy'), stale: true, reportedAt: ago(5400) };
    case 5: {
      const message =
        'apps/data/data-web/kustomization.yaml: resources[2] “../base/missing.yaml” does not exist at 9f3c1e7';
      return {
        ...withSync(detail, 'Unknown'),
        message,
        conditions: [{ type: 'ComparisonError', message, lastTransitionTime: ago(700) }],
      };
    }
    case 6:
      return { ...withHealth(detail, 'Suspended'), suspended: true };
    case 7:
      return withHealth(
        detail,
        'Progressing',
        'Waiting for rollout to finish: 2 out of 3 new replicas have been updated',
      );
    case 8: {
      const message = 'Deployment.apps "search-api" is invalid: spec.selector: field is immutable';
      const state = detail.operationState;
      return {
        ...withSync(detail, 'OutOfSync', deployment?.key),
        operation: 'Failed',
        message,
        ...(state === undefined
          ? {}
          : {
              operationState: {
                ...state,
                phase: 'Failed',
                message: `one or more objects failed to apply: ${message}`,
                retryCount: 3,
                resources: state.resources.map((result) =>
                  result.kind === 'Deployment'
                    ? { ...result, status: 'SyncFailed', action: 'failed', message }
                    : result,
                ),
              },
            }),
      };
    }
    case 9:
      return withHealth(detail, 'Missing', 'Deployment has not been created yet');
    case 10: {
      const commit = {
        sha: 'e'.repeat(40),
        author: hostile,
        email: 'x@example.com',
        message: `${hostile}\n\nbody`,
        time: ago(900),
      };
      return {
        ...detail,
        repository: 'javascript:alert(document.domain)//github.com/x',
        revision: commit.sha,
        commit,
        desired: { generation: 830, revision: commit.sha, commit, publishedAt: ago(800), objectCount: 7 },
      };
    }
    default:
      if (index % 41 === 40) return withHealth(detail, 'Degraded', 'CrashLoopBackOff');
      if (index % 29 === 28) return withSync(detail, 'OutOfSync', deployment?.key);
      return detail;
  }
}

function withHealth(detail: ApplicationDetail, health: HealthStatus, healthMessage?: string): ApplicationDetail {
  const resources = detail.resources.map((resource) =>
    resource.kind === 'Deployment' && health !== 'Suspended'
      ? { ...resource, health: { status: health, ...(healthMessage === undefined ? {} : { message: healthMessage }) } }
      : resource,
  );
  return { ...detail, health, resources, ...(healthMessage === undefined ? {} : { healthMessage }) };
}

function withSync(detail: ApplicationDetail, sync: SyncStatus, key?: string): ApplicationDetail {
  const resources = detail.resources.map((resource) =>
    resource.key === key ? { ...resource, status: sync } : resource,
  );
  return { ...detail, sync, resources };
}

function resourcesOf(name: string, namespace: string): ApplicationDetail['resources'] {
  const kinds: readonly (readonly [group: string, version: string, kind: string, name: string])[] = [
    ['', 'v1', 'ServiceAccount', name],
    ['', 'v1', 'ConfigMap', `${name}-config`],
    ['apps', 'v1', 'Deployment', name],
    ['', 'v1', 'Secret', `${name}-credentials`],
    ['', 'v1', 'Service', name],
    ['networking.k8s.io', 'v1', 'Ingress', name],
    ['batch', 'v1', 'Job', `${name}-migrate`],
  ];
  return kinds.map(([group, version, kind, objectName]) => ({
    group,
    version,
    kind,
    namespace,
    name: objectName,
    key: `${group}/${kind}/${namespace}/${objectName}`,
    status: 'Synced' as const,
    ...(['ConfigMap', 'ServiceAccount', 'Secret'].includes(kind) ? {} : { health: { status: 'Healthy' as const } }),
    ...(kind === 'Job' ? { hook: 'PreSync', syncWave: -1 } : {}),
  }));
}

/** What the agent would answer: a ReplicaSet with pods, the previous one, endpoints, a finished job's pod. */
export function treeOf(detail: ApplicationDetail): TreeView {
  const namespace = detail.destinationNamespace;
  const uid = (text: string) => createHash('sha256').update(`${detail.id} ${text}`).digest('hex').slice(0, 32);
  const degraded = detail.health === 'Degraded';
  const live = (
    group: string,
    version: string,
    kind: string,
    name: string,
    owner: string,
    info?: string,
    health?: string,
    message?: string,
  ) => ({
    group,
    version,
    kind,
    namespace,
    name,
    uid: uid(`${kind}/${name}`),
    owners: [uid(owner)],
    createdAt: ago(86_400 * 3),
    ...(info === undefined ? {} : { info }),
    ...(health === undefined ? {} : { health: { status: health, ...(message === undefined ? {} : { message }) } }),
  });
  const name = detail.name;
  const set = `${name}-7d9c5b8f4`;
  return {
    resources: detail.resources.map((resource) => ({ ...resource, uid: uid(`${resource.kind}/${resource.name}`) })),
    nodes: [
      live(
        'apps',
        'v1',
        'ReplicaSet',
        set,
        `Deployment/${name}`,
        degraded ? '1/3 ready' : '3/3 ready',
        degraded ? 'Degraded' : 'Healthy',
      ),
      live('apps', 'v1', 'ReplicaSet', `${name}-5f6d7c9b8`, `Deployment/${name}`, '0/0 ready', 'Healthy'),
      live('', 'v1', 'Pod', `${set}-x2k9p`, `ReplicaSet/${set}`, '1/1 Running', 'Healthy'),
      live(
        '',
        'v1',
        'Pod',
        `${set}-m4q7t`,
        `ReplicaSet/${set}`,
        degraded ? '0/1 CrashLoopBackOff, 14 restarts' : '1/1 Running',
        degraded ? 'Degraded' : 'Healthy',
        degraded ? 'back-off 5m0s restarting failed container=app' : undefined,
      ),
      live(
        '',
        'v1',
        'Pod',
        `${set}-z8w3c`,
        `ReplicaSet/${set}`,
        degraded ? '0/1 ImagePullBackOff' : '1/1 Running',
        degraded ? 'Degraded' : 'Healthy',
      ),
      live('discovery.k8s.io', 'v1', 'EndpointSlice', `${name}-h5tzq`, `Service/${name}`),
      live('', 'v1', 'Pod', `${name}-migrate-9xkfd`, `Job/${name}-migrate`, '0/1 Completed', 'Healthy'),
    ],
    live: true,
  };
}

/** Desired and live of one object; the live one carries what a cluster adds. */
export function resourceDetailOf(detail: ApplicationDetail, key: string): ResourceDetail | undefined {
  const tree = treeOf(detail);
  const resource = detail.resources.find((candidate) => candidate.key === key);
  const node = tree.nodes.find(
    (candidate) => `${candidate.group}/${candidate.kind}/${candidate.namespace}/${candidate.name}` === key,
  );
  const object = resource ?? node;
  if (object === undefined) return undefined;
  const drift = detail.drift.find((candidate) => candidate.key === key && candidate.correctedAt === undefined);
  const desired = manifestOf(detail, object);
  const live = structuredClone(desired) as Record<string, unknown> & {
    metadata: Record<string, unknown>;
    spec?: { replicas?: number; template?: { spec: { containers: { resources: { limits: { memory: string } } }[] } } };
  };
  live.metadata['uid'] = '6f0e5c1e-0000-4000-8000-000000000000';
  live.metadata['resourceVersion'] = '8812734';
  live.metadata['managedFields'] = [{ manager: 'hawser', operation: 'Apply' }];
  if (drift !== undefined && live.spec?.template !== undefined) {
    live.spec.replicas = 5;
    const container = live.spec.template.spec.containers[0];
    if (container !== undefined) container.resources.limits.memory = '2Gi';
  }
  if (object.kind === 'Deployment') live['status'] = { replicas: 3, readyReplicas: 3, observedGeneration: 12 };
  return { key, ...(resource === undefined ? {} : { desired }), live, differences: drift?.fields ?? [] };
}

export function manifestOf(
  detail: ApplicationDetail,
  object: { group: string; version: string; kind: string; namespace: string; name: string },
): Record<string, unknown> {
  const base = {
    apiVersion: object.group === '' ? object.version : `${object.group}/${object.version}`,
    kind: object.kind,
    metadata: {
      name: object.name,
      namespace: object.namespace,
      labels: { 'app.kubernetes.io/name': detail.name, 'app.kubernetes.io/part-of': detail.project },
    },
  };
  switch (object.kind) {
    case 'Deployment':
      return {
        ...base,
        spec: {
          replicas: 3,
          selector: { matchLabels: { app: detail.name } },
          template: {
            metadata: { labels: { app: detail.name } },
            spec: {
              serviceAccountName: detail.name,
              containers: [
                {
                  name: 'app',
                  image: detail.images[0],
                  ports: [{ containerPort: 8080, name: 'http' }],
                  env: [
                    { name: 'LOG_LEVEL', value: 'info' },
                    { name: 'REGION', value: 'eu-west-1' },
                  ],
                  resources: { limits: { memory: '512Mi' }, requests: { cpu: '100m', memory: '256Mi' } },
                  readinessProbe: { httpGet: { path: '/healthz', port: 'http' }, periodSeconds: 5 },
                },
              ],
            },
          },
        },
      };
    case 'Secret':
      return { ...base, type: 'Opaque', data: { password: '••••••••', username: '••••••••' } };
    case 'ConfigMap':
      return {
        ...base,
        data: { 'settings.yaml': 'featureFlags:\n  newCheckout: true\n  searchV2: false\n', LOG_LEVEL: 'info' },
      };
    case 'Service':
      return {
        ...base,
        spec: { ports: [{ name: 'http', port: 80, targetPort: 'http' }], selector: { app: detail.name } },
      };
    default:
      return { ...base, spec: {} };
  }
}

export function historyOf(detail: ApplicationDetail): HistoryView[] {
  const current = detail.desired?.generation ?? 0;
  return Array.from({ length: 9 }, (_, index) => {
    const commit = index === 0 ? (detail.desired?.commit ?? commitOf(index)) : commitOf(index + current);
    return {
      id: 9 - index,
      generation: current - index * 17,
      revision: commit.sha,
      commit,
      publishedAt: ago(70 + index * 41_000),
      ...(index === 4 ? {} : { deployedAt: ago(66 + index * 41_000) }),
      initiatedBy: index === 2 ? 'mara' : 'push',
      objectCount: 7 - (index > 5 ? 1 : 0),
      ...(index === 2 ? { rollbackOf: current - 4 * 17 } : {}),
      current: index === 0,
    };
  });
}

export function eventsOf(detail: ApplicationDetail): EventView[] {
  const generation = detail.desired?.generation ?? 0;
  const base = { application: detail.id, generation };
  const events: EventView[] = [
    {
      ...base,
      at: ago(62),
      type: 'Normal',
      reason: 'OperationCompleted',
      message: `Sync of generation ${generation} succeeded: 1 configured, 6 unchanged`,
      by: 'automated',
    },
    {
      ...base,
      at: ago(64),
      type: 'Normal',
      reason: 'ObjectConfigured',
      message: 'Configured',
      object: `apps/Deployment/${detail.destinationNamespace}/${detail.name}`,
    },
    {
      ...base,
      at: ago(70),
      type: 'Normal',
      reason: 'SnapshotPublished',
      message: `Snapshot of ${detail.objects} objects published at ${detail.revision?.slice(0, 7) ?? ''}`,
    },
    {
      ...base,
      at: ago(340),
      type: 'Warning',
      reason: 'DriftDetected',
      message: '.spec.replicas is 5 in the cluster and 3 in the snapshot',
      object: `apps/Deployment/${detail.destinationNamespace}/${detail.name}`,
    },
    {
      ...base,
      at: ago(2400),
      type: 'Warning',
      reason: 'HealthDegraded',
      message: detail.healthMessage ?? 'Progressing → Degraded: readiness probe failed',
      object: `apps/Deployment/${detail.destinationNamespace}/${detail.name}`,
    },
    { ...base, at: ago(2600), type: 'Normal', reason: 'Suspended', message: hostile, by: hostile },
  ];
  for (let index = 0; index < 240; index += 1) {
    events.push({
      ...base,
      at: ago(4000 + index * 900),
      type: 'Normal',
      reason: 'OperationCompleted',
      message: `Sync of generation ${generation - index - 1} succeeded: 7 unchanged`,
      by: 'automated',
    });
  }
  return events;
}

function commitOf(index: number) {
  const [author, email] = pick(people, index);
  const sha = createHash('sha1').update(`commit ${index}`).digest('hex');
  return {
    sha,
    author,
    email,
    message: `${pick(messages, index * 3)}\n\nSee the ticket for details.`,
    time: ago(300 + index * 3571),
  };
}

function declaredOf(app: ApplicationSummary): Record<string, unknown> {
  if (app.kind === 'Kustomization') {
    return {
      apiVersion: 'kustomize.toolkit.fluxcd.io/v1',
      kind: 'Kustomization',
      metadata: { name: app.name, namespace: app.namespace },
      spec: {
        interval: '10m',
        path: `./${app.path}`,
        prune: true,
        sourceRef: { kind: 'GitRepository', name: 'deploy' },
        targetNamespace: app.destinationNamespace,
      },
      status: {
        lastAppliedRevision: `main@sha1:${app.revision}`,
        conditions: [{ type: 'Ready', status: 'True', reason: 'ReconciliationSucceeded' }],
      },
    };
  }
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Application',
    metadata: { name: app.name, namespace: app.namespace },
    spec: {
      project: app.project,
      source: { repoURL: app.repository, path: app.path, targetRevision: app.targetRevision },
      destination: { name: app.cluster, namespace: app.destinationNamespace },
      syncPolicy: app.automated ? { automated: { prune: true, selfHeal: true } } : {},
    },
    status: { sync: { status: app.sync, revision: app.revision }, health: { status: app.health } },
  };
}

function createCluster(id: string, applications: ApplicationDetail[]): ClusterView {
  const own = applications.filter((application) => application.cluster === id);
  const lost = id === 'edge-zurich-1';
  return {
    id,
    labels: {
      region: id.startsWith('us') ? 'us-east-1' : 'eu-west-1',
      tier: id.includes('prod') ? 'production' : 'staging',
    },
    registeredAt: ago(86_400 * 120),
    kubernetesVersion: 'v1.35.2',
    agentVersion: '0.1.0',
    seenAt: ago(lost ? 5400 : 8),
    connected: !lost,
    applications: own.length,
    objects: own.length * 7,
    memoryBytes: 84 * 1024 * 1024,
    isDefault: id === 'eu-west-prod',
    identity: 'service-account',
  };
}

function createRepositories(applications: ApplicationDetail[]): RepositoryView[] {
  const urls = [...new Set(applications.map((application) => application.repository))];
  return urls.map((url, index) => ({
    id: index === 0 ? 'deploy' : `deploy-${index}`,
    url,
    applications: applications.filter((application) => application.repository === url).length,
    lastRevision: commitOf(index).sha,
    lastSeenAt: ago(20 + index * 30),
    ...(index === 2
      ? { error: 'Authentication failed for https://git.example.com/private.git', errorSince: ago(7300) }
      : {}),
    hasCredentials: index === 1,
    webhookPath: `/webhooks/github/deploy-${index}`,
  }));
}

function pick<T>(values: readonly [T, ...T[]] | readonly T[], index: number): T {
  const value = values[index % values.length];
  if (value === undefined) throw new Error('nothing to pick from');
  return value;
}

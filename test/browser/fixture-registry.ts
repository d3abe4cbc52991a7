import type { ClusterInstall, ClusterView, Problem, RepositoryView, StreamEvent } from '#shared/messages/api.ts';
import { installCommand } from '#functions/api/install-command.ts';

interface Answer {
  status: number;
  body: unknown;
}

/** Clusters and repositories of the HTTP contract in memory. */
export interface FixtureRegistry {
  clusters: ClusterView[];
  repositories: RepositoryView[];
  /** What a change of `path` answers; undefined where it is neither a cluster's nor a repository's. */
  change: (method: string, path: string, body: Record<string, unknown>) => Answer | undefined;
  /** Its agent comes, as after the install command was run; the stream is told. */
  connect: (id: string) => void;
  /** The agent that is there says something; the stream is told. */
  heard: (id: string, patch: Partial<ClusterView>) => void;
  reset: () => void;
}

export function createRegistry(
  first: { clusters: ClusterView[]; repositories: RepositoryView[] },
  tell: (event: StreamEvent) => void,
): FixtureRegistry {
  const clusters = structuredClone(first.clusters);
  const repositories = structuredClone(first.repositories);
  let secrets = 0;

  function clusterOf(id: string): ClusterView {
    const cluster = clusters.find((one) => one.id === id);
    if (cluster === undefined) throw new Error(`the fixture has no cluster ${id}`);
    return cluster;
  }

  function heard(cluster: ClusterView, patch: Partial<ClusterView>): void {
    Object.assign(cluster, { connected: true, seenAt: new Date().toISOString(), ...patch });
    tell({ type: 'cluster', cluster });
  }

  function installOf(cluster: ClusterView): ClusterInstall {
    const token = `hawser-register_example_${cluster.id}_${++secrets}`;
    const expiresAt = new Date(Date.now() + 900_000).toISOString();
    cluster.registrationExpiresAt = expiresAt;
    const values = {
      server: 'https://hawser.example',
      organisation: 'example',
      cluster: cluster.id,
      rootKey: 'MCowBQYDK2VwAyEA',
      identity: 'service-account' as const,
      registration: { token },
    };
    return {
      cluster: { ...cluster },
      registration: { token, expiresAt },
      install: installCommand(values),
      values,
    };
  }

  function addCluster(body: Record<string, unknown>): Answer {
    const id = String(body['name']);
    if (!/^[a-z0-9-]{1,63}$/.test(id))
      return problem(400, 'invalid-input', `cluster name "${id}" is not an id`, 'Use a-z, 0-9 and -.');
    if (clusters.some((cluster) => cluster.id === id))
      return problem(409, 'conflict', `cluster ${id} is registered already`, 'Choose another name.');
    const cluster: ClusterView = {
      id,
      labels: (body['labels'] ?? {}) as Record<string, string>,
      registeredAt: new Date().toISOString(),
      connected: false,
      applications: 0,
      objects: 0,
      isDefault: clusters.length === 0,
      identity: body['identity'] as ClusterView['identity'],
    };
    clusters.push(cluster);
    return { status: 201, body: installOf(cluster) };
  }

  function changeCluster(method: string, cluster: ClusterView, verb: string): Answer {
    switch (`${method} ${verb}`) {
      case 'POST registration':
        return { status: 200, body: installOf(cluster) };
      case 'POST revoke':
        Object.assign(cluster, { connected: false, revokedAt: new Date().toISOString() });
        return { status: 200, body: cluster };
      case 'POST restore':
        delete cluster.revokedAt;
        return { status: 200, body: cluster };
      case 'DELETE ':
        if (cluster.applications > 0)
          return problem(
            409,
            'conflict',
            `${cluster.applications} applications still have cluster ${cluster.id} as their destination`,
            'Delete or move them first.',
          );
        clusters.splice(clusters.indexOf(cluster), 1);
        return { status: 204, body: undefined };
      default:
        return problem(404, 'not-found', `There is no ${verb}.`);
    }
  }

  function addRepository(body: Record<string, unknown>): Answer {
    const url = String(body['url']);
    const known = repositories.find((one) => one.url === url);
    const id = known?.id ?? url.replace(/^.*[/:]([^/]+?)(\.git)?$/, '$1');
    const hasCredentials = known?.hasCredentials === true || body['credentials'] !== undefined;
    if (known === undefined)
      repositories.push({ id, url, applications: 0, hasCredentials, webhookPath: `/webhooks/github/${id}` });
    else {
      delete known.error;
      delete known.errorSince;
      Object.assign(known, { hasCredentials });
    }
    const webhookUrls = Object.fromEntries(
      ['github', 'gitlab', 'generic'].map((host) => [host, `https://hawser.example/webhooks/${host}/${id}`]),
    );
    return { status: 201, body: { repository: { id, url }, webhookSecret: `secret-${++secrets}`, webhookUrls } };
  }

  function changeRepository(method: string, repository: RepositoryView, verb: string, overlapHours: unknown): Answer {
    if (method === 'POST' && verb === 'webhook-secret') {
      const previousUntil = new Date(Date.now() + Number(overlapHours ?? 24) * 3_600_000).toISOString();
      return { status: 200, body: { webhookSecret: `secret-${++secrets}`, previousUntil } };
    }
    if (repository.applications > 0)
      return problem(409, 'conflict', `${repository.applications} applications still read repository ${repository.id}`);
    repositories.splice(repositories.indexOf(repository), 1);
    return { status: 204, body: undefined };
  }

  return {
    clusters,
    repositories,
    change(method, path, body) {
      const [, kind, id = '', verb = ''] = /^\/(clusters|repositories)(?:\/([^/]+))?(?:\/([a-z-]+))?$/.exec(path) ?? [];
      if (kind === undefined) return undefined;
      if (id === '') return kind === 'clusters' ? addCluster(body) : addRepository(body);
      const cluster = kind === 'clusters' ? clusters.find((one) => one.id === id) : undefined;
      if (cluster !== undefined) return changeCluster(method, cluster, verb);
      const repository = kind === 'repositories' ? repositories.find((one) => one.id === id) : undefined;
      if (repository !== undefined) return changeRepository(method, repository, verb, body['overlapHours']);
      return problem(404, 'not-found', `${id} is not registered`);
    },
    connect(id) {
      const cluster = clusterOf(id);
      delete cluster.registrationExpiresAt;
      delete cluster.revokedAt;
      heard(cluster, { kubernetesVersion: 'v1.35.1', agentVersion: '0.1.0' });
    },
    heard: (id, patch) => heard(clusterOf(id), patch),
    reset() {
      clusters.splice(0, Infinity, ...structuredClone(first.clusters));
      repositories.splice(0, Infinity, ...structuredClone(first.repositories));
    },
  };
}

function problem(status: number, code: string, detail: string, hint?: string): { status: number; body: Problem } {
  return {
    status,
    body: { type: `/problems/${code}`, title: code, status, detail, ...(hint === undefined ? {} : { hint }) },
  };
}

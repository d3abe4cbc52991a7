import { Hono } from 'hono';
import { z } from 'zod';
import { HawserError } from '#shared/errors.ts';
import type { Cluster, ClusterSeen } from '#shared/domain/cluster.ts';
import { sha256 } from '#shared/domain/digest.ts';
import { requireId } from '#shared/domain/ids.ts';
import { ClusterView } from '#shared/messages/api.ts';
import { clusterKey, organisationKey, sortKeys } from '#shared/state/keys.ts';
import { getCluster, listClusters } from '#shared/state/registry.ts';
import type { StoredSummary } from '#shared/state/status.ts';
import { eachRow } from '#shared/state/update.ts';
import { newToken } from '../auth.ts';
import { isoNow, requireAdmin, requireUser, type ApiDeps, type ApiEnv } from '../context.ts';
import { checked, describe } from '../openapi.ts';

const NewCluster = z.object({
  name: z.string(),
  labels: z.record(z.string(), z.string()).optional(),
  /** API server URLs by which declarations may name it (`spec.destination.server`). */
  servers: z.array(z.string()).optional(),
});

/** Registered clusters: list, add (the answer holds the agent's token, once), remove. */
export function clusterRoutes(deps: ApiDeps): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  app.get('/', describe('registered clusters', z.object({ items: z.array(ClusterView) })), async (c) => {
    const { organisation } = requireUser(c);
    return c.json({ items: await readClusters(deps, organisation) });
  });
  app.post('/', describe('register a cluster', undefined, 201), checked('json', NewCluster), async (c) => {
    const { organisation } = requireAdmin(c);
    const body = c.req.valid('json');
    const { cluster, token } = await addCluster(
      deps,
      organisation,
      requireId(body.name, 'cluster name'),
      body.labels ?? {},
      body.servers ?? [],
    );
    return c.json(
      {
        cluster,
        token,
        install: await installCommand(deps, organisation, cluster.id, token, new URL(c.req.url).origin),
      },
      201,
    );
  });
  app.delete('/:id', describe('forget a cluster'), async (c) => {
    const { organisation } = requireAdmin(c);
    const id = c.req.param('id');
    if ((await getCluster(deps.store, organisation, id)) === undefined)
      throw new HawserError('not-found', `cluster ${id} is not registered`);
    const used = (await readClusters(deps, organisation)).find((cluster) => cluster.id === id)?.applications ?? 0;
    if (used > 0) {
      throw new HawserError('conflict', `${used} applications still have cluster ${id} as their destination`, {
        hint: 'Delete or move them first; what runs in the cluster is left alone either way.',
      });
    }
    await deps.store.remove(organisationKey(organisation), sortKeys.cluster(id));
    return c.body(null, 204);
  });
  return app;
}

/** Registers a cluster and makes its agent's token; only the token's digest is kept. Throws `conflict` for a name in use. */
export async function addCluster(
  deps: Pick<ApiDeps, 'store' | 'clock'>,
  organisation: string,
  id: string,
  labels: Record<string, string>,
  servers: string[],
): Promise<{ cluster: Cluster; token: string }> {
  const token = newToken(organisation, id);
  const cluster: Cluster = {
    id,
    labels,
    servers,
    registeredAt: new Date(deps.clock.now()).toISOString(),
    tokenDigest: sha256(token),
  };
  const row = { partition: organisationKey(organisation), sort: sortKeys.cluster(id), revision: 1, value: cluster };
  if (await deps.store.put(row, { absent: true })) return { cluster, token };
  throw new HawserError('conflict', `cluster ${id} is registered already`, {
    hint: 'Choose another name, or remove it first.',
  });
}

async function installCommand(
  deps: ApiDeps,
  organisation: string,
  cluster: string,
  token: string,
  origin: string,
): Promise<string> {
  const key = await deps.signer.rootPublicKey(organisation);
  return [
    'helm install hawser-agent agent/chart --namespace hawser-system --create-namespace',
    `--set server=${origin}`,
    `--set organisation=${organisation}`,
    `--set cluster=${cluster}`,
    `--set rootKey=${key}`,
    `--set token=${token}`,
  ].join(' \\\n  ');
}

/** Every cluster with what its agent last said. */
export async function readClusters(deps: ApiDeps, organisation: string): Promise<ClusterView[]> {
  const clusters = await listClusters(deps.store, organisation);
  const defaultCluster = await deps.defaultCluster(organisation);
  const applications = new Map<string, number>();
  for await (const row of eachRow<StoredSummary>(deps.store, organisationKey(organisation), 'APP#')) {
    applications.set(row.value.cluster, (applications.get(row.value.cluster) ?? 0) + 1);
  }
  const seen = await deps.store.getMany<ClusterSeen>(
    clusters.map(({ id }) => ({ partition: clusterKey(organisation, id), sort: sortKeys.seen })),
  );
  const seenOf = new Map(seen.map((row) => [row.partition, row.value]));
  return clusters.map((cluster) => {
    const last = seenOf.get(clusterKey(organisation, cluster.id));
    return {
      id: cluster.id,
      labels: cluster.labels,
      registeredAt: cluster.registeredAt,
      ...(cluster.capabilities === undefined ? {} : { kubernetesVersion: cluster.capabilities.kubernetesVersion }),
      ...(last === undefined
        ? {}
        : { agentVersion: last.agentVersion, seenAt: last.at, memoryBytes: last.memoryBytes }),
      connected: last !== undefined && Date.parse(isoNow(deps)) - Date.parse(last.at) < 90_000,
      applications: applications.get(cluster.id) ?? 0,
      objects: last?.objects ?? 0,
      isDefault: cluster.id === defaultCluster,
    };
  });
}

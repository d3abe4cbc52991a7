import { randomUUID } from 'node:crypto';
import { Hono } from 'hono';
import { z } from 'zod';
import { HawserError, messageOf } from '#shared/errors.ts';
import { agentIdentities, identityOf, type Cluster, type ClusterSeen } from '#shared/domain/cluster.ts';
import { requireId } from '#shared/domain/ids.ts';
import { ClusterInstall, ClusterView } from '#shared/messages/api.ts';
import { declareWaiting } from '#shared/state/declare.ts';
import { clusterKey, organisationKey, sortKeys } from '#shared/state/keys.ts';
import { listClusters } from '#shared/state/registry.ts';
import type { StoredSummary } from '#shared/state/status.ts';
import { eachRow } from '#shared/state/update.ts';
import {
  addCluster,
  removeCluster,
  renewRegistration,
  requireCluster,
  restoreCluster,
  revokeCluster,
  type WithSecret,
} from '../cluster-identity.ts';
import { originOf, requireAdmin, requireUser, type ApiContext, type ApiDeps, type ApiEnv } from '../context.ts';
import { installCommand, type AgentValues } from '../install-command.ts';
import { checked, describe } from '../openapi.ts';

/** Longer than three heartbeats: an agent that was not heard for so long is silent. */
const silentAfterMs = 90_000;

const NewCluster = z.object({
  name: z.string(),
  labels: z.record(z.string(), z.string()).optional(),
  /** API server URLs by which declarations may name it (`spec.destination.server`). */
  servers: z.array(z.string()).optional(),
  identity: z.enum(agentIdentities).default('service-account'),
  /** Unique id of the role that the agent's pod has (`irsa`, `pod-identity`). */
  awsRoleId: z
    .string()
    .regex(/^AROA[A-Z0-9]{12,124}$/, 'must be the unique id of a role (AROA…)')
    .optional(),
  /** The role's ARN, for the annotation that IRSA needs. */
  awsRoleArn: z
    .string()
    .regex(/^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]{1,512}$/, 'must be the ARN of a role')
    .optional(),
});
type NewCluster = z.infer<typeof NewCluster>;

/** Registered clusters: list, add, install anew, revoke, restore, remove. Secrets are answered once, and kept as digests. */
export function clusterRoutes(deps: ApiDeps): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  app.get('/', describe('registered clusters', z.object({ items: z.array(ClusterView) })), async (c) => {
    const { organisation } = requireUser(c);
    return c.json({ items: await readClusters(deps, organisation) });
  });
  app.post('/', describe('register a cluster', ClusterInstall, 201), checked('json', NewCluster), async (c) => {
    const { organisation, user } = requireAdmin(c);
    const body = c.req.valid('json');
    requireRole(deps, body);
    const { name, labels = {}, servers = [], identity, awsRoleId, awsRoleArn } = body;
    const id = requireId(name, 'cluster name');
    const role = awsRoleId === undefined ? {} : { awsRoleId };
    const added = await addCluster(deps, organisation, { id, labels, servers, identity, ...role });
    await bringInWaiting(deps, organisation, user);
    return c.json(await installOf(deps, c, organisation, added, awsRoleArn), 201);
  });
  app.post('/:id/registration', describe('make a new registration token', ClusterInstall), async (c) => {
    const { organisation, user } = requireAdmin(c);
    const renewed = await renewRegistration(deps, organisation, c.req.param('id'), user);
    return c.json(await installOf(deps, c, organisation, renewed));
  });
  app.post('/:id/revoke', describe('let its agent in no more', ClusterView), async (c) => {
    const { organisation, user } = requireAdmin(c);
    const { id } = await revokeCluster(deps, organisation, c.req.param('id'), user);
    return c.json(await readCluster(deps, organisation, id));
  });
  app.post('/:id/restore', describe('let its agent in again', ClusterView), async (c) => {
    const { organisation, user } = requireAdmin(c);
    const { id } = await restoreCluster(deps, organisation, c.req.param('id'), user);
    return c.json(await readCluster(deps, organisation, id));
  });
  app.delete('/:id', describe('forget a cluster'), async (c) => {
    const { organisation, user } = requireAdmin(c);
    const { id } = await requireCluster(deps, organisation, c.req.param('id'));
    const used = (await readClusters(deps, organisation)).find((cluster) => cluster.id === id)?.applications ?? 0;
    if (used > 0) {
      throw new HawserError('conflict', `${used} applications still have cluster ${id} as their destination`, {
        hint: 'Delete or move them first; what runs in the cluster is left alone either way.',
      });
    }
    await removeCluster(deps, organisation, id, user);
    return c.body(null, 204);
  });
  return app;
}

/** Applications that named the cluster before it was there. The answer must come either way: its token is shown only once. */
async function bringInWaiting(deps: ApiDeps, organisation: string, by: string): Promise<void> {
  try {
    const defaultCluster = await deps.defaultCluster(organisation);
    const trace = randomUUID();
    await declareWaiting(deps, { organisation, homeCluster: defaultCluster, defaultCluster, by, trace });
  } catch (error) {
    deps.log.warn(
      { organisation, reason: messageOf(error) },
      'applications that wait for the cluster were not looked at',
    );
  }
}

function requireRole(deps: ApiDeps, { identity, awsRoleId, awsRoleArn }: NewCluster): void {
  const hasRole = identity === 'irsa' || identity === 'pod-identity';
  if (hasRole && deps.directAccess === undefined) {
    throw new HawserError('unsupported', `this service has nothing on AWS that an agent could reach with ${identity}`, {
      hint: 'Leave the identity out: a ServiceAccount token works everywhere.',
    });
  }
  if (hasRole && awsRoleId === undefined) {
    throw new HawserError('invalid-input', `awsRoleId: ${identity} needs the unique id of the agent's role`, {
      hint: 'See `aws iam get-role --role-name NAME --query Role.RoleId`.',
    });
  }
  if (!hasRole && (awsRoleId ?? awsRoleArn) !== undefined)
    throw new HawserError('invalid-input', `awsRoleId and awsRoleArn mean nothing with the identity ${identity}`);
}

/** What its agent is installed with. */
async function installOf(
  deps: ApiDeps,
  c: ApiContext,
  organisation: string,
  { cluster, token }: WithSecret,
  awsRoleArn?: string,
): Promise<ClusterInstall> {
  const isStatic = identityOf(cluster) === 'static' && cluster.registration === undefined;
  const values: AgentValues = {
    server: originOf(deps, c),
    organisation,
    cluster: cluster.id,
    rootKey: await deps.signer.rootPublicKey(organisation),
    identity: cluster.registration === undefined ? identityOf(cluster) : 'service-account',
    ...(token === undefined ? {} : isStatic ? { token } : { registration: { token } }),
    ...addressesOf(deps, organisation, cluster, awsRoleArn),
  };
  const { registration } = cluster;
  return {
    cluster: await readCluster(deps, organisation, cluster.id),
    ...(token === undefined || registration === undefined
      ? {}
      : { registration: { token, expiresAt: registration.expiresAt } }),
    ...(token !== undefined && isStatic ? { token } : {}),
    install: installCommand(values),
    values: { ...values },
  };
}

function addressesOf(
  deps: ApiDeps,
  organisation: string,
  cluster: Cluster,
  roleArn: string | undefined,
): Pick<AgentValues, 'aws'> {
  const { directAccess } = deps;
  if (directAccess === undefined || cluster.awsRoleId === undefined) return {};
  const { region, table, cipherKey, mailQueue } = directAccess;
  const wakeQueue = directAccess.wakeQueue(organisation, cluster.id);
  return { aws: { region, table, cipherKey, wakeQueue, mailQueue, ...(roleArn === undefined ? {} : { roleArn }) } };
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
  return clusters.map((cluster) =>
    viewOf(cluster, {
      now: deps.clock.now(),
      seen: seenOf.get(clusterKey(organisation, cluster.id)),
      applications: applications.get(cluster.id) ?? 0,
      isDefault: cluster.id === defaultCluster,
    }),
  );
}

/** One cluster with what its agent last said. */
async function readCluster(deps: ApiDeps, organisation: string, id: string): Promise<ClusterView> {
  const view = (await readClusters(deps, organisation)).find((cluster) => cluster.id === id);
  if (view !== undefined) return view;
  throw new HawserError('not-found', `cluster ${id} is not registered`);
}

function viewOf(
  cluster: Cluster,
  facts: { now: number; seen: ClusterSeen | undefined; applications: number; isDefault: boolean },
): ClusterView {
  const { capabilities, registration, revokedAt } = cluster;
  const { seen, now } = facts;
  const isWaiting = registration !== undefined && registration.usedAt === undefined;
  return {
    id: cluster.id,
    labels: cluster.labels,
    registeredAt: cluster.registeredAt,
    ...(capabilities === undefined ? {} : { kubernetesVersion: capabilities.kubernetesVersion }),
    ...(seen === undefined ? {} : { agentVersion: seen.agentVersion, seenAt: seen.at, memoryBytes: seen.memoryBytes }),
    connected: seen !== undefined && revokedAt === undefined && now - Date.parse(seen.at) < silentAfterMs,
    applications: facts.applications,
    objects: seen?.objects ?? 0,
    isDefault: facts.isDefault,
    identity: identityOf(cluster),
    ...(revokedAt === undefined ? {} : { revokedAt }),
    ...(isWaiting ? { registrationExpiresAt: registration.expiresAt } : {}),
  };
}

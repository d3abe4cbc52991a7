import { join } from 'node:path';
import { HawserError } from '#shared/errors.ts';
import type { AgentIdentity } from '#shared/domain/cluster.ts';
import { ClusterInstall } from '#shared/messages/api.ts';
import type { AgentAccess, ServiceStart } from '../running-service.ts';
import { projectToken } from './projected-token.ts';

interface NewCluster {
  name: string;
  server: string;
  kubeconfig: string;
}

/**
 * Adds a cluster as `hawser cluster add` does, and gives its agent what it proves itself with: a ServiceAccount token of that
 * cluster, kept fresh; where the kubeconfig may not ask for one, a static token, and then the agent works over HTTPS.
 * `closers` gets what ends the renewing; nothing is taken out of the cluster.
 */
export async function admitAgent(
  { dataDir, log, terminal }: Pick<ServiceStart, 'dataDir' | 'log' | 'terminal'>,
  service: { url: string; token: string },
  cluster: NewCluster,
  closers: (() => void)[],
): Promise<AgentAccess> {
  const file = join(dataDir, 'tokens', cluster.name);
  const projected = await projectToken({ kubeconfig: cluster.kubeconfig, file, log });
  if ('refused' in projected) {
    log.warn(
      { cluster: cluster.name, reason: projected.refused },
      'no ServiceAccount token: the agent gets a static one',
    );
    terminal.detail(`${cluster.name}: no ServiceAccount token, so a static one and HTTPS`);
    const { token } = await addCluster(service, cluster, 'static');
    if (token !== undefined) return { environment: { HAWSER_AGENT_TOKEN: token } };
    throw noSecret(cluster);
  }
  closers.push(() => projected.stop());
  const { registration } = await addCluster(service, cluster, 'service-account');
  if (registration === undefined) throw noSecret(cluster);
  return {
    environment: { HAWSER_SERVICE_ACCOUNT_TOKEN_FILE: file, HAWSER_REGISTRATION_TOKEN: registration.token },
  };
}

async function addCluster(
  service: { url: string; token: string },
  { name, server }: NewCluster,
  identity: AgentIdentity,
): Promise<Pick<ClusterInstall, 'registration' | 'token'>> {
  const response = await fetch(`${service.url}/api/v1/clusters`, {
    method: 'POST',
    headers: { authorization: `Bearer ${service.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name, servers: [server], identity }),
  });
  const text = await response.text();
  if (!response.ok)
    throw new HawserError('internal', `cluster ${name} could not be registered: ${response.status} ${text}`);
  return ClusterInstall.pick({ registration: true, token: true }).parse(JSON.parse(text));
}

function noSecret({ name }: NewCluster): HawserError {
  return new HawserError('internal', `cluster ${name} was registered without a token for its agent`);
}

import { sha256 } from '#shared/domain/digest.ts';
import type { StateStore } from '#shared/ports/state-store.ts';
import { organisationKey, sortKeys } from '#shared/state/keys.ts';
import { newToken } from '#functions/api/auth.ts';
import { keepAdmin, prepareOrganisation } from '#functions/api/prepare.ts';
import type { RunningService, ServiceStart } from './running-service.ts';
import { startService } from './service.ts';

/** The service of `npm start`: one process on the embedded adapters, whose state outlives it. */
export async function startEmbeddedService(start: ServiceStart): Promise<RunningService> {
  const { terminal, organisation } = start;
  terminal.step('Service');
  const service = await startService({ ...start, loopbackSession: true });
  terminal.done(service.url);
  const { store, secrets, signer } = service.api;
  return {
    url: service.url,
    store,
    secrets,
    lasting: true,
    rootPublicKey: (of) => signer.rootPublicKey(of),
    async prepare(remembered) {
      await prepareOrganisation(store, organisation);
      return keepAdmin(service.api, organisation, remembered);
    },
    async register(cluster, remembered) {
      const token = remembered ?? newToken(organisation, cluster.name);
      await registerCluster(store, organisation, cluster, token);
      return { environment: { HAWSER_AGENT_TOKEN: token }, token };
    },
    stop: () => service.stop(),
  };
}

/** Keeps what is known of the cluster already: labels, capabilities, when it came. */
async function registerCluster(
  store: StateStore,
  organisation: string,
  cluster: { name: string; server: string },
  token: string,
): Promise<void> {
  const partition = organisationKey(organisation);
  const before = await store.get<object>(partition, sortKeys.cluster(cluster.name));
  const value = {
    id: cluster.name,
    labels: {},
    registeredAt: new Date().toISOString(),
    ...before?.value,
    servers: [cluster.server],
    tokenDigest: sha256(token),
  };
  await store.putMany([
    { partition, sort: sortKeys.cluster(cluster.name), revision: (before?.revision ?? 0) + 1, value },
  ]);
}

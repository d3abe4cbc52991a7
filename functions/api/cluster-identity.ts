import { HawserError } from '#shared/errors.ts';
import type { AgentIdentity, Cluster } from '#shared/domain/cluster.ts';
import { sha256 } from '#shared/domain/digest.ts';
import { newRegistrationToken, newSecret, registrationSeconds } from '#shared/state/agent-tokens.ts';
import { writeOrganisationEvent } from '#shared/state/events.ts';
import { organisationKey, sortKeys } from '#shared/state/keys.ts';
import { getCluster } from '#shared/state/registry.ts';
import { updateRow } from '#shared/state/update.ts';
import { newToken } from './auth.ts';
import type { ApiDeps } from './context.ts';

/** What `addCluster` makes. */
export interface ClusterDraft {
  id: string;
  labels: Record<string, string>;
  servers: string[];
  identity: AgentIdentity;
  awsRoleId?: string;
}

/** A cluster and the secret that was made for its agent, which is nowhere kept: only its digest is. */
export interface WithSecret {
  cluster: Cluster;
  /** A static token, or a registration token; agents with a role of their own have none. */
  token?: string;
}

type Deps = Pick<ApiDeps, 'store' | 'clock' | 'bell' | 'wakeQueues' | 'mailbox'>;

/** Registers a cluster. Throws `conflict` for a name in use. */
export async function addCluster(
  deps: Pick<ApiDeps, 'store' | 'clock' | 'bell' | 'wakeQueues'>,
  organisation: string,
  draft: ClusterDraft,
): Promise<WithSecret> {
  const registeredAt = new Date(deps.clock.now()).toISOString();
  const { secret, token } = newIdentity(organisation, draft.id, draft.identity, deps.clock.now());
  const cluster: Cluster = { ...draft, registeredAt, ...secret };
  // Before the row: whoever tries again after a failure finds the name free.
  await deps.wakeQueues?.create(organisation, draft.id);
  const row = {
    partition: organisationKey(organisation),
    sort: sortKeys.cluster(draft.id),
    revision: 1,
    value: cluster,
  };
  if (await deps.store.put(row, { absent: true })) {
    tellPages(deps, organisation, draft.id);
    return { cluster, ...(token === undefined ? {} : { token }) };
  }
  throw new HawserError('conflict', `cluster ${draft.id} is registered already`, {
    hint: `Choose another name, or install its agent anew with \`hawser cluster renew ${draft.id}\`.`,
  });
}

function newIdentity(
  organisation: string,
  id: string,
  identity: AgentIdentity,
  now: number,
): { secret: Partial<Cluster>; token?: string } {
  if (identity === 'static') {
    const token = newToken(organisation, id);
    return { secret: { tokenDigest: sha256(token) }, token };
  }
  if (identity !== 'service-account') return { secret: {} };
  const token = newRegistrationToken(organisation, id);
  const expiresAt = new Date(now + registrationSeconds * 1000).toISOString();
  return { secret: { registration: { digest: sha256(token), expiresAt } }, token };
}

/**
 * A new registration token for a cluster that is known. Its agent goes on with what it has until the token is used; where
 * the cluster was revoked, nothing but the new token lets anybody in.
 */
export async function renewRegistration(deps: Deps, organisation: string, id: string, by: string): Promise<WithSecret> {
  const { secret, token } = newIdentity(organisation, id, 'service-account', deps.clock.now());
  const cluster = await change(deps, organisation, id, (before) => {
    if (before.identity === 'irsa' || before.identity === 'pod-identity') {
      throw new HawserError('invalid-input', `cluster ${id} proves itself with an IAM role (${before.identity})`, {
        hint: 'There is nothing to renew. To change that, remove the cluster and add it again.',
      });
    }
    if (before.revokedAt === undefined) return { ...before, ...secret };
    const { revokedAt: _lifted, pinned: _pin, tokenDigest: _token, ...rest } = before;
    return { ...rest, ...secret, epoch: newSecret() };
  });
  await tell(deps, organisation, id, { reason: 'RegistrationRenewed', message: `cluster ${id} may register anew`, by });
  return { cluster, ...(token === undefined ? {} : { token }) };
}

/** Lets a cluster's agent in no more, from the next request on; polls that are open end. Idempotent. */
export async function revokeCluster(deps: Deps, organisation: string, id: string, by: string): Promise<Cluster> {
  const cluster = await change(deps, organisation, id, ({ registration: _unused, ...before }) => ({
    ...before,
    revokedAt: before.revokedAt ?? new Date(deps.clock.now()).toISOString(),
    epoch: newSecret(),
  }));
  await endPolls(deps, organisation, id);
  await tell(deps, organisation, id, { reason: 'ClusterRevoked', message: `cluster ${id} was revoked`, by });
  return cluster;
}

/** Lets it in again with the identity that it had. Idempotent. */
export async function restoreCluster(deps: Deps, organisation: string, id: string, by: string): Promise<Cluster> {
  const cluster = await change(deps, organisation, id, ({ revokedAt: _lifted, ...before }) => before);
  await tell(deps, organisation, id, { reason: 'ClusterRestored', message: `cluster ${id} was let in again`, by });
  return cluster;
}

/** Forgets a cluster: nobody can speak for it any more. What runs in it is left alone. */
export async function removeCluster(deps: Deps, organisation: string, id: string, by: string): Promise<void> {
  // Before the row: whoever tries again after a failure still finds the cluster.
  await deps.wakeQueues?.remove(organisation, id);
  await deps.store.remove(organisationKey(organisation), sortKeys.cluster(id));
  await endPolls(deps, organisation, id);
  await tell(deps, organisation, id, { reason: 'ClusterRemoved', message: `cluster ${id} was removed`, by });
}

/** The cluster, or `not-found`. */
export async function requireCluster(deps: Pick<ApiDeps, 'store'>, organisation: string, id: string): Promise<Cluster> {
  const cluster = await getCluster(deps.store, organisation, id);
  if (cluster !== undefined) return cluster;
  throw unknown(id);
}

async function change(
  deps: Deps,
  organisation: string,
  id: string,
  to: (before: Cluster) => Cluster,
): Promise<Cluster> {
  const row = await updateRow<Cluster>(deps.store, organisationKey(organisation), sortKeys.cluster(id), (before) => {
    if (before === undefined) throw unknown(id);
    return to(before);
  });
  if (row === undefined) throw unknown(id);
  return row.value;
}

/** Whoever waits looks again whether it may (NT-110). */
async function endPolls(deps: Deps, organisation: string, id: string): Promise<void> {
  await deps.mailbox.post(organisation, id, { type: 'wake', version: 0 });
}

async function tell(
  deps: Deps,
  organisation: string,
  id: string,
  event: { reason: string; message: string; by: string },
): Promise<void> {
  const at = new Date(deps.clock.now()).toISOString();
  await writeOrganisationEvent(deps.store, organisation, { at, type: 'Normal', ...event, object: `cluster/${id}` });
  tellPages(deps, organisation, id);
}

function tellPages({ bell }: Pick<ApiDeps, 'bell'>, organisation: string, id: string): void {
  bell.ring(`organisation:${organisation}`, `cluster:${id}`);
}

function unknown(id: string): HawserError {
  return new HawserError('not-found', `cluster ${id.slice(0, 80)} is not registered`);
}

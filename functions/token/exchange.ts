import { HawserError } from '#shared/errors.ts';
import type { Cluster, PinnedIdentity } from '#shared/domain/cluster.ts';
import { cloudIssuer } from '#shared/domain/cloud-issuer.ts';
import { readKeySet, sameKey, type PublicKey } from '#shared/domain/public-keys.ts';
import type { TokenAnswer, TokenRequest } from '#shared/messages/agent-identity.ts';
import { sameText } from '#shared/state/agent-tokens.ts';
import { organisationKey, sortKeys } from '#shared/state/keys.ts';
import { getCluster } from '#shared/state/registry.ts';
import { updateRow } from '#shared/state/update.ts';
import { countFailure, requireFewFailures, type Attempt } from './attempts.ts';
import { issue, tell, type TokenDeps } from './issue.ts';
import { inspectToken, verifyServiceAccount } from './verify-service-account.ts';

const duplicateAgent = 'DuplicateAgent';
const revoked = 'revoked';

/**
 * A ServiceAccount token of a registered cluster in, what its agent may use for the next minutes out. Throws
 * `unauthenticated` where the token is not that of the cluster's agent, `forbidden` for a revoked cluster and for a
 * second cluster with the same credentials (NT-153), `unavailable` where the issuer's keys cannot be had now,
 * `rate-limited` after too many failures.
 */
export async function exchange(
  deps: TokenDeps,
  request: TokenRequest,
  source: string | undefined,
): Promise<TokenAnswer> {
  const attempt: Attempt = { organisation: request.organisation, cluster: request.cluster, source };
  await requireFewFailures(deps, attempt);
  try {
    const answer = await issue(deps, await prove(deps, request));
    deps.metrics.count('agent_token_exchanges_total', { outcome: 'done' });
    return answer;
  } catch (error) {
    if (!(error instanceof HawserError) || error.retry === 'later') throw error;
    deps.metrics.count('agent_token_exchanges_total', { outcome: error.code });
    // Who is revoked has proved who it is, and must get in as soon as it is restored.
    if (error.data['reason'] === revoked) throw error;
    const isFirst = await countFailure(deps, attempt);
    // A clone asks every few seconds: one event in ten minutes says it.
    if (error.data['reason'] === duplicateAgent && isFirst) {
      await tell(deps, request.cluster, { type: 'Warning', reason: duplicateAgent, message: error.message });
    }
    throw error;
  }
}

/** The cluster's row, once the token has proved that its agent asks, and from the very cluster that registered. */
async function prove(deps: TokenDeps, request: TokenRequest): Promise<Cluster> {
  const { serviceAccountToken: token } = request;
  inspectToken(token);
  const isOurs = request.organisation === deps.organisation;
  const cluster = isOurs ? await getCluster(deps.store, deps.organisation, request.cluster) : undefined;
  const pinned = cluster?.pinned;
  if (cluster === undefined || pinned === undefined) throw unproved();
  const keys = await keysFor(deps, pinned, token);
  const verified = await verifyServiceAccount(token, keys, { now: deps.clock.now(), expected: pinned });
  if (verified === undefined) throw unproved();
  if (cluster.revokedAt !== undefined) {
    throw new HawserError('forbidden', `cluster ${cluster.id} was revoked at ${cluster.revokedAt}`, {
      hint: `\`hawser cluster restore ${cluster.id}\` lets it in again.`,
      data: { reason: revoked },
    });
  }
  if (!sameText(pinned.uid, request.clusterUid)) {
    // Perhaps the name is to move: with the registration token that is waiting it may register.
    if (awaitsRegistration(cluster, deps.clock.now())) throw unproved();
    throw duplicate(cluster.id, pinned.uid, request.clusterUid);
  }
  const next = await keysToPin(deps, cluster.id, pinned, { fetched: keys, request, kid: verified.kid });
  return next === undefined ? cluster : await pinKeys(deps, cluster, next);
}

function awaitsRegistration({ registration }: Cluster, now: number): boolean {
  return registration !== undefined && registration.usedAt === undefined && Date.parse(registration.expiresAt) > now;
}

/** The pinned keys; those that the cloud publishes now where its issuer has rotated to a key that is not pinned. */
async function keysFor(deps: TokenDeps, pinned: PinnedIdentity, token: string): Promise<PublicKey[]> {
  const { kid, issuer } = inspectToken(token);
  if (issuer !== pinned.issuer || pinned.keys.some((key) => key.kid === kid)) return pinned.keys;
  return (await deps.issuerKeys.read(issuer, kid)) ?? pinned.keys;
}

/**
 * The keys to pin from now on; undefined where they stay. A cloud's issuer is the authority for its keys; elsewhere the
 * request brings them. Then a pinned key has signed the token, and it must be among the new ones: keys are added by
 * whoever speaks for the cluster, and never all exchanged at once.
 */
async function keysToPin(
  deps: TokenDeps,
  cluster: string,
  pinned: PinnedIdentity,
  { fetched, request, kid }: { fetched: PublicKey[]; request: TokenRequest; kid: string },
): Promise<PublicKey[] | undefined> {
  if (fetched !== pinned.keys) return fetched;
  if (request.jwks === undefined || cloudIssuer(pinned.issuer) !== undefined) return undefined;
  const set = readKeySet(request.jwks);
  const vouching = pinned.keys.find((key) => key.kid === kid);
  if ('problem' in set || vouching === undefined || !set.keys.some((key) => sameKey(key, vouching))) {
    throw new HawserError(
      'unauthenticated',
      `the key set is refused: ${'problem' in set ? set.problem : 'the key that signed the token is not in it'}`,
    );
  }
  const known = (key: PublicKey) => pinned.keys.some((one) => sameKey(one, key));
  if (set.keys.length === pinned.keys.length && set.keys.every(known)) return undefined;
  const fresh = set.keys.filter((key) => !known(key)).map((key) => key.kid);
  await tell(deps, cluster, {
    // Whoever steals a token could add a key of his own: people should see it.
    type: fresh.length === 0 ? 'Normal' : 'Warning',
    reason: 'ClusterKeysRotated',
    message: `the issuer of ${cluster} has ${fresh.length === 0 ? 'fewer keys' : `new keys (${fresh.join(', ')})`}; a key that was pinned vouches for them`,
  });
  return set.keys;
}

/** Writes new keys, unless the cluster was registered anew or revoked meanwhile. */
async function pinKeys(deps: TokenDeps, cluster: Cluster, keys: PublicKey[]): Promise<Cluster> {
  const row = await updateRow<Cluster>(
    deps.store,
    organisationKey(deps.organisation),
    sortKeys.cluster(cluster.id),
    (current) =>
      current?.pinned === undefined || current.epoch !== cluster.epoch
        ? undefined
        : { ...current, pinned: { ...current.pinned, keys } },
  );
  if (row === undefined || row.value.epoch !== cluster.epoch) throw unproved();
  return row.value;
}

/** The same whatever is wrong, so that nobody learns which clusters there are (NT-100). */
function unproved(): HawserError {
  return new HawserError(
    'unauthenticated',
    'the ServiceAccount token is not that of a registered cluster of this name',
    {
      hint: 'Register the cluster, or do so again with `hawser cluster renew NAME` after its signing keys were exchanged.',
    },
  );
}

function duplicate(cluster: string, uid: string, other: string): HawserError {
  return new HawserError(
    'forbidden',
    `the credentials of cluster ${cluster} (${uid}) came from another cluster (${other.replaceAll(/[^\w-]/g, '?')})`,
    {
      hint: `Register the other cluster under a name of its own, or move ${cluster} to it with \`hawser cluster renew ${cluster}\`.`,
      data: { reason: duplicateAgent },
    },
  );
}

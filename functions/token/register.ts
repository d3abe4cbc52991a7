import { HawserError } from '#shared/errors.ts';
import type { Cluster, PinnedIdentity } from '#shared/domain/cluster.ts';
import { sha256 } from '#shared/domain/digest.ts';
import { readKeySet } from '#shared/domain/public-keys.ts';
import type { RegisterRequest, TokenAnswer } from '#shared/messages/agent-identity.ts';
import { newSecret, partsOfToken, sameText } from '#shared/state/agent-tokens.ts';
import { organisationKey, sortKeys } from '#shared/state/keys.ts';
import { getCluster } from '#shared/state/registry.ts';
import { updateRow } from '#shared/state/update.ts';
import { countFailure, requireFewFailures, type Attempt } from './attempts.ts';
import { issue, tell, type TokenDeps } from './issue.ts';
import { verifyServiceAccount } from './verify-service-account.ts';

/**
 * The first use of a registration token pins which cluster it is: UID, issuer, subject and keys. The ServiceAccount token
 * proves that the keys are those of the cluster that asks. Throws `unauthenticated` for a token that is unknown, over or
 * not proved, `conflict` for one that was used (which is told: somebody else may have it), `rate-limited` after too many failures.
 */
export async function register(
  deps: TokenDeps,
  bearer: string,
  request: RegisterRequest,
  source: string | undefined,
): Promise<TokenAnswer> {
  const named = partsOfToken('hawser-register', bearer);
  const attempt: Attempt = { organisation: named?.organisation ?? '', cluster: named?.cluster ?? '', source };
  await requireFewFailures(deps, attempt);
  try {
    if (named === undefined || named.organisation !== deps.organisation) throw unknownToken();
    const cluster = await pin(deps, named.cluster, sha256(bearer), request);
    deps.metrics.count('agent_registrations_total', { outcome: 'done' });
    return await issue(deps, cluster);
  } catch (error) {
    if (!(error instanceof HawserError) || error.retry === 'later') throw error;
    deps.metrics.count('agent_registrations_total', { outcome: error.code });
    const isFirst = await countFailure(deps, attempt);
    if (error.code === 'conflict' && isFirst) await tellReplay(deps, attempt.cluster);
    throw error;
  }
}

async function pin(deps: TokenDeps, id: string, digest: string, request: RegisterRequest): Promise<Cluster> {
  const now = deps.clock.now();
  requireUsable(await getCluster(deps.store, deps.organisation, id), digest, now);
  const pinned = await identityIn(request, now);
  const epoch = newSecret();
  let before: PinnedIdentity | undefined;
  const row = await updateRow<Cluster>(
    deps.store,
    organisationKey(deps.organisation),
    sortKeys.cluster(id),
    (current) => {
      // Of two that come at once, the second finds it used here.
      const cluster = requireUsable(current, digest, now);
      before = cluster.pinned;
      // A static token that it had before is void from now on.
      const { tokenDigest: _void, ...rest } = cluster;
      const registration = { ...cluster.registration, usedAt: pinned.pinnedAt };
      return { ...rest, identity: 'service-account', pinned, epoch, registration };
    },
  );
  if (row === undefined) throw unknownToken();
  const replaced = before !== undefined && before.uid !== pinned.uid;
  await tell(deps, id, {
    type: 'Normal',
    reason: 'ClusterRegistered',
    message: `the cluster ${pinned.uid} registered as ${id} with ${pinned.subject} of ${pinned.issuer}${
      replaced ? `; before, ${id} was the cluster ${before?.uid}` : ''
    }`,
  });
  return row.value;
}

/** The row, if this registration token may be used on it now. */
function requireUsable(
  cluster: Cluster | undefined,
  digest: string,
  now: number,
): Cluster & { registration: NonNullable<Cluster['registration']> } {
  const registration = cluster?.registration;
  if (cluster === undefined || registration === undefined || !sameText(registration.digest, digest))
    throw unknownToken();
  if (cluster.revokedAt !== undefined) throw unknownToken();
  if (registration.usedAt !== undefined) {
    throw new HawserError(
      'conflict',
      `this registration token of cluster ${cluster.id} was used at ${registration.usedAt}`,
      {
        hint: `A registered agent needs none. If it was not yours: \`hawser cluster revoke ${cluster.id}\`, then \`hawser cluster renew ${cluster.id}\`.`,
      },
    );
  }
  if (Date.parse(registration.expiresAt) <= now) {
    throw new HawserError('unauthenticated', `this registration token ended at ${registration.expiresAt}`, {
      hint: `Make another with \`hawser cluster renew ${cluster.id}\` and install the agent with it.`,
    });
  }
  return { ...cluster, registration };
}

async function identityIn(request: RegisterRequest, now: number): Promise<PinnedIdentity> {
  const set = readKeySet(request.jwks);
  if ('problem' in set) throw new HawserError('unauthenticated', `the key set is refused: ${set.problem}`);
  const token = await verifyServiceAccount(request.serviceAccountToken, set.keys, { now });
  if (token === undefined) {
    throw new HawserError('unauthenticated', 'the ServiceAccount token was not signed with a key of the key set', {
      hint: 'Send the key set of the API server that issued the token, from /openid/v1/jwks.',
    });
  }
  return {
    uid: request.clusterUid,
    issuer: token.issuer,
    subject: token.subject,
    keys: set.keys,
    pinnedAt: new Date(now).toISOString(),
  };
}

async function tellReplay(deps: TokenDeps, cluster: string): Promise<void> {
  await tell(deps, cluster, {
    type: 'Warning',
    reason: 'RegistrationReplayed',
    message: `somebody used the registration token of ${cluster} again. If it was not its agent after a lost answer, revoke the cluster and register it anew.`,
  });
}

/** The same for every token that is none of ours, so that nobody learns which clusters there are (NT-100). */
function unknownToken(): HawserError {
  return new HawserError('unauthenticated', 'the registration token is not valid (any more)', {
    hint: 'Make another with `hawser cluster renew NAME` and install the agent with it.',
  });
}

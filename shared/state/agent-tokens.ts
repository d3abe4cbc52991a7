import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { Cluster } from '../domain/cluster.ts';
import { sha256 } from '../domain/digest.ts';
import { isId } from '../domain/ids.ts';
import type { StateStore } from '../ports/state-store.ts';
import { organisationKey, sortKeys } from './keys.ts';

/** How long an agent may use an access token: nobody has to take one back. */
export const accessTokenSeconds = 15 * 60;
/** How long a registration token waits to be used. */
export const registrationSeconds = 15 * 60;
/** Longest token that is looked at (LIM-15). */
const longestToken = 8192;

/** What an agent's access token stands for: the row `AGENTTOKEN#digest`. */
export interface AgentToken {
  cluster: string;
  /** The cluster's epoch when it was issued. */
  epoch: string;
  createdAt: string;
  expiresAt: string;
}

/** 256 random bits as text without `_`, which separates the parts of tokens. */
export function newSecret(): string {
  return randomBytes(32).toString('base64url').replaceAll('_', '-');
}

/** A token for a cluster's agent: `hawser-agent_ORGANISATION_CLUSTER_SECRET`. */
export function newAgentToken(organisation: string, cluster: string): string {
  return `hawser-agent_${organisation}_${cluster}_${newSecret()}`;
}

/** A token with which a cluster registers once: `hawser-register_ORGANISATION_CLUSTER_SECRET`. */
export function newRegistrationToken(organisation: string, cluster: string): string {
  return `hawser-register_${organisation}_${cluster}_${newSecret()}`;
}

/** Organisation and cluster that a token of this type names: a claim until its digest was compared. */
export function partsOfToken(
  type: 'hawser-agent' | 'hawser-register',
  token: string,
): { organisation: string; cluster: string } | undefined {
  if (token.length > longestToken) return undefined;
  const [actual, organisation = '', cluster = '', secret = '', ...rest] = token.split('_');
  if (actual !== type || secret === '' || rest.length > 0 || !isId(organisation) || !isId(cluster)) return undefined;
  return { organisation, cluster };
}

/** Issues an access token for a cluster; only its digest is kept. */
export async function grantAgentToken(
  store: StateStore,
  organisation: string,
  cluster: Pick<Cluster, 'id' | 'epoch'>,
  now: number,
): Promise<{ token: string; expiresAt: string }> {
  const token = newAgentToken(organisation, cluster.id);
  const until = now + accessTokenSeconds * 1000;
  const value: AgentToken = {
    cluster: cluster.id,
    epoch: cluster.epoch ?? '',
    createdAt: new Date(now).toISOString(),
    expiresAt: new Date(until).toISOString(),
  };
  const key = { partition: organisationKey(organisation), sort: sortKeys.agentToken(sha256(token)) };
  await store.put({ ...key, revision: 1, value, expiresAt: Math.ceil(until / 1000) });
  return { token, expiresAt: value.expiresAt };
}

/**
 * Organisation and cluster of an agent's token: the access token of a registered cluster, or the static one of its row.
 * undefined for anything else, and for every token of a cluster that was revoked or removed: rows are read with each call,
 * so that this holds from the next request on (NT-110).
 */
export async function findAgent(
  store: StateStore,
  token: string,
  now: number,
): Promise<{ organisation: string; cluster: string } | undefined> {
  const named = partsOfToken('hawser-agent', token);
  if (named === undefined) return undefined;
  const partition = organisationKey(named.organisation);
  const digest = sha256(token);
  const rows = await store.getMany<Cluster | AgentToken>([
    { partition, sort: sortKeys.cluster(named.cluster) },
    { partition, sort: sortKeys.agentToken(digest) },
  ]);
  const valueAt = (sort: string) => rows.find((row) => row.sort === sort)?.value;
  const cluster = valueAt(sortKeys.cluster(named.cluster)) as Cluster | undefined;
  const access = valueAt(sortKeys.agentToken(digest)) as AgentToken | undefined;
  if (cluster === undefined || cluster.revokedAt !== undefined) return undefined;
  return isStatic(cluster, digest) || isCurrent(cluster, access, now) ? named : undefined;
}

function isStatic(cluster: Cluster, digest: string): boolean {
  return cluster.tokenDigest !== undefined && sameText(cluster.tokenDigest, digest);
}

function isCurrent(cluster: Cluster, access: AgentToken | undefined, now: number): boolean {
  if (access === undefined || access.cluster !== cluster.id || access.epoch !== cluster.epoch) return false;
  return Date.parse(access.expiresAt) > now;
}

/** Compares secrets or their digests without telling how far they agree. */
export function sameText(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}

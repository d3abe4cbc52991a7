import type { PublicKey } from './public-keys.ts';

/** A registered destination: the row `CLUSTER#id`. */
export interface Cluster {
  id: string;
  labels: Record<string, string>;
  registeredAt: string;
  /** `server` values of declarations that mean this cluster, e.g. its API server's URL. */
  servers: string[];
  /** How its agent proves who it is; absent in rows from before there was a choice: `static`. */
  identity?: AgentIdentity;
  /** SHA-256 of a token that holds until the cluster is removed (`static`); the token itself is never stored. */
  tokenDigest?: string;
  /** The one registration token that was handed out last (`service-account`). */
  registration?: Registration;
  /** Which cluster this is, as its first registration proved it. */
  pinned?: PinnedIdentity;
  /** Names the present credentials: access tokens carry it, and what was issued under another is void. */
  epoch?: string;
  /** Unique id of the IAM role with which the agent comes (`irsa`, `pod-identity`): what SQS reports as its sender. */
  awsRoleId?: string;
  /** Since then nothing of its agent is let in. */
  revokedAt?: string;
  capabilities?: ClusterCapabilities;
}

/** Every way in which an agent may prove who it is. */
export const agentIdentities = ['service-account', 'irsa', 'pod-identity', 'static'] as const;
export type AgentIdentity = (typeof agentIdentities)[number];

/** A registration token: single use, by digest. Times are ISO 8601. */
export interface Registration {
  digest: string;
  expiresAt: string;
  usedAt?: string;
}

/** What a registration pins: every later ServiceAccount token must fit it (NT-153). */
export interface PinnedIdentity {
  /** UID of the namespace kube-system. */
  uid: string;
  issuer: string;
  /** `system:serviceaccount:NAMESPACE:NAME`. */
  subject: string;
  keys: PublicKey[];
  pinnedAt: string;
}

/** How an agent proves who it is, with what rows leave out. */
export function identityOf(cluster: Pick<Cluster, 'identity'>): AgentIdentity {
  return cluster.identity ?? 'static';
}

/** What renders and namespace defaulting need to know of a cluster; agents report it when it changes. */
export interface ClusterCapabilities {
  kubernetesVersion: string;
  /** UID of the namespace kube-system: which cluster this really is (NT-153). */
  uid: string;
  kinds: ClusterKind[];
}

export interface ClusterKind {
  group: string;
  version: string;
  kind: string;
  plural: string;
  namespaced: boolean;
}

/** What the agent last said of itself: the row `SEEN`. */
export interface ClusterSeen {
  at: string;
  agentVersion: string;
  epoch: string;
  sequence: number;
  /** Version of the cluster's HEAD that the agent has taken in. */
  version: number;
  applications: number;
  objects: number;
  memoryBytes: number;
}

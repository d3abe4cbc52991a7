/** A registered destination: the row `CLUSTER#id`. */
export interface Cluster {
  id: string;
  labels: Record<string, string>;
  registeredAt: string;
  /** SHA-256 of the agent's token; the token itself is never stored. */
  tokenDigest: string;
  /** `server` values of declarations that mean this cluster, e.g. its API server's URL. */
  servers: string[];
  capabilities?: ClusterCapabilities;
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

/** The fence inside an organisation (Argo CD's AppProject): the row `PROJECT#name`. */
export interface Project {
  name: string;
  description: string;
  sourceRepos: string[];
  destinations: { server?: string; name?: string; namespace?: string }[];
  /** undefined or empty: no cluster-scoped kind is allowed (argo-cd.md §2.10). */
  clusterResourceWhitelist?: KindRule[];
  clusterResourceBlacklist?: KindRule[];
  /** undefined: all allowed; empty: none. */
  namespaceResourceWhitelist?: KindRule[];
  namespaceResourceBlacklist?: KindRule[];
  /** As declared. */
  declared: import('./json.ts').JsonObject;
}

export interface KindRule {
  group: string;
  kind: string;
  name?: string;
}

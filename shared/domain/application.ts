import type { JsonObject } from './json.ts';

/** What the application was declared as. */
export type DeclaredKind = 'Application' | 'Kustomization';

/** The unit of desired state, compiled from what the user declared: the row `SPEC`. */
export interface Application {
  id: string;
  kind: DeclaredKind;
  /** Name and namespace as declared; the id is made of them. */
  name: string;
  namespace: string;
  /** The object as it was handed in, plus uid, creationTimestamp and generation. */
  declared: JsonObject;
  project: string;
  cluster: string;
  /** Where namespaced objects without a namespace go; '' where the declaration has none (Flux). */
  destinationNamespace: string;
  sources: Source[];
  policy: SyncPolicy;
  /** Ids of applications that must be applied and healthy first (Flux `dependsOn`). */
  dependsOn: string[];
  /** The application whose rendered objects declared this one. */
  parent?: string;
  labels: Record<string, string>;
  /** Why it cannot be planned (an invalid declaration is kept and shown, never dropped). */
  invalid?: string;
  /** Set once it is being deleted; the row goes when the agent has carried the order out (G-10). */
  deleting?: { cascade: 'foreground' | 'background' | 'orphan'; by: string; at: string };
  /** Clusters where it was before, and whose agents have not confirmed yet that they let go of it. */
  formerClusters?: string[];
  /** Suspended by hand (`hawser suspend`), whatever the declaration says. */
  suspendedByHand?: boolean;
}

/** Where desired state is read from. */
export interface Source {
  repository: string;
  url: string;
  /** Branch, tag, full or short commit, `HEAD`, semver range; Flux's `ref` comes in the same words. */
  revision: string;
  path: string;
  render: RenderOptions;
}

/** How a source is rendered; `auto` follows Argo CD's detection order (argo-cd.md §2.3). */
export type RenderOptions =
  | { tool: 'auto' | 'directory'; directory: DirectoryOptions; kustomize?: KustomizeOptions; helm?: HelmOptions }
  | { tool: 'kustomize'; kustomize: KustomizeOptions }
  | { tool: 'helm'; helm: HelmOptions }
  | { tool: 'flux'; flux: FluxOptions };

export interface DirectoryOptions {
  recurse: boolean;
  include: string;
  exclude: string;
}

/** Argo CD's `source.kustomize` (argo-cd.md §1.1). */
export interface KustomizeOptions {
  namePrefix?: string;
  nameSuffix?: string;
  images?: string[];
  replicas?: { name: string; count: number }[];
  commonLabels?: Record<string, string>;
  commonAnnotations?: Record<string, string>;
  forceCommonLabels?: boolean;
  forceCommonAnnotations?: boolean;
  /** Variables of the build environment stand in annotations, too; a plan puts their values in. */
  commonAnnotationsEnvsubst?: boolean;
  labelWithoutSelector?: boolean;
  labelIncludeTemplates?: boolean;
  namespace?: string;
  patches?: JsonObject[];
  components?: string[];
  ignoreMissingComponents?: boolean;
}

/** Argo CD's `source.helm` (argo-cd.md §1.1, §2.3). */
export interface HelmOptions {
  releaseName?: string;
  valueFiles?: string[];
  ignoreMissingValueFiles?: boolean;
  values?: string;
  valuesObject?: JsonObject;
  parameters?: { name: string; value: string; forceString?: boolean }[];
  fileParameters?: { name: string; path: string }[];
  skipCrds?: boolean;
  skipTests?: boolean;
  skipSchemaValidation?: boolean;
  namespace?: string;
  kubeVersion?: string;
  apiVersions?: string[];
}

/** The parts of a Flux Kustomization that change what is rendered (flux.md §2.2, §2.3). */
export interface FluxOptions {
  targetNamespace?: string;
  namePrefix?: string;
  nameSuffix?: string;
  images?: { name: string; newName?: string; newTag?: string; digest?: string }[];
  patches?: JsonObject[];
  components?: string[];
  ignoreMissingComponents?: boolean;
  commonMetadata?: { labels?: Record<string, string>; annotations?: Record<string, string> };
  substitute?: Record<string, string>;
}

/** What the agent may do by itself, and how. Part of every signed root. */
export interface SyncPolicy {
  /** False: compare and report only, until a sync is asked for. */
  automated: boolean;
  prune: boolean;
  selfHeal: boolean;
  allowEmpty: boolean;
  suspended: boolean;
  /** Not done before everything is healthy (Flux `wait`; waves wait in any case). */
  wait: boolean;
  timeoutSeconds?: number;
  createNamespace: boolean;
  namespaceMetadata?: { labels?: Record<string, string>; annotations?: Record<string, string> };
  pruneLast: boolean;
  replace: boolean;
  /** Recreate objects whose immutable fields changed (Flux `force`, Argo CD `Force=true`). */
  force: boolean;
  failOnSharedResource: boolean;
  respectIgnoreDifferences: boolean;
  prunePropagation: 'foreground' | 'background' | 'orphan';
  retry: { limit: number; seconds: number; factor: number; maxSeconds: number };
  ignoreDifferences: IgnoreRule[];
}

export interface IgnoreRule {
  group?: string;
  kind?: string;
  name?: string;
  namespace?: string;
  jsonPointers?: string[];
  jqPathExpressions?: string[];
  managedFieldsManagers?: string[];
}

/** Argo CD's defaults for an Application without a syncPolicy (argo-cd.md §2.1). */
export const defaultPolicy: SyncPolicy = {
  automated: false,
  prune: false,
  selfHeal: false,
  allowEmpty: false,
  suspended: false,
  wait: false,
  createNamespace: false,
  pruneLast: false,
  replace: false,
  force: false,
  failOnSharedResource: false,
  respectIgnoreDifferences: false,
  prunePropagation: 'foreground',
  retry: { limit: 5, seconds: 5, factor: 2, maxSeconds: 180 },
  ignoreDifferences: [],
};

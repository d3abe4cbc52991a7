/** Partitions and sort keys of the one table (design: README §State). `#` separates parts; ids never hold one. */

export function organisationKey(organisation: string): string {
  return `T#${organisation}`;
}

export function repositoryKey(organisation: string, repository: string): string {
  return `T#${organisation}#R#${repository}`;
}

export function applicationKey(organisation: string, application: string): string {
  return `T#${organisation}#A#${application}`;
}

export function clusterKey(organisation: string, cluster: string): string {
  return `T#${organisation}#C#${cluster}`;
}

/** Chunk-store partition of one cluster's snapshots: no cluster can read another's. */
export function blocksKey(organisation: string, cluster: string): string {
  return `T#${organisation}#C#${cluster}#B`;
}

/** Chunk-store partition of input bundles and render outputs. */
export function inputsKey(organisation: string): string {
  return `T#${organisation}#I`;
}

/** Secrets that are kept as sealed rows; also the context that they are sealed for. */
export function secretsKey(organisation: string): string {
  return `T#${organisation}#S`;
}

/** What has changed for people's pages: apart from all else, for whoever tells them may write nothing else there. */
export function pagesKey(organisation: string): string {
  return `T#${organisation}#P`;
}

/** Digits wide enough for every generation and version, so that byte order is numeric order. */
export function padded(number: number): string {
  return String(number).padStart(14, '0');
}

export const sortKeys = {
  ticket: 'TICKET',
  project: (name: string) => `PROJECT#${name}`,
  cluster: (id: string) => `CLUSTER#${id}`,
  repository: (id: string) => `REPOSITORY#${id}`,
  /** Credentials for repositories whose URL starts alike. */
  repositoryTemplate: (id: string) => `REPOSITORYTEMPLATE#${id}`,
  repositoryUrl: (digest: string) => `REPOSITORYURL#${digest}`,
  /** Of people; what browsers and agents show instead lasts for hours at most and comes in numbers, so it lies elsewhere. */
  token: (digest: string) => `TOKEN#${digest}`,
  session: (digest: string) => `SESSION#${digest}`,
  agentToken: (digest: string) => `AGENTTOKEN#${digest}`,
  secret: (name: string) => `SECRET#${name}`,
  /** Failed attempts of somebody to prove who they are; expires. */
  attempts: (digest: string) => `ATTEMPTS#${digest}`,
  /** Declared objects that are not applications (GitRepository, ConfigMaps): as handed in. */
  object: (kind: string, namespace: string, name: string) => `OBJECT#${kind}#${namespace}#${name}`,
  summary: (application: string) => `APP#${application}`,
  organisationEvent: (time: string, id: string) => `EVENT#${time}#${id}`,
  headRef: (selector: string) => `HEADREF#${selector}`,
  closurePage: (selector: string, page: number) => `CLOSURE#${selector}#${page}`,
  spec: 'SPEC',
  status: 'STATUS',
  resources: 'RESOURCES',
  closure: 'CLOSURE',
  /** Another application declares it as well, and waits for its parent to give it up. */
  claim: 'CLAIM',
  children: 'CHILDREN',
  history: (generation: number) => `HISTORY#${padded(generation)}`,
  event: (time: string, id: string) => `EVENT#${time}#${id}`,
  head: 'HEAD',
  assignment: (application: string) => `APP#${application}`,
  change: (version: number) => `CHANGE#${padded(version)}`,
  seen: 'SEEN',
  answer: (question: string) => `ANSWER#${question}`,
  output: (inputDigest: string) => `OUTPUT#${inputDigest}`,
} as const;

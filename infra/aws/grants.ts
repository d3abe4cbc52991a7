/**
 * Kinds of partitions of the one table (shared/state/keys.ts). `inputs`: bundles and rendered objects; these are
 * `input-chunks`, and `input-rows` the list of those and what was made of which. `marks`: repositories that a webhook could
 * send no hint for; `pages`: what has changed for people's pages; `secrets`: sealed rows (shared/state/sealed-secrets.ts).
 */
export type TablePart =
  | 'organisation'
  | 'repositories'
  | 'applications'
  | 'clusters'
  | 'inputs'
  | 'input-rows'
  | 'input-chunks'
  | 'secrets'
  | 'pages'
  | 'marks';

export interface TableGrant {
  /** Without `dynamodb:`. */
  actions: readonly string[];
  parts: readonly TablePart[];
}

/** What encryption contexts name: a cluster's snapshots, the organisation's inputs, or its sealed rows. */
export type KeyContext = 'snapshots' | 'inputs' | 'secrets';

/** What a function may do; nothing else. Queues that start it come on top, with their dead letters. */
export interface Grants {
  table?: readonly TableGrant[];
  /** Queues whose messages' bodies it reads or writes where they lie in the table, being none that SQS takes. */
  bodies?: { read: readonly string[]; write: readonly string[] };
  /** Queues to which it sends. */
  send?: readonly string[];
  /** Queues whose dead letters it looks at, and takes away once they are sent again. */
  deadLetters?: readonly string[];
  /** How full each queue is. */
  countQueues?: boolean;
  /** Wake queues of clusters: send to them, or also make, empty and remove them. */
  wake?: 'send' | 'manage';
  /** Secrets named `ORG/KIND/…`; actions without `secretsmanager:`. */
  secrets?: readonly { actions: readonly string[]; kinds: readonly 'repository'[] }[];
  keys?: { seal: readonly KeyContext[]; open: readonly KeyContext[]; publicKey?: boolean; sign?: boolean };
  invoke?: string;
  /** Read the CodeCommit repositories that the deployment names. */
  pullCodeCommit?: boolean;
  /** Become an agent's session, with its tags. */
  assumeAgent?: boolean;
}

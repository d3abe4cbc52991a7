import type { RepositoryCredentials } from '../domain/repository-credentials.ts';
import type { CommitInfo } from '../domain/status.ts';

/** How to reach a repository; `credentials` come from the secret store and never leave the adapter. */
export interface RepositoryAccess {
  organisation: string;
  repository: string;
  url: string;
  credentials?: RepositoryCredentials;
  /** Certificate authorities (PEM) that are trusted for the host besides the public ones. */
  ca?: string;
  /** Host keys that the organisation trusts, in the format of OpenSSH's known_hosts. */
  knownHosts?: string;
}

export interface ResolvedRevision {
  /** 40 hex digits. */
  commit: string;
  /** Full ref name, or the commit itself where a commit was asked for. */
  ref: string;
}

export type TreeEntryType = 'blob' | 'tree' | 'link' | 'submodule';

export interface TreeEntry {
  /** Path from the repository's root, no leading slash, '' for the root. */
  path: string;
  type: TreeEntryType;
  oid: string;
  executable: boolean;
}

/** One commit's tree, read lazily; only trees are held, blobs are asked for by id. */
export interface GitTree {
  commit: CommitInfo;
  rootOid: string;
  /** undefined where nothing is. Never follows links. */
  entry(path: string): Promise<TreeEntry | undefined>;
  /** Direct children, sorted by name; throws `path-not-found` where there is no tree. */
  list(path: string): Promise<TreeEntry[]>;
  /** Contents by object id, in one request for what is not at hand. Throws `source-too-large` past LIM-06 per blob. */
  blobs(oids: readonly string[]): Promise<Map<string, Uint8Array>>;
}

/**
 * Reads Git without checking out. Errors: `repository-unreachable` (retry later), `repository-auth-failed`,
 * `repository-empty`, `revision-not-found`, `source-too-large`.
 */
export interface GitSource {
  /** Reads the remote's refs. `revision`: branch, tag, HEAD or '', full ref name, full or (once fetched) short commit, semver range over tags. */
  resolve(access: RepositoryAccess, revision: string): Promise<ResolvedRevision>;
  /** Commits and trees of `commit`; fetches only what is new since commits it already has. */
  open(access: RepositoryAccess, commit: string): Promise<GitTree>;
  /** Paths of files that differ between two commits, comparing only trees whose ids differ. undefined when `from` is not at hand any more. */
  changedPaths(access: RepositoryAccess, from: string, to: GitTree): Promise<string[] | undefined>;
  /** Bytes received from remotes since the start, for budgets. */
  bytesFetched(): number;
}

const KIB = 1024;
const MIB = 1024 * KIB;

/** What a remote may cost us. Every number has a default (LIM-03 to LIM-06); tests lower them. */
export interface GitLimits {
  /** Bytes of one pack as received (LIM-03). */
  packBytes: number;
  /** Bytes of all objects of one pack, inflated. */
  unpackedBytes: number;
  /** Seconds that one request may take in all (LIM-03). */
  requestSeconds: number;
  /** Seconds without a byte, connecting included. */
  idleSeconds: number;
  /** Refs in one advertisement, and its bytes (LIM-04). */
  refs: number;
  refBytes: number;
  /** Bytes of one file (LIM-06). */
  blobBytes: number;
  /** Bytes of one tree object; a folder of 100,000 files has about 4 MiB. */
  treeBytes: number;
  /** Depth of folders that a comparison walks (LIM-05). */
  depth: number;
  /** Paths that a comparison names; more count as «everything changed». */
  changedPaths: number;
  /** Parsed trees kept in memory, over all repositories. */
  treeCacheBytes: number;
  /** Changed files smaller than this come along with the trees, which saves the request for them. */
  eagerBlobBytes: number;
  /** A response with such files that grows past this is dropped, and trees are asked for alone. */
  eagerResponseBytes: number;
  /** Stored packs before they are made one. */
  storedPacks: number;
  /** Files that survive making one pack of many; others are fetched again when they are needed. */
  keptBlobBytes: number;
  /** Commits whose trees are kept: one for each branch that is followed, and some more. */
  keptCommits: number;
}

/** The limits of production. */
export const defaultGitLimits: GitLimits = {
  packBytes: 256 * MIB,
  unpackedBytes: 2048 * MIB,
  requestSeconds: 120,
  idleSeconds: 30,
  refs: 50_000,
  refBytes: 8 * MIB,
  blobBytes: 10 * MIB,
  treeBytes: 32 * MIB,
  depth: 32,
  changedPaths: 100_000,
  treeCacheBytes: 64 * MIB,
  eagerBlobBytes: 32 * KIB,
  eagerResponseBytes: MIB,
  storedPacks: 50,
  keptBlobBytes: 64 * MIB,
  keptCommits: 16,
};

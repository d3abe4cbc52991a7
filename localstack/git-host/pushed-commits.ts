import type { Commit, LooseObjects, TreeEntry } from './loose-objects.ts';

/** The paths that a commit touches, compared with its first parent. */
export interface ChangedPaths {
  added: string[];
  modified: string[];
  removed: string[];
}

/** A commit that a push brought. */
export interface PushedCommit {
  oid: string;
  commit: Commit;
  paths: ChangedPaths;
}

interface Walk {
  queue: Map<string, { commit: Commit; isOld: boolean }>;
  seenOld: Set<string>;
}

/**
 * The commits that `after` has and `before` has not, oldest first, at most `limit`,
 * and whether `before` was thrown away (`forced`).
 *
 * What cannot be read cheaply is left out: a push event is a hint, and it must not come late.
 */
export function pushedCommits(
  objects: LooseObjects,
  before: string | undefined,
  after: string,
  limit: number,
): { commits: PushedCommit[]; forced: boolean } {
  const walk: Walk = { queue: new Map(), seenOld: new Set() };
  const found: PushedCommit[] = [];
  let isReached = before === undefined;
  let isComplete = true;
  add(after, false);
  if (before !== undefined && before !== after) add(before, true);

  while (found.length < limit) {
    const next = newest(walk);
    if (next === undefined) break;
    const [oid, { commit, isOld }] = next;
    walk.queue.delete(oid);
    if (!isOld) found.push({ oid, commit, paths: changedPaths(objects, commit) });
    for (const parent of commit.parents) add(parent, isOld);
  }
  if (found.length >= limit && newest(walk) !== undefined) isComplete = false;
  return { commits: found.toReversed(), forced: isComplete && !isReached };

  function add(oid: string, isOld: boolean): void {
    if (isOld) walk.seenOld.add(oid);
    else if (oid === before) isReached = true;
    if (!isOld && walk.seenOld.has(oid)) return;
    const known = walk.queue.get(oid);
    if (known !== undefined) {
      known.isOld ||= isOld;
      return;
    }
    const commit = objects.commit(oid);
    if (commit !== undefined) walk.queue.set(oid, { commit, isOld });
    else if (!isOld) isComplete = false;
  }
}

/** By date, as Git walks, old ones first among equals; nothing once only old commits are left. */
function newest(walk: Walk): [string, { commit: Commit; isOld: boolean }] | undefined {
  const entries = [...walk.queue];
  if (entries.every(([, entry]) => entry.isOld)) return undefined;
  return entries.reduce((best, entry) => (rank(entry[1]) > rank(best[1]) ? entry : best));
}

function rank({ commit, isOld }: { commit: Commit; isOld: boolean }): number {
  return commit.committer.date + (isOld ? 0.5 : 0);
}

/** All of a commit's paths, or none: half a list would mislead. */
function changedPaths(objects: LooseObjects, commit: Commit): ChangedPaths {
  const paths: ChangedPaths = { added: [], modified: [], removed: [] };
  const [first] = commit.parents;
  const parent = first === undefined ? undefined : objects.commit(first);
  const isKnown = first === undefined || parent !== undefined;
  if (isKnown && compareTrees(objects, parent?.tree, commit.tree, '', paths)) return paths;
  return { added: [], modified: [], removed: [] };
}

/** Whether both sides could be read. */
function compareTrees(
  objects: LooseObjects,
  before: string | undefined,
  after: string | undefined,
  folder: string,
  paths: ChangedPaths,
): boolean {
  if (before === after) return true;
  const old = before === undefined ? new Map<string, TreeEntry>() : objects.tree(before);
  const now = after === undefined ? new Map<string, TreeEntry>() : objects.tree(after);
  if (old === undefined || now === undefined) return false;
  for (const name of new Set([...old.keys(), ...now.keys()])) {
    const from = old.get(name);
    const to = now.get(name);
    if (from?.oid === to?.oid) continue;
    const path = folder + name;
    if (!compareTrees(objects, treeOf(from), treeOf(to), `${path}/`, paths)) return false;
    const wasFile = from?.isTree === false;
    const isFile = to?.isTree === false;
    if (wasFile && isFile) paths.modified.push(path);
    else if (isFile) paths.added.push(path);
    else if (wasFile) paths.removed.push(path);
  }
  return true;
}

function treeOf(entry: TreeEntry | undefined): string | undefined {
  return entry?.isTree === true ? entry.oid : undefined;
}

import { parseCommit, parseTree } from './git-object.ts';
import type { GitLimits } from './limits.ts';
import type { ObjectStore } from './object-store.ts';
import { createPacer } from './pacer.ts';

/**
 * Makes one pack of many: the trees of the given commits (newest first), and those of their files that are at hand, up
 * to a limit; what is left out is fetched again when it is needed.
 */
export async function consolidate(
  store: ObjectStore,
  options: { commits: readonly string[]; limits: Pick<GitLimits, 'keptBlobBytes'> },
): Promise<void> {
  const kept = new Set<string>();
  const pace = createPacer();
  let room = options.limits.keptBlobBytes;
  for (const commit of options.commits) {
    const found = store.read(commit);
    if (found === undefined) continue;
    kept.add(commit);
    const pending = [parseCommit(commit, found.content).tree];
    for (let oid = pending.pop(); oid !== undefined; oid = pending.pop()) {
      if (kept.has(oid)) continue;
      kept.add(oid);
      const tree = store.read(oid);
      if (tree === undefined) throw new Error(`tree ${oid} is missing`);
      for (const entry of parseTree(tree.content)) {
        if (entry.type === 'tree') pending.push(entry.oid);
        const bytes = entry.type === 'blob' && !kept.has(entry.oid) ? store.storedBytes(entry.oid) : undefined;
        if (bytes === undefined || bytes > room) continue;
        kept.add(entry.oid);
        room -= bytes;
      }
      await pace();
    }
  }
  await store.keepOnly(kept);
}

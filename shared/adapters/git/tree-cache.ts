import type { NamedEntry } from './git-object.ts';

/** A parsed tree. */
export interface NamedTree {
  entries: readonly NamedEntry[];
  find(name: string): NamedEntry | undefined;
}

/** Parsed trees by id, the least recently used forgotten first. Shared by all repositories: an id says it all. */
export interface TreeCache {
  get(oid: string): NamedTree | undefined;
  /** Keeps the tree where there is room for it, and gives it back. */
  set(oid: string, entries: NamedEntry[]): NamedTree;
}

/** What an entry costs in V8's heap beside its name: the object, the id's text, the name's head. */
const ENTRY_BYTES = 200;
/** Below this a look through all names is as fast as an index. */
const INDEXED = 24;

/** Holds at most `maxBytes`, estimated. */
export function createTreeCache(maxBytes: number): TreeCache {
  const trees = new Map<string, { tree: NamedTree; bytes: number }>();
  let total = 0;
  return {
    get(oid) {
      const found = trees.get(oid);
      if (found === undefined) return undefined;
      // A Map keeps the order of insertion: what is used moves to the end.
      trees.delete(oid);
      trees.set(oid, found);
      return found.tree;
    },
    set(oid, entries) {
      const bytes = entries.reduce((sum, { name }) => sum + name.length + ENTRY_BYTES, ENTRY_BYTES);
      const tree = namedTree(entries);
      if (bytes > maxBytes || trees.has(oid)) return tree;
      trees.set(oid, { tree, bytes });
      total += bytes;
      for (const [oldest, { bytes: freed }] of trees) {
        if (total <= maxBytes) break;
        trees.delete(oldest);
        total -= freed;
      }
      return tree;
    },
  };
}

/** Builds the index over names once somebody looks for one. */
function namedTree(entries: readonly NamedEntry[]): NamedTree {
  let byName: Map<string, NamedEntry> | undefined;
  return {
    entries,
    find(name) {
      if (entries.length < INDEXED) return entries.find((entry) => entry.name === name);
      byName ??= new Map(entries.map((entry) => [entry.name, entry]));
      return byName.get(name);
    },
  };
}

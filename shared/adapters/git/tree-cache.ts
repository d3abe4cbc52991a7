import type { NamedEntry } from './git-object.ts';

/** Parsed trees by id, the least recently used forgotten first. Shared by all repositories: an id says it all. */
export interface TreeCache {
  get(oid: string): NamedEntry[] | undefined;
  set(oid: string, entries: NamedEntry[]): void;
}

/** What an entry costs in V8's heap beside its name: the object, the id's text, the name's head. */
const ENTRY_BYTES = 160;

/** Holds at most `maxBytes`, estimated. */
export function createTreeCache(maxBytes: number): TreeCache {
  const trees = new Map<string, { entries: NamedEntry[]; bytes: number }>();
  let total = 0;
  return {
    get(oid) {
      const found = trees.get(oid);
      if (found === undefined) return undefined;
      // A Map keeps the order of insertion: what is used moves to the end.
      trees.delete(oid);
      trees.set(oid, found);
      return found.entries;
    },
    set(oid, entries) {
      const bytes = entries.reduce((sum, { name }) => sum + name.length + ENTRY_BYTES, ENTRY_BYTES);
      if (bytes > maxBytes || trees.has(oid)) return;
      trees.set(oid, { entries, bytes });
      total += bytes;
      for (const [oldest, { bytes: freed }] of trees) {
        if (total <= maxBytes) break;
        trees.delete(oldest);
        total -= freed;
      }
    },
  };
}

/** How sure a parent is of the list of its children (G-11): one failed member makes the whole set partial. */
export type Completeness = 'complete' | 'partial' | 'unknown';

/** The completeness of a whole that is put together from parts. */
export function completenessOf(parts: readonly Completeness[]): Completeness {
  if (parts.includes('unknown')) return 'unknown';
  return parts.includes('partial') ? 'partial' : 'complete';
}

/**
 * Children (applications of an app of apps, of a generator) that may be let go: those that a complete list no longer names.
 * Letting go is not deleting: their objects stay unless a signed order says otherwise (G-10). A list that is empty while there
 * were children lets nothing go either: that is how reading errors look (argo-cd #3473, #11464).
 */
export function childRemovals(
  before: readonly string[],
  now: { completeness: Completeness; children: readonly string[]; allowEmpty?: boolean },
): string[] {
  if (now.completeness !== 'complete') return [];
  if (now.children.length === 0 && now.allowEmpty !== true) return [];
  const named = new Set(now.children);
  return before.filter((child) => !named.has(child));
}

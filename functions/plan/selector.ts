import type { StateStore } from '#shared/ports/state-store.ts';
import { getApplications } from '#shared/state/registry.ts';

/** A revision selector (`HEAD`, `main`, `refs/tags/v1`, `1.x`) as part of a sort key: odd characters are escaped. */
export function selectorKey(selector: string): string {
  return encodeURIComponent(normaliseSelector(selector));
}

/** '' means HEAD. */
export function normaliseSelector(selector: string): string {
  return selector === '' ? 'HEAD' : selector;
}

/** Which of these applications read from which selector of the repository. */
export async function selectorsOf(
  store: StateStore,
  organisation: string,
  repository: string,
  applications: readonly string[],
): Promise<Map<string, Set<string>>> {
  const found = new Map<string, Set<string>>();
  if (applications.length === 0) return found;
  for (const application of await getApplications(store, organisation, applications)) {
    for (const source of application.sources) {
      if (source.repository !== repository) continue;
      const selector = normaliseSelector(source.revision);
      const ids = found.get(selector) ?? new Set();
      found.set(selector, ids.add(application.id));
    }
  }
  return found;
}

import type { SyncStatus } from '#shared/domain/status.ts';
import type { DesiredObject, Facts } from './model.ts';

/** How one desired object stands: applied as it is, or why not. `unknown`: nothing can be said before the watches have listed. */
export type Standing = 'same' | 'unapplied' | 'missing' | 'drifted' | 'suspect' | 'unknown';

type StandingFacts = Pick<Facts, 'record' | 'observed' | 'comparisons' | 'complete'>;

/** Compares by digests and observations only; costs no request. */
export function standingOf(facts: StandingFacts, object: DesiredObject): Standing {
  if (object.options?.skip === true) return 'same';
  const entry = facts.record.inventory.get(object.key);
  const seen = facts.observed.get(object.key);
  if (entry === undefined || entry.digest === '') return beforeFirstApply(facts, object);
  if (object.options?.ifNotPresent === true && seen !== undefined) return 'same';
  if (entry.digest !== object.digest) return beforeFirstApply(facts, object);
  if (seen === undefined) return facts.complete ? 'missing' : 'unknown';
  // It is on its way out: nothing can be corrected before it is gone.
  if (seen.terminating === true) return 'same';
  if (seen.uid !== entry.uid || seen.drift === 'confirmed') return 'drifted';
  return seen.drift === 'suspect' ? 'suspect' : 'same';
}

function beforeFirstApply(facts: StandingFacts, object: DesiredObject): Standing {
  const comparison = facts.comparisons.get(object.key);
  if (comparison === undefined || comparison.digest !== object.digest) return 'unapplied';
  return comparison.state === 'same' ? 'same' : 'unapplied';
}

/** Keys that the inventory holds and the snapshot does not: what a prune would consider. */
export function extrasOf(facts: Pick<Facts, 'record' | 'desired'>): string[] {
  const extras: string[] = [];
  for (const [key, entry] of facts.record.inventory) {
    if (entry.hook !== true && !facts.desired.objects.has(key)) extras.push(key);
  }
  return extras;
}

/** The application's sync status (argo-cd.md §2.5): hooks never count. */
export function syncStatusOf(facts: Facts): SyncStatus {
  let unknown = false;
  for (const object of facts.desired.objects.values()) {
    if (object.hook !== undefined) continue;
    const standing = standingOf(facts, object);
    if (standing === 'unapplied' || standing === 'missing' || standing === 'drifted') return 'OutOfSync';
    if (standing === 'unknown') unknown = true;
  }
  if (extrasOf(facts).length > 0) return 'OutOfSync';
  return unknown ? 'Unknown' : 'Synced';
}

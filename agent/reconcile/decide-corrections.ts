import { standingOf } from './compare-state.ts';
import type { Decision, Facts, Task } from './model.ts';

/** Between operations: make sure of suspects, correct drift where the policy says so, compare what has not been applied. */
export function decideCorrections(facts: Facts): Decision {
  const { root, desired, now } = facts;
  const mayCorrect = root.policy.automated && root.policy.selfHeal;
  const verify: string[] = [];
  const correct: string[] = [];
  const compare: string[] = [];
  let until = Infinity;
  for (const object of desired.objects.values()) {
    if (object.hook !== undefined) continue;
    const standing = standingOf(facts, object);
    if (standing === 'suspect') verify.push(object.key);
    else if (standing === 'unapplied' && facts.comparisons.get(object.key)?.digest !== object.digest) {
      compare.push(object.key);
    } else if (mayCorrect && (standing === 'missing' || standing === 'drifted')) {
      const at = facts.correctAt(object.key);
      if (at <= now) correct.push(object.key);
      else until = Math.min(until, at);
    }
  }
  const leaving = [...facts.record.inventory].filter(
    ([key, entry]) => entry.deleting !== undefined && !facts.observed.has(key),
  );
  if (leaving.length > 0) return { do: 'confirm-gone', keys: leaving.map(([key]) => key) };
  if (verify.length > 0) return { do: 'verify', keys: verify };
  if (correct.length > 0) return { do: 'correct', keys: correct };
  if (compare.length > 0) return { do: 'compare', keys: compare };
  return Number.isFinite(until) ? { do: 'wait', until } : { do: 'wait' };
}

/**
 * For an operation that waits for these to become healthy: what was applied and has been deleted since is waited for in vain, so
 * it is made again, no more often than drift is corrected. `at` says when the next may be; Infinity: nothing is missing.
 */
export function decideMissing(facts: Facts, tasks: readonly Task[]): { due: string[]; at: number } {
  const due: string[] = [];
  let at = Infinity;
  for (const { object } of tasks) {
    if (object.hook !== undefined || standingOf(facts, object) !== 'missing') continue;
    const allowed = facts.correctAt(object.key);
    if (allowed <= facts.now) due.push(object.key);
    else at = Math.min(at, allowed);
  }
  return { due, at };
}

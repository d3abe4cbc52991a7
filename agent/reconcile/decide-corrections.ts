import { standingOf } from './compare-state.ts';
import type { Decision, Facts } from './model.ts';

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

import { pruneOrder } from './apply-order.ts';
import type { InventoryEntry } from './inventory.ts';
import { parseKey } from './kube-object.ts';
import type { LiveObject, PruneDecision, PruneInput, PruneItem } from './prune-plan.ts';
import { pruneListDigest } from './prune-plan.ts';
import { type ListGuard, listGuards, type PruneList } from './prune-rules/list.ts';
import {
  isGroupFailed,
  type ObjectGuard,
  objectGuards,
  type PruneContext,
  type Verdict,
} from './prune-rules/object.ts';
import { type RoundGuard, roundGuards } from './prune-rules/round.ts';
import type { PruneHold } from './status.ts';

/** Every guard, as data: tests take one out to prove that it guards something. */
export interface PruneGuards {
  round: readonly RoundGuard[];
  object: readonly ObjectGuard[];
  list: readonly ListGuard[];
}

export const pruneGuards: PruneGuards = { round: roundGuards, object: objectGuards, list: listGuards };

/**
 * What happens to objects that an application owns and its snapshot no longer holds. Absence alone deletes nothing: the
 * round must be beyond doubt (G-01, G-12), the object ours (G-05), nobody else's (G-09), not kept (G-06), gone long enough
 * (G-07), and the list as a whole small and harmless (G-02…G-04) or confirmed word for word (G-13).
 * Pure; G-08 (pace) is `prune-pace.ts`, and each delete is checked once more with `isStillDue`.
 */
export function decidePrunes(input: PruneInput, guards: PruneGuards = pruneGuards): PruneDecision {
  const decision: PruneDecision = { delete: [], wait: [], skip: [], handOver: [], forget: [] };
  const extras = extrasOf(input);
  if (extras.length === 0) return decision;
  for (const { guard, blocks } of guards.round) {
    const reason = blocks(input);
    if (reason !== undefined) return { ...decision, blocked: { guard, reason } };
  }
  const due: PruneItem[] = [];
  const context = contextOf(input);
  for (const entry of extras) judgeEntry(entry, context, guards, decision, due);
  const pending = [...due.map(({ key }) => key), ...decision.wait.map(({ key }) => key)].sort();
  const hold = holdOf(pending, input, guards);
  if (hold !== undefined) return { ...decision, wait: [], hold };
  return { ...decision, delete: pruneOrder(due) };
}

/**
 * The last look before one delete (G-07): the plan is still of the newest generation, nothing desires the object again, and
 * it is the very object that was judged.
 */
export function isStillDue(
  item: PruneItem,
  plan: { generation: number },
  current: { newestGeneration: number; desired: boolean; live: LiveObject | 'missing' | 'unknown' },
): boolean {
  if (plan.generation !== current.newestGeneration || current.desired) return false;
  if (typeof current.live === 'string') return false;
  return current.live.uid === item.uid && current.live.deletionTimestamp === undefined;
}

function extrasOf(input: PruneInput): InventoryEntry[] {
  const desired = new Set(input.desired.map(({ key }) => key));
  return input.inventory.filter(({ key, hook }) => hook !== true && !desired.has(key));
}

function judgeEntry(
  entry: InventoryEntry,
  context: PruneContext,
  guards: PruneGuards,
  decision: PruneDecision,
  due: PruneItem[],
): void {
  const { key } = entry;
  const live = context.input.live.get(key) ?? 'unknown';
  if (live === 'unknown') {
    decision.skip.push({ key, guard: 'G-12', reason: 'nobody knows whether it is there' });
    return;
  }
  if (live === 'missing') {
    // A group that could not be listed says nothing about what is in it.
    if (!isGroupFailed(key, context.input.failedGroups)) decision.forget.push(key);
    else decision.skip.push({ key, guard: 'G-12', reason: 'its API group could not be listed' });
    return;
  }
  const candidate = { key, id: parseKey(key), entry, live };
  for (const { guard, judge } of guards.object) {
    const verdict = judge(candidate, context);
    if (verdict !== undefined) return note(decision, key, guard, verdict);
  }
  due.push({
    key,
    version: entry.version,
    uid: live.uid,
    resourceVersion: live.resourceVersion,
    wave: entry.wave ?? 0,
  });
}

function note(decision: PruneDecision, key: string, guard: string, verdict: Verdict): void {
  if (verdict.do === 'skip') {
    const { reason, byWish } = verdict;
    decision.skip.push({ key, guard, reason, ...(byWish ? { byWish } : {}) });
  } else if (verdict.do === 'forget') decision.forget.push(key);
  else if (verdict.do === 'hand over') decision.handOver.push({ key, to: verdict.to });
  else decision.wait.push({ key, until: verdict.until });
}

function contextOf(input: PruneInput): PruneContext {
  const keysByUid = new Map<string, string[]>();
  const desired = new Set(input.desired.map(({ key }) => key));
  const noteUid = (uid: string, key: string) => {
    if (uid !== '') keysByUid.set(uid, [...(keysByUid.get(uid) ?? []), key]);
  };
  for (const { key, uid = '' } of input.desired) noteUid(uid, key);
  // Of the inventory only what stays desired: two outdated entries of one object must not keep each other alive.
  for (const { key, uid } of input.inventory) if (desired.has(key)) noteUid(uid, key);
  const ids = input.desired.map(({ key }) => parseKey(key));
  return {
    input,
    keysByUid,
    namespacesInUse: new Set(ids.map(({ namespace }) => namespace)),
    kindsInUse: new Set(ids.map(({ group, kind }) => `${group}/${kind}`)),
  };
}

/** The hold on a list, unless nothing holds it or exactly this list was confirmed. */
function holdOf(pending: readonly string[], input: PruneInput, guards: PruneGuards): PruneHold | undefined {
  if (pending.length === 0) return undefined;
  const all = [...new Set([...pending, ...(input.alreadyPruned ?? [])])].sort();
  const list: PruneList = { pending, all };
  const reasons: string[] = [];
  const holding: string[] = [];
  for (const { guard, holds } of guards.list) {
    const reason = holds(list, input);
    if (reason === undefined) continue;
    reasons.push(reason);
    if (!holding.includes(guard)) holding.push(guard);
  }
  if (holding.length === 0) return undefined;
  const listDigest = pruneListDigest(input.application, all);
  const invalid = confirmationProblem(listDigest, input);
  if (invalid === undefined) return undefined;
  if (invalid !== '') reasons.push(invalid);
  return { guards: holding, listDigest, objects: [...pending], reason: reasons.join('; ') };
}

const longestConfirmationMs = 24 * 3_600_000;
const skewMs = 5 * 60_000;

/** undefined: confirmed. '': nobody has confirmed anything. Else why the confirmation is void (G-13, FT-89). */
function confirmationProblem(listDigest: string, { confirmed, now }: PruneInput): string | undefined {
  if (confirmed === undefined) return '';
  const until = Date.parse(confirmed.until);
  if (!(now < until)) return 'the confirmation has expired';
  if (until - now > longestConfirmationMs + skewMs) return 'the confirmation is longer than 24 hours';
  return confirmed.listDigest === listDigest ? undefined : 'the list has changed since it was confirmed';
}

import { decideCorrections } from './decide-corrections.ts';
import { decideDeletion } from './decide-deletion.ts';
import { decideOperation } from './decide-operation.ts';
import { beginOperation, settleGeneration, type OperationRequest } from './begin-operation.ts';
import { extrasOf, standingOf } from './compare-state.ts';
import type { Decision, Facts } from './model.ts';

/**
 * The re-entrant step: what one application does next, from what is persisted and what is observed. Pure.
 * Whatever happened before (a crash, the same message twice, an event too early), the answer depends on the facts alone.
 */
export function decide(facts: Facts): Decision {
  const { root, record } = facts;
  if (root.deletion !== undefined) return decideDeletion(facts);
  const request = requestOf(facts);
  if (root.policy.suspended && request?.sync === undefined)
    return facts.saved ? { do: 'wait' } : { do: 'save', record };
  const { operation } = record;
  // An operation of an older generation is superseded: what it has not done, the newer one does (FT-92).
  if (operation?.phase === 'Running' && operation.generation === root.generation) return decideOperation(facts);
  if (request !== undefined) return decideBegin(facts, request);
  if (!facts.saved) return { do: 'save', record: settleGeneration(facts) };
  return decideCorrections(facts);
}

function decideBegin(facts: Facts, request: OperationRequest): Decision {
  if (facts.unmet.length > 0) {
    if (!facts.saved) return { do: 'save', record: facts.record };
    return { do: 'wait', message: `dependencies do not meet ready condition: ${facts.unmet.join('; ')}` };
  }
  return { do: 'save', record: beginOperation(facts, request), event: 'started' };
}

/** Which operation is due: somebody's request, or an automated sync because something differs (argo-cd.md §2.6). */
function requestOf(facts: Facts): OperationRequest | undefined {
  const { root, record } = facts;
  const { sync, policy } = root;
  if (sync !== undefined && sync.id !== record.handledSync) {
    return {
      sync: sync.id,
      initiatedBy: { username: sync.by },
      prune: sync.prune === true || (policy.prune && policy.automated),
      force: sync.force === true,
      dryRun: sync.dryRun === true,
      ...(sync.resources === undefined ? {} : { selected: sync.resources }),
    };
  }
  if (!policy.automated || policy.suspended) return undefined;
  // One attempt per generation; its retries are part of it.
  if (record.operation?.generation === root.generation) return undefined;
  if (!needsSync(facts)) return undefined;
  return { initiatedBy: { automated: true }, prune: policy.prune, force: false, dryRun: false };
}

/** Unapplied changes, or extras that may be pruned. Live drift alone is corrected without an operation. */
function needsSync(facts: Facts): boolean {
  for (const object of facts.desired.objects.values()) {
    if (object.hook === undefined && standingOf(facts, object) === 'unapplied') return true;
  }
  // Flux lets go of what it does not prune (prune.ts), which is an operation as well.
  return (facts.root.policy.prune || facts.root.kind === 'Kustomization') && extrasOf(facts).length > 0;
}

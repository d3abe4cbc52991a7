import type { AppRecord, InventoryEntry, OperationProgress } from '../state/record.ts';
import { standingOf } from './compare-state.ts';
import type { DesiredObject, Facts } from './model.ts';

/** Who asked for an operation and what it may do. */
export interface OperationRequest {
  sync?: string;
  initiatedBy: { username?: string; automated?: boolean };
  prune: boolean;
  force: boolean;
  dryRun: boolean;
  selected?: string[];
}

/**
 * The record with a new operation and its intent: every object that may be created is in the inventory before the first
 * request goes out (INV-17), what is no longer desired gets its tombstone (G-07), and the attempt is named (INV-15).
 */
export function beginOperation(facts: Facts, request: OperationRequest): AppRecord {
  const { root, record, now } = facts;
  const operation: OperationProgress = {
    ...request,
    phase: 'Running',
    message: 'waiting for the first objects to be applied',
    generation: root.generation,
    revision: root.revision,
    startedAt: new Date(now).toISOString(),
    retryCount: 0,
    step: 0,
    results: {},
  };
  return {
    ...record,
    inventory: request.dryRun ? record.inventory : withIntent(facts, request.selected),
    operation,
    ...(root.sync === undefined ? {} : { handledSync: root.sync.id }),
  };
}

/** The record of a generation that needs no operation: nothing changed, or nobody may apply it. */
export function settleGeneration(facts: Facts): AppRecord {
  const { root, record, now } = facts;
  const nothingToDo = [...facts.desired.objects.values()].every(
    (object) => object.hook !== undefined || standingOf(facts, object) !== 'unapplied',
  );
  if (!nothingToDo) return { ...record, inventory: withTombstones(facts, new Map(record.inventory)) };
  const applied = { generation: root.generation, revision: root.revision, at: new Date(now).toISOString() };
  return { ...record, inventory: withTombstones(facts, new Map(record.inventory)), applied };
}

function withIntent(facts: Facts, selected: string[] | undefined): Map<string, InventoryEntry> {
  const inventory = withTombstones(facts, new Map(facts.record.inventory));
  const wanted = selected === undefined ? undefined : new Set(selected);
  for (const object of facts.desired.objects.values()) {
    if (object.options?.skip === true || inventory.has(object.key) || isForDeletion(object)) continue;
    if (wanted !== undefined && (object.hook !== undefined || !wanted.has(object.key))) continue;
    const hook = object.hook === undefined ? {} : { hook: true };
    const wave = object.wave === 0 ? {} : { wave: object.wave };
    inventory.set(object.key, { uid: '', version: object.id.version, digest: '', ...hook, ...wave });
  }
  return inventory;
}

/** Hooks around a deletion are not part of a sync. */
function isForDeletion({ hook }: DesiredObject): boolean {
  return hook?.phases.every((phase) => phase === 'PostDelete') ?? false;
}

function withTombstones(facts: Facts, inventory: Map<string, InventoryEntry>): Map<string, InventoryEntry> {
  for (const [key, entry] of inventory) {
    const desired = facts.desired.objects.has(key);
    if (desired && (entry.tombstone !== undefined || entry.deleting !== undefined)) {
      const { tombstone: _, deleting: __, ...rest } = entry;
      inventory.set(key, rest);
    } else if (!desired && entry.tombstone === undefined && entry.hook !== true) {
      inventory.set(key, { ...entry, tombstone: { since: facts.now, generation: facts.root.generation } });
    }
  }
  return inventory;
}

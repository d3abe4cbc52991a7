import { pruneOrder } from './apply-order.ts';
import type { InventoryEntry } from './inventory.ts';
import { type ObjectId, parseKey } from './kube-object.ts';
import { isKeptOnDeletion } from './object-options.ts';
import type { LiveObject, PruneItem } from './prune-plan.ts';
import type { SnapshotRoot } from './snapshot.ts';
import { fieldManager, ownerLabel } from './tracking.ts';

/** What carrying out a deletion order looks at. The root is verified; `now` in ms since 1970. */
export interface DeletionInput {
  root: Pick<SnapshotRoot, 'application' | 'generation' | 'owner' | 'deletion'>;
  newestGeneration: number;
  inventory: readonly InventoryEntry[];
  live: ReadonlyMap<string, LiveObject | 'missing' | 'unknown'>;
  failedGroups: ReadonlySet<string>;
  otherOwners: ReadonlyMap<string, string>;
  now: number;
  /** The order was taken up before it expired: what has begun is brought to its end. */
  begun: boolean;
}

export interface DeletionDecision {
  /** In order: last wave first. */
  delete: PruneItem[];
  /** Left in the cluster on purpose; the inventory lets go of it. */
  keep: { key: string; reason: string }[];
  /** Asked again later: nothing is known of it, or it is on its way out. */
  open: { key: string; reason: string }[];
  forget: string[];
  /** Why nothing is done at all. */
  refused?: string;
}

/**
 * What a signed order to delete an application deletes (G-10, INV-27): what the inventory holds, is ours by uid, mark and
 * manager, no other application desires, and nobody asked to keep. CustomResourceDefinitions are never deleted, as in
 * Argo CD (argo-cd.md §2.9): their instances may belong to others. Without a valid order nothing is.
 */
export function decideDeletion(input: DeletionInput): DeletionDecision {
  const decision: DeletionDecision = { delete: [], keep: [], open: [], forget: [] };
  const refused = refusalOf(input);
  if (refused !== undefined) return { ...decision, refused };
  const due: PruneItem[] = [];
  for (const entry of input.inventory) {
    const { key } = entry;
    const live = input.live.get(key) ?? 'unknown';
    const id = parseKey(key);
    if (input.failedGroups.has(id.group) || live === 'unknown') {
      decision.open.push({ key, reason: 'nobody knows whether it is there' });
    } else if (live === 'missing' || (entry.uid !== '' && entry.uid !== live.uid)) decision.forget.push(key);
    else if (live.deletionTimestamp !== undefined) decision.open.push({ key, reason: 'it is being deleted' });
    else {
      const reason = reasonToKeep(input, entry, id, live);
      if (reason !== undefined) decision.keep.push({ key, reason });
      else due.push(itemOf(entry, live));
    }
  }
  return { ...decision, delete: pruneOrder(due) };
}

function refusalOf({ root, newestGeneration, now, begun }: DeletionInput): string | undefined {
  const order = root.deletion;
  if (order === undefined) return 'there is no order to delete';
  if (root.generation !== newestGeneration)
    return `generation ${newestGeneration} is known, the order is of ${root.generation}`;
  if (order.cascade === 'orphan') return 'the order says to leave the objects';
  if (!begun && !(now < Date.parse(order.until))) return `the order expired at ${order.until}`;
  return undefined;
}

function reasonToKeep(
  { root, otherOwners }: DeletionInput,
  entry: InventoryEntry,
  id: ObjectId,
  live: LiveObject,
): string | undefined {
  const other = otherOwners.get(entry.key);
  if (other !== undefined && other !== root.application) return `the application ${other} has it now`;
  if (entry.uid === '') return 'its creation was never confirmed';
  if (live.labels[ownerLabel] !== root.owner) return 'it does not bear our mark';
  if (!live.managers.includes(fieldManager)) return 'no field of it was written by us';
  if (live.controlled === true) return 'a controller owns it';
  if (id.kind === 'CustomResourceDefinition') return 'definitions are never deleted with an application';
  const annotations = { ...live.annotations };
  const keeps = isKeptOnDeletion({ apiVersion: '', kind: '', metadata: { name: id.name, annotations } });
  return keeps ? 'ignored (no delete)' : undefined;
}

function itemOf(entry: InventoryEntry, live: LiveObject): PruneItem {
  const { key, version, wave = 0 } = entry;
  return { key, version, uid: live.uid, resourceVersion: live.resourceVersion, wave };
}

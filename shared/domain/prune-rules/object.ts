import type { InventoryEntry } from '../inventory.ts';
import { type ObjectId, parseKey } from '../kube-object.ts';
import { optionsOf } from '../object-options.ts';
import type { LiveObject, PruneInput } from '../prune-plan.ts';
import { fieldManager, ownerLabel } from '../tracking.ts';

/** An object that the inventory holds, the snapshot does not, and that somebody has seen alive. */
export interface Candidate {
  key: string;
  id: ObjectId;
  entry: InventoryEntry;
  live: LiveObject;
}

/** What a guard makes of a candidate; undefined lets it pass. */
export type Verdict =
  /** `byWish`: whoever declared it wants it to stay. */
  | { do: 'skip'; reason: string; byWish?: true }
  | { do: 'forget' }
  | { do: 'hand over'; to: string }
  | { do: 'wait'; until: number };

/** Sets over the whole input that several guards look things up in. */
export interface PruneContext {
  input: PruneInput;
  /** Desired and inventory keys by uid. */
  keysByUid: ReadonlyMap<string, string[]>;
  /** Namespaces that hold desired objects. */
  namespacesInUse: ReadonlySet<string>;
  /** `group/Kind` of desired objects. */
  kindsInUse: ReadonlySet<string>;
}

export interface ObjectGuard {
  guard: string;
  name: string;
  judge(candidate: Candidate, context: PruneContext): Verdict | undefined;
}

const defaultTombstoneMs = 5000;

/** G-05, G-06, G-07, G-09, G-12 in the order in which they speak. */
export const objectGuards: readonly ObjectGuard[] = [
  { guard: 'G-12', name: 'failed group', judge: failedGroup },
  { guard: 'G-09', name: 'moved', judge: moved },
  { guard: 'G-05', name: 'uid', judge: otherUid },
  { guard: 'G-05', name: 'owner mark', judge: otherOwner },
  { guard: 'G-05', name: 'field manager', judge: notWritten },
  { guard: 'G-05', name: 'controlled', judge: controlled },
  { guard: 'policy', name: 'prune is off', judge: pruneIsOff },
  { guard: 'G-06', name: 'same uid', judge: sameObject },
  { guard: 'G-06', name: 'terminating', judge: terminating },
  { guard: 'G-06', name: 'kept', judge: kept },
  { guard: 'G-06', name: 'namespace in use', judge: namespaceInUse },
  { guard: 'G-06', name: 'kind in use', judge: kindInUse },
  { guard: 'G-07', name: 'tombstone', judge: tombstone },
];

/** True where nothing may be concluded about a group: not even that an object is gone. */
export function isGroupFailed(key: string, failedGroups: ReadonlySet<string>): boolean {
  return failedGroups.has(parseKey(key).group);
}

function failedGroup({ id }: Candidate, { input }: PruneContext): Verdict | undefined {
  if (!input.failedGroups.has(id.group)) return undefined;
  return { do: 'skip', reason: `the API group ${id.group || 'core'} could not be listed` };
}

function pruneIsOff(_candidate: Candidate, { input }: PruneContext): Verdict | undefined {
  return input.policy.prune ? undefined : { do: 'skip', reason: 'ignored (requires pruning)', byWish: true };
}

function moved({ key }: Candidate, { input }: PruneContext): Verdict | undefined {
  const to = input.otherOwners.get(key);
  return to === undefined || to === input.application ? undefined : { do: 'hand over', to };
}

/** Another uid under the same name is another object: ours is gone, and this one is somebody's (FT-86). */
function otherUid({ entry, live }: Candidate, { input }: PruneContext): Verdict | undefined {
  if (entry.uid !== '' && entry.uid === live.uid) return undefined;
  if (entry.uid === '') return { do: 'skip', reason: 'its creation was never confirmed' };
  const bearsOurMarks = live.labels[ownerLabel] === input.owner && live.managers.includes(fieldManager);
  return bearsOurMarks
    ? { do: 'skip', reason: 'it is another object under the same name, and bears our marks' }
    : { do: 'forget' };
}

function otherOwner({ live }: Candidate, { input }: PruneContext): Verdict | undefined {
  const mark = live.labels[ownerLabel];
  if (mark === input.owner) return undefined;
  return {
    do: 'skip',
    reason: mark === undefined ? 'it does not bear our mark' : 'it bears the mark of another owner',
  };
}

function notWritten({ live }: Candidate): Verdict | undefined {
  return live.managers.includes(fieldManager) ? undefined : { do: 'skip', reason: 'no field of it was written by us' };
}

/** What a controller made copies labels of what it was made from: it goes with its owner (FT-85). */
function controlled({ live }: Candidate): Verdict | undefined {
  return live.controlled === true ? { do: 'skip', reason: 'a controller owns it' } : undefined;
}

/** The same object under another API group is still desired there (FT-84); its other entry keeps it. */
function sameObject({ key, live }: Candidate, { keysByUid }: PruneContext): Verdict | undefined {
  const other = keysByUid.get(live.uid)?.some((each) => each !== key) ?? false;
  return other ? { do: 'forget' } : undefined;
}

function terminating({ live }: Candidate): Verdict | undefined {
  return live.deletionTimestamp === undefined ? undefined : { do: 'skip', reason: 'it is being deleted already' };
}

function kept({ key, live }: Candidate): Verdict | undefined {
  const { name } = parseKey(key);
  const { keep } = optionsOf({ apiVersion: '', kind: '', metadata: { name, annotations: { ...live.annotations } } });
  return keep === true ? { do: 'skip', reason: 'ignored (no prune)', byWish: true } : undefined;
}

function namespaceInUse({ id }: Candidate, { namespacesInUse }: PruneContext): Verdict | undefined {
  if (id.kind !== 'Namespace' || id.group !== '' || !namespacesInUse.has(id.name)) return undefined;
  return { do: 'skip', reason: 'desired objects lie in this namespace' };
}

/** Deleting a definition deletes all its instances. Its name is `plural.group`: any desired kind of that group counts. */
function kindInUse({ id }: Candidate, { kindsInUse }: PruneContext): Verdict | undefined {
  if (id.kind !== 'CustomResourceDefinition') return undefined;
  const group = id.name.slice(id.name.indexOf('.') + 1);
  if (![...kindsInUse].some((kind) => kind.startsWith(`${group}/`))) return undefined;
  return { do: 'skip', reason: `desired objects are of the group ${group}` };
}

function tombstone({ key }: Candidate, { input }: PruneContext): Verdict | undefined {
  const { now, root } = input;
  const delay = input.options?.tombstoneMs ?? defaultTombstoneMs;
  const stone = input.tombstones.get(key);
  // A stone from the future or of a newer plan says that this plan is the older one.
  if (stone === undefined || stone.since > now || stone.generation > root.generation) {
    return { do: 'wait', until: now + delay };
  }
  return stone.since + delay > now ? { do: 'wait', until: stone.since + delay } : undefined;
}

import { describeId, parseKey } from '../kube-object.ts';
import { optionsOf } from '../object-options.ts';
import type { PruneInput } from '../prune-plan.ts';
import { isProtected } from './protected-kinds.ts';

/** A list of keys that would go, judged as a whole. */
export interface PruneList {
  /** Still to be deleted, waiting ones included. */
  pending: readonly string[];
  /** With those that this generation has deleted already. */
  all: readonly string[];
}

export interface ListGuard {
  guard: string;
  name: string;
  /** Why somebody has to confirm the list, or undefined. */
  holds(list: PruneList, input: PruneInput): string | undefined;
}

/** G-02, G-03, G-04: what is held until somebody confirms exactly this list. */
export const listGuards: readonly ListGuard[] = [
  { guard: 'G-02', name: 'empty', holds: everything },
  { guard: 'G-02', name: 'last of a kind', holds: lastOfKind },
  { guard: 'G-03', name: 'application', holds: applicationShrinks },
  { guard: 'G-03', name: 'cluster', holds: clusterShrinks },
  { guard: 'G-04', name: 'protected', holds: protectedObjects },
];

const workloads = new Set(['Namespace', 'Deployment', 'StatefulSet', 'DaemonSet']);

function everything(list: PruneList, { desired, policy }: PruneInput): string | undefined {
  if (policy.allowEmpty || desired.some(({ hook }) => hook !== true)) return undefined;
  return `nothing is desired any more: all ${list.all.length} objects would go`;
}

/**
 * All workloads of a kind (or all namespaces) going at once looks like a reading error (Config Sync's rule). Only where there
 * were at least two: removing the only Deployment of an application is an everyday change.
 */
function lastOfKind(list: PruneList, { desired, inventory }: PruneInput): string | undefined {
  const going = countKinds(list.all);
  if (going.size === 0 || desired.length === 0) return undefined;
  const left = countKinds(desired.map(({ key }) => key));
  const listed = new Set(list.all);
  const staying = countKinds(
    inventory.filter(({ key, hook }) => hook !== true && !listed.has(key)).map(({ key }) => key),
  );
  for (const [kind, count] of going) {
    if (count >= 2 && !left.has(kind) && !staying.has(kind)) return `all ${count} ${kind}s would go`;
  }
  return undefined;
}

/** How many keys are of each kind that this guard looks at. */
function countKinds(keys: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const key of keys) {
    const slash = key.indexOf('/');
    const kind = key.slice(slash + 1, key.indexOf('/', slash + 1));
    if (workloads.has(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}

function applicationShrinks(list: PruneList, { inventory, options }: PruneInput): string | undefined {
  const had = new Set([...inventory.filter(({ hook }) => hook !== true).map(({ key }) => key), ...list.all]);
  const share = Math.floor(had.size * (options?.applicationShare ?? 0.2));
  const most = Math.max(options?.applicationMinimum ?? 5, share);
  if (list.all.length <= most) return undefined;
  return `${list.all.length} of ${had.size} objects would go, at most ${most} go unasked`;
}

/** The 2 % of the cluster would be nothing in a small one: 25 objects may go in any case, five times what one application may lose. */
const clusterShare = 0.02;
const clusterMinimum = 25;

function clusterShrinks(list: PruneList, { clusterBudget }: PruneInput): string | undefined {
  const most = Math.max(clusterMinimum, Math.floor(clusterBudget.managedObjects * clusterShare));
  const total = clusterBudget.prunesLast10Min + list.pending.length;
  if (total <= most) return undefined;
  return `${total} objects of the cluster would go within ten minutes, at most ${most} go unasked`;
}

function protectedObjects(list: PruneList, input: PruneInput): string | undefined {
  const found = list.pending.flatMap((key) => {
    const live = input.live.get(key);
    const seen = typeof live === 'object' ? live : undefined;
    const id = parseKey(key);
    const annotations = { ...seen?.annotations };
    const asks = optionsOf({ apiVersion: '', kind: '', metadata: { name: id.name, annotations } }).confirmPrune;
    if (asks !== true && !isProtected(id, seen?.instances)) return [];
    const instances = seen?.instances === undefined ? '' : ` with ${seen.instances} instances`;
    const reclaim = seen?.reclaimPolicy === undefined ? '' : ` (reclaim policy ${seen.reclaimPolicy})`;
    return [`${describeId(id)}${instances}${reclaim}`];
  });
  if (found.length === 0) return undefined;
  const more = found.length > 5 ? ` and ${found.length - 5} more` : '';
  return `never pruned unasked: ${found.slice(0, 5).join(', ')}${more}`;
}

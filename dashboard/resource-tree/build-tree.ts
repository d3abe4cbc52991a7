import type { HealthStatus, SyncStatus } from '#shared/domain/status.ts';
import { healthStatuses } from '#shared/domain/status.ts';
import type { TreeView } from '#shared/messages/api.ts';

/** One object in the tree: declared by the application, or owned by such a one in the cluster. */
export interface TreeNode {
  /** Unique in the tree and stable over reads. */
  id: string;
  /** `group/kind/namespace/name`. */
  key: string;
  group: string;
  kind: string;
  namespace: string;
  name: string;
  declared: boolean;
  status?: SyncStatus;
  health?: HealthStatus;
  healthMessage?: string;
  info?: string;
  createdAt?: string;
  hook?: string;
  syncWave?: number;
  requiresPruning?: boolean;
  children: TreeNode[];
  /** The worst health of it and all below it, as Argo CD ranks them. */
  worst?: HealthStatus;
}

type Resource = TreeView['resources'][number];
type LiveNode = TreeView['nodes'][number];

/**
 * The forest of an application: its resources, and under each what it owns, found by owner uid.
 * A live node whose owner is not in the answer hangs under no resource and is left at the top, last.
 * Owner cycles and duplicates, which a hostile cluster can make, are cut: every uid appears once.
 */
export function buildTree(view: TreeView): TreeNode[] {
  const liveByUid = new Map(view.nodes.map((node) => [node.uid, node]));
  const placed = new Set<string>();
  const childrenOf = new Map<string, LiveNode[]>();
  for (const node of liveByUid.values()) {
    const owner = node.owners.find((uid) => uid !== node.uid);
    if (owner !== undefined) childrenOf.set(owner, [...(childrenOf.get(owner) ?? []), node]);
  }

  function grow(uid: string | undefined): TreeNode[] {
    if (uid === undefined) return [];
    const nodes: TreeNode[] = [];
    for (const child of childrenOf.get(uid) ?? []) {
      if (placed.has(child.uid)) continue;
      placed.add(child.uid);
      nodes.push(fromLive(child, grow(child.uid)));
    }
    return nodes.sort(byKindAndName);
  }

  for (const resource of view.resources) if (resource.uid !== undefined) placed.add(resource.uid);
  const declared = view.resources.map((resource) =>
    fromResource(resource, resource.uid === undefined ? undefined : liveByUid.get(resource.uid), grow(resource.uid)),
  );
  const known = (node: LiveNode) => node.owners.some((uid) => liveByUid.has(uid));
  const strays: TreeNode[] = [];
  // First those without a known owner, then what only a cycle kept away.
  for (const node of [...view.nodes].sort((a, b) => Number(known(a)) - Number(known(b)))) {
    if (placed.has(node.uid)) continue;
    placed.add(node.uid);
    strays.push(fromLive(node, grow(node.uid)));
  }
  return [...declared.sort(byWaveKindAndName), ...strays.sort(byKindAndName)];
}

/** The nodes that match, with their ancestors; all of a matching node's descendants stay. */
export function filterTree(nodes: readonly TreeNode[], matches: (node: TreeNode) => boolean): TreeNode[] {
  const kept: TreeNode[] = [];
  for (const node of nodes) {
    if (matches(node)) {
      kept.push(node);
      continue;
    }
    const children = filterTree(node.children, matches);
    if (children.length > 0) kept.push({ ...node, children });
  }
  return kept;
}

/** Number of nodes in a forest. */
export function countNodes(nodes: readonly TreeNode[]): number {
  let total = 0;
  for (const node of nodes) total += 1 + countNodes(node.children);
  return total;
}

/** True for what somebody should look at. */
export function isTrouble(node: TreeNode): boolean {
  return (
    node.status === 'OutOfSync' ||
    node.requiresPruning === true ||
    (node.health !== undefined && node.health !== 'Healthy' && node.health !== 'Suspended')
  );
}

/** True where kind or name holds the text, in any case. */
export function matchesText(node: TreeNode, text: string): boolean {
  const wanted = text.trim().toLowerCase();
  return wanted === '' || `${node.kind} ${node.namespace}/${node.name} ${node.group}`.toLowerCase().includes(wanted);
}

function fromResource(resource: Resource, live: LiveNode | undefined, children: TreeNode[]): TreeNode {
  return withWorst({
    id: resource.key,
    key: resource.key,
    group: resource.group,
    kind: resource.kind,
    namespace: resource.namespace,
    name: resource.name,
    declared: true,
    status: resource.status,
    children,
    ...definedOnly({
      health: resource.health?.status,
      healthMessage: resource.health?.message,
      hook: resource.hook,
      syncWave: resource.syncWave,
      requiresPruning: resource.requiresPruning,
      info: live?.info,
      createdAt: live?.createdAt,
    }),
  });
}

function fromLive(node: LiveNode, children: TreeNode[]): TreeNode {
  const health = healthStatuses.find((status) => status === node.health?.status);
  return withWorst({
    id: node.uid,
    key: `${node.group}/${node.kind}/${node.namespace}/${node.name}`,
    group: node.group,
    kind: node.kind,
    namespace: node.namespace,
    name: node.name,
    declared: false,
    children,
    ...definedOnly({ health, healthMessage: node.health?.message, info: node.info, createdAt: node.createdAt }),
  });
}

function withWorst(node: TreeNode): TreeNode {
  let worst = node.health;
  for (const child of node.children) worst = worse(worst, child.worst);
  return worst === undefined ? node : { ...node, worst };
}

function worse(a: HealthStatus | undefined, b: HealthStatus | undefined): HealthStatus | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return healthStatuses.indexOf(a) >= healthStatuses.indexOf(b) ? a : b;
}

function definedOnly<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

function byKindAndName(a: TreeNode, b: TreeNode): number {
  return a.kind.localeCompare(b.kind) || a.namespace.localeCompare(b.namespace) || a.name.localeCompare(b.name);
}

function byWaveKindAndName(a: TreeNode, b: TreeNode): number {
  return (a.syncWave ?? 0) - (b.syncWave ?? 0) || byKindAndName(a, b);
}

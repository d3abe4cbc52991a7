import type { TreeView } from '#shared/messages/api.ts';

export interface TreeLine {
  /** With the branches in front. */
  label: string;
  sync?: string | undefined;
  health?: string | undefined;
  createdAt?: string | undefined;
  message?: string | undefined;
}

interface Branch extends TreeLine {
  children: Branch[];
}

/** The lines of an application's tree below its root: declared objects, and below them what they own. Pure. */
export function treeLines({ resources, nodes }: TreeView): TreeLine[] {
  const declared = new Set(resources.map(({ uid }) => uid).filter((uid) => uid !== undefined));
  const nodeOf = new Map(nodes.map((node) => [node.uid, node]));
  const ownedBy = Map.groupBy(
    nodes.filter(({ uid }) => !declared.has(uid)),
    ({ owners }) => owners.find((owner) => nodeOf.has(owner) || declared.has(owner)) ?? '',
  );
  const branches = resources.toSorted(byKindAndName).map((resource): Branch => {
    const node = resource.uid === undefined ? undefined : nodeOf.get(resource.uid);
    return {
      label: nameOf(resource),
      sync: resource.requiresPruning === true ? 'OutOfSync' : resource.status,
      health: resource.health?.status,
      createdAt: node?.createdAt,
      message: resource.requiresPruning === true ? 'no longer desired: needs a prune' : resource.health?.message,
      children: resource.uid === undefined ? [] : childrenOf(resource.uid, new Set([resource.uid])),
    };
  });
  return draw(branches, '');

  /** `above` ends owner references that run in a circle. */
  function childrenOf(uid: string, above: ReadonlySet<string>): Branch[] {
    return (ownedBy.get(uid) ?? [])
      .filter((node) => !above.has(node.uid))
      .toSorted(byKindAndName)
      .map((node) => ({
        label: nameOf(node),
        health: node.health?.status,
        createdAt: node.createdAt,
        message: node.info ?? node.health?.message,
        children: childrenOf(node.uid, new Set([...above, node.uid])),
      }));
  }
}

function draw(branches: readonly Branch[], indent: string): TreeLine[] {
  return branches.flatMap(({ children, ...line }, index) => {
    const isLast = index === branches.length - 1;
    return [
      { ...line, label: `${indent}${isLast ? '└─ ' : '├─ '}${line.label}` },
      ...draw(children, `${indent}${isLast ? '   ' : '│  '}`),
    ];
  });
}

interface Named {
  kind: string;
  namespace: string;
  name: string;
}

function nameOf({ kind, namespace, name }: Named): string {
  return `${kind} ${namespace === '' ? '' : `${namespace}/`}${name}`;
}

function byKindAndName(a: Named, b: Named): number {
  return nameOf(a) < nameOf(b) ? -1 : 1;
}

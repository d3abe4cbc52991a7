import type { TreeNode } from './build-tree.ts';

/** One visible line of the tree. */
export interface TreeRow {
  node: TreeNode;
  /** 0 for the top. */
  depth: number;
  /** Per ancestor from the top: does its line go on below this row? */
  rails: readonly boolean[];
  last: boolean;
  expanded: boolean;
  position: number;
  siblings: number;
}

/** The visible lines, top to bottom, of a forest of which `isExpanded` says what is open. */
export function layOutTree(
  nodes: readonly TreeNode[],
  isExpanded: (node: TreeNode, depth: number) => boolean,
): TreeRow[] {
  const rows: TreeRow[] = [];
  function add(level: readonly TreeNode[], depth: number, rails: readonly boolean[]): void {
    for (const [index, node] of level.entries()) {
      const last = index === level.length - 1;
      const expanded = node.children.length > 0 && isExpanded(node, depth);
      rows.push({ node, depth, rails, last, expanded, position: index + 1, siblings: level.length });
      if (expanded) add(node.children, depth + 1, [...rails, !last]);
    }
  }
  add(nodes, 0, []);
  return rows;
}

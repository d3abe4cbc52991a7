/** One line of a comparison; numbers count from 1 on the side that has it. */
export interface DiffLine {
  kind: 'same' | 'removed' | 'added';
  text: string;
  left?: number;
  right?: number;
}

/** Beyond this many differing lines the rest counts as wholly replaced, so that no input makes the page wait. */
const maxDistance = 1500;

/**
 * The shortest way from `left` to `right` in lines (Myers, "An O(ND) Difference Algorithm", 1986), the equal ends cut off first.
 * Removed lines come before added ones.
 */
export function diffLines(left: readonly string[], right: readonly string[]): DiffLine[] {
  let start = 0;
  while (start < left.length && start < right.length && left[start] === right[start]) start += 1;
  let tail = 0;
  while (tail < left.length - start && tail < right.length - start && left.at(-1 - tail) === right.at(-1 - tail))
    tail += 1;
  const middle = diffMiddle(left.slice(start, left.length - tail), right.slice(start, right.length - tail));
  const lines: DiffLine[] = [];
  let leftAt = 0;
  let rightAt = 0;
  const same = (count: number) => {
    for (let i = 0; i < count; i += 1)
      lines.push({ kind: 'same', text: left[leftAt] ?? '', left: ++leftAt, right: ++rightAt });
  };
  same(start);
  for (const edit of middle) {
    if (edit === 'same') same(1);
    else if (edit === 'removed') lines.push({ kind: 'removed', text: left[leftAt] ?? '', left: ++leftAt });
    else lines.push({ kind: 'added', text: right[rightAt] ?? '', right: ++rightAt });
  }
  same(tail);
  return removedFirst(lines);
}

function diffMiddle(left: readonly string[], right: readonly string[]): DiffLine['kind'][] {
  const trail: Int32Array[] = [];
  const limit = Math.min(left.length + right.length, maxDistance);
  const offset = limit + 1;
  const reach = new Int32Array(2 * limit + 3);
  for (let distance = 0; distance <= limit; distance += 1) {
    // Only the diagonals that this distance can reach are kept for the way back.
    trail.push(reach.slice(offset - distance - 1, offset + distance + 2));
    for (let diagonal = -distance; diagonal <= distance; diagonal += 2) {
      const down =
        diagonal === -distance ||
        (diagonal !== distance && at(reach, offset + diagonal - 1) < at(reach, offset + diagonal + 1));
      let x = down ? at(reach, offset + diagonal + 1) : at(reach, offset + diagonal - 1) + 1;
      let y = x - diagonal;
      while (x < left.length && y < right.length && left[x] === right[y]) {
        x += 1;
        y += 1;
      }
      reach[offset + diagonal] = x;
      if (x >= left.length && y >= right.length) return wayBack(trail, left.length, right.length);
    }
  }
  return [...left.map(() => 'removed' as const), ...right.map(() => 'added' as const)];
}

function wayBack(trail: readonly Int32Array[], leftLength: number, rightLength: number): DiffLine['kind'][] {
  const edits: DiffLine['kind'][] = [];
  let x = leftLength;
  let y = rightLength;
  for (let distance = trail.length - 1; distance > 0; distance -= 1) {
    const reach = trail[distance] ?? new Int32Array();
    const centre = distance + 1;
    const diagonal = x - y;
    const down =
      diagonal === -distance ||
      (diagonal !== distance && at(reach, centre + diagonal - 1) < at(reach, centre + diagonal + 1));
    const before = down ? diagonal + 1 : diagonal - 1;
    const beforeX = at(reach, centre + before);
    const beforeY = beforeX - before;
    while (x > beforeX && y > beforeY) {
      edits.push('same');
      x -= 1;
      y -= 1;
    }
    edits.push(down ? 'added' : 'removed');
    x = beforeX;
    y = beforeY;
  }
  for (; x > 0; x -= 1) edits.push('same');
  return edits.reverse();
}

function at(array: Int32Array, index: number): number {
  return array[index] ?? 0;
}

/** Within one run of changes, what goes comes before what comes: as people are used to read it. */
function removedFirst(lines: readonly DiffLine[]): DiffLine[] {
  const sorted: DiffLine[] = [];
  let added: DiffLine[] = [];
  for (const line of lines) {
    if (line.kind === 'added') {
      added.push(line);
      continue;
    }
    if (line.kind === 'same') {
      sorted.push(...added);
      added = [];
    }
    sorted.push(line);
  }
  return [...sorted, ...added];
}

export interface DiffLine {
  kind: 'same' | 'removed' | 'added' | 'hunk';
  text: string;
}

/** Beyond so many cells of the comparison the middle is shown as replaced as a whole. */
const mostCells = 4_000_000;

/** Lines of a unified diff from `before` to `after` with so many lines of context; empty when both are the same. Pure. */
export function unifiedDiff(before: string, after: string, context = 3): DiffLine[] {
  const edits = compare(linesOf(before), linesOf(after));
  const changed = edits.flatMap(({ kind }, index) => (kind === 'same' ? [] : [index]));
  const lines: DiffLine[] = [];
  for (const [from, to] of hunks(changed, edits.length, context)) {
    const hunk = edits.slice(from, to);
    lines.push({ kind: 'hunk', text: header(edits.slice(0, from), hunk) }, ...hunk);
  }
  return lines;
}

/** The shortest way from one list of lines to the other, removals before additions. */
function compare(before: readonly string[], after: readonly string[]): DiffLine[] {
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start += 1;
  let end = 0;
  while (end < before.length - start && end < after.length - start && before.at(-1 - end) === after.at(-1 - end))
    end += 1;
  const same = (text: string): DiffLine => ({ kind: 'same', text });
  return [
    ...before.slice(0, start).map(same),
    ...compareMiddle(before.slice(start, before.length - end), after.slice(start, after.length - end)),
    ...before.slice(before.length - end).map(same),
  ];
}

function compareMiddle(before: readonly string[], after: readonly string[]): DiffLine[] {
  const removed = before.map((text): DiffLine => ({ kind: 'removed', text }));
  const added = after.map((text): DiffLine => ({ kind: 'added', text }));
  const width = after.length + 1;
  if (before.length === 0 || after.length === 0 || before.length * width > mostCells) return [...removed, ...added];
  // Length of the longest common part of what follows line i and line j.
  const common = new Uint32Array((before.length + 1) * width);
  const at = (i: number, j: number): number => common[i * width + j] ?? 0;
  for (let i = before.length - 1; i >= 0; i -= 1) {
    for (let j = after.length - 1; j >= 0; j -= 1) {
      common[i * width + j] = before[i] === after[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const lines: DiffLine[] = [];
  let [i, j] = [0, 0];
  while (i < before.length || j < after.length) {
    const [old, fresh] = [before[i], after[j]];
    if (old !== undefined && old === fresh) {
      lines.push({ kind: 'same', text: old });
      i += 1;
      j += 1;
    } else if (old !== undefined && (fresh === undefined || at(i + 1, j) >= at(i, j + 1))) {
      lines.push({ kind: 'removed', text: old });
      i += 1;
    } else {
      lines.push({ kind: 'added', text: fresh ?? '' });
      j += 1;
    }
  }
  return lines;
}

function hunks(changed: readonly number[], length: number, context: number): [from: number, to: number][] {
  const result: [number, number][] = [];
  for (const index of changed) {
    const from = Math.max(0, index - context);
    const to = Math.min(length, index + context + 1);
    const last = result.at(-1);
    if (last !== undefined && from <= last[1]) last[1] = to;
    else result.push([from, to]);
  }
  return result;
}

function header(above: readonly DiffLine[], hunk: readonly DiffLine[]): string {
  return `@@ -${range(above, hunk, 'added')} +${range(above, hunk, 'removed')} @@`;
}

function range(above: readonly DiffLine[], hunk: readonly DiffLine[], without: DiffLine['kind']): string {
  const count = hunk.filter(({ kind }) => kind !== without).length;
  const before = above.filter(({ kind }) => kind !== without).length;
  return `${count === 0 ? before : before + 1},${count}`;
}

function linesOf(text: string): string[] {
  if (text === '') return [];
  return (text.endsWith('\n') ? text.slice(0, -1) : text).split('\n');
}

import type { DiffLine } from './diff-lines.ts';

/** What the view shows: a line or a pair of lines, or a fold that stands for equal ones. */
export type DiffRow = { type: 'line'; left?: DiffLine; right?: DiffLine } | { type: 'fold'; id: number; lines: number };

const context = 3;

/** One row per line, equal stretches folded except those in `unfolded` (by the index of their first line). */
export function unifiedRows(lines: readonly DiffLine[], unfolded: ReadonlySet<number>): DiffRow[] {
  return foldEqual(lines, unfolded).map((part) => {
    if (typeof part === 'object' && 'lines' in part) return { type: 'fold', ...part };
    return part.kind === 'added' ? { type: 'line', right: part } : { type: 'line', left: part };
  });
}

/** Left and right beside each other: a removed line faces the added one that replaced it. */
export function splitRows(lines: readonly DiffLine[], unfolded: ReadonlySet<number>): DiffRow[] {
  const rows: DiffRow[] = [];
  let removed: DiffLine[] = [];
  let added: DiffLine[] = [];
  const flush = () => {
    for (let index = 0; index < Math.max(removed.length, added.length); index += 1) {
      const left = removed[index];
      const right = added[index];
      rows.push({ type: 'line', ...(left === undefined ? {} : { left }), ...(right === undefined ? {} : { right }) });
    }
    removed = [];
    added = [];
  };
  for (const part of foldEqual(lines, unfolded)) {
    if ('lines' in part) {
      flush();
      rows.push({ type: 'fold', ...part });
    } else if (part.kind === 'removed') removed.push(part);
    else if (part.kind === 'added') added.push(part);
    else {
      flush();
      rows.push({ type: 'line', left: part, right: part });
    }
  }
  flush();
  return rows;
}

/** Lines with equal stretches cut out but for `context` lines beside a change; a stretch of one line more is not worth a fold. */
function foldEqual(
  lines: readonly DiffLine[],
  unfolded: ReadonlySet<number>,
): (DiffLine | { id: number; lines: number })[] {
  const parts: (DiffLine | { id: number; lines: number })[] = [];
  let index = 0;
  while (index < lines.length) {
    const line = lines[index];
    if (line === undefined) break;
    if (line.kind !== 'same') {
      parts.push(line);
      index += 1;
      continue;
    }
    let end = index;
    while (lines[end]?.kind === 'same') end += 1;
    const before = index === 0 ? 0 : context;
    const after = end === lines.length ? 0 : context;
    const hidden = end - index - before - after;
    if (hidden <= 1 || unfolded.has(index)) parts.push(...lines.slice(index, end));
    else
      parts.push(...lines.slice(index, index + before), { id: index, lines: hidden }, ...lines.slice(end - after, end));
    index = end;
  }
  return parts;
}

/** Where two versions of a line differ: from `start` to the given ends; undefined where they share too little to mark. */
export function changedPart(
  left: string,
  right: string,
): { start: number; leftEnd: number; rightEnd: number } | undefined {
  let start = 0;
  const shorter = Math.min(left.length, right.length);
  while (start < shorter && left[start] === right[start]) start += 1;
  let tail = 0;
  while (tail < shorter - start && left.at(-1 - tail) === right.at(-1 - tail)) tail += 1;
  if (left.slice(0, start).trim() === '' && tail === 0) return undefined;
  return { start, leftEnd: left.length - tail, rightEnd: right.length - tail };
}

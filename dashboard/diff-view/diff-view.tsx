import { useMemo, useRef, useState } from 'react';
import { Empty } from '../ui/empty.tsx';
import { useWindow } from '../ui/use-window.ts';
import type { DiffLine } from './diff-lines.ts';
import { diffLines } from './diff-lines.ts';
import type { DiffRow } from './diff-rows.ts';
import { changedPart, splitRows, unifiedRows } from './diff-rows.ts';

const rowPx = 19;

/** Two texts by line, `live` to `desired`: what is taken away is red and has a minus, what comes is green and has a plus. */
export function DiffView({
  live,
  desired,
  split,
  label,
}: {
  live: string;
  desired: string;
  split: boolean;
  label: string;
}) {
  const [unfolded, setUnfolded] = useState<ReadonlySet<number>>(new Set());
  const lines = useMemo(() => diffLines(toLines(live), toLines(desired)), [live, desired]);
  const rows = useMemo(() => (split ? splitRows : unifiedRows)(lines, unfolded), [lines, split, unfolded]);
  const scroller = useRef<HTMLDivElement>(null);
  const view = useWindow(scroller, { rows: rows.length, rowPx });
  if (lines.every((line) => line.kind === 'same')) return <Empty title="No difference" />;
  return (
    // A scrolling region must be reachable by keyboard.
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div
      ref={scroller}
      className={split ? 'code diff split' : 'code diff'}
      role="region"
      aria-label={label}
      tabIndex={0}
      data-keeps-arrows
    >
      <div style={{ height: view.beforePx }} />
      {rows.slice(view.start, view.end).map((row, offset) => (
        <Row
          key={view.start + offset}
          row={row}
          next={rows[view.start + offset + 1]}
          split={split}
          onUnfold={(id) => setUnfolded(new Set([...unfolded, id]))}
        />
      ))}
      <div style={{ height: view.afterPx }} />
    </div>
  );
}

function Row({
  row,
  split,
  onUnfold,
}: {
  row: DiffRow;
  next: DiffRow | undefined;
  split: boolean;
  onUnfold: (id: number) => void;
}) {
  if (row.type === 'fold') {
    return (
      <button type="button" className="diff-fold" onClick={() => onUnfold(row.id)}>
        {row.lines} equal lines
      </button>
    );
  }
  if (!split) {
    const line = row.left ?? row.right;
    return line === undefined ? null : <Unified line={line} />;
  }
  const both =
    row.left !== undefined && row.right !== undefined && row.left.kind === 'removed' && row.right.kind === 'added';
  const part = both ? changedPart(row.left?.text ?? '', row.right?.text ?? '') : undefined;
  return (
    <div className="diff-line">
      <Half line={row.left} number={row.left?.left} end={part?.leftEnd} start={part?.start} />
      <Half line={row.right} number={row.right?.right} end={part?.rightEnd} start={part?.start} />
    </div>
  );
}

const signs = { same: ' ', removed: '−', added: '+' } as const;

function Unified({ line }: { line: DiffLine }) {
  return (
    <div className={`diff-line ${line.kind}`}>
      <span className="line-number">{line.left ?? ''}</span>
      <span className="line-number">{line.right ?? ''}</span>
      <span className="sign">{signs[line.kind]}</span>
      <span className="line-text">{line.text}</span>
    </div>
  );
}

function Half({
  line,
  number,
  start,
  end,
}: {
  line: DiffLine | undefined;
  number: number | undefined;
  start: number | undefined;
  end: number | undefined;
}) {
  if (line === undefined) return <div className="half blank" />;
  return (
    <div className={`half ${line.kind}`}>
      <span className="line-number">{number ?? ''}</span>
      <span className="sign">{signs[line.kind]}</span>
      <span className="line-text">
        {start === undefined || end === undefined || end <= start ? (
          line.text
        ) : (
          <>
            {line.text.slice(0, start)}
            <mark>{line.text.slice(start, end)}</mark>
            {line.text.slice(end)}
          </>
        )}
      </span>
    </div>
  );
}

function toLines(text: string): string[] {
  return text === '' ? [] : text.split('\n');
}

import { useMemo, useRef } from 'react';
import { CopyButton } from '../ui/copy.tsx';
import { useWindow } from '../ui/use-window.ts';

const rowPx = 19;
/** Up to here all lines are in the document, so that the browser's own search finds them. */
const windowAbove = 3000;

/** A text by line with numbers; keys stand out. Text nodes only. */
export function CodeView({ text, label }: { text: string; label: string }) {
  const lines = useMemo(() => text.split('\n'), [text]);
  const scroller = useRef<HTMLDivElement>(null);
  const view = useWindow(scroller, { rows: lines.length, rowPx });
  const all = lines.length <= windowAbove;
  const start = all ? 0 : view.start;
  return (
    <div className="code-frame">
      <CopyButton text={text} label={`Copy ${label}`} />
      {/* A scrolling region must be reachable by keyboard. */}
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <div ref={scroller} className="code" role="region" aria-label={label} tabIndex={0} data-keeps-arrows>
        {all ? null : <div style={{ height: view.beforePx }} />}
        {lines.slice(start, all ? undefined : view.end).map((line, offset) => (
          // A line is its place.
          // oxlint-disable-next-line react/no-array-index-key
          <div key={start + offset} className="diff-line">
            <span className="line-number">{start + offset + 1}</span>
            <span className="line-text">
              <Line text={line} />
            </span>
          </div>
        ))}
        {all ? null : <div style={{ height: view.afterPx }} />}
      </div>
    </div>
  );
}

/** `key:` of YAML or JSON apart from its value. */
function Line({ text }: { text: string }) {
  const match = /^(\s*(?:- )*)("[^"]*"|[A-Za-z0-9_./$-][^\s:]*)(:)(?=\s|$)/.exec(text);
  if (match === null) return text;
  const [whole, indent = '', key = '', colon = ''] = match;
  return (
    <>
      {indent}
      <span className="code-key">{key}</span>
      {colon}
      {text.slice(whole.length)}
    </>
  );
}

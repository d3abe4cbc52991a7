import { useEffect, useState } from 'react';
import { Icon } from './icons.tsx';

/** Copies `text`; absent where the browser does not let pages copy (plain http). */
export function CopyButton({ text, label }: { text: string; label: string }) {
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return undefined;
    const timer = window.setTimeout(() => setDone(false), 1500);
    return () => window.clearTimeout(timer);
  }, [done]);
  if (!('clipboard' in navigator)) return null;
  return (
    <button
      type="button"
      className="button quiet copy"
      aria-label={done ? 'Copied' : label}
      title={done ? 'Copied' : label}
      onClick={() => {
        void navigator.clipboard.writeText(text).then(
          () => setDone(true),
          () => setDone(false),
        );
      }}
    >
      <Icon name={done ? 'down' : 'copy'} />
      {done ? <span>Copied</span> : null}
    </button>
  );
}

/** A command to run, with a way to copy it. */
export function Command({ text }: { text: string }) {
  return (
    <div className="command">
      <code>{text}</code>
      <CopyButton text={text} label="Copy the command" />
    </div>
  );
}

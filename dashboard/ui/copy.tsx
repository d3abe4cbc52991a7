import { useEffect, useState } from 'react';
import { Icon } from './icons.tsx';

/** Copies `text`; absent where the browser does not let pages copy (plain http). */
export function CopyButton({ text, label }: { text: string; label: string }) {
  const [said, setSaid] = useState<'Copied' | 'Not copied' | undefined>(undefined);
  useEffect(() => {
    if (said === undefined) return undefined;
    const timer = window.setTimeout(() => setSaid(undefined), 1500);
    return () => window.clearTimeout(timer);
  }, [said]);
  if (!('clipboard' in navigator)) return null;
  return (
    <button
      type="button"
      className="button quiet copy"
      aria-label={said ?? label}
      title={said ?? label}
      onClick={() => {
        void navigator.clipboard.writeText(text).then(
          () => setSaid('Copied'),
          () => setSaid('Not copied'),
        );
      }}
    >
      <Icon name={said === undefined ? 'copy' : said === 'Copied' ? 'check' : 'warning'} />
      {said === undefined ? null : <span>{said}</span>}
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

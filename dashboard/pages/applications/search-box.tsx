import type { Ref } from 'react';
import { useEffect, useState } from 'react';
import { Icon } from '../../ui/icons.tsx';

/** Search as one types: the text is handed on 150 ms after the last key. Escape empties it, then leaves it. */
export function SearchBox({
  value,
  onChange,
  ref,
}: {
  value: string;
  onChange: (text: string) => void;
  ref: Ref<HTMLInputElement>;
}) {
  const [typed, setTyped] = useState({ text: value, of: value });
  // The address changed by other means (Back, Clear): it wins over what was typed.
  if (typed.of !== value) setTyped({ text: value, of: value });
  const { text } = typed;
  useEffect(() => {
    if (text === value) return undefined;
    const timer = window.setTimeout(() => onChange(text), 150);
    return () => window.clearTimeout(timer);
  });
  return (
    <label className="search">
      <Icon name="search" />
      <span className="visually-hidden">Search applications</span>
      <input
        ref={ref}
        type="search"
        placeholder="Search applications"
        spellCheck={false}
        autoComplete="off"
        aria-keyshortcuts="/"
        value={text}
        onChange={(event) => setTyped({ text: event.target.value, of: value })}
        onKeyDown={(event) => {
          if (event.key === 'Enter') onChange(text);
          if (event.key === 'Escape') {
            if (text === '') event.currentTarget.blur();
            else onChange('');
          }
        }}
      />
      <kbd aria-hidden="true">/</kbd>
    </label>
  );
}

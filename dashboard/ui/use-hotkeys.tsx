import type { ReactNode } from 'react';
import { createContext, useContext, useEffect, useRef, useState } from 'react';
import type { Bindings, Hotkeys } from './hotkeys.ts';
import { createHotkeys } from './hotkeys.ts';

const HotkeysContext = createContext<Hotkeys | undefined>(undefined);

/** Listens for the whole page. */
export function HotkeysProvider({ children }: { children: ReactNode }) {
  const [hotkeys] = useState(createHotkeys);
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      const target = event.target instanceof HTMLElement ? event.target : undefined;
      const used = hotkeys.press({
        key: event.key,
        modified: event.ctrlKey || event.metaKey || event.altKey,
        inField:
          target?.matches('input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]') ?? false,
        inDialog: document.querySelector('dialog[open]') !== null || keepsKeys(target, event.key),
        at: event.timeStamp,
      });
      if (used) event.preventDefault();
    };
    document.addEventListener('keydown', listen);
    return () => document.removeEventListener('keydown', listen);
  }, [hotkeys]);
  return <HotkeysContext value={hotkeys}>{children}</HotkeysContext>;
}

/** Open popovers have their own keys, and what scrolls by arrow keeps them. */
function keepsKeys(target: HTMLElement | undefined, key: string): boolean {
  if (target?.closest('[popover]') != null) return key !== '?';
  return /^(Arrow|Home|End)/.test(key) && target?.closest('[data-keeps-arrows]') != null;
}

/** Shortcuts while the component is mounted; an undefined action is no shortcut. */
export function useHotkeys(bindings: Bindings): void {
  const hotkeys = useContext(HotkeysContext);
  const latest = useRef(bindings);
  useEffect(() => {
    latest.current = bindings;
  });
  const names = Object.keys(bindings)
    .filter((name) => bindings[name] !== undefined)
    .sort()
    .join('\n');
  useEffect(() => {
    const entries = names.split('\n').map((name) => [name, () => latest.current[name]?.()] as const);
    return hotkeys?.register(Object.fromEntries(entries));
  }, [hotkeys, names]);
}

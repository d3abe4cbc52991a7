import { useCallback, useEffect, useRef, useState } from 'react';
import type { Bindings } from './hotkeys.ts';

/**
 * Moving through a list by keyboard: j, k and the arrows move, Home and End jump.
 * The active row's element takes the focus, so Enter is the row's own link or button; `reveal` scrolls it into being first.
 */
export function useRows(rows: number, reveal: (index: number) => void) {
  const [active, setActive] = useState(-1);
  const wanted = useRef(false);
  const element = useRef<HTMLElement | null>(null);

  const moveTo = useCallback(
    (index: number) => {
      if (rows === 0) return;
      const next = Math.max(0, Math.min(rows - 1, index));
      wanted.current = true;
      reveal(next);
      if (next === active) element.current?.focus({ preventScroll: true });
      else setActive(next);
    },
    [rows, reveal, active],
  );

  useEffect(() => {
    if (!wanted.current || element.current === null) return;
    element.current.focus({ preventScroll: true });
    wanted.current = false;
  });

  const refFor = (index: number) =>
    index === active
      ? (node: HTMLElement | null) => {
          element.current = node;
        }
      : undefined;
  const bindings: Bindings = {
    j: () => moveTo(active + 1),
    ArrowDown: () => moveTo(active + 1),
    k: () => moveTo(active - 1),
    ArrowUp: () => moveTo(active - 1),
    Home: () => moveTo(0),
    End: () => moveTo(rows - 1),
  };
  return { active, setActive, moveTo, refFor, bindings };
}

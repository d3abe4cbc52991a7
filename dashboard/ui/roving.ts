import type { KeyboardEvent } from 'react';

/**
 * Where a key leads among `length` things of which one is chosen, as tabs and radio buttons have it (WAI-ARIA practices):
 * arrows go round, Home and End to the ends; undefined for every other key.
 */
export function rovingIndex(key: string, current: number, length: number): number | undefined {
  if (length === 0) return undefined;
  switch (key) {
    case 'ArrowRight':
    case 'ArrowDown':
      return (current + 1) % length;
    case 'ArrowLeft':
    case 'ArrowUp':
      return (current - 1 + length) % length;
    case 'Home':
      return 0;
    case 'End':
      return length - 1;
    default:
      return undefined;
  }
}

/**
 * Handles a key on the parent of the things: chooses the one it leads to and takes the focus there. The parent carries
 * `data-keeps-arrows`, so that a list on the page does not move too.
 */
export function rove(event: KeyboardEvent<HTMLElement>, current: number, choose: (index: number) => void): void {
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  const things = [...event.currentTarget.children];
  const next = rovingIndex(event.key, current, things.length);
  if (next === undefined) return;
  event.preventDefault();
  choose(next);
  const thing = things[next];
  if (thing instanceof HTMLElement) thing.focus();
}

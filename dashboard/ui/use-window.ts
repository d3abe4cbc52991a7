import type { RefObject } from 'react';
import { useCallback, useEffect, useState } from 'react';
import type { Slice } from './window-slice.ts';
import { scrollTopFor, windowSlice } from './window-slice.ts';

/**
 * Which rows of a long list are worth rendering, and how to bring one into view.
 * `headPx` is how much of the scroller a sticky head covers; rows are `rowPx` high without exception.
 */
export function useWindow(
  scroller: RefObject<HTMLElement | null>,
  options: { rows: number; rowPx: number; headPx?: number },
): Slice & { reveal: (index: number) => void } {
  const { rows, rowPx, headPx = 0 } = options;
  const [view, setView] = useState({ top: 0, height: 800 });
  useEffect(() => {
    const element = scroller.current;
    if (element === null) return undefined;
    const read = () => {
      // Steps of a few rows, so that scrolling does not render at every pixel.
      const step = rowPx * 4;
      const next = { top: Math.floor(element.scrollTop / step) * step, height: element.clientHeight };
      setView((old) => (old.top === next.top && old.height === next.height ? old : next));
    };
    read();
    element.addEventListener('scroll', read, { passive: true });
    const observer = new ResizeObserver(read);
    observer.observe(element);
    return () => {
      element.removeEventListener('scroll', read);
      observer.disconnect();
    };
  }, [scroller, rowPx]);
  const reveal = useCallback(
    (index: number) => {
      const element = scroller.current;
      if (element === null) return;
      const top = scrollTopFor(index, { rowPx, headPx, top: element.scrollTop, height: element.clientHeight });
      if (top !== element.scrollTop) element.scrollTop = top;
    },
    [scroller, rowPx, headPx],
  );
  return { ...windowSlice({ rows, rowPx, top: view.top, height: view.height, overscan: 12 }), reveal };
}

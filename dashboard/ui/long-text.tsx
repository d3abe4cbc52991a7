import type { RefObject } from 'react';
import { useLayoutEffect, useRef, useState } from 'react';
import { Dialog } from './dialog.tsx';

/**
 * Text that is cut where there is no room for it. What is cut can be opened in full, by touch and keyboard too: a title is seen
 * only by those who hover.
 */
export function LongText({ text, label, lines = 1 }: { text: string; label: string; lines?: 1 | 2 }) {
  const shown = useRef<HTMLDivElement>(null);
  const [open, setOpen] = useState(false);
  const isCut = useIsCut(shown, text);
  return (
    <div className="long-text">
      <div ref={shown} className={lines === 2 ? 'two-lines' : 'cut'} title={text}>
        {text}
      </div>
      {isCut ? (
        <button
          type="button"
          className="link"
          aria-haspopup="dialog"
          aria-label={`Show all: ${label}`}
          onClick={() => setOpen(true)}
        >
          Show all
        </button>
      ) : null}
      {open ? (
        <Dialog title={label} onClose={() => setOpen(false)} wide>
          <p className="full-text">{text}</p>
        </Dialog>
      ) : null}
    </div>
  );
}

/** Whether an element holds more than it shows, as it is laid out now. */
function useIsCut(ref: RefObject<HTMLElement | null>, text: string): boolean {
  const [isCut, setIsCut] = useState(false);
  useLayoutEffect(() => {
    const element = ref.current;
    if (element === null) return undefined;
    const measure = () =>
      setIsCut(element.scrollWidth > element.clientWidth || element.scrollHeight > element.clientHeight + 1);
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, [ref, text]);
  return isCut;
}

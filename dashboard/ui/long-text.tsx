import { useCallback, useState } from 'react';
import { Dialog } from './dialog.tsx';

/**
 * Text that is cut where there is no room for it. What is cut can be opened in full, by touch and keyboard too: a title is seen
 * only by those who hover.
 */
export function LongText({ text, label, lines = 1 }: { text: string; label: string; lines?: 1 | 2 }) {
  const [open, setOpen] = useState(false);
  const { isCut, watch } = useIsCut();
  return (
    <div className="long-text">
      {/* Another text may have its size and still be cut elsewhere: it is measured anew. */}
      <div key={text} ref={watch} className={lines === 2 ? 'two-lines' : 'cut'} title={text}>
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

/** Whether an element holds more than it shows, as it is laid out now; `watch` is its ref. */
function useIsCut() {
  const [isCut, setIsCut] = useState(false);
  const watch = useCallback((element: HTMLElement | null) => {
    if (element === null) return undefined;
    const measure = () =>
      setIsCut(element.scrollWidth > element.clientWidth || element.scrollHeight > element.clientHeight + 1);
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return { isCut, watch };
}

import type { ReactNode } from 'react';
import { useId, useRef } from 'react';

/** A button with a native popover under it: the browser closes it on Escape and on clicks elsewhere. */
export function Popover({
  label,
  button,
  children,
  className = 'button',
}: {
  label: string;
  button: ReactNode;
  children: (close: () => void) => ReactNode;
  className?: string;
}) {
  const id = useId();
  const opener = useRef<HTMLButtonElement>(null);
  const panel = useRef<HTMLDivElement>(null);
  return (
    <>
      <button
        ref={opener}
        type="button"
        className={className}
        popoverTarget={id}
        aria-label={label}
        title={label}
        aria-haspopup="dialog"
      >
        {button}
      </button>
      <div
        ref={panel}
        id={id}
        popover="auto"
        role="dialog"
        aria-label={label}
        className="popover"
        onToggle={(event) => {
          if (event.newState === 'open') place(opener.current, panel.current);
        }}
      >
        {children(() => panel.current?.hidePopover())}
      </div>
    </>
  );
}

/** Below the button, kept inside the window; set through the style object, which the page's policy allows. */
function place(opener: HTMLElement | null, panel: HTMLElement | null): void {
  if (opener === null || panel === null) return;
  const at = opener.getBoundingClientRect();
  const width = panel.offsetWidth;
  const left = Math.min(Math.max(8, at.right - width), window.innerWidth - width - 8);
  panel.style.left = `${Math.max(8, left)}px`;
  panel.style.top = `${at.bottom + 4}px`;
  panel.style.maxHeight = `${window.innerHeight - at.bottom - 16}px`;
}

import type { ReactNode } from 'react';
import { useEffect, useId, useRef } from 'react';
import { problemOf } from '../api/client.ts';
import { Button } from './button.tsx';
import { Icon } from './icons.tsx';
import { ProblemText } from './problem.tsx';

export interface DialogProps {
  title: string;
  children: ReactNode;
  onClose: () => void;
  /** Undefined: nothing to confirm, only a Close button. */
  confirm?: { label: string; kind?: 'primary' | 'danger'; reason?: string | undefined; run: () => void };
  busy?: boolean;
  /** What the last try failed with; the dialog stays open to show it. */
  error?: unknown;
  wide?: boolean;
  /** It shows what is shown only once: a click beside it does not close it. */
  keep?: boolean;
}

/** A native modal dialog: the browser keeps the focus inside and closes it on Escape. */
export function Dialog({
  title,
  children,
  onClose,
  confirm,
  busy = false,
  error,
  wide = false,
  keep = false,
}: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => {
    const dialog = ref.current;
    const before = document.activeElement;
    if (dialog !== null && !dialog.open) dialog.showModal();
    return () => {
      dialog?.close();
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={ref}
      className={wide ? 'dialog wide' : 'dialog'}
      aria-labelledby={titleId}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => {
        if (event.target === ref.current && !keep) onClose();
      }}
    >
      <form
        className="dialog-body"
        onSubmit={(event) => {
          event.preventDefault();
          if (confirm !== undefined && confirm.reason === undefined && !busy) confirm.run();
        }}
      >
        <header>
          <h2 id={titleId}>{title}</h2>
          <Button kind="quiet" label="Close" onClick={onClose}>
            <Icon name="close" />
          </Button>
        </header>
        <div className="dialog-content">{children}</div>
        {error === undefined || error === null ? null : (
          <div className="dialog-error" role="alert">
            <ProblemText problem={problemOf(error)} />
          </div>
        )}
        <footer>
          {confirm?.reason === undefined ? null : <span className="reason">{confirm.reason}</span>}
          <Button onClick={onClose}>{confirm !== undefined ? 'Cancel' : keep ? 'Done' : 'Close'}</Button>
          {confirm === undefined ? null : (
            <Button type="submit" kind={confirm.kind ?? 'primary'} reason={confirm.reason} busy={busy}>
              {confirm.label}
            </Button>
          )}
        </footer>
      </form>
    </dialog>
  );
}

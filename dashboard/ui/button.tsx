import type { ReactNode, Ref } from 'react';
import { Spinner } from './icons.tsx';

export interface ButtonProps {
  children: ReactNode;
  onClick?: (() => void) | undefined;
  kind?: 'plain' | 'primary' | 'danger' | 'quiet';
  type?: 'button' | 'submit';
  /** Why it cannot be used now: it stays readable and focusable, and says so. */
  reason?: string | undefined;
  busy?: boolean;
  title?: string | undefined;
  label?: string | undefined;
  ref?: Ref<HTMLButtonElement>;
  shortcut?: string;
}

/** A button that is never disabled without a reason. */
export function Button({
  children,
  onClick,
  kind = 'plain',
  type = 'button',
  reason,
  busy = false,
  title,
  label,
  ref,
  shortcut,
}: ButtonProps) {
  const off = reason !== undefined || busy;
  return (
    <button
      ref={ref}
      type={type}
      className={`button ${kind}`}
      aria-disabled={off}
      aria-label={label}
      aria-keyshortcuts={shortcut}
      title={reason ?? title}
      onClick={(event) => {
        if (off) event.preventDefault();
        else onClick?.();
      }}
    >
      {busy ? <Spinner /> : null}
      {children}
    </button>
  );
}

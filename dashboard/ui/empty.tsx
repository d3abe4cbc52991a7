import type { ReactNode } from 'react';

/** Nothing to show, why, and what to do. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="panel-state">
      <strong>{title}</strong>
      {children}
    </div>
  );
}

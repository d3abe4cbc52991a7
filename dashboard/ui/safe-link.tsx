import type { ReactNode } from 'react';
import { safeHref } from './safe-href.ts';

/** The only place that links outside: plain text where the address is not plainly http or https (NT-130 … NT-133). */
export function SafeLink({ href, children, className }: { href: string; children: ReactNode; className?: string }) {
  const address = safeHref(href);
  if (address === undefined) return <span className={className}>{children}</span>;
  return (
    <a className={className} href={address} target="_blank" rel="noopener noreferrer nofollow">
      {children}
    </a>
  );
}

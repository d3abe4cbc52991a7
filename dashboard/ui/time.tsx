import type { ReactNode } from 'react';
import { createContext, useContext, useEffect, useState } from 'react';
import { age, ago, fullTime } from './format.ts';

const NowContext = createContext(0);

/** One clock for all ages on the page; ticks every 5 s. */
export function NowProvider({ children }: { children: ReactNode }) {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = window.setInterval(() => setNow(Date.now()), 5000);
    return () => window.clearInterval(timer);
  }, []);
  return <NowContext value={now}>{children}</NowContext>;
}

/** The page's clock, ms since 1970. */
export function useNow(): number {
  return useContext(NowContext);
}

/** A time as an age, `short` without `ago`; the full time on hover. */
export function Time({ at, short = false }: { at: string; short?: boolean }) {
  // Newer than the last tick is still not the future.
  const now = Math.max(useContext(NowContext), Date.parse(at) || 0);
  return (
    <time dateTime={at} title={fullTime(at)} className="num">
      {short ? age(at, now) : ago(at, now)}
    </time>
  );
}

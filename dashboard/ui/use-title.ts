import { useEffect } from 'react';

/** The window's title while the view is shown. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · Hawser`;
  }, [title]);
}

import { useSyncExternalStore } from 'react';

const query = '(max-width: 720px)';

/** True where the window is a phone's; the same width as in the style sheets. */
export function useNarrow(): boolean {
  return useSyncExternalStore(
    (changed) => {
      const media = window.matchMedia(query);
      media.addEventListener('change', changed);
      return () => media.removeEventListener('change', changed);
    },
    () => window.matchMedia(query).matches,
  );
}

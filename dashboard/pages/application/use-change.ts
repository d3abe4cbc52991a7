import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import type { Accepted } from '#shared/messages/api-changes.ts';
import { keys } from '../../api/queries.ts';
import { useToasts } from '../../ui/toast.tsx';
import type { Pending } from './pending.ts';
import { pendingOf } from './pending.ts';

/**
 * A change of one application. Nothing is shown as done before the service says so: an answer is said aloud and what is
 * shown is read again. Without `inDialog` a failure becomes a message that stays; a dialog shows its own while it is open.
 */
export function useChange<T>(
  id: string,
  options: {
    run: (input: T) => Promise<Accepted>;
    said: string;
    what?: Pending['what'];
    onAccepted?: (pending: Pending) => void;
    onDone?: () => void;
    inDialog?: boolean;
  },
) {
  const client = useQueryClient();
  const toasts = useToasts();
  const shown = useRef(false);
  useEffect(() => {
    shown.current = true;
    return () => {
      shown.current = false;
    };
  }, []);
  return useMutation({
    mutationFn: options.run,
    onSuccess(accepted) {
      const pending = options.what === undefined ? undefined : pendingOf(options.what, accepted);
      if (pending !== undefined) options.onAccepted?.(pending);
      toasts.say(
        accepted?.generation === undefined ? options.said : `${options.said} (generation ${accepted.generation})`,
      );
      options.onDone?.();
      void client.invalidateQueries({ queryKey: keys.application(id) });
      void client.invalidateQueries({ queryKey: keys.lists });
    },
    onError(error) {
      // A dialog that was closed before the answer can no longer say it.
      if (options.inDialog !== true || !shown.current) toasts.fail(error);
      // A conflict often means that what is shown is old.
      void client.invalidateQueries({ queryKey: keys.application(id) });
    },
  });
}

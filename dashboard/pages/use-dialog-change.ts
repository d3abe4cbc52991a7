import type { QueryKey } from '@tanstack/react-query';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import { useToasts } from '../ui/toast.tsx';

/**
 * A change that a dialog asks for. The dialog shows its failure while it is open; what comes after it was closed is told as a
 * message. What lies under `key` is read anew either way: a refusal often means that what is shown is old.
 */
export function useDialogChange<Input, Result>(options: {
  key: QueryKey;
  run: (input: Input) => Promise<Result>;
  /** Undefined: the dialog shows what came of it, and nothing is said while it is open. */
  said?: string;
  /** Where the dialog was closed before the answer: what was made in it is not shown, and how to get at it. */
  missed?: string;
  onDone: (result: Result) => void;
}) {
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
    onSuccess(result) {
      const text = shown.current ? options.said : (options.missed ?? options.said);
      if (text !== undefined) toasts.say(text);
      if (shown.current) options.onDone(result);
      void client.invalidateQueries({ queryKey: options.key });
    },
    onError(error) {
      if (!shown.current) toasts.fail(error);
      void client.invalidateQueries({ queryKey: options.key });
    },
  });
}

import type { ReactNode } from 'react';
import { createContext, useCallback, useContext, useMemo, useRef, useState } from 'react';
import type { Problem } from '#shared/messages/api.ts';
import { problemOf } from '../api/client.ts';
import { Button } from './button.tsx';
import { Icon } from './icons.tsx';
import { ProblemText } from './problem.tsx';

interface Toast {
  id: number;
  text?: string;
  problem?: Problem;
}

export interface Toasts {
  /** Something was done; goes away after 5 s. */
  say: (text: string) => void;
  /** Something failed; stays until it is closed. */
  fail: (error: unknown) => void;
}

const ToastContext = createContext<Toasts | undefined>(undefined);

export function useToasts(): Toasts {
  const toasts = useContext(ToastContext);
  if (toasts === undefined) throw new Error('useToasts needs a ToastProvider above it');
  return toasts;
}

export function ToastProvider({ children }: { children: ReactNode }) {
  const [items, setItems] = useState<Toast[]>([]);
  const nextId = useRef(1);
  const drop = useCallback((id: number) => setItems((old) => old.filter((item) => item.id !== id)), []);
  const toasts = useMemo<Toasts>(
    () => ({
      say(text) {
        const id = nextId.current++;
        setItems((old) => [...old.slice(-3), { id, text }]);
        window.setTimeout(() => drop(id), 5000);
      },
      fail(error) {
        const id = nextId.current++;
        setItems((old) => [...old.slice(-3), { id, problem: problemOf(error) }]);
      },
    }),
    [drop],
  );
  return (
    <ToastContext value={toasts}>
      {children}
      <div className="toasts" role="status" aria-live="polite">
        {items.map((item) => (
          <div
            key={item.id}
            className={item.problem === undefined ? 'toast' : 'toast bad'}
            role={item.problem === undefined ? undefined : 'alert'}
          >
            <div className="toast-text">
              {item.problem === undefined ? item.text : <ProblemText problem={item.problem} />}
            </div>
            <Button kind="quiet" label="Dismiss" onClick={() => drop(item.id)}>
              <Icon name="close" />
            </Button>
          </div>
        ))}
      </div>
    </ToastContext>
  );
}

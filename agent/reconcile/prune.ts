import type { AppRuntime } from './runtime.ts';
import type { ReconcileDeps } from './deps.ts';

export interface PruneDeps {
  /** All other applications of this cluster: an object that one of them desires is handed over, not deleted (G-09). */
  others(app: AppRuntime): AppRuntime[];
  /** An object was handed over or let go: whoever was denied it may try again. */
  handedOver(key: string): void;
}

export async function pruneExtras(_deps: ReconcileDeps & PruneDeps, _app: AppRuntime, _keys: string[]): Promise<void> {
  throw new Error('not yet');
}

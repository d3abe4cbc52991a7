import { parseKey, type KubeObject } from '#shared/domain/kube-object.ts';
import { takeGone, takeSeen, type Change, type LocalCheck } from './reconcile/observe.ts';
import type { AppRuntime } from './reconcile/runtime.ts';
import type { WatchListener } from './watch-set.ts';

export interface WatchListenerDeps {
  applications: ReadonlyMap<string, AppRuntime>;
  ownerOf(key: string): string | undefined;
  differs: LocalCheck;
  wake(id: string): void;
  /** Something that people see changed, and nothing is to be done about it. */
  changed(app: AppRuntime): void;
}

/** Brings what watches tell to the application that owns the object; objects of nobody are dropped. */
export function createWatchListener(deps: WatchListenerDeps): WatchListener {
  const appOf = (key: string): AppRuntime | undefined => {
    const id = deps.ownerOf(key);
    return id === undefined ? undefined : deps.applications.get(id);
  };

  function react(app: AppRuntime, change: Change): void {
    if (change === 'nothing') return;
    const busy = app.record.operation?.phase === 'Running' || app.record.deletion !== undefined;
    if (change === 'drift' || busy) deps.wake(app.id);
    else deps.changed(app);
  }

  function seen(key: string, live: KubeObject, listing: boolean): void {
    const app = appOf(key);
    if (app !== undefined) react(app, takeSeen(app, key, live, deps.differs, !listing));
  }

  function gone(key: string, version: number): void {
    const app = appOf(key);
    if (app !== undefined) react(app, takeGone(app, key, version));
  }

  return {
    seen,
    gone,
    listed({ group, kind, namespace }, present, version) {
      const prefix = `${group}/${kind}/`;
      const lacks = (keys: Iterable<string>) => {
        for (const key of keys) {
          if (!key.startsWith(prefix) || present.has(key)) continue;
          if (namespace === '' || parseKey(key).namespace === namespace) gone(key, version);
        }
      };
      for (const app of deps.applications.values()) {
        lacks(app.observed.keys());
        // What is made right now may be observed by nobody yet, and gone already.
        lacks(app.asking.keys());
      }
    },
    changed() {
      for (const app of deps.applications.values()) deps.wake(app.id);
    },
  };
}

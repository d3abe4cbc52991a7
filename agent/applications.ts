import { isRetryable, messageOf } from '#shared/errors.ts';
import { parseKey } from '#shared/domain/kube-object.ts';
import { unhurried } from '#shared/domain/prune-pace.ts';
import { ownerSelector } from '#shared/domain/tracking.ts';
import type { Clock } from '#shared/ports/clock.ts';
import type { Log } from '#shared/ports/log.ts';
import type { Cluster } from './cluster/cluster.ts';
import { unmetDependencies } from './reconcile/dependencies.ts';
import { differsLocally } from './reconcile/corrections.ts';
import { createOwners } from './reconcile/deps.ts';
import type { VerifiedSnapshot } from './reconcile/accept-root.ts';
import type { AppRuntime } from './reconcile/runtime.ts';
import { setCondition } from './reconcile/runtime.ts';
import { persist, takeTurn, turnBackOff, type StepDeps } from './reconcile/step.ts';
import { createTexts } from './reconcile/texts.ts';
import { createScheduler } from './scheduler.ts';
import type { AgentStateStore } from './state/state-store.ts';
import { createWatchListener } from './watch-listener.ts';
import { createWatchSet } from './watch-set.ts';

/** All applications of this cluster: their state, their watches, their turns. */
export interface Applications {
  readonly all: ReadonlyMap<string, AppRuntime>;
  /** Adds one. Before `start` nothing else happens. */
  put(app: AppRuntime): void;
  /**
   * Starts watches and turns. Everything that was stored must have been put before: a watch tells of an object once, and
   * what belongs to nobody yet is dropped.
   */
  start(): void;
  /** Hands a newer generation to an application, which takes it in before its next decision. */
  offer(app: AppRuntime, snapshot: VerifiedSnapshot): void;
  wake(id: string): void;
  stop(): Promise<void>;
  readonly deps: StepDeps;
}

export interface ApplicationsDeps {
  cluster: Cluster;
  store: AgentStateStore;
  clock: Clock;
  log: Log;
  random: () => number;
  /** Tells the reporter. */
  changed(application: string, soon: boolean): void;
  /** An application was dropped after a deletion order; `app` is its last state, to be reported. */
  forgotten(app: AppRuntime): void;
}

const workers = 8;
/** Watches that have not listed by then are taken for forbidden. */
const watchPatienceMs = 30_000;

/** Creates the collection; its watches start as applications are put into it. */
export function createApplications(deps: ApplicationsDeps): Applications {
  const all = new Map<string, AppRuntime>();
  const owners = createOwners();
  const texts = createTexts();
  const failures = new Map<string, number>();
  /** Applications that wait for others, and what for. */
  const blocked = new Map<string, string>();
  let started = false;
  const scheduler = createScheduler({ clock: deps.clock, workers, turn });
  const watches = createWatchSet({
    cluster: deps.cluster,
    labelSelector: ownerSelector,
    log: deps.log,
    listener: createWatchListener({
      applications: all,
      ownerOf: (key) => owners.ownerOf(key),
      differs: (app, key, live) => differsLocally(step, app, key, live),
      wake: (id) => scheduler.wake(id),
      changed: (app) => step.changed(app, true),
    }),
  });

  const step = stepDeps();

  function stepDeps(): StepDeps {
    return {
      ...deps,
      texts,
      owners,
      watch: (group, kind, version, namespace) => watch({ group, kind, version, namespace }),
      isComplete,
      patientUntil: deps.clock.now() + watchPatienceMs,
      unmetOf,
      changed: (app, soon) => {
        deps.changed(app.id, soon);
        wakeDependents(app.id);
      },
      forgotten: (app) => {
        all.delete(app.id);
        scheduler.forget(app.id);
        deps.forgotten(app);
      },
      namespaces: new Map(),
      pruning: { tempo: unhurried, recent: [] },
      others: (app) => [...all.values()].filter((other) => other !== app),
      handedOver: (key) => {
        for (const other of all.values()) if (other.shared.delete(key)) retry(other);
      },
    };
  }

  /** Something it was denied is free now: its last attempt does not count any more. */
  function retry(app: AppRuntime): void {
    const { operation: _, ...record } = app.record;
    app.record = record;
    scheduler.wake(app.id);
  }

  function watch(id: { group: string; kind: string; version?: string; namespace: string }): void {
    const kind = deps.cluster.kindOf(id) ?? deps.cluster.kindOf({ group: id.group, kind: id.kind });
    if (kind !== undefined) watches.need(kind, id.namespace);
  }

  function isComplete(app: AppRuntime): boolean {
    for (const scope of scopesOf(app)) {
      const { group, kind, namespace } = parseKey(scope);
      if (deps.cluster.isGroupBroken(group)) return false;
      // A kind that the cluster does not serve has no objects.
      if (deps.cluster.kindOf({ group, kind }) === undefined) continue;
      if (!watches.isComplete(group, kind, namespace)) return false;
    }
    return true;
  }

  function unmetOf(app: AppRuntime): string[] {
    const unmet = unmetDependencies(app, all);
    if (unmet.length > 0) blocked.set(app.id, unmet.join());
    else blocked.delete(app.id);
    return unmet;
  }

  function wakeDependents(id: string): void {
    for (const [waiting, unmet] of blocked) {
      const app = all.get(waiting);
      if (app?.root.dependsOn.some((dependency) => dependency.application === id) !== true) continue;
      // Only for news: applications that depend on each other would keep each other awake for ever.
      if (unmetDependencies(app, all).join() !== unmet) scheduler.wake(waiting);
    }
  }

  function begin(app: AppRuntime): void {
    for (const scope of scopesOf(app)) watch(parseKey(scope));
    scheduler.wake(app.id);
  }

  async function turn(id: string): Promise<{ until?: number }> {
    const app = all.get(id);
    if (app === undefined) return {};
    try {
      const result = await takeTurn(step, app);
      failures.delete(id);
      if (setCondition(app, 'UnknownError', undefined, deps.clock.now())) deps.changed(id, true);
      return result;
    } catch (error) {
      const count = (failures.get(id) ?? 0) + 1;
      failures.set(id, count);
      return { until: noteFailure(deps, app, error, count) };
    }
  }

  return {
    all,
    deps: step,
    put(app) {
      all.set(app.id, app);
      for (const key of app.record.inventory.keys()) owners.claim(key, app.id);
      if (started) begin(app);
    },
    start() {
      started = true;
      for (const app of all.values()) begin(app);
    },
    offer(app, snapshot) {
      app.incoming = snapshot;
      scheduler.wake(app.id);
    },
    wake: (id) => scheduler.wake(id),
    async stop() {
      await scheduler.stop();
      await watches.stop();
      // Uids of what was recreated a moment ago; best effort, a restart finds them by their marks.
      for (const app of all.values()) if (app.uidsChanged === true) await persist(step, app).catch(() => undefined);
    },
  };
}

/** A turn threw: shown, logged, and tried again later. Other applications do not notice (INV-39). */
function noteFailure(deps: ApplicationsDeps, app: AppRuntime, error: unknown, count: number): number {
  const reason = messageOf(error);
  const delay = turnBackOff(error, count, deps.random);
  const level = isRetryable(error) ? 'warn' : 'error';
  deps.log[level]({ application: app.id, reason, retryInMs: Math.round(delay) }, 'a turn ended early');
  setCondition(app, 'UnknownError', reason, deps.clock.now());
  deps.changed(app.id, true);
  return deps.clock.now() + delay;
}

/** Kinds and namespaces in which an application has something to observe, as keys without a name. */
function scopesOf(app: AppRuntime): Set<string> {
  const scopes = new Set<string>();
  for (const key of app.record.inventory.keys()) scopes.add(key.slice(0, key.lastIndexOf('/') + 1));
  return scopes;
}

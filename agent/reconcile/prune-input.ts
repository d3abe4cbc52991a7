import { parseKey } from '#shared/domain/kube-object.ts';
import type { PruneTempo } from '#shared/domain/prune-pace.ts';
import type { LiveObject, PruneInput } from '#shared/domain/prune-plan.ts';
import type { OperationProgress } from '../state/record.ts';
import type { ReconcileDeps } from './deps.ts';
import { newestGeneration, type AppRuntime } from './runtime.ts';

/** What pruning needs to know of the rest of the cluster. */
export interface PruneDeps extends ReconcileDeps {
  isComplete(app: AppRuntime): boolean;
  /** All other applications of this cluster: an object that one of them desires is handed over, not deleted (G-09). */
  others(app: AppRuntime): AppRuntime[];
  /** An object was handed over: whoever was denied it may try again. */
  handedOver(key: string): void;
  /** Shared by all applications of the cluster. */
  pruning: ClusterPruning;
}

/** Deletes of all applications: their pace (G-08) and their sum (G-03). */
export interface ClusterPruning {
  tempo: PruneTempo;
  /** Times of deletes, ms since 1970. */
  recent: number[];
}

/** Deletes of this long count for the cluster's budget (G-03). */
export const budgetWindowMs = 10 * 60_000;

/** Everything that the guards look at, for the candidates that were read (`live`). */
export function pruneInput(
  deps: PruneDeps,
  app: AppRuntime,
  operation: OperationProgress,
  live: Map<string, LiveObject | 'missing' | 'unknown'>,
): PruneInput {
  const { root, record, desired } = app;
  const now = deps.clock.now();
  const others = deps.others(app);
  const confirmed = root.sync?.confirmedPrunes;
  return {
    application: app.id,
    owner: root.owner,
    root: {
      verified: true,
      complete: root.chunks.every((digest) => app.chunks.has(digest)),
      generation: root.generation,
      newestGeneration: newestGeneration(app),
      appliedGeneration: operation.generation,
      objectCount: root.objectCount,
    },
    desired: desiredOf(app),
    inventory: [...record.inventory]
      .filter(([key]) => live.has(key) || desired.objects.has(key))
      .map(([key, entry]) => ({ key, ...entry })),
    live,
    roundErrors: deps.isComplete(app) ? [] : ['a watch has not listed yet, or broke'],
    failedGroups: new Set(
      [...live.keys()].map((key) => parseKey(key).group).filter((group) => deps.cluster.isGroupBroken(group)),
    ),
    policy: { ...root.policy, prune: operation.prune },
    now,
    tombstones: new Map(
      [...record.inventory].flatMap(([key, { tombstone }]) =>
        tombstone === undefined ? [] : [[key, tombstone] as const],
      ),
    ),
    clusterBudget: {
      managedObjects: others.reduce((sum, other) => sum + other.record.inventory.size, record.inventory.size),
      prunesLast10Min: deps.pruning.recent.filter((time) => time > now - budgetWindowMs).length,
    },
    otherOwners: otherOwnersOf([...live.keys()], others),
    ...(confirmed === undefined ? {} : { confirmed }),
    alreadyPruned: Object.entries(operation.results)
      .filter(([, result]) => result.status === 'Pruned')
      .map(([key]) => key),
  };
}

/** One entry per object of the snapshot: a hook that runs in several phases under generated names is one object. */
function desiredOf({ desired, record }: AppRuntime): PruneInput['desired'] {
  const lines = new Map([...desired.objects.values()].map((object) => [`${object.chunk} ${object.line}`, object]));
  const entries = [...lines.values()].map(({ key, hook }) => ({
    key,
    uid: record.inventory.get(key)?.uid ?? '',
    hook: hook !== undefined,
  }));
  return [...entries, ...desired.skipped.map((key) => ({ key, hook: true }))];
}

function otherOwnersOf(keys: readonly string[], others: readonly AppRuntime[]): Map<string, string> {
  const owners = new Map<string, string>();
  for (const key of keys) {
    const other = others.find((each) => each.desired.objects.has(key));
    if (other !== undefined) owners.set(key, other.id);
  }
  return owners;
}

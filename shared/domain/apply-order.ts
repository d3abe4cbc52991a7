import { hookOf, type Phase, waveOf } from './hooks.ts';
import { idOf, type KubeObject, keyOf, parseKey, splitApiVersion } from './kube-object.ts';

/** One object at one place of the order. A hook appears once per phase. */
export interface OrderedTask {
  object: KubeObject;
  key: string;
  phase: Phase;
  wave: number;
  /** Position in the whole, from 0. */
  order: number;
}

const phaseRank: Readonly<Record<Phase, number>> = { PreSync: -1, Sync: 0, PostSync: 1, SyncFail: 2, PostDelete: 3 };

/** Argo CD's kind order (argo-cd.md §2.7); everything else comes after these. */
const kindOrder = [
  'Namespace',
  'NetworkPolicy',
  'ResourceQuota',
  'LimitRange',
  'PodSecurityPolicy',
  'PodDisruptionBudget',
  'ServiceAccount',
  'Secret',
  'SecretList',
  'ConfigMap',
  'StorageClass',
  'PersistentVolume',
  'PersistentVolumeClaim',
  'CustomResourceDefinition',
  'ClusterRole',
  'ClusterRoleList',
  'ClusterRoleBinding',
  'ClusterRoleBindingList',
  'Role',
  'RoleList',
  'RoleBinding',
  'RoleBindingList',
  'Service',
  'DaemonSet',
  'Pod',
  'ReplicationController',
  'ReplicaSet',
  'Deployment',
  'HorizontalPodAutoscaler',
  'StatefulSet',
  'Job',
  'CronJob',
  'IngressClass',
  'Ingress',
  'APIService',
];
const kindRank = new Map(kindOrder.map((kind, rank) => [kind, rank]));

/** Place of a kind in the kind order. */
export function kindRankOf(kind: string): number {
  return kindRank.get(kind) ?? kindOrder.length;
}

/**
 * Everything that is to be applied, in order: phase, wave, kind, name.
 * A Namespace comes before what lies in it and a CustomResourceDefinition before its instances, whatever their own waves say:
 * they take over the place of the first object that needs them. Skipped hooks are left out.
 */
export function orderObjects(objects: readonly KubeObject[]): OrderedTask[] {
  const tasks: OrderedTask[] = [];
  for (const object of objects) {
    const hook = hookOf(object);
    const key = keyOf(idOf(object));
    const wave = waveOf(object);
    for (const phase of hook === undefined ? (['Sync'] as const) : hook.phases) {
      tasks.push({ object, key, phase, wave, order: 0 });
    }
  }
  return numbered(pullAhead(sortedTasks(tasks)));
}

/** Consecutive tasks of one phase and wave: what may run together. */
export function stepsOf(tasks: readonly OrderedTask[]): OrderedTask[][] {
  const steps: OrderedTask[][] = [];
  let last: OrderedTask | undefined;
  for (const task of tasks) {
    if (last !== undefined && last.phase === task.phase && last.wave === task.wave) steps.at(-1)?.push(task);
    else steps.push([task]);
    last = task;
  }
  return steps;
}

/** What ordering deletions needs to know of an object. */
export interface PruneTask {
  key: string;
  /** Its wave when it was applied; 0 where nothing is known. */
  wave?: number;
  /** After everything else (`PruneLast`). */
  last?: boolean;
}

/** Deletion order: `last` ones after all others, then highest wave first, kinds and names in reverse. */
export function pruneOrder<T extends PruneTask>(objects: readonly T[]): T[] {
  const ranked = objects.map((object) => ({ object, id: parseKey(object.key) }));
  ranked.sort(
    (a, b) =>
      Number(a.object.last ?? false) - Number(b.object.last ?? false) ||
      (b.object.wave ?? 0) - (a.object.wave ?? 0) ||
      kindRankOf(b.id.kind) - kindRankOf(a.id.kind) ||
      compareText(b.object.key, a.object.key),
  );
  return ranked.map(({ object }) => object);
}

function sortedTasks(tasks: readonly OrderedTask[]): OrderedTask[] {
  const ranked = tasks.map((task) => ({ task, kind: kindRankOf(task.object.kind), name: nameOf(task.object) }));
  ranked.sort(
    (a, b) =>
      phaseRank[a.task.phase] - phaseRank[b.task.phase] ||
      a.task.wave - b.task.wave ||
      a.kind - b.kind ||
      compareText(a.name, b.name) ||
      compareText(a.task.key, b.task.key),
  );
  return ranked.map(({ task }) => task);
}

function nameOf(object: KubeObject): string {
  return object.metadata.name ?? object.metadata.generateName ?? '';
}

function pullAhead(sorted: readonly OrderedTask[]): OrderedTask[] {
  const firstNeed = new Map<string, number>();
  for (const [index, { object }] of sorted.entries()) {
    const { group } = splitApiVersion(object.apiVersion);
    noteFirst(firstNeed, `kind ${group}/${object.kind}`, index);
    if (object.metadata.namespace) noteFirst(firstNeed, `namespace ${object.metadata.namespace}`, index);
  }
  const placed = sorted.map((task, index) => {
    const need = neededAs(task);
    const first = need === undefined ? undefined : firstNeed.get(need);
    if (first === undefined || first >= index) return { task, place: index, rank: 2 };
    const { phase, wave } = sorted[first] as OrderedTask;
    return { task: { ...task, phase, wave }, place: first, rank: task.object.kind === 'Namespace' ? 0 : 1 };
  });
  return placed.sort((a, b) => a.place - b.place || a.rank - b.rank).map(({ task }) => task);
}

/** What others need this object for; undefined for all but plain Namespaces and CustomResourceDefinitions. */
function neededAs({ object, phase }: OrderedTask): string | undefined {
  if (phase !== 'Sync') return undefined;
  const { group } = splitApiVersion(object.apiVersion);
  if (object.kind === 'Namespace' && group === '') return `namespace ${object.metadata.name}`;
  if (object.kind !== 'CustomResourceDefinition' || group !== 'apiextensions.k8s.io') return undefined;
  const spec = object['spec'] as { group?: string; names?: { kind?: string } } | undefined;
  return `kind ${spec?.group ?? ''}/${spec?.names?.kind ?? ''}`;
}

function noteFirst(first: Map<string, number>, need: string, index: number): void {
  if (!first.has(need)) first.set(need, index);
}

function numbered(tasks: readonly OrderedTask[]): OrderedTask[] {
  return tasks.map((task, order) => ({ ...task, order }));
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

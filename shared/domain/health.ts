import { batchRules } from './health-rules/batch.ts';
import { clusterRules } from './health-rules/cluster.ts';
import { genericHealth } from './health-rules/generic.ts';
import { networkRules } from './health-rules/network.ts';
import { podHealth } from './health-rules/pod.ts';
import { type HealthRule, read } from './health-rules/read.ts';
import { workloadRules } from './health-rules/workload.ts';
import { hookFinalizer } from './hooks.ts';
import { type KubeObject, splitApiVersion } from './kube-object.ts';
import { type Health, healthStatuses } from './status.ts';

/** Rules of kinds that are known, by `group/Kind`; Argo CD's words and messages (argo-cd.md §2.8). */
const rules: ReadonlyMap<string, HealthRule> = new Map<string, HealthRule>([
  ...workloadRules,
  ['/Pod', podHealth],
  ...batchRules,
  ...networkRules,
  ...clusterRules,
]);

const rank = new Map(healthStatuses.map((status, index) => [status, index]));

/**
 * The health of one live object, from the object alone. undefined: its kind has no health (ConfigMap, Role…), which counts
 * as healthy. An object that is being deleted is Progressing, whatever its kind. Kinds without a rule follow kstatus
 * (flux.md §2.7). An object that is not as its kind says is Unknown; nothing is thrown.
 */
export function computeHealth(object: KubeObject): Health | undefined {
  const view = read(object);
  const deletion = deletionHealth(object);
  if (deletion !== undefined) return deletion;
  const { group } = splitApiVersion(object.apiVersion);
  const rule = rules.get(`${group}/${object.kind}`) ?? genericHealth;
  try {
    return rule(view);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return { status: 'Unknown', message: `the ${object.kind} has fields of a shape that its kind does not have` };
  }
}

/**
 * The health of a whole: the worst part wins, in Argo CD's order; its message comes along. Parts without health are left
 * out; nothing at all is Healthy.
 */
export function aggregateHealth(parts: Iterable<Health | undefined>): Health {
  let worst: Health = { status: 'Healthy' };
  for (const part of parts) {
    if (part !== undefined && rankOf(part) > rankOf(worst)) worst = part;
  }
  return worst;
}

function rankOf(health: Health): number {
  return rank.get(health.status) ?? healthStatuses.length;
}

function deletionHealth({ metadata }: KubeObject): Health | undefined {
  if (metadata.deletionTimestamp === undefined || metadata.deletionTimestamp === null) return undefined;
  const finalizers = Array.isArray(metadata['finalizers']) ? metadata['finalizers'].map(String) : [];
  // A hook that is done and only held by its finalizer keeps its own health (argo-cd.md §2.8).
  if (finalizers.includes(hookFinalizer)) return undefined;
  return { status: 'Progressing', message: 'Pending deletion' };
}

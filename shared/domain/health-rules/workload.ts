import type { Health } from '../status.ts';
import { conditionOf, countIn, health, type HealthRule, numberIn, objectIn, type ObjectView, textIn } from './read.ts';

/** Workloads of the group apps: Argo CD's rules, which are those of `kubectl rollout status`. */
export const workloadRules: readonly (readonly [string, HealthRule])[] = [
  ['apps/Deployment', deploymentHealth],
  ['apps/StatefulSet', statefulSetHealth],
  ['apps/DaemonSet', daemonSetHealth],
  ['apps/ReplicaSet', replicaSetHealth],
];

function deploymentHealth(view: ObjectView): Health {
  const { spec, status } = view;
  if (spec['paused'] === true) return health('Suspended', 'Deployment is paused');
  if (view.generation > (view.observedGeneration ?? 0)) {
    return waiting('observed deployment generation less than desired generation');
  }
  if (conditionOf(view, 'Progressing')?.reason === 'ProgressDeadlineExceeded') {
    return health('Degraded', `Deployment ${JSON.stringify(view.name)} exceeded its progress deadline`);
  }
  const wanted = numberIn(spec, 'replicas');
  const updated = countIn(status, 'updatedReplicas');
  const total = countIn(status, 'replicas');
  const available = countIn(status, 'availableReplicas');
  if (wanted !== undefined && updated < wanted) {
    return waiting(`${updated} out of ${wanted} new replicas have been updated...`);
  }
  if (total > updated) return waiting(`${total - updated} old replicas are pending termination...`);
  if (available < updated) return waiting(`${available} of ${updated} updated replicas are available...`);
  return health('Healthy');
}

function statefulSetHealth(view: ObjectView): Health {
  const { spec, status } = view;
  const observed = view.observedGeneration ?? 0;
  if (observed === 0 || view.generation > observed) {
    return health('Progressing', 'Waiting for statefulset spec update to be observed...');
  }
  const wanted = numberIn(spec, 'replicas');
  const ready = countIn(status, 'readyReplicas');
  if (wanted !== undefined && ready < wanted) {
    return health('Progressing', `Waiting for ${wanted - ready} pods to be ready...`);
  }
  const strategy = objectIn(spec, 'updateStrategy');
  const updated = countIn(status, 'updatedReplicas');
  if (textIn(strategy, 'type') === 'RollingUpdate' && strategy['rollingUpdate'] != null) {
    const partition = numberIn(objectIn(strategy, 'rollingUpdate'), 'partition');
    if (wanted !== undefined && partition !== undefined && updated < wanted - partition) {
      const message = `${updated} out of ${wanted - partition} new pods have been updated...`;
      return health('Progressing', `Waiting for partitioned roll out to finish: ${message}`);
    }
    return health('Healthy', `partitioned roll out complete: ${updated} new pods have been updated...`);
  }
  if (textIn(strategy, 'type') === 'OnDelete') return health('Healthy', `statefulset has ${ready} ready pods`);
  const next = textIn(status, 'updateRevision');
  const current = textIn(status, 'currentRevision');
  if (next !== current) {
    return health(
      'Progressing',
      `waiting for statefulset rolling update to complete ${updated} pods at revision ${next}...`,
    );
  }
  const running = countIn(status, 'currentReplicas');
  return health('Healthy', `statefulset rolling update complete ${running} pods at revision ${current}...`);
}

function daemonSetHealth(view: ObjectView): Health {
  const { spec, status } = view;
  if (view.generation > (view.observedGeneration ?? 0)) {
    return waiting('observed daemon set generation less than desired generation');
  }
  const wanted = countIn(status, 'desiredNumberScheduled');
  const updated = countIn(status, 'updatedNumberScheduled');
  const available = countIn(status, 'numberAvailable');
  if (textIn(objectIn(spec, 'updateStrategy'), 'type') === 'OnDelete') {
    return health('Healthy', `daemon set ${updated} out of ${wanted} new pods have been updated`);
  }
  const rollout = `Waiting for daemon set ${JSON.stringify(view.name)} rollout to finish:`;
  if (updated < wanted) {
    return health('Progressing', `${rollout} ${updated} out of ${wanted} new pods have been updated...`);
  }
  if (available < wanted) {
    return health('Progressing', `${rollout} ${available} of ${wanted} updated pods are available...`);
  }
  return health('Healthy');
}

function replicaSetHealth(view: ObjectView): Health {
  const { spec, status } = view;
  if (view.generation > (view.observedGeneration ?? 0)) {
    return waiting('observed replica set generation less than desired generation');
  }
  const failure = conditionOf(view, 'ReplicaFailure');
  if (failure?.status === 'True') return health('Degraded', failure.message);
  const wanted = numberIn(spec, 'replicas');
  const available = countIn(status, 'availableReplicas');
  if (wanted !== undefined && available < wanted) {
    return waiting(`${available} out of ${wanted} new replicas are available...`);
  }
  return health('Healthy');
}

function waiting(message: string): Health {
  return health('Progressing', `Waiting for rollout to finish: ${message}`);
}

import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { aggregateHealth, computeHealth } from '#shared/domain/health.ts';
import type { KubeObject } from '#shared/domain/kube-object.ts';
import type { Health, HealthStatus } from '#shared/domain/status.ts';

type Row = [what: string, yaml: string, status: HealthStatus | undefined, message?: string];

/** The object that a row means: kind line, then YAML of everything but apiVersion, kind and name. */
function objectOf(kind: string, yaml: string): KubeObject {
  const [apiVersion = '', name = ''] = kind.split(' ');
  const rest = (parse(yaml) ?? {}) as { metadata?: object };
  return { apiVersion, kind: name, ...rest, metadata: { name: 'web', ...rest.metadata } };
}

function rows(kind: string, table: Row[]): void {
  describe(kind, () => {
    it.each(table)('%s', (_what, yaml, status, message) => {
      const health = computeHealth(objectOf(kind, yaml));
      const wanted = status === undefined ? undefined : message === undefined ? { status } : { status, message };
      expect(health).toEqual(wanted);
    });
  });
}

const waiting = 'Waiting for rollout to finish:';

rows('apps/v1 Deployment', [
  [
    'is Healthy when all replicas are updated and available',
    `{metadata: {generation: 2}, spec: {replicas: 3}, status: {observedGeneration: 2, replicas: 3, updatedReplicas: 3, availableReplicas: 3}}`,
    'Healthy',
  ],
  ['is Suspended when paused', `{spec: {paused: true, replicas: 1}}`, 'Suspended', 'Deployment is paused'],
  [
    'is Progressing before its controller has seen the spec',
    `{metadata: {generation: 3}, spec: {replicas: 1}, status: {observedGeneration: 2}}`,
    'Progressing',
    `${waiting} observed deployment generation less than desired generation`,
  ],
  [
    'is Progressing without any status',
    `{metadata: {generation: 1}, spec: {replicas: 1}}`,
    'Progressing',
    `${waiting} observed deployment generation less than desired generation`,
  ],
  [
    'is Degraded past its progress deadline',
    `{metadata: {generation: 1}, spec: {replicas: 1}, status: {observedGeneration: 1, updatedReplicas: 1, conditions: [{type: Progressing, status: "False", reason: ProgressDeadlineExceeded}]}}`,
    'Degraded',
    'Deployment "web" exceeded its progress deadline',
  ],
  [
    'waits for new replicas',
    `{metadata: {generation: 1}, spec: {replicas: 3}, status: {observedGeneration: 1, updatedReplicas: 1}}`,
    'Progressing',
    `${waiting} 1 out of 3 new replicas have been updated...`,
  ],
  [
    'waits for old replicas to go',
    `{metadata: {generation: 1}, spec: {replicas: 2}, status: {observedGeneration: 1, replicas: 3, updatedReplicas: 2, availableReplicas: 2}}`,
    'Progressing',
    `${waiting} 1 old replicas are pending termination...`,
  ],
  [
    'waits for replicas to be available',
    `{metadata: {generation: 1}, spec: {replicas: 2}, status: {observedGeneration: 1, replicas: 2, updatedReplicas: 2, availableReplicas: 1}}`,
    'Progressing',
    `${waiting} 1 of 2 updated replicas are available...`,
  ],
  ['is Healthy when scaled to nothing', `{spec: {replicas: 0}, status: {}}`, 'Healthy'],
  [
    'is Progressing while it is being deleted, whatever its replicas say',
    `{metadata: {generation: 1, deletionTimestamp: "2026-01-01T00:00:00Z", finalizers: [foregroundDeletion]}, spec: {paused: true}}`,
    'Progressing',
    'Pending deletion',
  ],
]);

rows('apps/v1 StatefulSet', [
  [
    'is Progressing before its spec was observed',
    `{metadata: {generation: 1}, spec: {replicas: 1}, status: {}}`,
    'Progressing',
    'Waiting for statefulset spec update to be observed...',
  ],
  [
    'waits for pods',
    `{metadata: {generation: 1}, spec: {replicas: 3}, status: {observedGeneration: 1, readyReplicas: 1}}`,
    'Progressing',
    'Waiting for 2 pods to be ready...',
  ],
  [
    'waits for its partition',
    `{metadata: {generation: 1}, spec: {replicas: 4, updateStrategy: {type: RollingUpdate, rollingUpdate: {partition: 1}}}, status: {observedGeneration: 1, readyReplicas: 4, updatedReplicas: 2}}`,
    'Progressing',
    'Waiting for partitioned roll out to finish: 2 out of 3 new pods have been updated...',
  ],
  [
    'is Healthy when its partition is updated',
    `{metadata: {generation: 1}, spec: {replicas: 4, updateStrategy: {type: RollingUpdate, rollingUpdate: {partition: 1}}}, status: {observedGeneration: 1, readyReplicas: 4, updatedReplicas: 3}}`,
    'Healthy',
    'partitioned roll out complete: 3 new pods have been updated...',
  ],
  [
    'is Healthy with OnDelete',
    `{metadata: {generation: 1}, spec: {replicas: 1, updateStrategy: {type: OnDelete}}, status: {observedGeneration: 1, readyReplicas: 1, updateRevision: b, currentRevision: a}}`,
    'Healthy',
    'statefulset has 1 ready pods',
  ],
  [
    'waits for the newest revision',
    `{metadata: {generation: 1}, spec: {replicas: 1, updateStrategy: {type: RollingUpdate}}, status: {observedGeneration: 1, readyReplicas: 1, updatedReplicas: 0, updateRevision: b, currentRevision: a}}`,
    'Progressing',
    'waiting for statefulset rolling update to complete 0 pods at revision b...',
  ],
  [
    'is Healthy at one revision',
    `{metadata: {generation: 1}, spec: {replicas: 1}, status: {observedGeneration: 1, readyReplicas: 1, currentReplicas: 1, updateRevision: a, currentRevision: a}}`,
    'Healthy',
    'statefulset rolling update complete 1 pods at revision a...',
  ],
]);

rows('apps/v1 DaemonSet', [
  [
    'is Progressing before its spec was observed',
    `{metadata: {generation: 2}, status: {observedGeneration: 1}}`,
    'Progressing',
    `${waiting} observed daemon set generation less than desired generation`,
  ],
  [
    'is Healthy with OnDelete',
    `{metadata: {generation: 1}, spec: {updateStrategy: {type: OnDelete}}, status: {observedGeneration: 1, desiredNumberScheduled: 3, updatedNumberScheduled: 1}}`,
    'Healthy',
    'daemon set 1 out of 3 new pods have been updated',
  ],
  [
    'waits for updates',
    `{metadata: {generation: 1}, status: {observedGeneration: 1, desiredNumberScheduled: 3, updatedNumberScheduled: 1}}`,
    'Progressing',
    'Waiting for daemon set "web" rollout to finish: 1 out of 3 new pods have been updated...',
  ],
  [
    'waits for availability',
    `{metadata: {generation: 1}, status: {observedGeneration: 1, desiredNumberScheduled: 3, updatedNumberScheduled: 3, numberAvailable: 2}}`,
    'Progressing',
    'Waiting for daemon set "web" rollout to finish: 2 of 3 updated pods are available...',
  ],
  [
    'is Healthy on every node',
    `{metadata: {generation: 1}, status: {observedGeneration: 1, desiredNumberScheduled: 3, updatedNumberScheduled: 3, numberAvailable: 3}}`,
    'Healthy',
  ],
  ['is Healthy where no node wants it', `{status: {observedGeneration: 1}}`, 'Healthy'],
]);

rows('apps/v1 ReplicaSet', [
  [
    'is Degraded when it cannot make replicas',
    `{metadata: {generation: 1}, spec: {replicas: 1}, status: {observedGeneration: 1, conditions: [{type: ReplicaFailure, status: "True", message: quota exceeded}]}}`,
    'Degraded',
    'quota exceeded',
  ],
  [
    'waits for replicas',
    `{metadata: {generation: 1}, spec: {replicas: 2}, status: {observedGeneration: 1, availableReplicas: 1}}`,
    'Progressing',
    `${waiting} 1 out of 2 new replicas are available...`,
  ],
  [
    'is Healthy with all replicas',
    `{metadata: {generation: 1}, spec: {replicas: 2}, status: {observedGeneration: 1, availableReplicas: 2}}`,
    'Healthy',
  ],
]);

rows('v1 Pod', [
  [
    'is Degraded when a container backs off',
    `{spec: {restartPolicy: Always}, status: {phase: Pending, containerStatuses: [{state: {waiting: {reason: ImagePullBackOff, message: no such image}}}]}}`,
    'Degraded',
    'no such image',
  ],
  [
    'is Degraded when a container cannot be configured',
    `{spec: {restartPolicy: Always}, status: {phase: Pending, containerStatuses: [{state: {waiting: {reason: CreateContainerConfigError, message: secret not found}}}]}}`,
    'Degraded',
    'secret not found',
  ],
  [
    'is Degraded when the image has a wrong name',
    `{spec: {restartPolicy: Always}, status: {phase: Pending, containerStatuses: [{state: {waiting: {reason: ErrImagePull, message: denied}}}]}}`,
    'Degraded',
    'denied',
  ],
  [
    'is Progressing while a container is being created',
    `{spec: {restartPolicy: Always}, status: {phase: Pending, containerStatuses: [{state: {waiting: {reason: ContainerCreating}}}]}}`,
    'Progressing',
  ],
  [
    'is Progressing while a pod that ends by itself waits for its image: it may still start',
    `{spec: {restartPolicy: Never}, status: {phase: Pending, containerStatuses: [{state: {waiting: {reason: ImagePullBackOff, message: x}}}]}}`,
    'Progressing',
  ],
  [
    'judges the containers of such a pod when asked to, unless it is a hook',
    `{metadata: {annotations: {argocd.argoproj.io/ignore-restart-policy: "true"}}, spec: {restartPolicy: Never}, status: {phase: Pending, containerStatuses: [{state: {waiting: {reason: ImagePullBackOff, message: x}}}]}}`,
    'Degraded',
    'x',
  ],
  [
    'does not judge a hook pod by its containers',
    `{metadata: {annotations: {argocd.argoproj.io/hook: PreSync, argocd.argoproj.io/ignore-restart-policy: "true"}}, spec: {restartPolicy: Never}, status: {phase: Pending, containerStatuses: [{state: {waiting: {reason: ImagePullBackOff, message: x}}}]}}`,
    'Progressing',
  ],
  [
    'is Healthy when running and ready',
    `{spec: {restartPolicy: Always}, status: {phase: Running, conditions: [{type: Ready, status: "True"}]}}`,
    'Healthy',
  ],
  [
    'is Progressing when running and not ready',
    `{spec: {restartPolicy: Always}, status: {phase: Running, conditions: [{type: Ready, status: "False"}]}}`,
    'Progressing',
  ],
  [
    'is Degraded when running, not ready and restarted',
    `{spec: {restartPolicy: Always}, status: {phase: Running, containerStatuses: [{lastState: {terminated: {exitCode: 1}}}]}}`,
    'Degraded',
  ],
  [
    'is Progressing while it runs to its end',
    `{spec: {restartPolicy: OnFailure}, status: {phase: Running}}`,
    'Progressing',
  ],
  ['is Healthy when it succeeded', `{spec: {restartPolicy: Never}, status: {phase: Succeeded}}`, 'Healthy'],
  [
    'is Degraded with its own message',
    `{spec: {restartPolicy: Never}, status: {phase: Failed, message: evicted}}`,
    'Degraded',
    'evicted',
  ],
  [
    'is Degraded with the exit code of the container that failed',
    `{spec: {restartPolicy: Never}, status: {phase: Failed, containerStatuses: [{name: job, state: {terminated: {exitCode: 3}}}]}}`,
    'Degraded',
    'container "job" failed with exit code 3',
  ],
  [
    'is Degraded with OOMKilled',
    `{spec: {restartPolicy: Never}, status: {phase: Failed, initContainerStatuses: [{name: a, state: {terminated: {reason: OOMKilled, exitCode: 137}}}]}}`,
    'Degraded',
    'OOMKilled',
  ],
  ['is Unknown in an unknown phase', `{spec: {restartPolicy: Always}, status: {phase: Unknown}}`, 'Unknown'],
]);

rows('batch/v1 Job', [
  ['is Progressing without conditions', `{}`, 'Progressing'],
  [
    'is Healthy when complete',
    `{status: {conditions: [{type: Complete, status: "True", message: done}]}}`,
    'Healthy',
    'done',
  ],
  [
    'is Degraded when failed',
    `{status: {conditions: [{type: Failed, status: "True", message: BackoffLimitExceeded}]}}`,
    'Degraded',
    'BackoffLimitExceeded',
  ],
  [
    'is Suspended',
    `{status: {conditions: [{type: Suspended, status: "True", message: Job suspended}]}}`,
    'Suspended',
    'Job suspended',
  ],
  [
    'is Progressing again after it was resumed',
    `{status: {conditions: [{type: Suspended, status: "False", message: Job resumed}]}}`,
    'Progressing',
  ],
  [
    'keeps its own health while only the hook finalizer holds it',
    `{metadata: {deletionTimestamp: "2026-01-01T00:00:00Z", finalizers: [argocd.argoproj.io/hook-finalizer]}, status: {conditions: [{type: Complete, status: "True"}]}}`,
    'Healthy',
  ],
]);

rows('batch/v1 CronJob', [
  ['is Suspended', `{spec: {suspend: true}}`, 'Suspended', 'CronJob is Suspended'],
  ['is Progressing without status', `{spec: {}}`, 'Progressing', 'Waiting for CronJob'],
  ['is Healthy before its first run', `{spec: {}, status: {}}`, 'Healthy', 'CronJob has not been scheduled yet'],
  [
    'is Degraded when its last run failed',
    `{spec: {}, status: {lastScheduleTime: "2026-01-02T00:00:00Z", lastSuccessfulTime: "2026-01-01T00:00:00Z"}}`,
    'Degraded',
    'CronJob has not completed its last execution successfully',
  ],
  [
    'is Healthy while a run is under way',
    `{spec: {}, status: {active: [{name: x}], lastScheduleTime: "2026-01-02T00:00:00Z", lastSuccessfulTime: "2026-01-01T00:00:00Z"}}`,
    'Healthy',
    'The job is running. Its last execution may not have been successful',
  ],
  [
    'is Healthy after a good run',
    `{spec: {}, status: {lastScheduleTime: "2026-01-01T00:00:00Z", lastSuccessfulTime: "2026-01-01T00:00:09Z"}}`,
    'Healthy',
    'CronJob has completed its last execution successfully',
  ],
]);

rows('v1 Service', [
  ['is Healthy with a cluster address', `{spec: {type: ClusterIP}}`, 'Healthy'],
  ['waits for its load balancer', `{spec: {type: LoadBalancer}, status: {loadBalancer: {}}}`, 'Progressing'],
  [
    'is Healthy with a load balancer',
    `{spec: {type: LoadBalancer}, status: {loadBalancer: {ingress: [{ip: 1.2.3.4}]}}}`,
    'Healthy',
  ],
]);

rows('networking.k8s.io/v1 Ingress', [
  ['waits for an address', `{status: {loadBalancer: {}}}`, 'Progressing'],
  ['is Healthy with an address', `{status: {loadBalancer: {ingress: [{hostname: a}]}}}`, 'Healthy'],
]);

rows('v1 PersistentVolumeClaim', [
  ['is Healthy when bound', `{status: {phase: Bound}}`, 'Healthy'],
  ['is Progressing when pending', `{status: {phase: Pending}}`, 'Progressing'],
  ['is Degraded when lost', `{status: {phase: Lost}}`, 'Degraded'],
  ['is Unknown without a phase', `{}`, 'Unknown'],
]);

rows('autoscaling/v2 HorizontalPodAutoscaler', [
  ['is Progressing without conditions', `{}`, 'Progressing', 'Waiting to Autoscale'],
  [
    'is Degraded when it cannot scale',
    `{status: {conditions: [{type: AbleToScale, status: "False", reason: FailedGetScale, message: no target}]}}`,
    'Degraded',
    'no target',
  ],
  [
    'is Degraded without metrics, when that is said first',
    `{status: {conditions: [{type: ScalingActive, status: "False", reason: FailedGetResourceMetric, message: no metrics}, {type: AbleToScale, status: "True", message: ok}]}}`,
    'Degraded',
    'no metrics',
  ],
  [
    'is Healthy when able to scale',
    `{status: {conditions: [{type: AbleToScale, status: "True", reason: ReadyForNewScale, message: ready}]}}`,
    'Healthy',
    'ready',
  ],
]);

rows('autoscaling/v1 HorizontalPodAutoscaler', [
  [
    'reads conditions from its annotation',
    `{metadata: {annotations: {autoscaling.alpha.kubernetes.io/conditions: '[{"type":"ScalingLimited","status":"True","message":"at most"}]'}}}`,
    'Healthy',
    'at most',
  ],
  [
    'is Progressing where the annotation is damaged',
    `{metadata: {annotations: {autoscaling.alpha.kubernetes.io/conditions: '{'}}}`,
    'Progressing',
    'Waiting to Autoscale',
  ],
]);

rows('apiregistration.k8s.io/v1 APIService', [
  ['is Progressing at first', `{}`, 'Progressing', 'Waiting to be processed'],
  [
    'is Healthy when available',
    `{status: {conditions: [{type: Available, status: "True", reason: Passed, message: all checks passed}]}}`,
    'Healthy',
    'Passed: all checks passed',
  ],
  [
    'is Progressing when not available',
    `{status: {conditions: [{type: Available, status: "False", reason: Missing, message: no endpoints}]}}`,
    'Progressing',
    'Missing: no endpoints',
  ],
]);

rows('apiextensions.k8s.io/v1 CustomResourceDefinition', [
  ['is Progressing at first', `{}`, 'Progressing', 'Status conditions not found'],
  [
    'is Healthy when established',
    `{status: {conditions: [{type: Established, status: "True"}]}}`,
    'Healthy',
    'CRD is healthy',
  ],
  [
    'is Degraded when its names are taken',
    `{status: {conditions: [{type: NamesAccepted, status: "False", message: taken}, {type: Established, status: "False"}]}}`,
    'Degraded',
    'CRD names have not been accepted: taken',
  ],
]);

rows('policy/v1 PodDisruptionBudget', [
  ['is Progressing at first', `{}`, 'Progressing', 'Waiting for status'],
  [
    'is Healthy with enough pods',
    `{status: {conditions: [{type: DisruptionAllowed, status: "True", reason: SufficientPods}]}}`,
    'Healthy',
    'PodDisruptionBudget has SufficientPods',
  ],
  [
    'is Healthy with too few pods: that may be wanted',
    `{status: {conditions: [{type: DisruptionAllowed, status: "False", reason: InsufficientPods}]}}`,
    'Healthy',
    'PodDisruptionBudget has InsufficientPods',
  ],
  [
    'is Degraded when it cannot be reckoned',
    `{status: {conditions: [{type: DisruptionAllowed, status: "False", reason: SyncFailed}]}}`,
    'Degraded',
    'PodDisruptionBudget has SyncFailed',
  ],
]);

rows('v1 Namespace', [
  ['has no health while it is active', `{status: {phase: Active}}`, undefined],
  ['is Progressing while it is terminating', `{status: {phase: Terminating}}`, 'Progressing', 'Pending deletion'],
]);

rows('v1 ConfigMap', [['has no health', `{data: {a: b}}`, undefined]]);
rows('v1 Secret', [
  [
    'is Progressing while it is being deleted',
    `{metadata: {deletionTimestamp: "2026-01-01T00:00:00Z"}}`,
    'Progressing',
    'Pending deletion',
  ],
]);

rows('example.com/v1 Thing', [
  ['has no health where it says nothing of itself', `{spec: {a: 1}}`, undefined],
  ['has no health with a status that tells nothing', `{metadata: {generation: 2}, status: {count: 3}}`, undefined],
  [
    'is Progressing until its controller has seen the newest spec',
    `{metadata: {generation: 2}, status: {observedGeneration: 1, conditions: [{type: Ready, status: "True"}]}}`,
    'Progressing',
    'generation is 2, but latest observed generation is 1',
  ],
  [
    'ignores an observed generation that is no number',
    `{metadata: {generation: 2}, status: {observedGeneration: "1"}}`,
    undefined,
  ],
  [
    'is Progressing while it reconciles',
    `{status: {conditions: [{type: Reconciling, status: "True", message: at work}, {type: Ready, status: "True"}]}}`,
    'Progressing',
    'at work',
  ],
  [
    'is Degraded when it is stuck',
    `{status: {conditions: [{type: Ready, status: "False", message: no}, {type: Stalled, status: "True", message: stuck}]}}`,
    'Degraded',
    'stuck',
  ],
  [
    'is Healthy when ready',
    `{status: {conditions: [{type: Ready, status: "True", message: fine}]}}`,
    'Healthy',
    'fine',
  ],
  [
    'is Progressing when not ready',
    `{status: {conditions: [{type: Ready, status: "False", reason: Waiting}]}}`,
    'Progressing',
    'Waiting',
  ],
  ['is Progressing when nobody knows', `{status: {conditions: [{type: Ready, status: Unknown}]}}`, 'Progressing'],
  [
    'follows Available where there is no Ready',
    `{status: {conditions: [{type: Available, status: "True"}]}}`,
    'Healthy',
  ],
]);

describe('an object of an impossible shape', () => {
  it.each([
    '{status: text}',
    '{status: {conditions: text}, spec: []}',
    '{spec: null, status: null}',
    '{status: {conditions: [1, null]}}',
  ])('gets a health and throws nothing: %s', (yaml) => {
    for (const kind of [
      'apps/v1 Deployment',
      'v1 Pod',
      'batch/v1 CronJob',
      'example.com/v1 Thing',
      'autoscaling/v1 HorizontalPodAutoscaler',
    ]) {
      expect(() => computeHealth(objectOf(kind, yaml))).not.toThrow();
    }
  });
});

describe('the health of a whole', () => {
  const of = (status: HealthStatus, message?: string): Health =>
    message === undefined ? { status } : { status, message };

  it('is that of the worst part, in the order Healthy, Suspended, Progressing, Missing, Degraded, Unknown', () => {
    const order: HealthStatus[] = ['Healthy', 'Suspended', 'Progressing', 'Missing', 'Degraded', 'Unknown'];
    for (const [index, worse] of order.entries()) {
      for (const better of order.slice(0, index + 1)) {
        expect(aggregateHealth([of(better), of(worse)]).status).toBe(worse);
        expect(aggregateHealth([of(worse), of(better)]).status).toBe(worse);
      }
    }
  });

  it('carries the message of the first of the worst parts', () => {
    expect(aggregateHealth([of('Progressing', 'a'), of('Degraded', 'b'), of('Degraded', 'c')])).toEqual(
      of('Degraded', 'b'),
    );
  });

  it('leaves parts without health out, and is Healthy with nothing', () => {
    expect(aggregateHealth([undefined, of('Healthy'), undefined])).toEqual(of('Healthy'));
    expect(aggregateHealth([])).toEqual(of('Healthy'));
  });
});

import type { KubeObject } from '#shared/domain/kube-object.ts';

/** A Deployment of ordinary size as people write it, and as the API server gives it back. */
export function deploymentPair(): { desired: KubeObject; live: KubeObject } {
  const labels = { app: 'web', 'app.kubernetes.io/name': 'web' };
  const container = {
    name: 'web',
    image: 'registry.example.com/shop/web:1.42.0',
    args: ['--port=8080', '--log=json'],
    ports: [
      { name: 'http', containerPort: 8080 },
      { name: 'metrics', containerPort: 9090 },
    ],
    env: Array.from({ length: 12 }, (_, index) => ({ name: `SETTING_${index}`, value: `value-${index}` })),
    resources: { limits: { cpu: '1000m', memory: '1Gi' }, requests: { cpu: 0.5, memory: '512Mi' } },
    readinessProbe: { httpGet: { path: '/healthz', port: 'http' }, initialDelaySeconds: 0, periodSeconds: 5 },
    volumeMounts: [
      { name: 'config', mountPath: '/etc/web', readOnly: false },
      { name: 'tmp', mountPath: '/tmp' },
    ],
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
  };
  const desired = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      name: 'web',
      namespace: 'shop',
      labels: { ...labels, team: 'shop' },
      annotations: { 'example.com/owner': 'ada' },
    },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: 'web' } },
      strategy: { rollingUpdate: { maxSurge: '25%', maxUnavailable: 0 } },
      template: {
        metadata: { labels, creationTimestamp: null },
        spec: {
          serviceAccountName: 'web',
          hostNetwork: false,
          containers: [container],
          volumes: [
            { name: 'config', configMap: { name: 'web' } },
            { name: 'tmp', emptyDir: {} },
          ],
        },
      },
    },
  };
  const { env, ports, resources: _, ...rest } = container;
  const served = {
    ...rest,
    env,
    ports: ports.map((port) => ({ ...port, protocol: 'TCP' })),
    resources: { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '500m', memory: '512Mi' } },
    readinessProbe: {
      httpGet: { path: '/healthz', port: 'http', scheme: 'HTTP' },
      timeoutSeconds: 1,
      periodSeconds: 5,
      successThreshold: 1,
      failureThreshold: 3,
    },
    volumeMounts: [
      { name: 'config', mountPath: '/etc/web' },
      { name: 'tmp', mountPath: '/tmp' },
    ],
    imagePullPolicy: 'IfNotPresent',
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
  };
  const live = {
    ...desired,
    metadata: {
      ...desired.metadata,
      uid: 'u',
      resourceVersion: '12345',
      generation: 4,
      creationTimestamp: '2026-01-01T00:00:00Z',
      managedFields: [{ manager: 'hawser', operation: 'Apply' }],
    },
    spec: {
      ...desired.spec,
      revisionHistoryLimit: 10,
      progressDeadlineSeconds: 600,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: 0 } },
      template: {
        metadata: { labels },
        spec: {
          containers: [served],
          volumes: [
            { name: 'config', configMap: { name: 'web', defaultMode: 420 } },
            { name: 'tmp', emptyDir: {} },
          ],
          serviceAccountName: 'web',
          serviceAccount: 'web',
          restartPolicy: 'Always',
          terminationGracePeriodSeconds: 30,
          dnsPolicy: 'ClusterFirst',
          schedulerName: 'default-scheduler',
          securityContext: {},
        },
      },
    },
    status: { observedGeneration: 4, replicas: 3, updatedReplicas: 3, readyReplicas: 3, availableReplicas: 3 },
  };
  return { desired: desired as unknown as KubeObject, live: live as unknown as KubeObject };
}

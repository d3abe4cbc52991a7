import { stringify } from 'yaml';
import { kubeconfigOf, type SandboxPaths } from './data-dir.ts';
import type { SandboxPorts } from './ports.ts';

/** Who the cluster says it is in ServiceAccount tokens; the same for every sandbox, as in most real clusters. */
export const serviceAccountIssuer = 'https://kubernetes.default.svc.cluster.local';

/** Nodes never send a heartbeat, so the time after which one counts as lost must never come. */
const nodeGracePeriod = '87600h';

/** etcd: one member, no fsync (a power cut may cost the sandbox, nothing else). */
export function etcdArgs(paths: SandboxPaths, ports: SandboxPorts): string[] {
  const client = `http://127.0.0.1:${ports.etcd}`;
  return [
    '--name=sandbox',
    `--data-dir=${paths.etcdData}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    '--listen-peer-urls=http://127.0.0.1:0',
    '--unsafe-no-fsync',
    // The only member elects itself after the election timeout: the default is a second of every start.
    '--heartbeat-interval=40',
    '--election-timeout=200',
    '--quota-backend-bytes=4294967296',
    '--log-level=warn',
  ];
}

/** kube-apiserver: RBAC, static tokens, limits that a burst of applies on a small machine does not hit. */
export function apiserverArgs(paths: SandboxPaths, ports: SandboxPorts, auditLog: boolean): string[] {
  const audit = auditLog ? [`--audit-policy-file=${paths.auditPolicy}`, `--audit-log-path=${paths.auditLog}`] : [];
  return [
    `--etcd-servers=http://127.0.0.1:${ports.etcd}`,
    '--bind-address=127.0.0.1',
    '--advertise-address=127.0.0.1',
    `--secure-port=${ports.apiserver}`,
    `--cert-dir=${paths.certs}`,
    `--token-auth-file=${paths.tokenFile}`,
    '--authorization-mode=RBAC',
    '--allow-privileged=true',
    '--service-cluster-ip-range=10.96.0.0/12',
    `--service-account-issuer=${serviceAccountIssuer}`,
    `--service-account-key-file=${paths.serviceAccountPublicKey}`,
    `--service-account-signing-key-file=${paths.serviceAccountKey}`,
    // Nodes are created ready: a taint until a controller has looked would only delay the first pods.
    '--disable-admission-plugins=TaintNodesByCondition',
    '--max-requests-inflight=3000',
    '--max-mutating-requests-inflight=1500',
    // One server, on a loopback address that an Endpoints object may not hold: with these off an idle
    // sandbox writes nothing, where they would try every ten seconds.
    '--endpoint-reconciler-type=none',
    '--feature-gates=APIServerIdentity=false',
    '--profiling=false',
    ...audit,
  ];
}

/** kube-controller-manager: no election, no throttling of its own requests, volumes from folders below /tmp. */
export function controllerManagerArgs(paths: SandboxPaths): string[] {
  return [
    `--kubeconfig=${kubeconfigOf(paths, 'kube-controller-manager')}`,
    '--leader-elect=false',
    '--secure-port=0',
    `--service-account-private-key-file=${paths.serviceAccountKey}`,
    `--root-ca-file=${paths.servingCert}`,
    '--enable-hostpath-provisioner=true',
    `--node-monitor-grace-period=${nodeGracePeriod}`,
    '--kube-api-qps=2000',
    '--kube-api-burst=4000',
    '--concurrent-deployment-syncs=10',
    '--concurrent-replicaset-syncs=10',
    '--concurrent-statefulset-syncs=10',
    '--concurrent-job-syncs=10',
    '--profiling=false',
  ];
}

/** kube-scheduler: all that matters is in its configuration file. */
export function schedulerArgs(paths: SandboxPaths): string[] {
  return [`--config=${paths.schedulerConfig}`, '--secure-port=0'];
}

/** KWOK: the committed stages, pod addresses from a range that does not run out. */
export function kwokArgs(paths: SandboxPaths, stages: string): string[] {
  return [`--kubeconfig=${kubeconfigOf(paths, 'kwok')}`, `--config=${stages}`, '--cidr=10.244.0.1/15', '--node-port=0'];
}

/** The scheduler's configuration file: no election, no throttling. */
export function renderSchedulerConfig(paths: SandboxPaths): string {
  return stringify({
    apiVersion: 'kubescheduler.config.k8s.io/v1',
    kind: 'KubeSchedulerConfiguration',
    leaderElection: { leaderElect: false },
    clientConnection: { kubeconfig: kubeconfigOf(paths, 'kube-scheduler'), qps: 2000, burst: 4000 },
    enableProfiling: false,
  });
}

/** The audit policy: who asked for what, once per request and twice per watch (start and end), no bodies. */
export function renderAuditPolicy(): string {
  return stringify({
    apiVersion: 'audit.k8s.io/v1',
    kind: 'Policy',
    omitStages: ['RequestReceived'],
    rules: [{ level: 'Metadata' }],
  });
}

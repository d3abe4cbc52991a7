import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { createKubeClient, type KubeClient } from '#localstack/cluster/kube-client.ts';
import { commandLineOf } from '#localstack/cluster/process-table.ts';
import {
  ensureSandboxParts,
  startSandbox,
  type SandboxCluster,
  type SandboxParts,
} from '#localstack/cluster/sandbox.ts';

const buildTimeout = 20 * 60_000;
const apps = '/apis/apps/v1/namespaces/default';
const jobs = '/apis/batch/v1/namespaces/default/jobs';
const ingresses = '/apis/networking.k8s.io/v1/namespaces/default/ingresses';
const pods = '/api/v1/namespaces/default/pods';

let parts: SandboxParts;
let folder: string;
let cluster: SandboxCluster;
let client: KubeClient;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sandbox-'));
  parts = await ensureSandboxParts();
  cluster = await startSandbox({ name: 'first', dataDir: join(folder, 'first'), parts, auditLog: true, nodes: 2 });
  client = await clientOf(cluster);
}, buildTimeout);

afterAll(async () => {
  client?.close();
  await cluster?.stop();
  await rm(folder, { recursive: true, force: true });
}, 30_000);

describe('workloads', { timeout: 30_000 }, () => {
  it('makes a Deployment available', async () => {
    await client.create(`${apps}/deployments`, workload('apps/v1', 'Deployment', 'web', { replicas: 2 }));

    const found = await eventually<Workload>(`${apps}/deployments/web`, (live) => live.status.availableReplicas === 2);

    expect(found.status.conditions).toContainEqual(expect.objectContaining({ type: 'Available', status: 'True' }));
  });

  it('makes a StatefulSet ready, with a bound claim per replica', async () => {
    const volumeClaimTemplates = [{ metadata: { name: 'data' }, spec: claimSpec() }];
    const spec = { replicas: 2, serviceName: 'db', volumeClaimTemplates };
    await client.create(`${apps}/statefulsets`, workload('apps/v1', 'StatefulSet', 'db', spec));

    await eventually<Workload>(`${apps}/statefulsets/db`, (live) => live.status.readyReplicas === 2);

    await eventually<Claim>('/api/v1/namespaces/default/persistentvolumeclaims/data-db-1', isBound);
  });

  it('runs a DaemonSet on every node', async () => {
    await client.create(`${apps}/daemonsets`, workload('apps/v1', 'DaemonSet', 'agent', {}));

    const found = await eventually<Workload>(`${apps}/daemonsets/agent`, (live) => live.status.numberAvailable === 2);

    expect(found.status.desiredNumberScheduled).toBe(2);
  });

  it('completes a Job', async () => {
    await client.create(jobs, workload('batch/v1', 'Job', 'migrate', { completions: 2 }));

    const found = await eventually<Workload>(`${jobs}/migrate`, (live) => live.status.succeeded === 2);

    expect(found.status.failed).toBeUndefined();
  });

  it('completes a bare pod that is not to be restarted', async () => {
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'hook' },
      spec: podSpec({ restartPolicy: 'Never' }),
    };
    await client.create(pods, pod);

    await eventually<Phase>(`${pods}/hook`, (live) => live.status.phase === 'Succeeded');
  });

  it('binds a claim', async () => {
    const claim = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'disk' }, spec: claimSpec() };
    await client.create('/api/v1/namespaces/default/persistentvolumeclaims', claim);

    await eventually<Claim>('/api/v1/namespaces/default/persistentvolumeclaims/disk', isBound);
  });

  it('gives a load balancer and an Ingress an address', async () => {
    const service = { metadata: { name: 'edge' }, spec: { type: 'LoadBalancer', ports: [{ port: 80 }] } };
    const backend = { service: { name: 'edge', port: { number: 80 } } };
    await client.create('/api/v1/namespaces/default/services', service);
    await client.create(ingresses, { metadata: { name: 'edge' }, spec: { defaultBackend: backend } });

    for (const path of ['/api/v1/namespaces/default/services/edge', `${ingresses}/edge`]) {
      await eventually<Addressed>(path, (live) => live.status.loadBalancer.ingress?.length === 1);
    }
  });

  it('removes the pods of a deleted workload', async () => {
    await client.create(`${apps}/deployments`, workload('apps/v1', 'Deployment', 'gone', { replicas: 2 }));
    await eventually<Workload>(`${apps}/deployments/gone`, (live) => live.status.availableReplicas === 2);

    await client.request('DELETE', `${apps}/deployments/gone`);

    await eventually<{ items: unknown[] }>(`${pods}?labelSelector=app%3Dgone`, (live) => live.items.length === 0);
  });
});

describe('workloads that are told to go wrong', { timeout: 30_000 }, () => {
  it.each(['crash', 'pull-error'])('keeps a Deployment with outcome %s unavailable', async (outcome) => {
    const name = `bad-${outcome}`;
    await client.create(`${apps}/deployments`, workload('apps/v1', 'Deployment', name, { replicas: 1 }, outcome));

    const reason = outcome === 'crash' ? 'CrashLoopBackOff' : 'ImagePullBackOff';
    await eventually<{ items: unknown[] }>(`${pods}?labelSelector=app%3D${name}`, (live) =>
      JSON.stringify(live.items).includes(reason),
    );

    const found = await client.get<Workload>(`${apps}/deployments/${name}`);
    expect(found.status.availableReplicas).toBeUndefined();
  });

  it('fails a Job with outcome fail', async () => {
    await client.create(jobs, workload('batch/v1', 'Job', 'bad-job', { backoffLimit: 0 }, 'fail'));

    await eventually<Workload>(
      `${jobs}/bad-job`,
      (live) => live.status.conditions?.some(({ type, status }) => type === 'Failed' && status === 'True') === true,
    );
  });
});

describe('the API server', { timeout: 30_000 }, () => {
  it('says its version', async () => {
    const version = await client.get<{ gitVersion: string; major: string }>('/version');

    expect(version).toMatchObject({ major: '1', gitVersion: expect.stringMatching(/^v1\.\d+\.\d+$/) });
  });

  it('issues a ServiceAccount token that authenticates but may do nothing', async () => {
    const path = '/api/v1/namespaces/default/serviceaccounts/default/token';
    const answer = await client.request('POST', path, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: {},
    });
    const { status } = JSON.parse(answer.text) as { status: { token: string } };
    const stranger = await clientOf(cluster, status.token);

    const refused = await stranger.request('GET', pods);

    stranger.close();
    expect(answer.status).toBe(201);
    expect(refused.status).toBe(403);
    expect(refused.text).toContain('system:serviceaccount:default:default');
  });

  it('turns away who has no token', async () => {
    const stranger = await clientOf(cluster, 'wrong');

    const refused = await stranger.request('GET', pods);

    stranger.close();
    expect(refused.status).toBe(401);
  });

  it('writes each request of a user to the audit log once', async () => {
    const marker = '/api/v1/namespaces/default/configmaps/asked-for-twice';
    await client.request('GET', marker);
    await client.request('GET', marker);

    const lines = (await readFile(cluster.auditLog ?? '', 'utf8')).split('\n').filter((line) => line.includes(marker));

    expect(lines.map((line) => (JSON.parse(line) as { user: { username: string } }).user.username)).toEqual([
      'admin',
      'admin',
    ]);
  });

  it('refuses a second start in the same folder', async () => {
    const again = startSandbox({ name: 'second', dataDir: join(folder, 'first'), parts });

    await expect(again).rejects.toThrow(`Process ${process.pid} already runs a sandbox cluster`);
  });
});

describe('stopping and starting', { timeout: 60_000 }, () => {
  it('keeps objects, addresses and tokens over a restart', async () => {
    const before = cluster;
    await client.create('/api/v1/namespaces/default/configmaps', { metadata: { name: 'kept' }, data: { a: '1' } });
    client.close();
    await cluster.stop();

    const left = await livingAmong(Object.values(before.pids));
    cluster = await startSandbox({ name: 'first', dataDir: join(folder, 'first'), parts, nodes: 2 });
    client = await clientOf(cluster);
    const kept = await client.get<{ data: unknown }>('/api/v1/namespaces/default/configmaps/kept');

    expect(left).toEqual([]);
    expect(kept.data).toEqual({ a: '1' });
    expect(cluster).toMatchObject({ server: before.server, adminToken: before.adminToken });
  });

  it('leaves no process behind when its owner is killed, and starts again in the same folder', async () => {
    const dataDir = join(folder, 'orphan');
    const { pids, kill } = await startElsewhere(dataDir);
    const living = await livingAmong(pids);

    await kill();
    const deadline = Date.now() + 15_000;
    while ((await livingAmong(pids)).length > 0 && Date.now() < deadline) await sleep(50);
    const left = await livingAmong(pids);
    const next = await startSandbox({ name: 'orphan', dataDir, parts });
    await next.stop();

    expect(living).toEqual(pids);
    expect(left).toEqual([]);
  });

  it('cleans up components that outlived an owner and its supervisors', async () => {
    const dataDir = join(folder, 'stray');
    const { pids, kill, supervisors } = await startElsewhere(dataDir);
    for (const pid of await supervisors()) process.kill(pid, 'SIGKILL');
    await kill();

    const next = await startSandbox({ name: 'stray', dataDir, parts });
    const left = await livingAmong(pids);
    await next.stop();

    expect(left).toEqual([]);
  });

  it('stops starting when it is told to', async () => {
    const abort = new AbortController();
    const starting = startSandbox({
      name: 'aborted',
      dataDir: join(folder, 'aborted'),
      parts,
      signal: abort.signal,
      progress: ({ detail }) => detail === 'kube-apiserver' && setTimeout(() => abort.abort(new Error('enough')), 300),
    });

    await expect(starting).rejects.toThrow('enough');
    await expect(readFile(join(folder, 'aborted', 'run.json'))).rejects.toThrow('ENOENT');
  });

  it('says which component failed to start, why, and where its log is', async () => {
    const broken = join(folder, 'broken-etcd');
    await writeFile(broken, '#!/bin/sh\necho "disk on fire" >&2\nexit 3\n', { mode: 0o755 });
    const dataDir = join(folder, 'broken');

    const starting = startSandbox({ name: 'broken', dataDir, parts: { ...parts, etcd: broken } });

    await expect(starting).rejects.toThrow(/etcd ended with code 3.*disk on fire.*logs\/etcd\.log/s);
  });
});

interface Workload {
  status: {
    availableReplicas?: number;
    readyReplicas?: number;
    numberAvailable?: number;
    desiredNumberScheduled?: number;
    succeeded?: number;
    failed?: number;
    conditions?: { type: string; status: string }[];
  };
}

interface Phase {
  status: { phase: string };
}

type Claim = Phase;

interface Addressed {
  status: { loadBalancer: { ingress?: unknown[] } };
}

function isBound(claim: Claim): boolean {
  return claim.status.phase === 'Bound';
}

function claimSpec(): object {
  return { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };
}

function podSpec(extra: object = {}): object {
  return { containers: [{ name: 'main', image: 'example.org/app:1' }], ...extra };
}

function workload(apiVersion: string, kind: string, name: string, spec: object, outcome?: string): object {
  const labels = { app: name };
  const annotations = outcome === undefined ? {} : { 'sandbox.hawser.dev/outcome': outcome };
  const template = {
    metadata: { labels, annotations },
    spec: podSpec(kind === 'Job' ? { restartPolicy: 'Never' } : {}),
  };
  const selector = kind === 'Job' ? {} : { selector: { matchLabels: labels } };
  return { apiVersion, kind, metadata: { name }, spec: { ...spec, ...selector, template } };
}

async function clientOf(of: SandboxCluster, token: string = of.adminToken): Promise<KubeClient> {
  const config = parse(await readFile(of.kubeconfig, 'utf8')) as {
    clusters: [{ cluster: { server: string; 'certificate-authority-data': string } }];
  };
  const { server, 'certificate-authority-data': ca } = config.clusters[0].cluster;
  return createKubeClient({ server, ca: Buffer.from(ca, 'base64').toString(), token });
}

async function eventually<T>(path: string, isDone: (object: T) => boolean): Promise<T> {
  const deadline = Date.now() + 20_000;
  let last: T | undefined;
  while (Date.now() < deadline) {
    last = await client.get<T>(path).catch(() => undefined);
    if (last !== undefined && isDone(last)) return last;
    await sleep(50);
  }
  throw new Error(`${path} did not get there within 20 s: ${JSON.stringify(last)}`);
}

async function livingAmong(pids: number[]): Promise<number[]> {
  const lines = await Promise.all(pids.map((pid) => commandLineOf(pid)));
  return pids.filter((_, index) => lines[index] !== undefined);
}

/** Starts a sandbox from a process of its own, which `kill` ends with SIGKILL. */
async function startElsewhere(
  dataDir: string,
): Promise<{ pids: number[]; kill: () => Promise<void>; supervisors: () => Promise<number[]> }> {
  const script = `
    import { startSandbox } from '#localstack/cluster/sandbox.ts';
    const parts = JSON.parse(process.env.PARTS);
    const cluster = await startSandbox({ name: 'elsewhere', dataDir: process.env.DATA_DIR, parts });
    console.log(JSON.stringify(Object.values(cluster.pids)));
    setInterval(() => undefined, 1000);
  `;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, PARTS: JSON.stringify(parts), DATA_DIR: dataDir },
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const pids = JSON.parse(line.toString()) as number[];
  return {
    pids,
    supervisors: () => groupLeadersOf(pids),
    async kill() {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    },
  };
}

/** The supervisor scripts above these processes and those scripts' watchers. */
async function groupLeadersOf(pids: number[]): Promise<number[]> {
  const listing = spawn('ps', ['-A', '-o', 'pid=,pgid=']);
  const chunks: Buffer[] = [];
  for await (const chunk of listing.stdout) chunks.push(chunk as Buffer);
  const rows = Buffer.concat(chunks).toString().trim().split('\n');
  const table = rows.map((row) => row.trim().split(/\s+/).map(Number) as [number, number]);
  const groups = new Set(table.filter(([pid]) => pids.includes(pid)).map(([, group]) => group));
  return table.filter(([pid, group]) => groups.has(group) && !pids.includes(pid)).map(([pid]) => pid);
}

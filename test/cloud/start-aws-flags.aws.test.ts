import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { CreateQueueCommand, GetQueueUrlCommand } from '@aws-sdk/client-sqs';
import { createKubeClient, type KubeClient } from '#localstack/cluster/kube-client.ts';
import { startSandbox, type SandboxCluster } from '#localstack/cluster/sandbox.ts';
import { freePort } from '#localstack/emulators/emulator.ts';
import { startEmulators, type RunningEmulators } from '#localstack/emulators/emulators.ts';
import type { RunFile } from '#localstack/run-file.ts';
import type { ApplicationDetail, ApplicationList, ClusterView } from '#shared/messages/api.ts';
import { eventually } from '#test/kit/product.ts';
import { temporaryFolder } from '#test/kit/temp.ts';
import { lookForNeeds } from '#test/runner/needs.ts';
import { sqsAt } from './aws-emulators.ts';

/**
 * `npm run start:aws` as a process of its own, with the flags that people give it: a cluster of theirs (a sandbox that somebody
 * else started, behind a context of a kubeconfig), emulators that run already (as compose.yaml's do), several clusters.
 */
const execute = promisify(execFile);
const root = join(import.meta.dirname, '../..');
const started: ChildProcess[] = [];
const lacking = [...(await lookForNeeds(['git', 'sandbox', 'emulators'])).values()].flatMap((need) =>
  need.ok ? [] : [need.missing],
);

if (lacking.length > 0) {
  describe('npm run start:aws with flags', () => {
    it('takes those of npm start', (context) => context.skip(lacking.join('; ')));
  });
} else describe('npm run start:aws with flags', defineTests);

interface Running {
  child: ChildProcess;
  output(): string;
  exit: Promise<number | null>;
}

function start(kubeconfig: string, ...args: string[]): Running {
  const child = spawn(process.execPath, ['localstack/aws.ts', ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, KUBECONFIG: kubeconfig },
  });
  started.push(child);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return { child, output: () => text, exit: new Promise((resolve) => child.on('exit', (code) => resolve(code))) };
}

async function up(dataDir: string, running: Running): Promise<RunFile> {
  return eventually(
    'it is up',
    async () => {
      if (running.child.exitCode !== null) throw new Error(running.output());
      const file = join(dataDir, 'run.json');
      if (!existsSync(file)) return undefined;
      const run = JSON.parse(readFileSync(file, 'utf8')) as RunFile;
      return run.pid === running.child.pid ? run : undefined;
    },
    600_000,
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${running.output().slice(-3000)}`);
  });
}

async function stop(running: Running): Promise<void> {
  running.child.kill('SIGINT');
  expect(await running.exit).toBe(0);
}

async function api<T>(run: RunFile, path: string): Promise<T> {
  const response = await fetch(`${run.url}${path}`, { headers: { authorization: `Bearer ${run.token}` } });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}

const clustersOf = async (run: RunFile) => (await api<{ items: ClusterView[] }>(run, '/api/v1/clusters')).items;

async function untilGood(run: RunFile): Promise<void> {
  let seen = '';
  await eventually(
    'the demo is Synced and Healthy',
    async () => {
      const { items } = await api<ApplicationList>(run, '/api/v1/applications');
      seen = items.map(({ id, sync, health }) => `${id} ${sync} ${health}`).join(', ');
      return items.length === 8 && items.every((one) => one.sync === 'Synced' && one.health === 'Healthy');
    },
    120_000,
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}: ${seen}`);
  });
}

/** What somebody has who may do everything in the cluster but make tokens of ServiceAccounts. */
async function makeLimitedUser(kube: KubeClient): Promise<string> {
  await kube.create('/api/v1/namespaces/default/serviceaccounts', {
    kind: 'ServiceAccount',
    metadata: { name: 'limited' },
  });
  const metadata = { name: 'limited' };
  const rules = [
    { apiGroups: [''], resources: ['namespaces', 'secrets', 'configmaps', 'events', 'serviceaccounts'], verbs: ['*'] },
    { apiGroups: ['apiextensions.k8s.io'], resources: ['*'], verbs: ['*'] },
    { nonResourceURLs: ['*'], verbs: ['get'] },
  ];
  const rbac = '/apis/rbac.authorization.k8s.io/v1';
  await kube.create(`${rbac}/clusterroles`, { kind: 'ClusterRole', metadata, rules });
  await kube.create(`${rbac}/clusterrolebindings`, {
    kind: 'ClusterRoleBinding',
    metadata,
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'limited' },
    subjects: [{ kind: 'ServiceAccount', name: 'limited', namespace: 'default' }],
  });
  const { text } = await kube.request('POST', '/api/v1/namespaces/default/serviceaccounts/limited/token', {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { expirationSeconds: 3600 },
  });
  return (JSON.parse(text) as { status: { token: string } }).status.token;
}

function defineTests(): void {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let cluster: SandboxCluster;
  let kube: KubeClient;
  let emulators: RunningEmulators;
  let kubeconfig: string;
  let addresses: string;

  beforeAll(async () => {
    folder = await temporaryFolder();
    cluster = await startSandbox({ name: 'theirs', dataDir: join(folder.path, 'theirs') });
    emulators = await startEmulators();
    addresses = `${emulators.endpoints.dynamodb},${emulators.endpoints.localstack}`;
    const admin = parse(await readFile(cluster.kubeconfig, 'utf8')) as {
      clusters: { name: string; cluster: { 'certificate-authority-data': string } }[];
      users: { name: string; user: object }[];
    };
    const ca = Buffer.from(admin.clusters[0]?.cluster['certificate-authority-data'] ?? '', 'base64').toString();
    kube = createKubeClient({ server: cluster.server, ca, token: cluster.adminToken });
    const limited = await makeLimitedUser(kube);
    kubeconfig = join(folder.path, 'kubeconfig');
    const [place, user] = [admin.clusters[0]?.name, admin.users[0]?.name];
    const text = stringify({
      apiVersion: 'v1',
      kind: 'Config',
      // The current context leads nowhere: only the one that is named may be used.
      'current-context': 'elsewhere',
      clusters: [...admin.clusters, { name: 'nowhere', cluster: { server: 'https://127.0.0.1:1' } }],
      users: [...admin.users, { name: 'limited', user: { token: limited } }],
      contexts: [
        { name: 'elsewhere', context: { cluster: 'nowhere', user } },
        { name: 'Dev@Home', context: { cluster: place, user } },
        { name: 'limited', context: { cluster: place, user: 'limited' } },
      ],
    });
    await writeFile(kubeconfig, text);
  }, 900_000);
  afterAll(async () => {
    kube?.close();
    await emulators?.stop();
    await cluster?.stop();
    await folder?.remove();
  });
  afterEach(() => {
    for (const child of started.splice(0)) child.kill('SIGKILL');
  });

  const uidOf = async (path: string) => (await kube.get<{ metadata: { uid: string } }>(path)).metadata.uid;
  const podinfo = '/apis/apps/v1/namespaces/podinfo-staging/deployments/podinfo';

  const budget = '/apis/policy/v1/namespaces/podinfo-staging/poddisruptionbudgets/podinfo';

  /** Commits while nobody serves the repository. */
  async function takeAwayBudget(repository: string): Promise<void> {
    const work = join(folder.path, 'work');
    const git = (...args: string[]) =>
      execute('git', ['-C', work, '-c', 'user.name=Ada', '-c', 'user.email=ada@example.test', ...args]);
    await execute('git', ['clone', '-q', repository, work]);
    const file = join(work, 'podinfo/base/kustomization.yaml');
    const text = await readFile(file, 'utf8');
    const less = text.replace(/^.*disruption-budget\.yaml\n/m, '');
    expect(less).not.toBe(text);
    await writeFile(file, less);
    await git('-c', 'commit.gpgsign=false', 'commit', '-qam', 'podinfo without a budget');
    await git('push', '-q', 'origin', 'HEAD:main');
  }

  it('gives the agent a static token and HTTPS where the kubeconfig may not ask for a ServiceAccount token', async () => {
    const dataDir = join(folder.path, 'limited');
    const running = start(kubeconfig, '--data', dataDir, '--context', 'limited', '--no-demo', '--emulators', addresses);
    const run = await up(dataDir, running);

    expect(await clustersOf(run)).toMatchObject([{ id: 'limited', connected: true, identity: 'static' }]);
    expect(run.clusters).toMatchObject([{ name: 'limited' }]);
    expect((await api<ApplicationList>(run, '/api/v1/applications')).items).toEqual([]);

    await stop(running);
  }, 600_000);

  it('works on a cluster of the user’s own and on emulators that run already, and again with the next start (INV-06, INV-17)', async () => {
    const dataDir = join(folder.path, 'own');
    const flags = ['--data', dataDir, '--context', 'Dev@Home', '--emulators', addresses];
    const sqs = sqsAt(emulators.endpoints.localstack);
    await sqs.send(new CreateQueueCommand({ QueueName: 'somebody-elses' }));
    const first = start(kubeconfig, ...flags);
    const before = await up(dataDir, first);
    const name = before.clusters[0]?.name ?? '';
    await untilGood(before);

    expect(await clustersOf(before)).toMatchObject([{ id: name, connected: true, identity: 'service-account' }]);
    const log = readFileSync(join(dataDir, 'logs', `agent-${name}.log`), 'utf8');
    expect(log).toContain('speaking with the service directly');
    const uid = await uidOf(podinfo);
    await uidOf(budget);
    const generation = (await api<ApplicationDetail>(before, '/api/v1/applications/podinfo-staging')).desired
      ?.generation;

    const other = start(kubeconfig, '--data', join(folder.path, 'other'), '--no-demo', '--emulators', addresses);
    expect(await other.exit).toBe(1);
    expect(other.output()).toContain(`in use by process ${first.child.pid}`);

    await stop(first);
    expect(await uidOf(podinfo)).toBe(uid);
    const agentsNamespace = await uidOf('/api/v1/namespaces/hawser-system');

    // The service begins anew, its agent goes on: nothing is made again, what is gone comes back, what was taken away goes.
    await kube.request('DELETE', '/apis/apps/v1/namespaces/podinfo-production/deployments/podinfo');
    await takeAwayBudget(join(dataDir, 'repositories', 'demo.git'));
    const second = start(kubeconfig, ...flags);
    const again = await up(dataDir, second);
    await untilGood(again);

    expect({ url: again.url, git: again.git }).toEqual({ url: before.url, git: before.git });
    const next = await api<ApplicationDetail>(again, '/api/v1/applications/podinfo-staging');
    expect(next.desired?.generation).toBeGreaterThan(generation ?? Infinity);
    expect(await uidOf(podinfo)).toBe(uid);
    expect(await uidOf('/api/v1/namespaces/hawser-system')).toBe(agentsNamespace);
    await uidOf('/apis/apps/v1/namespaces/podinfo-production/deployments/podinfo');
    await eventually('what only the start before had is pruned', async () => {
      const { status } = await kube.request('GET', budget);
      return status === 404;
    });
    await sqs.send(new GetQueueUrlCommand({ QueueName: 'somebody-elses' }));
    sqs.destroy();
    await stop(second);
    expect(await uidOf(podinfo)).toBe(uid);
  }, 900_000);

  it('makes several sandbox clusters, on the port that it is told, with emulators of its own', async () => {
    const dataDir = join(folder.path, 'several');
    const port = String(await freePort());
    const running = start(kubeconfig, '--data', dataDir, '--clusters', '2', '--no-demo', '--port', port, '--verbose');
    const run = await up(dataDir, running);

    expect(new URL(run.url).port).toBe(port);
    expect(running.output()).toContain('"name":"report"');
    expect((await clustersOf(run)).map(({ id, connected }) => [id, connected])).toEqual([
      ['sandbox', true],
      ['sandbox-2', true],
    ]);
    await stop(running);
  }, 900_000);

  it('says which contexts there are, and leaves nothing running', async () => {
    const dataDir = join(folder.path, 'unknown');
    const running = start(kubeconfig, '--data', dataDir, '--context', 'prod', '--no-demo', '--emulators', addresses);

    expect(await running.exit).toBe(1);
    expect(running.output()).toContain('there is no kube context "prod"');
    expect(running.output()).toContain('elsewhere, Dev@Home, limited');
    expect(existsSync(join(dataDir, 'run.json'))).toBe(false);
  }, 600_000);
}

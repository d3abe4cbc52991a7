import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { createCluster, type Cluster } from '#agent/cluster/cluster.ts';
import { openConnection } from '#agent/cluster/connection.ts';
import { createRequests } from '#agent/cluster/requests.ts';
import { createAgent } from '#agent/loop.ts';
import { createSystemClock } from '#shared/adapters/embedded/system-clock.ts';
import type { KubeObject } from '#shared/domain/kube-object.ts';
import type { ApplicationReport } from '#shared/messages/agent-report.ts';
import type { Log } from '#shared/ports/log.ts';
import {
  agentBundle,
  startAgent,
  startTestCluster,
  writeVerbs,
  type AgentProcess,
  type TestCluster,
} from '#test/kit/cluster.ts';
import { createFakeHub, type FakeHub } from '#test/kit/fake-hub.ts';

let cluster: TestCluster;
let hub: FakeHub;
let space = 0;
let namespace: string;
const clock = createSystemClock();
const silent: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silent,
};

beforeAll(async () => {
  [cluster] = await Promise.all([startTestCluster('faults'), agentBundle()]);
}, 20 * 60_000);

afterAll(async () => {
  await cluster?.stop();
}, 30_000);

beforeEach(async () => {
  space += 1;
  namespace = `faults-${space}`;
  hub = await createFakeHub();
  await hub.listen();
});

afterEach(async () => {
  await hub?.close();
});

function configMap(name: string, value = '1'): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data: { value } };
}

const publish = (objects: KubeObject[]) =>
  hub.publish({ application: 'web', objects, destinationNamespace: namespace, policy: { createNamespace: true } });
const isSynced = (generation: number) => (report: ApplicationReport) =>
  report.sync.status === 'Synced' && report.sync.generation === generation && report.operation?.phase === 'Succeeded';

/** Names and values that users see, and the inventory as it is stored: what two runs must agree on. */
async function stateOf(): Promise<unknown> {
  const maps = await cluster.list(
    `/api/v1/namespaces/${namespace}/configmaps?labelSelector=applyset.kubernetes.io/part-of`,
  );
  return maps.map((object) => [object.metadata.name, object['data']]).sort();
}

describe('kill -9', { timeout: 180_000 }, () => {
  it('after any of its writes leads to the state of the run without it (FT-60, INV-17)', async () => {
    const before = () => [configMap('a'), configMap('b'), configMap('gone')];
    const after = () => [configMap('a', '2'), configMap('b'), configMap('new'), configMap('newer')];
    const wanted = [
      ['a', { value: '2' }],
      ['b', { value: '1' }],
      ['new', { value: '1' }],
      ['newer', { value: '1' }],
    ];
    let crashes = 0;
    for (let crashAfter = 1; crashAfter < 30; crashAfter += 1) {
      namespace = `kill-${space}-${crashAfter}`;
      hub = await createFakeHub();
      const calm = await runAgent(`state-${space}-${crashAfter}`);
      const first = await publish(before());
      await hub.until('web', isSynced(first), 20_000);
      await calm.stop();

      const second = await publish(after());
      const dying = await runAgent(`state-${space}-${crashAfter}`, crashAfter);
      const died = await Promise.race([
        dying.crashed.then(() => true),
        hub.until('web', isSynced(second), 30_000).then(() => false),
      ]);
      await dying.stop();
      if (died) {
        crashes += 1;
        const healed = await runAgent(`state-${space}-${crashAfter}`);
        await hub.until('web', isSynced(second), 30_000);
        await healed.stop();
      }
      expect(await stateOf()).toEqual(wanted);
      await hub.close();
      if (!died) break;
    }
    // Intent, three applies, a delete, completion: each of them was survived.
    expect(crashes).toBeGreaterThanOrEqual(6);
  });
});

describe('a restricted agent', { timeout: 60_000 }, () => {
  let agent: AgentProcess | undefined;
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hawser-kubeconfig-'));
  });

  afterEach(async () => {
    await agent?.stop('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  });

  it('watches by namespace where it may not watch everywhere, and still heals', async () => {
    const kubeconfig = await restrictedKubeconfig(folder);
    agent = await startAgent({ kubeconfig }, hub, { HAWSER_NAMESPACE: namespace });
    const generation = await hub.publish({
      application: 'web',
      objects: [configMap('a')],
      destinationNamespace: namespace,
    });
    await hub.until('web', isSynced(generation), 20_000);
    // Its watch of the whole cluster is refused first; then it watches this namespace.
    await new Promise((resolve) => setTimeout(resolve, 2000));
    await cluster.send('PATCH', `/api/v1/namespaces/${namespace}/configmaps/a`, { data: { value: 'edited' } });
    await hub.until('web', (report) => report.drift.some((drift) => drift.correctedAt !== undefined), 20_000);
    expect(await stateOf()).toEqual([['a', { value: '1' }]]);
  });

  it('says what it may not do, and does the rest', async () => {
    const kubeconfig = await restrictedKubeconfig(folder);
    agent = await startAgent({ kubeconfig }, hub, { HAWSER_NAMESPACE: namespace });
    const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'denied', namespace } };
    await hub.publish({
      application: 'web',
      objects: [configMap('a'), account],
      destinationNamespace: namespace,
      policy: { retry: { limit: 0, seconds: 1, factor: 1, maxSeconds: 1 } },
    });
    const report = await hub.until('web', (now) => now.operation?.phase === 'Failed', 40_000);
    expect(report.operation?.message).toContain('serviceaccounts "denied" is forbidden');
    expect(await stateOf()).toEqual([['a', { value: '1' }]]);
  });
});

describe('questions', { timeout: 40_000 }, () => {
  it('are answered with what the application owns in the cluster, along owner references', async () => {
    const agent = await startAgent(cluster.sandbox, hub, { HAWSER_NAMESPACE: `state-q-${space}` });
    try {
      const labels = { app: 'web' };
      const template = {
        metadata: { labels },
        spec: { containers: [{ name: 'web', image: 'registry.example/web:1' }] },
      };
      const deployment = {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'web', namespace },
        spec: { replicas: 2, selector: { matchLabels: labels }, template },
      } as unknown as KubeObject;
      await publish([deployment, configMap('a')]);
      await hub.until('web', (report) => report.health.status === 'Healthy' && report.sync.status === 'Synced', 20_000);
      hub.command({ type: 'tree', question: 'tree', application: 'web' });
      hub.command({ type: 'live', question: 'live', application: 'web', key: `apps/Deployment/${namespace}/web` });
      hub.command({ type: 'live', question: 'foreign', application: 'web', key: '/Secret/kube-system/anything' });
      await hub.untilTrue(() => hub.answers.length === 3, 'three answers');
      const answer = (question: string) => hub.answers.find((each) => each.question === question);
      const nodes = answer('tree')?.nodes ?? [];
      expect(nodes.map((node) => node.kind).sort()).toEqual(['Pod', 'Pod', 'ReplicaSet']);
      const set = nodes.find((node) => node.kind === 'ReplicaSet');
      for (const pod of nodes.filter((node) => node.kind === 'Pod')) {
        expect(pod).toMatchObject({ owners: [set?.uid], health: { status: 'Healthy' }, info: 'Running 1/1' });
      }
      expect(answer('live')).toMatchObject({ live: { kind: 'Deployment' }, desired: { kind: 'Deployment' } });
      expect(answer('foreign')?.error).toContain('no such object');
    } finally {
      await agent.stop('SIGKILL');
    }
  });
});

describe('a change of somebody else', { timeout: 40_000 }, () => {
  it('that the API server only defaulted or a controller only added costs no write (INV-29)', async () => {
    const agent = await startAgent(cluster.sandbox, hub, { HAWSER_NAMESPACE: `state-d-${space}` });
    try {
      const labels = { app: 'web' };
      const template = {
        metadata: { labels },
        spec: {
          containers: [
            {
              name: 'web',
              image: 'registry.example/web:1',
              ports: [{ containerPort: 80 }],
              resources: { requests: { cpu: '1000m', memory: '1024Mi' } },
            },
          ],
        },
      };
      const deployment = {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'web', namespace },
        spec: { selector: { matchLabels: labels }, template },
      } as unknown as KubeObject;
      const service = {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'web', namespace },
        spec: { selector: labels, ports: [{ port: 80 }] },
      } as unknown as KubeObject;
      const claim = {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: { name: 'data', namespace },
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
      } as unknown as KubeObject;
      await publish([deployment, service, claim]);
      await hub.until('web', (report) => report.health.status === 'Healthy' && report.sync.status === 'Synced', 30_000);
      const since = Date.now();
      await cluster.send('PATCH', `/apis/apps/v1/namespaces/${namespace}/deployments/web`, {
        metadata: { annotations: { 'example.com/note': 'x' } },
      });
      await new Promise((resolve) => setTimeout(resolve, 1000));
      expect(await cluster.auditSince(since, writeVerbs)).toEqual([]);
    } finally {
      await agent.stop('SIGKILL');
    }
  });
});

/** The agent in this process, over real requests; with `crashAfter` nothing is answered after that many writes took effect. */
async function runAgent(
  stateNamespace: string,
  crashAfter = Infinity,
): Promise<{ crashed: Promise<void>; stop(): Promise<void> }> {
  const requests = createRequests({ connection: openConnection({ kubeconfig: cluster.sandbox.kubeconfig }), clock });
  const real = createCluster({ requests, clock, log: silent });
  const stop = new AbortController();
  let left = crashAfter;
  let crash: () => void = () => undefined;
  const crashed = new Promise<void>((resolve) => (crash = resolve));
  const deadly =
    <A extends unknown[], T>(call: (...args: A) => Promise<T>) =>
    async (...args: A): Promise<T> => {
      if (left <= 0) return new Promise<T>(() => undefined);
      const answer = await call(...args);
      left -= 1;
      if (left > 0) return answer;
      crash();
      stop.abort();
      return new Promise<T>(() => undefined);
    };
  const mortal: Cluster = {
    ...real,
    apply: deadly(real.apply),
    create: deadly(real.create),
    patch: deadly(real.patch),
    delete: deadly(real.delete),
  };
  const agent = createAgent({
    identity: hub,
    hub,
    cluster: mortal,
    clock,
    log: silent,
    namespace: stateNamespace,
    agentVersion: 'test',
  });
  const running = agent.run(stop.signal);
  return {
    crashed,
    async stop() {
      stop.abort();
      // A crashed agent never ends by itself: it hangs, as a dead process does.
      if (left > 0) await running;
      requests.close();
    },
  };
}

/** A kubeconfig of a ServiceAccount that may manage ConfigMaps and Secrets in one namespace, and nothing else. */
async function restrictedKubeconfig(folder: string): Promise<string> {
  const rbac = '/apis/rbac.authorization.k8s.io/v1';
  await cluster.send('POST', '/api/v1/namespaces', { metadata: { name: namespace } });
  await cluster.send('POST', `/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name: 'agent' } });
  await cluster.send('POST', `${rbac}/namespaces/${namespace}/roles`, {
    metadata: { name: 'agent' },
    rules: [{ apiGroups: [''], resources: ['configmaps', 'secrets'], verbs: ['*'] }],
  });
  await cluster.send('POST', `${rbac}/namespaces/${namespace}/rolebindings`, {
    metadata: { name: 'agent' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'agent' },
    subjects: [{ kind: 'ServiceAccount', name: 'agent', namespace }],
  });
  const request = await cluster.send('POST', `/api/v1/namespaces/${namespace}/serviceaccounts/agent/token`, {
    spec: {},
  });
  const { token } = request['status'] as unknown as { token: string };
  const config = parse(await readFile(cluster.sandbox.kubeconfig, 'utf8')) as { users: { user: object }[] };
  for (const user of config.users) user.user = { token };
  const file = join(folder, 'kubeconfig');
  await writeFile(file, stringify(config));
  return file;
}

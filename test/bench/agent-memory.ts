import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { KubeObject } from '#shared/domain/kube-object.ts';
import { startAgent, startTestCluster, type AgentProcess, type TestCluster } from '#test/kit/cluster.ts';
import { createFakeHub, type FakeHub } from '#test/kit/fake-hub.ts';
import { cpuSeconds, residentMiB } from './measure.ts';
import { printRows, type BenchRow } from './row.ts';

const idleSeconds = 30;

/** Resident memory of the shipped bundle with 1,000 and 50,000 objects: after applying them, after a restart, and its idle CPU. */
export async function benchAgentMemory(): Promise<BenchRow[]> {
  const large = Number(process.env['HAWSER_BENCH_OBJECTS'] ?? 50_000);
  const cluster = await startTestCluster('memory');
  try {
    return [
      ...(await measure(cluster, { objects: 1000, perApplication: 4, budget: 120 })),
      ...(await measure(cluster, { objects: large, perApplication: 100, budget: 300 })),
    ];
  } finally {
    await cluster.stop();
  }
}

interface Load {
  objects: number;
  perApplication: number;
  /** MiB */
  budget: number;
}

async function measure(cluster: TestCluster, load: Load): Promise<BenchRow[]> {
  const label = load.objects.toLocaleString('en-US');
  const hub = await createFakeHub({ cluster: `m-${load.objects}` });
  await hub.listen();
  const environment = { HAWSER_NAMESPACE: `hawser-${load.objects}`, HAWSER_LOG_LEVEL: 'warn' };
  let agent: AgentProcess | undefined;
  try {
    agent = await startAgent(cluster.sandbox, hub, environment);
    await hub.untilTrue(() => hub.reports.length > 0, 'the agent is there', 20_000);
    const start = residentMiB(agent.pid);
    const peak = watchPeak(agent.pid);
    const began = performance.now();
    await publishAll(hub, load);
    await allSynced(hub, load);
    const applied = (performance.now() - began) / 1000;
    await sleep(5000);
    const settled = residentMiB(agent.pid);
    const cpuBefore = cpuSeconds(agent.pid);
    await sleep(idleSeconds * 1000);
    const idle = ((cpuSeconds(agent.pid) - cpuBefore) / idleSeconds) * 1000;
    await agent.stop();
    const appliedPeak = peak.stop();

    hub.reports.length = 0;
    agent = await startAgent(cluster.sandbox, hub, environment);
    const restartPeak = watchPeak(agent.pid);
    const restarted = performance.now();
    await hub.untilTrue(() => syncedSince(hub) >= load.objects / load.perApplication, 'all reported again', 120_000);
    const again = (performance.now() - restarted) / 1000;
    await sleep(5000);
    const after = residentMiB(agent.pid);
    return [
      { name: 'agent at start', value: start, unit: 'MiB' },
      {
        name: `${label} objects, applied`,
        value: settled,
        unit: 'MiB',
        budget: load.budget,
        note: `peak ${Math.round(appliedPeak)} MiB, applied in ${applied.toFixed(1)} s`,
      },
      {
        name: `${label} objects, after a restart`,
        value: after,
        unit: 'MiB',
        budget: load.budget,
        note: `peak ${Math.round(restartPeak.stop())} MiB, in sync in ${again.toFixed(1)} s`,
      },
      { name: `${label} objects, idle`, value: idle, unit: 'mCPU', budget: 10 },
    ];
  } finally {
    await agent?.stop('SIGKILL');
    await hub.close();
  }
}

async function publishAll(hub: FakeHub, load: Load): Promise<void> {
  for (let n = 0; n * load.perApplication < load.objects; n += 1) {
    const namespace = `m${load.objects}-${n}`;
    const objects = Array.from({ length: load.perApplication }, (_, index) => objectOf(namespace, index));
    await hub.publish({
      application: `app-${n}`,
      destinationNamespace: namespace,
      objects,
      policy: { createNamespace: true },
    });
    // A fleet arrives over time; memory, not throughput, is measured here.
    if (n % 50 === 49) await sleep(1);
  }
}

function objectOf(namespace: string, index: number): KubeObject {
  const name = `object-${index}`;
  const labels = { 'app.kubernetes.io/name': name, 'app.kubernetes.io/managed-by': 'bench' };
  const metadata = { name, namespace, labels };
  if (index % 4 === 1) return { apiVersion: 'v1', kind: 'ServiceAccount', metadata };
  if (index % 4 === 2) return { apiVersion: 'v1', kind: 'Secret', metadata, stringData: { password: 'x'.repeat(40) } };
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { 'settings.yaml': 'key: value\n'.repeat(60) } };
}

async function allSynced(hub: FakeHub, load: Load): Promise<void> {
  const applications = load.objects / load.perApplication;
  const synced = () =>
    Array.from({ length: applications }, (_, n) => hub.reportOf(`app-${n}`)).every(
      (report) => report?.sync.status === 'Synced',
    );
  await hub.untilTrue(synced, `${applications} applications in sync`, 900_000);
}

function syncedSince(hub: FakeHub): number {
  const synced = new Set<string>();
  for (const report of hub.reports) {
    for (const application of report.applications) {
      if (application.sync.status === 'Synced') synced.add(application.application);
      else synced.delete(application.application);
    }
  }
  return synced.size;
}

/** The highest resident size seen, asked four times a second. */
function watchPeak(pid: number): { stop(): number } {
  let peak = 0;
  const timer = setInterval(() => {
    try {
      peak = Math.max(peak, residentMiB(pid));
    } catch {
      clearInterval(timer);
    }
  }, 250);
  return {
    stop() {
      clearInterval(timer);
      return peak;
    },
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) printRows(await benchAgentMemory());

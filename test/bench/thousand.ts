import { fileURLToPath } from 'node:url';
import { readFileSync } from 'node:fs';
import { fleetApplication, fleetName, fleetNamespace, writeFleetFolder } from '#test/kit/fleet.ts';
import { eventually, startProductProcess, type TestProduct } from '#test/kit/product.ts';
import type { ApplicationList } from '#shared/messages/api.ts';
import { cpuSeconds, percentile, residentMiB } from './measure.ts';
import { timePushes } from './push.ts';
import { printRows, type BenchRow } from './row.ts';

/** One repository with 1,000 applications: all created by one push, then one of them changed by each of some pushes. */
export async function benchThousand(): Promise<BenchRow[]> {
  const alone = await changeOneOf(1);
  const many = await changeOneOf(Number(process.env['HAWSER_BENCH_APPLICATIONS'] ?? 1000));
  return [
    {
      name: '1,000 applications created by one push: all applied and healthy',
      value: many.created,
      unit: 's',
      budget: 30,
      note: 'Argo CD 351 s; Flux 450 of them after 900 s',
    },
    { name: 'list of applications meanwhile, p95', value: many.listP95, unit: 'ms', budget: 300 },
    { name: 'service memory, peak', value: many.serviceMiB, unit: 'MiB', budget: 300 },
    {
      name: 'agent memory with 4,000 objects',
      value: many.agentMiB,
      unit: 'MiB',
      note: 'budget 120 with 1,000, 300 with 50,000',
    },
    { name: 'one of 1,000 changed: renders', value: many.renders, unit: 'renders', budget: 1 },
    {
      name: 'one of 1,000 changed: writes to the API server',
      value: many.writes,
      unit: 'writes',
      budget: 3,
      note: 'Argo CD 2,005',
    },
    {
      name: 'one of 1,000 changed: time, against 1 of 1',
      value: many.pushP50 / alone.pushP50,
      unit: '×',
      budget: 2,
      note: `${Math.round(many.pushP50)} ms and ${Math.round(alone.pushP50)} ms; Argo CD 19 to 35 s`,
    },
    {
      name: 'one of 1,000 changed: CPU of service and agent, against 1 of 1',
      value: many.cpu / alone.cpu,
      unit: '×',
      budget: 2,
      note: `${Math.round(many.cpu * 1000)} ms and ${Math.round(alone.cpu * 1000)} ms`,
    },
  ];
}

interface Measured {
  created: number;
  listP95: number;
  serviceMiB: number;
  agentMiB: number;
  renders: number;
  writes: number;
  pushP50: number;
  cpu: number;
}

async function changeOneOf(count: number): Promise<Measured> {
  const product = await startProductProcess({ auditLog: true });
  try {
    await product.kube.create('/api/v1/namespaces', {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: fleetNamespace },
    });
    const work = await product.clone('fleet');
    const { seconds, lists, peak } = await createAll(product, work, count);
    await new Promise((resolve) => setTimeout(resolve, 3000));
    const pushes = 10;
    const agentPid = product.run.clusters[0]?.agentPid ?? 0;
    const before = {
      renders: await rendersSoFar(product),
      cpu: cpuSeconds(product.run.pid) + cpuSeconds(agentPid),
      audit: auditSize(product),
    };
    const samples = await timePushes(product, work, fleetName(Math.floor(count / 2)), pushes);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const done = pushes + 3;
    return {
      created: seconds,
      listP95: percentile(lists, 0.95),
      serviceMiB: Math.max(peak, residentMiB(product.run.pid)),
      agentMiB: residentMiB(agentPid),
      renders: ((await rendersSoFar(product)) - before.renders) / done,
      writes: writesSince(product, before.audit) / done,
      pushP50: percentile(samples, 0.5),
      cpu: (cpuSeconds(product.run.pid) + cpuSeconds(agentPid) - before.cpu) / done,
    };
  } finally {
    await product.end();
  }
}

async function createAll(
  product: TestProduct,
  work: string,
  count: number,
): Promise<{ seconds: number; lists: number[]; peak: number }> {
  const names = Array.from({ length: count }, (_, index) => fleetName(index));
  const url = `${product.run.git}/fleet.git`;
  await product.git(work, 'commit', '-q', '--allow-empty', '-m', 'start');
  await product.git(work, 'push', '-q', 'origin', 'HEAD:main');
  for (let start = 0; start < count; start += 500) {
    await product.api('POST', '/api/v1/objects', {
      objects: names.slice(start, start + 500).map((name) => fleetApplication(url, name)),
    });
  }
  await eventually('every application was looked at', async () => {
    const list = await product.api<ApplicationList>('GET', '/api/v1/applications?limit=1');
    return list.total === count;
  });
  await new Promise((resolve) => setTimeout(resolve, 2000));
  for (const name of names) await writeFleetFolder(work, name, 'start');
  await product.git(work, 'add', '-A');
  await product.git(work, 'commit', '-qm', `${count} applications`);
  const started = performance.now();
  await product.git(work, 'push', '-q', 'origin', 'HEAD:main');
  const lists: number[] = [];
  let peak = 0;
  await eventually(
    'all are Synced and Healthy',
    async () => {
      const asked = performance.now();
      const list = await product.api<ApplicationList>('GET', '/api/v1/applications?limit=100');
      lists.push(performance.now() - asked);
      peak = Math.max(peak, residentMiB(product.run.pid));
      // As often as a busy page would ask, no oftener: asking costs CPU that the work needs.
      await new Promise((resolve) => setTimeout(resolve, 450));
      return list.counts.health['Healthy'] === count && list.counts.sync['Synced'] === count;
    },
    300_000,
  );
  return { seconds: (performance.now() - started) / 1000, lists, peak };
}

async function rendersSoFar(product: TestProduct): Promise<number> {
  const response = await fetch(`${product.run.url}/metrics`, {
    headers: { authorization: `Bearer ${product.run.token}` },
  });
  const lines = (await response.text()).split('\n').filter((line) => line.startsWith('hawser_render_seconds_count'));
  return lines.reduce((sum, line) => sum + Number(line.split(' ')[1]), 0);
}

function auditSize(product: TestProduct): number {
  return readFileSync(product.auditLog, 'utf8').length;
}

/** Writes of the agent since an earlier size of the audit log. */
function writesSince(product: TestProduct, size: number): number {
  const lines = readFileSync(product.auditLog, 'utf8').slice(size).split('\n').filter(Boolean);
  return lines
    .map((line) => JSON.parse(line) as { verb: string; stage: string; user: { username: string } })
    .filter(
      (entry) =>
        entry.user.username === 'admin' &&
        entry.stage === 'ResponseComplete' &&
        ['create', 'update', 'patch', 'delete'].includes(entry.verb),
    ).length;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) printRows(await benchThousand());

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { fleetApplication, fleetName, fleetNamespace, writeFleetFolder } from '#test/kit/fleet.ts';
import { watchKube, type WatchEvent } from '#test/kit/kube-watch.ts';
import { eventually, startTestProduct, type TestProduct } from '#test/kit/product.ts';
import { percentile } from './measure.ts';
import { printRows, type BenchRow } from './row.ts';

/** Edits and deletes a managed object: from the watch event of the change to that of the correction. Then counts idle requests. */
export async function benchDrift(): Promise<BenchRow[]> {
  const product = await startTestProduct({ auditLog: true });
  try {
    const name = fleetName(0);
    await prepare(product, name);
    const edited = await correct(product, name, 25, (path, number) =>
      product.kube.request('PATCH', path, { data: { value: `drift-${number}` } }, 'application/merge-patch+json'),
    );
    const deleted = await correct(product, name, 15, (path) => product.kube.request('DELETE', path));
    const idle = await idleRequests(product, Number(process.env['HAWSER_BENCH_IDLE_SECONDS'] ?? 300));
    return [
      {
        name: 'drift → corrected, p50',
        value: percentile(edited, 0.5) / 1000,
        unit: 's',
        budget: 0.15,
        note: 'Argo CD 0.30 s',
      },
      { name: 'drift → corrected, p95', value: percentile(edited, 0.95) / 1000, unit: 's', budget: 0.3 },
      { name: 'deleted → created again, p50', value: percentile(deleted, 0.5) / 1000, unit: 's', budget: 0.15 },
      {
        name: 'requests in sync but watches',
        value: idle,
        unit: 'requests',
        budget: 0,
        note: 'over 5 minutes, at the API server',
      },
    ];
  } finally {
    await product.end();
  }
}

async function prepare(product: TestProduct, name: string): Promise<void> {
  await product.kube.create('/api/v1/namespaces', {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: fleetNamespace },
  });
  const work = await product.clone('bench');
  await writeFleetFolder(work, name, 'right');
  await product.git(work, 'add', '-A');
  await product.git(work, 'commit', '-qm', 'start');
  await product.git(work, 'push', '-q', 'origin', 'HEAD:main');
  await product.api('POST', '/api/v1/objects', { objects: [fleetApplication(`${product.run.git}/bench.git`, name)] });
  await eventually('the application is Synced', async () => {
    const detail = await product.api<{ sync: string }>('GET', `/api/v1/applications/${name}`);
    return detail.sync === 'Synced';
  });
}

/** Milliseconds from each change to its correction. Different objects take turns, so that no fight is suspected (INV-28). */
async function correct(
  product: TestProduct,
  name: string,
  times: number,
  change: (path: string, number: number) => Promise<unknown>,
): Promise<number[]> {
  const samples: number[] = [];
  let onEvent: ((event: WatchEvent) => void) | undefined;
  const watching = await watchKube(product.run.kubeconfig, `/api/v1/namespaces/${fleetNamespace}/configmaps`, (event) =>
    onEvent?.(event),
  );
  const path = `/api/v1/namespaces/${fleetNamespace}/configmaps/${name}`;
  try {
    for (let number = 0; number < times; number += 1) {
      let changedAt: number | undefined;
      const corrected = new Promise<number>((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`drift ${number} was not corrected in 20 s`)), 20_000);
        onEvent = (event) => {
          if (event.object.metadata.name !== name) return;
          const right = event.type !== 'DELETED' && event.object.data?.['value'] === 'right';
          if (!right) changedAt = event.at;
          if (!right || changedAt === undefined) return;
          clearTimeout(timer);
          resolve(event.at - changedAt);
        };
      });
      await change(path, number);
      samples.push(await corrected);
      // At most five corrections in five minutes are made at once (INV-28): afterwards each waits. Forget by a new generation.
      await new Promise((resolve) => setTimeout(resolve, 200));
      if (number % 4 === 3) await forgetFights(product, name);
    }
  } finally {
    watching.close();
  }
  return samples;
}

/** A sync that somebody asks for starts the count of corrections anew. */
async function forgetFights(product: TestProduct, name: string): Promise<void> {
  const { generation } = await product.api<{ generation: number }>('POST', `/api/v1/applications/${name}/sync`, {});
  await eventually('the sync is done', async () => {
    const detail = await product.api<{ operationState?: { generation: number; phase: string } }>(
      'GET',
      `/api/v1/applications/${name}`,
    );
    return detail.operationState?.generation === generation && detail.operationState.phase === 'Succeeded';
  });
}

/** Requests of the agent that are not watches, while nothing happens. */
async function idleRequests(product: TestProduct, seconds: number): Promise<number> {
  const file = product.auditLog;
  await new Promise((resolve) => setTimeout(resolve, 10_000));
  const before = readFileSync(file, 'utf8').length;
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const lines = readFileSync(file, 'utf8').slice(before).split('\n').filter(Boolean);
  return lines
    .map((line) => JSON.parse(line) as { verb: string; userAgent?: string; stage: string; user: { username: string } })
    .filter((entry) => entry.user.username === 'admin' && entry.verb !== 'watch' && entry.stage === 'ResponseComplete')
    .length;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) printRows(await benchDrift());

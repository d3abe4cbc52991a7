import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fleetApplication, fleetName, fleetNamespace, writeFleetFolder } from '#test/kit/fleet.ts';
import { watchKube, type WatchEvent } from '#test/kit/kube-watch.ts';
import { eventually, startTestProduct, type TestProduct } from '#test/kit/product.ts';
import { percentile } from './measure.ts';
import { printRows, type BenchRow } from './row.ts';

/** Pushes one small change again and again: from the start of `git push` to the API server's watch event. */
export async function benchPush(): Promise<BenchRow[]> {
  const product = await startTestProduct();
  try {
    const samples = await measurePushes(product, 50);
    return [
      {
        name: 'push → applied, one application, p50',
        value: percentile(samples, 0.5) / 1000,
        unit: 's',
        budget: 0.2,
        note: 'Flux 0.17 s, Argo CD 0.40 s',
      },
      {
        name: 'push → applied, one application, p95',
        value: percentile(samples, 0.95) / 1000,
        unit: 's',
        budget: 0.4,
        note: 'Flux 0.23 s, Argo CD 0.45 s',
      },
    ];
  } finally {
    await product.end();
  }
}

/** Milliseconds of each push after three to warm up. */
export async function measurePushes(product: TestProduct, pushes: number, name = fleetName(0)): Promise<number[]> {
  await product.kube.create('/api/v1/namespaces', {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: fleetNamespace },
  });
  const work = await product.clone('bench');
  await writeFleetFolder(work, name, 'start');
  await product.git(work, 'add', '-A');
  await product.git(work, 'commit', '-qm', 'start');
  await product.git(work, 'push', '-q', 'origin', 'HEAD:main');
  await product.api('POST', '/api/v1/objects', { objects: [fleetApplication(`${product.run.git}/bench.git`, name)] });
  return timePushes(product, work, name, pushes);
}

/** Changes one ConfigMap of one application by a push; waits for the API server's watch event each time. */
export async function timePushes(product: TestProduct, work: string, name: string, pushes: number): Promise<number[]> {
  const path = `/api/v1/namespaces/${fleetNamespace}/configmaps/${name}`;
  await eventually('the application is applied', async () => (await product.kube.request('GET', path)).status === 200);
  let seen: ((event: WatchEvent) => void) | undefined;
  const watching = await watchKube(
    product.run.kubeconfig,
    `/api/v1/namespaces/${fleetNamespace}/configmaps?fieldSelector=metadata.name%3D${name}`,
    (event) => seen?.(event),
  );
  const samples: number[] = [];
  try {
    for (let number = -3; number < pushes; number += 1) {
      const value = `push-${number}-${Date.now()}`;
      await writeFile(
        join(work, 'apps', name, 'config.yaml'),
        `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\ndata:\n  value: "${value}"\n`,
      );
      await product.git(work, 'commit', '-qam', `value ${value}`);
      const arrived = new Promise<number>((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`push ${number} was not applied in 30 s`)), 30_000);
        seen = (event) => {
          if (event.object.data?.['value'] !== value) return;
          clearTimeout(timer);
          resolve(event.at);
        };
      });
      const started = performance.now();
      const pushed = product.git(work, 'push', '-q', 'origin', 'HEAD:main');
      const took = (await arrived) - started;
      await pushed;
      if (number >= 0) samples.push(took);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  } finally {
    watching.close();
  }
  return samples;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) printRows(await benchPush());

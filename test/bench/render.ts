import { spawnSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRenderer } from '#shared/adapters/render/renderer.ts';
import type { Log } from '#shared/ports/log.ts';
import type { RenderBundle, Renderer } from '#shared/ports/renderer.ts';
import { ensureKustomize } from '#localstack/cluster/sandbox.ts';
import {
  chart,
  configMap,
  deployment,
  directoryBundle,
  fluxBundle,
  helmBundle,
  kustomizeBundle,
  service,
  shop,
} from '#test/fixtures/render/bundles.ts';
import { temporaryFolder } from '#test/kit/temp.ts';
import { percentile } from './measure.ts';
import { printRows, type BenchRow } from './row.ts';

const silent: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silent,
};

/** Renders end to end, warm: from the port's call to the objects. The tool alone stands beside it, in the same run. */
export async function benchRender(): Promise<BenchRow[]> {
  const kustomize = await ensureKustomize();
  const renderer = await createRenderer({
    cacheDir: join(tmpdir(), 'hawser-test-tools'),
    log: silent,
    kustomize,
    workers: 2,
  });
  try {
    // With a prefix kustomize itself has to run; without it, listing resources is all that the file says.
    const folder = kustomizeBundle(shop, 'shop', { namePrefix: 'x-' });
    const listing = kustomizeBundle(shop);
    const alone = await toolAlone(kustomize);
    return [
      {
        name: 'kustomize folder of 4 objects, p50',
        value: await p50(renderer, folder, 100),
        unit: 'ms',
        budget: 15,
        note: `kustomize alone ${alone.toFixed(1)} ms`,
      },
      {
        name: 'kustomize folders, 2 workers',
        value: await throughput(renderer, folder, 300),
        unit: '1/s',
        note: `${(2000 / alone).toFixed(0)}/s if both processors did nothing else`,
      },
      {
        name: 'kustomize folder that lists 4 objects, p50',
        value: await p50(renderer, listing, 100),
        unit: 'ms',
        budget: 15,
      },
      {
        name: 'kustomize folders that list 4 objects, 2 workers',
        value: await throughput(renderer, listing, 1000),
        unit: '1/s',
        atLeast: 150,
      },
      {
        name: 'Flux folder without kustomization, p50',
        value: await p50(renderer, fluxBundle({ 'shop/a.yaml': deployment, 'shop/b.yaml': service }), 50),
        unit: 'ms',
      },
      { name: 'helm chart, p50', value: await p50(renderer, helmBundle(chart), 30), unit: 'ms' },
      { name: 'directory of 4 files, p50', value: await p50(renderer, manifests(), 100), unit: 'ms' },
      { name: 'directories of 4 files, 2 workers', value: await throughput(renderer, manifests(), 1000), unit: '1/s' },
    ];
  } finally {
    await renderer.close();
  }
}

function manifests(): RenderBundle {
  return directoryBundle({
    'a.yaml': deployment,
    'b.yaml': service,
    'c.yaml': configMap('c'),
    'd.yaml': configMap('d'),
  });
}

async function p50(renderer: Renderer, bundle: RenderBundle, times: number): Promise<number> {
  for (let round = 0; round < 10; round += 1) await renderer.render(bundle, { tenant: 'bench' });
  const samples: number[] = [];
  for (let round = 0; round < times; round += 1) {
    const started = performance.now();
    await renderer.render(bundle, { tenant: 'bench' });
    samples.push(performance.now() - started);
  }
  return percentile(samples, 0.5);
}

async function throughput(renderer: Renderer, bundle: RenderBundle, times: number): Promise<number> {
  const started = performance.now();
  await Promise.all(Array.from({ length: times }, () => renderer.render(bundle, { tenant: 'bench' })));
  return (times * 1000) / (performance.now() - started);
}

/** The floor: the tool's process alone, in a folder that is there. */
async function toolAlone(kustomize: string): Promise<number> {
  await using folder = await temporaryFolder();
  await mkdir(join(folder.path, 'shop'));
  for (const [path, text] of Object.entries(shop)) await writeFile(join(folder.path, path), text);
  const samples = Array.from({ length: 50 }, () => {
    const started = performance.now();
    spawnSync(kustomize, ['build', join(folder.path, 'shop')], { env: { GOGC: '400', GOMAXPROCS: '2' } });
    return performance.now() - started;
  });
  return percentile(samples, 0.5);
}

if (import.meta.main) printRows(await benchRender());

import { ensureKustomize } from '#localstack/cluster/sandbox.ts';
import type { Log } from '#shared/ports/log.ts';
import type { RenderBundle, Renderer } from '#shared/ports/renderer.ts';
import { helmBundle, kustomizeBundle, shop } from '#test/fixtures/render/bundles.ts';
import { startLambda } from '#test/kit/lambda.ts';
import { buildSandbox, rendererAt } from '#test/kit/render-sandbox.ts';
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

/**
 * What isolation costs: the package of render-sandbox in environments as Lambda makes them, from the port's call to the
 * objects. Each job has a worker process of its own, which boots while the job is under way when jobs come at once.
 */
export async function benchRenderSandbox(): Promise<BenchRow[]> {
  await using folder = await temporaryFolder();
  const lambda = await startLambda(await buildSandbox(folder.path, await ensureKustomize()));
  const renderer = rendererAt(lambda.url, silent);
  try {
    const cold: number[] = [];
    for (let round = 0; round < 5; round += 1) cold.push(await timed(renderer, helmBundle(), `cold-${round}`));
    return [
      {
        name: 'helm chart in a new environment, p50',
        value: percentile(cold, 0.5),
        unit: 'ms',
        note: 'start, check of the tools and render',
      },
      { name: 'helm chart, environment at hand, p50', value: await p50(renderer, helmBundle()), unit: 'ms' },
      {
        name: 'kustomize folder that lists 4 objects, p50',
        value: await p50(renderer, kustomizeBundle(shop)),
        unit: 'ms',
      },
    ];
  } finally {
    await renderer.close();
    await lambda.close();
  }
}

async function p50(renderer: Renderer, bundle: RenderBundle): Promise<number> {
  const samples: number[] = [];
  for (let round = 0; round < 25; round += 1) samples.push(await timed(renderer, bundle, 'warm'));
  return percentile(samples.slice(5), 0.5);
}

async function timed(renderer: Renderer, bundle: RenderBundle, tenant: string): Promise<number> {
  const started = performance.now();
  await renderer.render(bundle, { tenant });
  return performance.now() - started;
}

if (import.meta.main) printRows(await benchRenderSandbox());

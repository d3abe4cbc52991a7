import { HawserError, messageOf } from '#shared/errors.ts';
import { renderJobs } from '#shared/flow.ts';
import type { PublishJob } from '#shared/messages/publish-job.ts';
import type { RenderJob } from '#shared/messages/render-job.ts';
import type { Clock } from '#shared/ports/clock.ts';
import type { Log } from '#shared/ports/log.ts';
import type { Metrics } from '#shared/ports/metrics.ts';
import type { Queue } from '#shared/ports/queue.ts';
import type { Renderer, RenderBundle, RenderCall } from '#shared/ports/renderer.ts';
import { unpackBundles } from '#shared/state/bundle-codec.ts';
import type { InputChunks } from '#shared/state/chunks.ts';

export interface RenderDeps {
  chunks: InputChunks;
  renderer: Renderer;
  publishJobs: Queue;
  log: Log;
  metrics: Metrics;
  clock: Clock;
}

interface RenderContext {
  signal: AbortSignal;
  /** 1 on the first delivery. */
  receives?: number;
}

/**
 * Input bundle in, objects as JSON out. This handler reads the bundle and passes the result on; the renderer behind its
 * port has no store, no queue, no credentials and no network. What went wrong with the input becomes a publish job that
 * says so, and so does a bundle that ended its sandbox in every try (FT-14, FT-30); what may pass by itself is thrown, and the
 * queue tries again.
 */
export function createRenderHandler(deps: RenderDeps): (job: RenderJob, context: RenderContext) => Promise<void> {
  return async function handleRenderJob(job, context) {
    const started = deps.clock.monotonic();
    const result = await renderJob(deps, job, context);
    const { bundle: _bundle, publish, ...rest } = job;
    const next: PublishJob = { ...rest, intent: publish, result };
    await deps.publishJobs.send([JSON.stringify(next)], { group: job.organisation });
    const seconds = (deps.clock.monotonic() - started) / 1000;
    deps.metrics.observe('render_seconds', seconds, { status: result.status });
    deps.log.info(
      { application: job.application, generation: job.generation, status: result.status, seconds, trace: job.trace },
      'rendered',
    );
  };
}

async function renderJob(
  deps: RenderDeps,
  job: RenderJob,
  { signal, receives }: RenderContext,
): Promise<PublishJob['result']> {
  const packed = await deps.chunks.read(job.organisation, job.bundle);
  // Bundles are kept for an hour; the publisher has an application planned again whose job is older than that.
  if (packed === undefined) return { status: 'failed', code: 'input-gone', message: 'the input bundle is gone' };
  try {
    const call = { tenant: job.organisation, signal };
    const { objects, warnings } = await renderAll(deps.renderer, unpackBundles(packed), call);
    const output = await deps.chunks.write(job.organisation, Buffer.from(objects.join('\n')));
    return { status: 'rendered', output, warnings };
  } catch (error) {
    if (!(error instanceof HawserError)) throw error;
    const killsSandbox = error.data['ended'] === true && (receives ?? 1) >= (renderJobs.tries ?? 1);
    if (error.retry === 'later' && !killsSandbox) throw error;
    const hint = error.hint === undefined ? '' : `. ${error.hint}`;
    return { status: 'failed', code: error.code, message: `${messageOf(error)}${hint}` };
  }
}

/** All sources or none (FT-32), in their order. */
async function renderAll(
  renderer: Renderer,
  bundles: readonly RenderBundle[],
  call: RenderCall,
): Promise<{ objects: string[]; warnings: string[] }> {
  const results = await Promise.all(bundles.map((bundle) => renderer.render(bundle, call)));
  return {
    objects: results.flatMap((result) => result.objects),
    warnings: results.flatMap((result) => result.warnings),
  };
}

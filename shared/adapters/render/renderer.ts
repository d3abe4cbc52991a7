import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Log } from '../../ports/log.ts';
import type { RenderBundle, RenderCall, Renderer, RenderResult } from '../../ports/renderer.ts';
import { requireSafeBundle } from './bundle-files.ts';
import { openJobsFolder } from './jobs-folder.ts';
import { defaultLimits, type RenderLimits } from './limits.ts';
import { workerCommand } from './sandbox.ts';
import { prepareToolchain, toolVersions, type ToolchainOptions } from './toolchain.ts';
import { createWorkerPool } from './worker-pool.ts';
import { startWorker } from './worker-process.ts';

export interface RendererOptions extends ToolchainOptions {
  cacheDir: string;
  /** Render workers, each of which takes one job at a time; one per processor, at most two, when absent. */
  workers?: number;
  log: Log;
  limits?: Partial<RenderLimits>;
  /** The worker's entry where it does not lie beside this module (bundles). */
  workerFile?: string;
}

/**
 * Renders in processes that have no credentials, no environment and, where the machine allows it, no network.
 * A worker that dies or passes a limit costs its own job only and is replaced. Throws `unavailable` when a tool is missing.
 */
export async function createRenderer(options: RendererOptions): Promise<Renderer> {
  const limits = { ...defaultLimits, ...options.limits };
  const tools = await prepareToolchain(options);
  const command = workerCommand(limits, options);
  const jobs = await openJobsFolder(join(options.cacheDir, 'render-jobs'));
  const count = options.workers ?? Math.min(2, availableParallelism());
  const pool = createWorkerPool(count, () => startWorker(command, tools, limits), options.log);

  async function render(bundle: RenderBundle, call: RenderCall): Promise<RenderResult> {
    requireSafeBundle(bundle, limits);
    const directory = join(jobs, randomBytes(24).toString('hex'));
    return pool.use(
      (worker) => worker.run(bundle, directory, call),
      // The worker removes its directory itself, unless it was ended.
      () => rm(directory, { recursive: true, force: true }),
      call.signal,
    );
  }

  async function close(): Promise<void> {
    await pool.close();
    await rm(jobs, { recursive: true, force: true });
  }

  return { render, close, versions: () => Promise.resolve({ ...toolVersions }) };
}

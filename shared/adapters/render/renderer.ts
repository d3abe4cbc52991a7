import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Log } from '../../ports/log.ts';
import type { RenderBundle, RenderCall, Renderer, RenderResult } from '../../ports/renderer.ts';
import { requireSafeBundle } from './bundle-files.ts';
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
  const jobs = await openJobsFolder(options.cacheDir);
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

/** A folder for this process's jobs; folders of processes that are gone are removed. */
async function openJobsFolder(cacheDir: string): Promise<string> {
  const parent = join(cacheDir, 'render-jobs');
  await mkdir(parent, { recursive: true, mode: 0o700 });
  for (const name of await readdir(parent)) {
    const owner = Number(name.split('-')[0]);
    if (!isRunning(owner)) await rm(join(parent, name), { recursive: true, force: true });
  }
  const folder = join(parent, `${process.pid}-${randomBytes(16).toString('hex')}`);
  await mkdir(folder, { mode: 0o700 });
  return folder;
}

function isRunning(pid: number): boolean {
  try {
    return Number.isInteger(pid) && pid > 0 && process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

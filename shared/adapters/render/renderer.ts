import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { HawserError } from '../../errors.ts';
import type { Log } from '../../ports/log.ts';
import type { RenderBundle, Renderer, RenderResult } from '../../ports/renderer.ts';
import { requireSafeBundle } from './bundle-files.ts';
import { defaultLimits, type RenderLimits } from './limits.ts';
import { workerCommand } from './sandbox.ts';
import { prepareToolchain, toolVersions, type ToolchainOptions } from './toolchain.ts';
import { startWorker, type WorkerProcess } from './worker-process.ts';

export interface RendererOptions extends ToolchainOptions {
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
  const command = workerCommand(limits, options.log, options.workerFile);
  const jobs = await openJobsFolder(options.cacheDir);
  const count = options.workers ?? Math.min(2, availableParallelism());
  const idle: WorkerProcess[] = [];
  const all = new Set<WorkerProcess>();
  const waiting: ((worker: WorkerProcess) => void)[] = [];
  let isClosed = false;
  for (let index = 0; index < count; index += 1) release(start());

  function start(): WorkerProcess {
    const worker = startWorker(command, tools, limits);
    all.add(worker);
    return worker;
  }

  function release(worker: WorkerProcess): void {
    const next = waiting.shift();
    if (next === undefined) idle.push(worker);
    else next(worker);
  }

  function take(signal: AbortSignal | undefined): Promise<WorkerProcess> {
    const worker = idle.pop();
    if (worker !== undefined) return Promise.resolve(worker);
    return new Promise((resolve, reject) => {
      const give = (given: WorkerProcess): void => {
        signal?.removeEventListener('abort', leave);
        resolve(given);
      };
      const leave = (): void => {
        waiting.splice(waiting.indexOf(give), 1);
        reject(calledOff());
      };
      signal?.addEventListener('abort', leave, { once: true });
      waiting.push(give);
    });
  }

  async function replace(worker: WorkerProcess): Promise<void> {
    all.delete(worker);
    await worker.end();
    if (!isClosed) release(start());
  }

  async function render(bundle: RenderBundle, signal?: AbortSignal): Promise<RenderResult> {
    requireSafeBundle(bundle, limits);
    if (isClosed || signal?.aborted === true) throw calledOff();
    const worker = await take(signal);
    const directory = join(jobs, randomBytes(24).toString('hex'));
    try {
      return await worker.run(bundle, directory, signal);
    } catch (error) {
      if (!worker.isAlive()) {
        options.log.warn(
          { reason: error instanceof HawserError ? error.code : 'unknown' },
          'a render worker ended and is replaced',
        );
        await rm(directory, { recursive: true, force: true });
      }
      throw error;
    } finally {
      if (worker.isAlive()) release(worker);
      else await replace(worker);
    }
  }

  async function close(): Promise<void> {
    isClosed = true;
    await Promise.all([...all].map((worker) => worker.end()));
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

function calledOff(): HawserError {
  return new HawserError('unavailable', 'the render was called off', { retry: 'later' });
}

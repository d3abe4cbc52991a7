import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HawserError } from '../../errors.ts';
import type { Log } from '../../ports/log.ts';
import type { RenderBundle, RenderCall, RenderResult } from '../../ports/renderer.ts';
import { requireSafeBundle } from './bundle-files.ts';
import { emptyFolder, foreignProcesses, killAll, readProcesses, type Known, type ProcessRow } from './leftovers.ts';
import { defaultLimits, type RenderLimits } from './limits.ts';
import { workerCommand } from './sandbox.ts';
import { prepareToolchain, type ToolchainOptions } from './toolchain.ts';
import { startWorker } from './worker-process.ts';

export interface LoneRendererOptions extends ToolchainOptions {
  /** The folder for jobs, made when it is not there. Nothing else may use it. */
  jobs: string;
  /**
   * The machine is this function's own (a Lambda environment): every other process of this user and everything beside
   * `jobs` in its parent folder is a leftover, and removed. Never true on a machine that people use.
   */
  isOwnMachine: boolean;
  workerFile: string;
  /** For a worker whose Node needs libraries from elsewhere. The tools never get it. */
  libraryPath?: string;
  limits?: Partial<RenderLimits>;
  log: Log;
}

/** One job's outcome, and what it left outside its own folder and process group (all gone by now). */
export interface LoneOutcome {
  result: RenderResult | { error: unknown };
  left: string[];
}

/** Thrown when the environment is not clean and cannot be made so: the process has to end without an answer. */
export class NotCleanError extends Error {}

/** How long what was killed may take to be gone, milliseconds. */
const dyingTime = 3_000;

/**
 * Renders one job at a time, each in a worker process that has seen no other, in an environment proved clean before and
 * after (§2.5 item 4). After a job that left something, the caller answers and then ends the process: what hides once may
 * hide twice. Ready when it returns, with the first worker started. Throws `unavailable` when a tool is missing, `NotCleanError`.
 */
export async function createLoneRenderer(options: LoneRendererOptions): Promise<{
  run(bundle: RenderBundle, call: Pick<RenderCall, 'wallClock'>): Promise<LoneOutcome>;
  close(): Promise<void>;
}> {
  const limits = { ...defaultLimits, ...options.limits };
  const tools = await prepareToolchain(options);
  const command = workerCommand(limits, options);
  const start = () => startWorker(command, tools, limits);
  // A predecessor that crashed may have left anything: /tmp outlives it on Lambda.
  await clean(options);
  let worker = start();

  async function run(bundle: RenderBundle, call: Pick<RenderCall, 'wallClock'>): Promise<LoneOutcome> {
    // It may have died while the environment was frozen.
    if (!worker.isAlive()) worker = start();
    const before = foreign(options, worker.pid);
    if (before.length > 0) throw new NotCleanError(`before a job: ${named(before).join(', ')}`);
    const result = await settled(async () => {
      requireSafeBundle(bundle, limits);
      return worker.run(bundle, join(options.jobs, randomBytes(24).toString('hex')), call);
    });
    const { pid } = worker;
    await worker.end();
    const left = await clean(options, pid);
    // Started now, it is up when the next job comes.
    if (left.length === 0) worker = start();
    return { result, left };
  }

  return { run, close: () => worker.end() };
}

async function settled(work: () => Promise<RenderResult>): Promise<LoneOutcome['result']> {
  try {
    return await work();
  } catch (error) {
    return { error };
  }
}

/** Ends and removes everything foreign; answers what there was outside the worker's group. Throws where something stays. */
async function clean(options: LoneRendererOptions, group?: number): Promise<string[]> {
  const { jobs, isOwnMachine } = options;
  const found = new Set(named(foreign(options, group)));
  const deadline = Date.now() + dyingTime;
  for (let running = foreign(options); running.length > 0; running = foreign(options)) {
    if (Date.now() > deadline) throw new NotCleanError(`does not end: ${named(running).join(', ')}`);
    killAll(running);
    await sleep(5);
  }
  if (isOwnMachine) for (const name of emptyFolder(dirname(jobs), basename(jobs))) found.add(`file ${name}`);
  mkdirSync(jobs, { recursive: true, mode: 0o700 });
  // The job's own folder is no find: a worker that was ended could not remove it.
  emptyFolder(jobs);
  const still = [...emptyFolder(jobs), ...(isOwnMachine ? emptyFolder(dirname(jobs), basename(jobs)) : [])];
  if (still.length > 0) throw new NotCleanError(`cannot be removed: ${still.join(', ')}`);
  return [...found].map((name) => name.slice(0, 200)).slice(0, 20);
}

function foreign({ isOwnMachine, jobs }: LoneRendererOptions, worker?: number): ProcessRow[] {
  const known: Known = { self: process.pid, user: process.getuid?.() ?? 0, worker };
  return foreignProcesses(readProcesses(), isOwnMachine ? known : { ...known, folder: jobs });
}

function named(rows: readonly ProcessRow[]): string[] {
  return rows.map(({ name }) => `process ${name}`);
}

/** What a failed run says, as data. */
export function failureOf(error: unknown): HawserError {
  if (error instanceof HawserError) return error;
  return new HawserError('internal', error instanceof Error ? error.message : String(error), {
    retry: 'later',
    cause: error,
  });
}

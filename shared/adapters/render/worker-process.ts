import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { HawserError, type ErrorCode } from '../../errors.ts';
import type { RenderBundle, RenderCall, RenderResult } from '../../ports/renderer.ts';
import { limitError, type RenderLimits } from './limits.ts';
import type { WorkerCommand } from './sandbox.ts';
import { createFrameCollector, frameHead, type RenderRequest, type RenderResponse, type ToolPaths } from './wire.ts';

/** One render worker as the service sees it. It takes one job at a time; after any failure of its own it is of no more use. */
export interface WorkerProcess {
  /** The process and its group; undefined when it did not start. */
  pid: number | undefined;
  /** Rejects with what the worker answered, `render-limit`, or `unavailable` (retry later) when the process died. */
  run(bundle: RenderBundle, directory: string, call: Pick<RenderCall, 'signal' | 'wallClock'>): Promise<RenderResult>;
  /** False once the process has ended or was ended. */
  isAlive(): boolean;
  /** Ends the process and all that it started; resolves when it is gone. */
  end(): Promise<void>;
}

/** Milliseconds between looks at memory and processes, and how long a job may run unwatched. */
const watchInterval = 200;

export function startWorker(command: WorkerCommand, tools: ToolPaths, limits: RenderLimits): WorkerProcess {
  const child = spawn(command.command, command.arguments, {
    cwd: '/',
    env: command.environment,
    stdio: ['pipe', 'pipe', 'ignore'],
    // A process group of its own: what ends it ends the tools too.
    detached: true,
  });
  // The start should not wait for renders, nor renders keep a finished process.
  child.unref();
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  let current: { settle: (outcome: Outcome) => void } | undefined;
  const collector = createFrameCollector(limits.output * 3 + 4 * 1024 * 1024);
  child.stdin?.on('error', () => undefined);
  child.stdout?.on('data', (chunk: Buffer) => {
    try {
      const frame = collector.add(chunk);
      if (frame !== undefined) current?.settle({ response: frame.header as RenderResponse, body: frame.body });
    } catch (error) {
      current?.settle({ error: new HawserError('internal', 'a render worker answered nonsense', { cause: error }) });
    }
  });
  void exited.then(() => current?.settle({ error: died(child) }));

  async function run(
    bundle: RenderBundle,
    directory: string,
    { signal, ...call }: Pick<RenderCall, 'signal' | 'wallClock'>,
  ): Promise<RenderResult> {
    const wallClock = Math.min(limits.wallClock, call.wallClock ?? limits.wallClock);
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    current = { settle: resolve };
    const abort = (): void =>
      resolve({ error: new HawserError('unavailable', 'the render was called off', { retry: 'later' }) });
    const deadline = setTimeout(() => resolve({ error: limitError('wallClock', wallClock) }), wallClock);
    const watch = setInterval(() => {
      const breach = child.pid === undefined ? undefined : breachOf(child.pid, limits);
      if (breach !== undefined) resolve({ error: breach });
    }, watchInterval);
    signal?.addEventListener('abort', abort, { once: true });
    try {
      if (!isAlive(child)) throw died(child);
      send(child, bundle, { directory, tools, limits });
      const outcome = await promise;
      if ('error' in outcome) throw outcome.error;
      return resultOf(outcome);
    } catch (error) {
      if (!(error instanceof AnsweredError)) await end();
      throw error instanceof AnsweredError ? error.answer : error;
    } finally {
      current = undefined;
      clearTimeout(deadline);
      clearInterval(watch);
      signal?.removeEventListener('abort', abort);
    }
  }

  async function end(): Promise<void> {
    child.ref();
    killGroup(child);
    await exited;
  }

  return { pid: child.pid, run, end, isAlive: () => isAlive(child) };
}

type Outcome = { response: RenderResponse; body: Buffer } | { error: HawserError };

/** Wraps what a healthy worker answered, so that it is told from the death of the worker. */
class AnsweredError extends Error {
  readonly answer: HawserError;
  constructor(answer: HawserError) {
    super(answer.message);
    this.answer = answer;
  }
}

function send(
  child: ChildProcess,
  bundle: RenderBundle,
  rest: Pick<RenderRequest, 'directory' | 'tools' | 'limits'>,
): void {
  const files = bundle.files.map(({ path, content, executable }) => ({
    path,
    size: content.byteLength,
    executable: executable === true,
  }));
  const size = files.reduce((sum, file) => sum + file.size, 0);
  child.stdin?.cork();
  child.stdin?.write(frameHead({ ...rest, path: bundle.path, job: bundle.job, files }, size));
  for (const { content } of bundle.files) child.stdin?.write(content);
  child.stdin?.uncork();
}

function resultOf({ response, body }: { response: RenderResponse; body: Buffer }): RenderResult {
  if (response.ok) {
    const objects = body.length === 0 ? [] : body.toString('utf8', 0, body.length - 1).split('\n');
    if (objects.length === response.objects) return { objects, warnings: response.warnings };
    throw new HawserError('unavailable', 'a render worker’s answer was cut short', { retry: 'later' });
  }
  const { code, message, data, hint } = response;
  const retry = code === 'internal' || code === 'unavailable' ? 'later' : 'never';
  const answer = new HawserError(code satisfies ErrorCode, message, {
    data,
    retry,
    ...(hint === undefined ? {} : { hint }),
  });
  throw new AnsweredError(answer);
}

function isAlive(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    child.kill('SIGKILL');
  }
}

function died(child: ChildProcess): HawserError {
  const how = child.signalCode ?? (child.exitCode === null ? 'did not start' : `code ${child.exitCode}`);
  return new HawserError('unavailable', `the render worker ended (${how})`, { retry: 'later', data: { how } });
}

/** Linux only, and only what can be read without cost: resident memory of the worker and its children, and how many they are. */
function breachOf(pid: number, limits: RenderLimits): HawserError | undefined {
  const pids = [pid, ...childrenOf(pid)];
  if (pids.length > limits.processes) return limitError('processes', limits.processes);
  const over = pids.some((each) => residentBytes(each) > limits.memory);
  return over ? limitError('memory', limits.memory) : undefined;
}

function childrenOf(pid: number): number[] {
  const found: number[] = [];
  const pending = [pid];
  for (let next = pending.pop(); next !== undefined && found.length < 1000; next = pending.pop()) {
    const children = readProc(`/proc/${next}/task/${next}/children`)
      .split(' ')
      .filter((word) => word !== '')
      .map(Number);
    found.push(...children);
    pending.push(...children);
  }
  return found;
}

function residentBytes(pid: number): number {
  return Number(readProc(`/proc/${pid}/statm`).split(' ')[1] ?? 0) * 4096;
}

function readProc(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}

import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { summaryFileVariable } from './reporter.ts';
import type { TierResult } from './summary.ts';
import type { Tier } from './tiers.ts';

const root = join(import.meta.dirname, '../..');
const config = ['--config', 'test/vitest.config.ts'];

/** Runs one tier in a process of its own, output to the terminal; ends it, and all it started, at its limit. */
export async function runVitest(tier: Tier, extra: readonly string[], signal: AbortSignal): Promise<TierResult> {
  const folder = await mkdtemp(join(tmpdir(), 'hawser-test-'));
  const file = join(folder, 'summary.json');
  const reporter = join(import.meta.dirname, 'reporter.ts');
  const args = ['run', ...config, '--project', tier.name, '--reporter', 'default', '--reporter', reporter, ...extra];
  try {
    const limit = AbortSignal.timeout(tier.limitMinutes * 60_000);
    const env = { ...process.env, [summaryFileVariable]: file };
    const code = await runTool('vitest', args, { env, signal: AbortSignal.any([signal, limit]), stdio: 'inherit' });
    return judge(tier, await readResult(file), code, limit.aborted);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** How many tests a tier holds, without running them. */
export async function countTests(tier: Tier): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'hawser-test-'));
  const file = join(folder, 'list.json');
  try {
    const args = ['list', ...config, '--project', tier.name, `--json=${file}`];
    await runTool('vitest', args, { env: process.env, signal: AbortSignal.timeout(120_000), stdio: 'ignore' });
    return (JSON.parse(await readFile(file, 'utf8')) as unknown[]).length;
  } catch {
    return 0;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export interface ToolOptions {
  env: NodeJS.ProcessEnv;
  signal: AbortSignal;
  stdio: 'inherit' | 'ignore' | 'pipe';
  onOutput?: (text: string) => void;
}

/** Runs a tool of node_modules/.bin on this Node; gives its exit code, or undefined where a signal ended it. */
export async function runTool(
  name: string,
  args: readonly string[],
  options: ToolOptions,
): Promise<number | undefined> {
  const env = { ...options.env, PATH: `${join(root, 'node_modules/.bin')}:${options.env['PATH'] ?? ''}` };
  // A group of its own, so that what a test leaves behind ends with it.
  const child = spawn(name, args, { cwd: root, env, stdio: options.stdio, detached: true });
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => options.onOutput?.(chunk.toString('utf8')));
  }
  const stop = () => endGroup(child);
  options.signal.addEventListener('abort', stop, { once: true });
  try {
    return await new Promise((done, failed) => {
      child.once('error', failed);
      child.once('close', (code) => done(code ?? undefined));
    });
  } finally {
    options.signal.removeEventListener('abort', stop);
  }
}

/** Numbers that contradict the exit code count as one more failure: a run is never green by accident. */
export function judge(
  tier: Pick<Tier, 'limitMinutes'>,
  result: TierResult | undefined,
  code: number | undefined,
  timedOut: boolean,
): TierResult {
  const known = result ?? { passed: 0, failed: 0, skipped: 0, files: 0, failures: [], skips: [] };
  if (timedOut) return withFailure(known, `ended after its limit of ${tier.limitMinutes} minutes`);
  if (result === undefined) return withFailure(known, `vitest ended with ${code ?? 'a signal'} and no result`);
  if (code !== 0 && known.failed === 0) return withFailure(known, `vitest ended with ${code ?? 'a signal'}`);
  return known;
}

function withFailure(result: TierResult, name: string): TierResult {
  return { ...result, failed: result.failed + 1, failures: [...result.failures, name] };
}

async function readResult(file: string): Promise<TierResult | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as TierResult;
  } catch {
    return undefined;
  }
}

function endGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  const pid = child.pid;
  signalGroup(pid, 'SIGTERM');
  setTimeout(() => signalGroup(pid, 'SIGKILL'), 5_000).unref();
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // It is gone already.
  }
}

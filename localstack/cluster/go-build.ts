import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { componentDied, startComponent } from './component.ts';
import { goVersionOf, linkerFlags, moduleDir, readModule, type ModuleName, type Part } from './parts-catalog.ts';
import { elapsedText, type ReportProgress } from './progress.ts';

const run = promisify(execFile);

export interface GoBuildOptions {
  progress?: ReportProgress | undefined;
  signal?: AbortSignal | undefined;
  env: NodeJS.ProcessEnv;
}

/** What the Go toolchain says about a module: usable, or one sentence why not. */
export type GoState = { ok: true } | { ok: false; reason: string };

/** Asks whether `go` is there and new enough for the module (with GOTOOLCHAIN=auto it may fetch a newer one). */
export async function checkGo(module: ModuleName, env: NodeJS.ProcessEnv): Promise<GoState> {
  const needed = goVersionOf(readModule(module).goMod);
  try {
    await run('go', ['list', '-m'], { cwd: moduleDir(module), env: goEnvironment(env) });
    return { ok: true };
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      return { ok: false, reason: 'Go is not installed' };
    }
    return { ok: false, reason: `the Go found here does not serve (${needed} is needed): ${stderrOf(error)}` };
  }
}

/**
 * Builds one part to `target`, atomically: under a temporary name, then renamed. The caller holds the build lock.
 * `done` and `total` are seconds of expected work, for the progress fraction; `label` is the step's title.
 * Throws a HawserError with the compiler's last lines, or the signal's reason.
 */
export async function buildPart(
  part: Part,
  target: string,
  share: { label: string; done: number; total: number },
  options: GoBuildOptions,
): Promise<void> {
  options.signal?.throwIfAborted();
  await mkdir(dirname(target), { recursive: true });
  await dropUnfinished(part, dirname(target));
  const temporary = join(dirname(target), `${unfinishedPrefix(part)}${randomUUID()}`);
  const logFile = `${target}.build.log`;
  await rm(logFile, { force: true });
  const flags = ['-v', '-trimpath', '-buildvcs=false', '-ldflags', linkerFlags(part.module), '-o', temporary];
  const build = await startComponent({
    name: `go build (${part.binary})`,
    command: 'go',
    args: ['build', ...flags, part.goPackage],
    cwd: moduleDir(part.module),
    env: goEnvironment(options.env),
    logFile,
    graceSeconds: 2,
  });
  const stop = () => void build.stop();
  options.signal?.addEventListener('abort', stop, { once: true });
  const ticker = reportBuild(part, logFile, share, options.progress);
  try {
    const code = await build.exited;
    options.signal?.throwIfAborted();
    if (code !== 0) throw await componentDied(build);
    await rename(temporary, target);
  } finally {
    clearInterval(ticker);
    options.signal?.removeEventListener('abort', stop);
    await rm(temporary, { force: true });
  }
}

/** The part of `go build -v` output that progress shows: packages compiled so far, and the newest line. */
export function readBuildLog(log: string): { compiled: number; latest: string } {
  const lines = log.split('\n').filter((line) => line !== '');
  const compiled = lines.filter((line) => !line.startsWith('go: ')).length;
  return { compiled, latest: (lines.at(-1) ?? '').replace(/^go: /, '') };
}

function unfinishedPrefix(part: Part): string {
  return `.${part.binary}.`;
}

/** Removes what a build whose process was killed left; the caller holds the build lock, so nobody is writing it. */
async function dropUnfinished(part: Part, folder: string): Promise<void> {
  const names = (await readdir(folder)).filter((name) => name.startsWith(unfinishedPrefix(part)));
  for (const name of names) await rm(join(folder, name), { force: true });
}

function reportBuild(
  part: Part,
  logFile: string,
  share: { label: string; done: number; total: number },
  progress: ReportProgress | undefined,
): NodeJS.Timeout {
  const started = Date.now();
  async function tell(): Promise<void> {
    const { compiled, latest } = readBuildLog(await readFile(logFile, 'utf8').catch(() => ''));
    const fraction = (share.done + Math.min(1, compiled / part.packages) * part.seconds) / share.total;
    const detail = [elapsedText(Date.now() - started), latest].filter((text) => text !== '').join(', ');
    progress?.({ step: share.label, detail, fraction });
  }
  void tell();
  return setInterval(() => void tell(), 500);
}

function goEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const clean: NodeJS.ProcessEnv = { ...env, CGO_ENABLED: '0', GOFLAGS: '-mod=readonly', GOWORK: 'off' };
  // What is built runs here, whatever the caller cross-compiles otherwise.
  for (const name of ['GOOS', 'GOARCH', 'GO111MODULE']) delete clean[name];
  return clean;
}

function stderrOf(error: unknown): string {
  if (error instanceof Error && 'stderr' in error && typeof error.stderr === 'string' && error.stderr !== '') {
    return error.stderr.trim();
  }
  return String(error);
}

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { HawserError } from '../../errors.ts';
import { limitError } from './limits.ts';
import type { RenderContext } from './render-context.ts';

/** A tool to run: an absolute path, arguments as an array, never a shell. */
export interface ToolRun {
  /** How people know it. */
  name: 'helm' | 'kustomize' | 'kubectl';
  command: string;
  arguments: string[];
  /** What the tool reads on stdin; nothing when absent. */
  input?: string;
  environment?: Record<string, string>;
}

const maxMessage = 4096;

/** Runs the tool once and returns its stdout and stderr. Throws `render-failed` with its own words, or `render-limit`. */
export function runTool(context: RenderContext, run: ToolRun): { stdout: Buffer; stderr: string } {
  const { limits, directory } = context;
  const result = spawnSync(run.command, run.arguments, {
    cwd: directory,
    env: { ...toolEnvironment(directory, limits.memory), ...run.environment },
    input: run.input,
    stdio: [run.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    maxBuffer: limits.output,
    // The service ends the whole group earlier; this is for a worker whose service is gone.
    timeout: limits.wallClock + 5_000,
    killSignal: 'SIGKILL',
    shell: false,
  });
  const stderr = result.stderr?.toString() ?? '';
  if (result.status === 0 && result.error === undefined) return { stdout: result.stdout, stderr };
  throw toolError(context, run, result.error, result.signal, stderr);
}

/** The environment of §2.5, item 3: exactly this, nothing inherited. `PATH` leads nowhere, so no tool finds another one. */
function toolEnvironment(directory: string, memory: number): Record<string, string> {
  return {
    PATH: join(directory, 'no-path'),
    HOME: join(directory, 'home'),
    TMPDIR: join(directory, 'tmp'),
    LANG: 'C.UTF-8',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    KUBECONFIG: '/dev/null',
    GOMEMLIMIT: `${Math.floor((memory * 3) / 4)}B`,
    // A render is over before garbage is worth collecting; GOMEMLIMIT still makes large ones collect.
    GOGC: '400',
    GOMAXPROCS: '2',
  };
}

function toolError(
  context: RenderContext,
  run: ToolRun,
  error: Error | undefined,
  signal: string | null,
  stderr: string,
): HawserError {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (code === 'ENOBUFS') return limitError('output', context.limits.output, run.name);
  if (code === 'ETIMEDOUT') return limitError('wallClock', context.limits.wallClock, run.name);
  if (signal === 'SIGXFSZ') return limitError('fileSize', context.limits.fileSize, run.name);
  if (/out of memory|cannot allocate memory|runtime: .*mmap/i.test(stderr))
    return limitError('memory', context.limits.memory, run.name);
  if (error !== undefined && code !== undefined && stderr === '') {
    return new HawserError('internal', `${run.name} could not be started: ${error.message}`, { retry: 'later' });
  }
  const words = cleanWords(stderr, context) || `ended by ${signal ?? 'itself'} without a word`;
  return new HawserError('render-failed', `${run.name}: ${words}`, { data: { tool: run.name, ...placeIn(words) } });
}

/** The tool's own words without our directory, colour codes or the word «Error:», at most 4 KiB. */
export function cleanWords(words: string, { directory, source }: Pick<RenderContext, 'directory' | 'source'>): string {
  const cleaned = words
    .replaceAll(`${source}/`, '')
    .replaceAll(source, '.')
    .replaceAll(`${directory}/`, '')
    .replaceAll(directory, '.')
    // oxlint-disable-next-line no-control-regex -- terminal codes are what goes
    .replaceAll(/\u001b\[[0-9;]*m|[\u0000-\u0008\u000b-\u001f]/g, '')
    .replace(/^(?:Error|error): /, '')
    .trim();
  return cleaned.length <= maxMessage ? cleaned : `${cleaned.slice(0, maxMessage - 1)}…`;
}

/** File and line where the words name them, e.g. `chart/templates/web.yaml:12:3`. */
function placeIn(words: string): { file?: string; line?: number } {
  const found = /([\w./-]+\.(?:ya?ml|tpl|json|txt)):(\d+)/.exec(words);
  return found?.[1] === undefined ? {} : { file: found[1], line: Number(found[2]) };
}

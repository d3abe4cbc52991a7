import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { vi } from 'vitest';
import type { FixtureApi } from '#test/kit/fixture-api.ts';

// Every test starts processes, several at once on a machine that has other things to do.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

export interface Ran {
  code: number;
  out: string;
  err: string;
}

export interface RunOptions {
  api?: FixtureApi;
  env?: Record<string, string>;
  input?: string;
  cwd?: string;
}

const bin = fileURLToPath(new URL('../../../cli/hawser.js', import.meta.url));

/** Runs the real program as people do, with nothing of this machine's settings. */
export async function hawser(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const child = start(args, options);
  return ended(child);
}

/** Runs it until `until` is in its output, then presses Ctrl-C. */
export async function hawserUntil(
  args: readonly string[],
  options: RunOptions,
  until: (out: string) => boolean,
  onOutput: (out: string) => void = () => undefined,
): Promise<Ran> {
  const child = start(args, options);
  let out = '';
  child.stdout?.on('data', (data: Buffer) => {
    out += data.toString();
    onOutput(out);
    if (until(out)) child.kill('SIGINT');
  });
  return ended(child);
}

/** Runs it until `when`, then presses Ctrl-C. */
export async function hawserWhen(args: readonly string[], options: RunOptions, when: () => boolean): Promise<Ran> {
  const child = start(args, options);
  const looking = setInterval(() => {
    if (!when()) return;
    clearInterval(looking);
    child.kill('SIGINT');
  }, 20);
  return ended(child).finally(() => clearInterval(looking));
}

function start(args: readonly string[], { api, env = {}, input, cwd = '/' }: RunOptions): ChildProcess {
  const child = spawn(process.execPath, [bin, ...args], {
    cwd,
    env: {
      PATH: process.env['PATH'],
      HOME: '/nonexistent',
      XDG_CONFIG_HOME: '/nonexistent',
      ...(api === undefined ? {} : { HAWSER_SERVER: api.url, HAWSER_TOKEN: api.token }),
      ...env,
    },
  });
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(input ?? '');
  return child;
}

async function ended(child: ChildProcess): Promise<Ran> {
  const [out, err]: [Buffer[], Buffer[]] = [[], []];
  child.stdout?.on('data', (data: Buffer) => out.push(data));
  child.stderr?.on('data', (data: Buffer) => err.push(data));
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code: code ?? -1, out: Buffer.concat(out).toString(), err: Buffer.concat(err).toString() };
}

/** Every line's cells, split at three or more spaces as columns are. */
export function cells(out: string): string[][] {
  return out
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ {3,}/));
}

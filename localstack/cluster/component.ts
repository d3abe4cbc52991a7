import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Duplex } from 'node:stream';
import { HawserError } from '#shared/errors.ts';
import { signalProcess } from './process-table.ts';

/** A running command that cannot outlive this process. */
export interface Component {
  name: string;
  /** The command's own pid. */
  pid: number;
  /** The process group that holds it and its supervisor. */
  group: number;
  logFile: string;
  /** Settles with the exit code when it has ended, for whatever reason; never rejects. */
  exited: Promise<number>;
  /** SIGTERM, SIGKILL after the grace period; returns when it is gone. May be called more than once. */
  stop(): Promise<void>;
}

export interface ComponentOptions {
  name: string;
  command: string;
  args: readonly string[];
  logFile: string;
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** Seconds between SIGTERM and SIGKILL; default 5. */
  graceSeconds?: number;
}

const supervisor = join(import.meta.dirname, 'supervise.sh');

/**
 * Starts a command under supervise.sh, appending its output to the log file.
 * The pipe to the supervisor is what keeps it alive: it breaks with this process, even on SIGKILL.
 */
export async function startComponent(options: ComponentOptions): Promise<Component> {
  const { name, command, args, logFile, graceSeconds = 5 } = options;
  await mkdir(dirname(logFile), { recursive: true });
  const child = spawn('/bin/sh', [supervisor, String(graceSeconds), logFile, command, ...args], {
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore', 'pipe'],
    cwd: options.cwd,
    env: options.env ?? process.env,
  });
  const lifeline = child.stdio[3] as Duplex;
  lifeline.on('error', () => undefined);
  lifeline.resume();
  const exited = exitCode(child).finally(() => lifeline.destroy());
  const pid = await firstLine(child);
  const group = child.pid;
  if (group === undefined || !(pid > 0)) {
    lifeline.destroy();
    throw new HawserError('unavailable', `${name} could not be started: /bin/sh ended with ${await exited}`);
  }
  return { name, pid, group, logFile, exited, stop: () => stopChild(lifeline, group, exited, graceSeconds) };
}

/** The error for a component that ended when it should not have: its name, last log lines and log file. */
export async function componentDied(component: Component): Promise<HawserError> {
  const code = await component.exited;
  const tail = await logTail(component.logFile);
  const text = `${component.name} ended with code ${code}. Its last lines:\n${tail}\nThe whole log: ${component.logFile}`;
  return new HawserError('unavailable', text, { data: { component: component.name, log: component.logFile } });
}

/** The last lines of a log file, indented; a note if it is empty or missing. */
export async function logTail(file: string, lines = 12): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const last = text.trimEnd().split('\n').slice(-lines);
  return last.join('') === '' ? '  (nothing was logged)' : last.map((line) => `  ${line.slice(0, 400)}`).join('\n');
}

async function stopChild(lifeline: Duplex, group: number, exited: Promise<number>, grace: number): Promise<void> {
  lifeline.destroy();
  const lastResort = setTimeout(() => signalProcess(-group, 'SIGKILL'), (grace + 2) * 1000);
  await exited;
  clearTimeout(lastResort);
}

async function exitCode(child: ChildProcess): Promise<number> {
  try {
    const [code] = (await once(child, 'exit')) as [number | null];
    return code ?? -1;
  } catch {
    return -1;
  }
}

function firstLine(child: ChildProcess): Promise<number> {
  return new Promise((resolve) => {
    child.stdout?.once('data', (chunk: Buffer) => resolve(Number.parseInt(chunk.toString(), 10)));
    child.stdout?.once('end', () => resolve(Number.NaN));
    child.once('error', () => resolve(Number.NaN));
  });
}

import { execFile } from 'node:child_process';
import { createServer, type AddressInfo } from 'node:net';
import { readFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { HawserError } from '#shared/errors.ts';
import { componentDied, logTail, startComponent, type Component } from '../cluster/component.ts';
import { withFileLock } from '../cluster/file-lock.ts';
import { elapsedText, type ReportProgress } from '../cluster/progress.ts';
import type { Availability } from './emulators.ts';

export interface StartOptions {
  env: NodeJS.ProcessEnv;
  progress?: ReportProgress;
  signal?: AbortSignal;
}

export interface Running {
  endpoint: string;
  stop(): Promise<void>;
}

/** One emulator. `folder` is where emulators are installed, `runFolder` what a run may write to. */
export interface Emulator {
  look(folder: string, env: NodeJS.ProcessEnv): Promise<Availability>;
  install(folder: string, options: StartOptions): Promise<void>;
  start(folder: string, runFolder: string, options: StartOptions): Promise<Running>;
}

const execute = promisify(execFile);

/** LocalStack takes seconds, and half a minute when it is started for the first time on a busy machine. */
const readySeconds = 120;
const doneFile = 'installed';

/** True when the installation of this folder came to its end. */
export async function isInstalled(target: string): Promise<boolean> {
  return readFile(join(target, doneFile)).then(
    () => true,
    () => false,
  );
}

/** Runs the commands one after another where `target` is not installed yet; one process at a time, from an empty folder. */
export async function installOnce(
  target: string,
  label: string,
  commands: readonly { command: string; args: readonly string[] }[],
  options: StartOptions,
): Promise<void> {
  if (await isInstalled(target)) return;
  const lock = {
    signal: options.signal,
    onWait: (holder: string) => options.progress?.({ step: label, detail: `${holder} is installing it` }),
  };
  await withFileLock(`${target}.lock`, lock, async () => {
    if (await isInstalled(target)) return;
    await rm(target, { recursive: true, force: true });
    await mkdir(target, { recursive: true });
    for (const [index, { command, args }] of commands.entries()) {
      const share = { label, from: index / commands.length, to: (index + 1) / commands.length };
      await runCommand(command, args, target, share, options);
    }
    await writeFile(join(target, doneFile), '');
    options.progress?.({ step: label, fraction: 1 });
  });
}

/** Starts a supervised process and waits until `url` answers anything below 500. Throws with its last log lines. */
export async function startServer(
  component: { name: string; command: string; args: readonly string[]; cwd: string; env: NodeJS.ProcessEnv },
  url: { endpoint: string; ready: string },
  options: StartOptions,
): Promise<Running> {
  await mkdir(component.cwd, { recursive: true });
  const running = await startComponent({ ...component, logFile: `${component.cwd}.log` });
  try {
    await untilReady(running, url.ready, options);
  } catch (error) {
    await running.stop();
    throw error;
  }
  return { endpoint: url.endpoint, stop: () => running.stop() };
}

/** Whether a command ends with success. */
export async function runs(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<boolean> {
  return execute(command, [...args], { env }).then(
    () => true,
    () => false,
  );
}

/** A port that was free just now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function untilReady(component: Component, url: string, options: StartOptions): Promise<void> {
  const started = Date.now();
  let ended = false;
  void component.exited.then(() => (ended = true));
  for (;;) {
    options.signal?.throwIfAborted();
    if (ended) throw await componentDied(component);
    if (await answers(url)) return;
    const waited = Date.now() - started;
    if (waited > readySeconds * 1000) {
      const tail = await logTail(component.logFile);
      throw new HawserError('unavailable', `${component.name} does not answer after ${readySeconds} s:\n${tail}`);
    }
    options.progress?.({ step: `Starting ${component.name}`, detail: elapsedText(waited) });
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
    await response.arrayBuffer();
    return response.status < 500;
  } catch {
    return false;
  }
}

/** Its last log line is the progress; an error says how the log ends. */
async function runCommand(
  command: string,
  args: readonly string[],
  cwd: string,
  share: { label: string; from: number; to: number },
  options: StartOptions,
): Promise<void> {
  options.signal?.throwIfAborted();
  const logFile = `${cwd}.log`;
  const started = Date.now();
  const component = await startComponent({ name: command, command, args, cwd, env: options.env, logFile });
  const ticker = setInterval(() => {
    // Nobody knows how long a download takes: half of the share after half a minute, never all of it.
    const part = 1 - 0.5 ** ((Date.now() - started) / 30_000);
    const fraction = share.from + (share.to - share.from) * part;
    options.progress?.({ step: share.label, detail: elapsedText(Date.now() - started), fraction });
  }, 500);
  const stop = () => void component.stop();
  options.signal?.addEventListener('abort', stop, { once: true });
  try {
    const code = await component.exited;
    options.signal?.throwIfAborted();
    if (code !== 0) throw await componentDied(component);
  } finally {
    clearInterval(ticker);
    options.signal?.removeEventListener('abort', stop);
  }
}

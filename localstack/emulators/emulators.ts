import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { defaultCacheDir } from '../cluster/parts.ts';
import { isAlive } from '../cluster/process-table.ts';
import type { ReportProgress } from '../cluster/progress.ts';
import { dynamodbLocal } from './dynamodb-local.ts';
import type { Emulator, Running } from './emulator.ts';
import { localstackHost } from './localstack-host.ts';

export type EmulatorName = 'dynamodb' | 'localstack';

export interface EmulatorOptions {
  /** Where they are installed, once; default `$XDG_CACHE_HOME/hawser` or `~/.cache/hawser`. */
  cacheDir?: string;
  progress?: ReportProgress;
  signal?: AbortSignal;
  /** Default: both. */
  only?: readonly EmulatorName[];
  /** Default: this process's environment. */
  env?: NodeJS.ProcessEnv;
}

/** `localstack` answers for SQS, Secrets Manager, KMS, STS and IAM. */
export interface RunningEmulators {
  /** URLs on 127.0.0.1; empty for one that was not asked for. */
  endpoints: Record<EmulatorName, string>;
  /** Ends them and removes what they kept; may be called more than once. */
  stop(): Promise<void>;
}

/** Whether an emulator can run here; if not, what is missing and how to get it. */
export type Availability = { ok: true; installed: boolean } | { ok: false; reason: string };

const emulators: Record<EmulatorName, Emulator> = { dynamodb: dynamodbLocal, localstack: localstackHost };
const names = ['dynamodb', 'localstack'] as const;

/** Says for each emulator whether it can run on this machine; installs nothing. */
export async function availableEmulators(
  options: Pick<EmulatorOptions, 'cacheDir' | 'env'> = {},
): Promise<Record<EmulatorName, Availability>> {
  const { folder, env } = placeOf(options);
  const [dynamodb, localstack] = await Promise.all([dynamodbLocal.look(folder, env), localstackHost.look(folder, env)]);
  return { dynamodb, localstack };
}

/** Installs what is not there yet, pinned, into the cache; several processes may ask at once. Throws with the installer's last lines. */
export async function installEmulators(options: EmulatorOptions = {}): Promise<void> {
  const { folder, env } = placeOf(options);
  for (const name of options.only ?? names) await emulators[name].install(folder, { ...options, env });
}

/**
 * Installs where needed, starts them on free ports of 127.0.0.1 with nothing in them, and waits until they answer.
 * They end with this process, however it ends. Throws a HawserError with the last log lines where one does not start.
 */
export async function startEmulators(options: EmulatorOptions = {}): Promise<RunningEmulators> {
  await installEmulators(options);
  const { folder, env } = placeOf(options);
  await sweepRunFolders(folder);
  const runFolder = join(folder, 'run', `${process.pid}-${Date.now()}`);
  await mkdir(runFolder, { recursive: true });
  const wanted = options.only ?? names;
  const starts = await Promise.allSettled(
    wanted.map((name) => emulators[name].start(folder, join(runFolder, name), { ...options, env })),
  );
  const running = starts.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : []));
  const stop = () => stopAll(running, runFolder);
  const failure = starts.find((start) => start.status === 'rejected');
  if (failure !== undefined) {
    await stop();
    throw failure.reason;
  }
  const endpointOf = (name: EmulatorName): string => running[wanted.indexOf(name)]?.endpoint ?? '';
  return { endpoints: { dynamodb: endpointOf('dynamodb'), localstack: endpointOf('localstack') }, stop };
}

function placeOf(options: Pick<EmulatorOptions, 'cacheDir' | 'env'>): { folder: string; env: NodeJS.ProcessEnv } {
  const env = options.env ?? process.env;
  return { folder: join(options.cacheDir ?? defaultCacheDir(env), 'emulators'), env };
}

async function stopAll(running: readonly Running[], runFolder: string): Promise<void> {
  await Promise.all(running.map((emulator) => emulator.stop()));
  await rm(runFolder, { recursive: true, force: true, maxRetries: 3 });
}

/** What runs left behind whose process was killed. */
async function sweepRunFolders(folder: string): Promise<void> {
  const found = await readdir(join(folder, 'run')).catch(() => []);
  const dead = found.filter((name) => !isAlive(Number.parseInt(name, 10)));
  await Promise.all(dead.map((name) => rm(join(folder, 'run', name), { recursive: true, force: true })));
}

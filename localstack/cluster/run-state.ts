import { readFile, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { HawserError } from '#shared/errors.ts';
import { writeWhole, type SandboxPaths } from './data-dir.ts';
import { commandLineOf, isAlive, signalProcess } from './process-table.ts';

/** What runs in a data directory: who started it, and its components. */
export interface RunState {
  owner: number;
  startedAt: string;
  components: Record<string, number>;
}

/** A start that has no component yet counts as under way for so long. */
const startingWindow = 20_000;

/** Reads a run file; undefined where there is none or it is not one. */
export function parseRunState(text: string): RunState | undefined {
  try {
    const { owner, startedAt, components } = JSON.parse(text) as Partial<RunState>;
    if (typeof owner !== 'number' || typeof startedAt !== 'string' || typeof components !== 'object') return undefined;
    const pids = Object.entries(components).filter(([, pid]) => Number.isInteger(pid) && pid > 1);
    return { owner, startedAt, components: Object.fromEntries(pids) };
  } catch {
    return undefined;
  }
}

/**
 * Makes the data directory this process's: ends what an earlier, dead owner left running.
 * Throws a HawserError if a living process runs a sandbox there.
 */
export async function takeOver(paths: SandboxPaths): Promise<void> {
  const state = parseRunState(await readFile(paths.run, 'utf8').catch(() => ''));
  if (state !== undefined) {
    const running = await runningComponents(state, paths);
    if (isInUse(state, running)) throw inUse(paths, state.owner);
    await endLeftovers(running, state, paths);
  }
  await writeRunState(paths, {});
}

/** Records the components that run now, so that the next start can clean up after a crash. */
export async function writeRunState(paths: SandboxPaths, components: Record<string, number>): Promise<void> {
  const state: RunState = { owner: process.pid, startedAt: new Date().toISOString(), components };
  await writeWhole(paths.run, `${JSON.stringify(state)}\n`);
}

/** Forgets the run after a clean stop. */
export async function clearRunState(paths: SandboxPaths): Promise<void> {
  await rm(paths.run, { force: true });
}

/** Pids are reused: a process counts as ours only while its command line names this data directory. */
async function runningComponents(state: RunState, paths: SandboxPaths): Promise<number[]> {
  const pids = Object.values(state.components);
  const lines = await Promise.all(pids.map((pid) => commandLineOf(pid)));
  return pids.filter((_, index) => lines[index]?.includes(`${paths.root}/`) === true);
}

function isInUse(state: RunState, running: readonly number[]): boolean {
  if (!isAlive(state.owner)) return false;
  if (running.length > 0) return true;
  const starting = Date.now() - Date.parse(state.startedAt) < startingWindow;
  return starting && state.owner !== process.pid && Object.keys(state.components).length === 0;
}

async function endLeftovers(pids: readonly number[], state: RunState, paths: SandboxPaths): Promise<void> {
  for (const pid of pids) signalProcess(pid, 'SIGTERM');
  for (const [signal, seconds] of [
    ['SIGKILL', 3],
    [undefined, 2],
  ] as const) {
    const deadline = Date.now() + seconds * 1000;
    while (Date.now() < deadline) {
      if ((await runningComponents(state, paths)).length === 0) return;
      await sleep(50);
    }
    if (signal !== undefined) for (const pid of await runningComponents(state, paths)) signalProcess(pid, signal);
  }
}

function inUse(paths: SandboxPaths, owner: number): HawserError {
  return new HawserError('conflict', `Process ${owner} already runs a sandbox cluster in ${paths.root}`, {
    hint: 'Stop it, or use another data directory',
    data: { owner, dataDir: paths.root },
  });
}

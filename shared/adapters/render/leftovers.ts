import { chmodSync, lstatSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** One process as /proc shows it. */
export interface ProcessRow {
  pid: number;
  parent: number;
  group: number;
  /** Real user id. `status` says it whatever the process did to hide (`stat` of its folder does not). */
  user: number;
  name: string;
  /** Z and X are dead: nothing of theirs runs. */
  state: string;
  /** The file it runs; '' where that cannot be read. */
  program: string;
  /** The start of its environment; '' where it cannot be read. */
  environment: string;
}

/** What may run: this process, those before it, and a worker with its group. */
export interface Known {
  self: number;
  user: number;
  /** Process group of the worker at hand. */
  worker?: number | undefined;
  /** Where the machine is shared with others (a laptop): only what carries this folder in its environment is ours to judge. */
  folder?: string | undefined;
}

/**
 * Processes that a job left behind (INV-35, §2.5 item 4): on a machine of our own all of this user but the known ones; on
 * a shared one those that descend from this process or carry the job folder in their environment, as every tool does.
 */
export function foreignProcesses(rows: readonly ProcessRow[], known: Known): ProcessRow[] {
  const byPid = new Map(rows.map((row) => [row.pid, row]));
  const before = new Set(lineOf(byPid, known.self));
  return rows.filter((row) => {
    if (row.user !== known.user || before.has(row.pid) || row.state === 'Z' || row.state === 'X') return false;
    if (row.program.startsWith(platform)) return false;
    if (known.worker !== undefined && row.group === known.worker) return false;
    if (known.folder === undefined) return true;
    return row.environment.includes(known.folder) || lineOf(byPid, row.pid).includes(known.self);
  });
}

/** Where Lambda's own programs lie. No job can put a program there, and what lies there loads nothing of a job's. */
const platform = '/var/rapid/';

/** A process and all before it, to the first. */
function lineOf(byPid: ReadonlyMap<number, ProcessRow>, pid: number): number[] {
  const line: number[] = [];
  for (let row = byPid.get(pid); row !== undefined && !line.includes(row.pid); row = byPid.get(row.parent))
    line.push(row.pid);
  return line;
}

/** Every process that can be seen. Processes that end meanwhile are left out. Linux; elsewhere none. */
export function readProcesses(): ProcessRow[] {
  const pids = listed('/proc').filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => {
    const stat = text(`/proc/${pid}/stat`);
    // The name may hold anything, so fields are counted from its last bracket.
    const rest = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const user = /^Uid:\s+(\d+)/m.exec(text(`/proc/${pid}/status`))?.[1];
    if (rest.length < 3 || user === undefined) return [];
    const [state = '', parent = '', group = ''] = rest;
    const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
    const environment = text(`/proc/${pid}/environ`).slice(0, 16_384);
    const program = target(`/proc/${pid}/exe`);
    return [
      {
        pid: Number(pid),
        parent: Number(parent),
        group: Number(group),
        user: Number(user),
        name,
        state,
        program,
        environment,
      },
    ];
  });
}

/** Ends processes for good; those that are gone already do not matter. */
export function killAll(rows: readonly ProcessRow[]): void {
  for (const { pid } of rows) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Gone, or not to be ended: the caller looks again.
    }
  }
}

/** Removes what is in a folder but for `keep`; returns the names that were there. What cannot be removed is there next time. */
export function emptyFolder(folder: string, keep?: string): string[] {
  const names = listed(folder).filter((name) => name !== keep);
  for (const name of names) {
    const path = join(folder, name);
    try {
      openUp(path);
      rmSync(path, { recursive: true, force: true });
    } catch {
      // The caller looks again.
    }
  }
  return names;
}

/** Folders that forbid reading or writing would keep what is in them. Links are not followed. */
function openUp(path: string): void {
  if (!lstatSync(path).isDirectory()) return;
  chmodSync(path, 0o700);
  for (const name of listed(path)) openUp(join(path, name));
}

function listed(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function text(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

function target(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

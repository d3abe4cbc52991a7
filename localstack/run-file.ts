import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What `npm start` writes when all is up (a contract: see README). */
export interface RunFile {
  url: string;
  token: string;
  git: string;
  kubeconfig: string;
  webhookSecret: string;
  pid: number;
  clusters: { name: string; kubeconfig: string; agentPid: number }[];
}

/** What DIR remembers from one start to the next, so that addresses and tokens that were handed out stay true. */
export interface Memory {
  port?: number;
  gitPort?: number;
  token?: string;
  webhookSecret?: string;
  agentTokens: Record<string, string>;
}

export function readMemory(dataDir: string): Memory {
  const file = join(dataDir, 'memory.json');
  if (!existsSync(file)) return { agentTokens: {} };
  return { agentTokens: {}, ...(JSON.parse(readFileSync(file, 'utf8')) as Partial<Memory>) };
}

export function writeMemory(dataDir: string, memory: Memory): void {
  writePrivate(join(dataDir, 'memory.json'), memory);
}

export function writeRunFile(dataDir: string, run: RunFile): void {
  writePrivate(join(dataDir, 'run.json'), run);
}

/** Gone as soon as nothing runs any more: a stale file would send people to a dead address. Another service's file stays. */
export function removeRunFile(dataDir: string): void {
  const file = join(dataDir, 'run.json');
  if (!existsSync(file)) return;
  const { pid } = JSON.parse(readFileSync(file, 'utf8')) as RunFile;
  if (pid === process.pid) rmSync(file, { force: true });
}

function writePrivate(file: string, value: unknown): void {
  writeFileSync(`${file}.new`, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

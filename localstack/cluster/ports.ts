import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { HawserError } from '#shared/errors.ts';
import { writeWhole } from './data-dir.ts';

/** The two ports a sandbox listens on, both on 127.0.0.1 only. */
export interface SandboxPorts {
  etcd: number;
  apiserver: number;
}

/** Below the ranges that systems hand out for outgoing connections, so that a port is still free next time. */
const lowest = 20_000;
const highest = 31_999;

/** The ports used last time where they are free, else new ones; remembered in `file`. */
export async function choosePorts(file: string): Promise<SandboxPorts> {
  const remembered = parsePorts(await readFile(file, 'utf8').catch(() => ''));
  const apiserver = await freePort(remembered?.apiserver, []);
  const etcd = await freePort(remembered?.etcd, [apiserver]);
  const ports = { etcd, apiserver };
  await writeWhole(file, `${JSON.stringify(ports)}\n`);
  return ports;
}

/** Reads a ports file; undefined where it does not hold two usable ports. */
export function parsePorts(text: string): SandboxPorts | undefined {
  try {
    const { etcd, apiserver } = JSON.parse(text) as Partial<Record<keyof SandboxPorts, unknown>>;
    return isPort(etcd) && isPort(apiserver) && etcd !== apiserver ? { etcd, apiserver } : undefined;
  } catch {
    return undefined;
  }
}

function isPort(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) > 0 && Number(value) < 65_536;
}

async function freePort(wanted: number | undefined, taken: readonly number[]): Promise<number> {
  if (wanted !== undefined && !taken.includes(wanted) && (await isFree(wanted))) return wanted;
  for (let attempt = 0; attempt < 200; attempt++) {
    const port = lowest + Math.floor(Math.random() * (highest - lowest + 1));
    if (!taken.includes(port) && (await isFree(port))) return port;
  }
  throw new HawserError('unavailable', `No free port between ${lowest} and ${highest} on 127.0.0.1`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}

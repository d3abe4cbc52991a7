import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { createKubeClient, type KubeClient } from '#localstack/cluster/kube-client.ts';
import { startProduct } from '#localstack/product.ts';
import type { RunFile } from '#localstack/run-file.ts';
import type { StartService } from '#localstack/running-service.ts';
import { createTerminal } from '#localstack/terminal.ts';

const execute = promisify(execFile);
const root = join(import.meta.dirname, '..', '..');

/** The product as `npm start` starts it, in a folder of its own, with what a test needs to look at it. */
export interface TestProduct {
  run: RunFile;
  dataDir: string;
  /** The sandbox's audit log, where it was asked for. */
  auditLog: string;
  kube: KubeClient;
  /** Calls the API as the admin; throws with the problem's text where the answer is not 2xx. */
  api<T>(method: string, path: string, body?: unknown): Promise<T>;
  /** Runs git in a folder; returns its output. */
  git(folder: string, ...args: string[]): Promise<string>;
  /** Clones a repository of the Git host (created when it is missing) into a new folder. */
  clone(name: string): Promise<string>;
  /** Stops everything and removes the folder. */
  end(): Promise<void>;
}

/**
 * Starts the product. `dataDir` keeps an earlier one's folder; `auditLog` lets requests be counted at the API server;
 * `startService` puts another service in the middle than the embedded one.
 */
export async function startTestProduct(
  options: {
    demo?: boolean;
    auditLog?: boolean;
    clusters?: number;
    dataDir?: string;
    verbose?: boolean;
    startService?: StartService;
  } = {},
): Promise<TestProduct> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'hawser-product-'));
  const silent = new PassThrough() as unknown as NodeJS.WriteStream;
  silent.resume();
  const product = await startProduct(
    {
      port: undefined,
      dataDir,
      context: undefined,
      clusters: options.clusters ?? 1,
      demo: options.demo ?? false,
      help: false,
      verbose: options.verbose ?? false,
      auditLog: options.auditLog ?? false,
    },
    createTerminal(silent),
    new AbortController().signal,
    options.startService,
  );
  return testProduct(product.run, dataDir, product.stop);
}

/** The same as a process of its own, for figures that a test's own work must not be part of: memory, CPU. */
export async function startProductProcess(options: { demo?: boolean; auditLog?: boolean } = {}): Promise<TestProduct> {
  const dataDir = mkdtempSync(join(tmpdir(), 'hawser-product-'));
  const flags = options.demo === true ? [] : ['--no-demo'];
  const scripts = (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: { start: string } })
    .scripts;
  const [, ...start] = scripts.start.split(' ');
  const child = spawn(process.execPath, [...start, '--data', dataDir, ...flags], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, ...(options.auditLog === true ? { HAWSER_SANDBOX_AUDIT: '1' } : {}) },
  });
  const ended = new Promise<void>((resolve) => child.on('exit', () => resolve()));
  const file = join(dataDir, 'run.json');
  await eventually(
    'the product is up',
    async () => {
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`);
      return existsSync(file);
    },
    900_000,
  );
  return testProduct(JSON.parse(readFileSync(file, 'utf8')) as RunFile, dataDir, async () => {
    child.kill('SIGINT');
    await ended;
  });
}

function testProduct(run: RunFile, dataDir: string, stop: () => Promise<void>): TestProduct {
  const kube = kubeClientOf(run.kubeconfig);
  return {
    run,
    dataDir,
    auditLog: join(dataDir, 'clusters', 'sandbox', 'logs', 'audit.log'),
    kube,
    api: (method, path, body) => call(run, method, path, body),
    git,
    async clone(name) {
      const folder = mkdtempSync(join(tmpdir(), 'hawser-clone-'));
      await git(folder, 'clone', '-q', `${run.git}/${name}.git`, 'work').catch(async () => {
        await git(folder, 'init', '-q', '-b', 'main', 'work');
        await git(join(folder, 'work'), 'remote', 'add', 'origin', `${run.git}/${name}.git`);
      });
      const work = join(folder, 'work');
      await git(work, 'config', 'user.name', 'Ada Test');
      await git(work, 'config', 'user.email', 'ada@example.test');
      return work;
    },
    async end() {
      kube.close();
      await stop();
      rmSync(dataDir, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

/** A client with the rights of a kubeconfig that has a CA and a token. */
export function kubeClientOf(kubeconfig: string): KubeClient {
  const config = parse(readFileSync(kubeconfig, 'utf8')) as {
    clusters: { cluster: { server: string; 'certificate-authority-data': string } }[];
    users: { user: { token: string } }[];
  };
  const cluster = config.clusters[0]?.cluster;
  return createKubeClient({
    server: cluster?.server ?? '',
    ca: Buffer.from(cluster?.['certificate-authority-data'] ?? '', 'base64').toString(),
    token: config.users[0]?.user.token ?? '',
  });
}

/** Asks again until `check` gives something other than undefined or false; throws with `what` after the time. */
export async function eventually<T>(
  what: string,
  check: () => Promise<T | undefined | false>,
  milliseconds = 30_000,
): Promise<T> {
  const until = Date.now() + milliseconds;
  let last: unknown;
  for (;;) {
    try {
      const value = await check();
      if (value !== undefined && value !== false) return value;
    } catch (error) {
      last = error;
    }
    if (Date.now() > until)
      throw new Error(`not in ${milliseconds} ms: ${what}${last instanceof Error ? ` (${last.message})` : ''}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function call<T>(run: RunFile, method: string, path: string, body?: unknown): Promise<T> {
  const response = await fetch(`${run.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${run.token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return (text === '' ? undefined : JSON.parse(text)) as T;
}

async function git(folder: string, ...args: string[]): Promise<string> {
  const { stdout } = await execute('git', ['-c', 'commit.gpgsign=false', ...args], {
    cwd: folder,
    maxBuffer: 64 * 1024 * 1024,
  });
  return stdout;
}

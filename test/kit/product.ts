import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { createKubeClient, type KubeClient } from '#localstack/cluster/kube-client.ts';
import { startProduct, type Product } from '#localstack/product.ts';
import { createTerminal } from '#localstack/terminal.ts';

const run = promisify(execFile);

/** The product as `npm start` starts it, in a folder of its own, with what a test needs to look at it. */
export interface TestProduct extends Product {
  dataDir: string;
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

/** Starts the product. `dataDir` keeps an earlier one's folder; `auditLog` lets requests be counted at the API server. */
export async function startTestProduct(
  options: { demo?: boolean; auditLog?: boolean; clusters?: number; dataDir?: string; verbose?: boolean } = {},
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
  );
  const kube = kubeClientOf(product.run.kubeconfig);
  return {
    ...product,
    dataDir,
    kube,
    api: (method, path, body) => call(product, method, path, body),
    git,
    async clone(name) {
      const folder = mkdtempSync(join(tmpdir(), 'hawser-clone-'));
      await git(folder, 'clone', '-q', `${product.run.git}/${name}.git`, 'work').catch(async () => {
        await git(folder, 'init', '-q', '-b', 'main', 'work');
        await git(join(folder, 'work'), 'remote', 'add', 'origin', `${product.run.git}/${name}.git`);
      });
      const work = join(folder, 'work');
      await git(work, 'config', 'user.name', 'Ada Test');
      await git(work, 'config', 'user.email', 'ada@example.test');
      return work;
    },
    async end() {
      kube.close();
      await product.stop();
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

async function call<T>(product: Product, method: string, path: string, body?: unknown): Promise<T> {
  const response = await fetch(`${product.run.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${product.run.token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return (text === '' ? undefined : JSON.parse(text)) as T;
}

async function git(folder: string, ...args: string[]): Promise<string> {
  const { stdout } = await run('git', ['-c', 'commit.gpgsign=false', ...args], {
    cwd: folder,
    maxBuffer: 64 * 1024 * 1024,
  });
  return stdout;
}

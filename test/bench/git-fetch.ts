import { fork } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

import { startGitHost } from '#localstack/git-host.ts';
import { importStream, openTestRepository } from '#test/kit/git-repository.ts';
import type { TestRepository } from '#test/kit/git-repository.ts';
import type { Measured } from './git-fetch-reader.ts';
import type { BenchRow } from './row.ts';

const FOLDERS = 2000;
const FILES = 50;
/** V8 takes more time for its first few runs than for all that follow. */
const WARM_UP = 3;

/**
 * A push that changes 1 file in a repository of 100,000 files (design.md §10): bytes fetched, time from the ref read to
 * the input digest of the application that reads it, and the whole memory of a process that does nothing else.
 */
export async function benchGitFetch(): Promise<BenchRow[]> {
  const root = await mkdtemp(join(tmpdir(), 'hawser-bench-git-'));
  const host = await startGitHost({ root: join(root, 'host') });
  try {
    await host.ensureRepository('large');
    const repository = openTestRepository(host.repositoryPath('large'));
    fill(repository);
    const reader = await bundle(root);
    return rowsOf(await measure(repository, { reader, url: `${host.url}/large.git`, cacheDir: join(root, 'cache') }));
  } finally {
    await host.stop();
    await rm(root, { recursive: true, force: true, maxRetries: 5 });
  }
}

function rowsOf(measured: Measured): BenchRow[] {
  const pushes = measured.pushMilliseconds.slice(WARM_UP).sort((a, b) => a - b);
  const at = (share: number): number =>
    Math.round(pushes[Math.min(pushes.length - 1, Math.floor(pushes.length * share))] ?? Number.NaN);
  const files = `${FOLDERS * FILES} files in ${FOLDERS} folders`;
  return [
    { name: 'git: cold fetch', value: measured.coldBytes, unit: 'bytes', note: files },
    { name: 'git: cold fetch and plan', value: Math.round(measured.coldMilliseconds), unit: 'ms', note: files },
    {
      name: 'git: fetched for a push that changes 1 file',
      value: Math.max(...measured.pushBytes),
      unit: 'bytes',
      budget: 20_480,
      note: 'the most of all pushes',
    },
    {
      name: 'git: fetch and plan, p50',
      value: at(0.5),
      unit: 'ms',
      budget: 200,
      note: 'resolve, open, changedPaths, closure, digest',
    },
    { name: 'git: fetch and plan, slowest', value: at(1), unit: 'ms' },
    {
      name: 'git: resident memory, whole process',
      value: measured.peakMegabytes,
      unit: 'MiB',
      budget: 150,
      note: `${measured.startMegabytes} MiB before the first fetch`,
    },
  ];
}

function fill(repository: TestRepository): void {
  const parts: string[] = [
    'commit refs/heads/main\ncommitter Ada <ada@example.com> 1767225600 +0000\ndata 7\nInitial\n',
  ];
  for (let folder = 0; folder < FOLDERS; folder += 1) {
    for (let file = 0; file < FILES; file += 1) {
      const isKustomization = file === 0;
      const name = isKustomization ? 'kustomization.yaml' : `file-${file}.yaml`;
      const content = isKustomization
        ? 'resources: [file-1.yaml, file-2.yaml]\n'
        : `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c-${folder}-${file}}\n`;
      parts.push(`M 100644 inline apps/app-${folder}/${name}\ndata ${content.length}\n${content}\n`);
    }
  }
  importStream(repository, Buffer.from(parts.join('')));
}

/** The reader as it ships: one bundled file. Node's type stripping alone would cost more memory than Git does. */
async function bundle(folder: string): Promise<string> {
  const outfile = join(folder, 'reader.mjs');
  const entry = fileURLToPath(new URL('git-fetch-reader.ts', import.meta.url));
  const banner = { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" };
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    banner,
  });
  return outfile;
}

/** The reader is a process of its own; the host and the pushes are not to be measured. */
async function measure(
  repository: TestRepository,
  options: { reader: string; url: string; cacheDir: string },
): Promise<Measured> {
  const child = fork(options.reader, [options.url, options.cacheDir], { stdio: ['ignore', 2, 2, 'ipc'], execArgv: [] });
  const { promise, resolve, reject } = Promise.withResolvers<Measured>();
  let pushes = 0;
  child.on('error', reject);
  child.on('exit', (code) => reject(new Error(`the reader ended with ${code}`)));
  child.on('message', (message: 'push' | Measured) => {
    if (message !== 'push') return resolve(message);
    pushes += 1;
    const folder = (pushes * 131) % FOLDERS;
    repository.commit({
      files: { [`apps/app-${folder}/file-1.yaml`]: `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c-${pushes}}\n` },
    });
    child.send(folder);
  });
  try {
    return await promise;
  } finally {
    child.removeAllListeners('exit');
    child.kill();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.table(await benchGitFetch());

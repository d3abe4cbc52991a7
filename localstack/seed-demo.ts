import { execFile, spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { promisify } from 'node:util';

import type { GitHost } from './git-host.ts';
import { gitEnv } from './git-host/repositories.ts';

const run = promisify(execFile);
const FOLDER = join(import.meta.dirname, 'demo');

interface Step {
  author: string;
  date: string;
  message: string;
  /** Files and folders that this commit brings; the last commit brings what no other does. */
  brings: string[];
}

const MARA = 'Mara Lindqvist <mara@shop.example>';
const TOM = 'Tom Okafor <tom@shop.example>';
const YUKI = 'Yuki Sato <yuki@shop.example>';

/** What the team did, with dates that stay, so that the same content always has the same commit ids. */
const HISTORY: Step[] = [
  {
    author: MARA,
    date: '2026-09-07T09:41:00+0200',
    message: 'podinfo: a base, overlays for staging and production',
    brings: ['podinfo', '.gitignore'],
  },
  {
    author: TOM,
    date: '2026-09-16T15:08:00+0100',
    message:
      'redis: a small chart of our own for the session cache\n\n' +
      'The public charts bring far more than we use.\nFollowers only read; the service leads to the first replica.',
    brings: ['charts'],
  },
  {
    author: YUKI,
    date: '2026-10-14T11:26:00+0900',
    message:
      'monitoring: Prometheus, node exporters, a weekly report\n\n' +
      'Node exporters need the host, so they get a namespace of their own.',
    brings: ['monitoring'],
  },
  {
    author: TOM,
    date: '2026-11-02T10:17:00+0000',
    message:
      'apps: hand the cluster over to Hawser\n\n' +
      'From now on nobody applies by hand.\nThe platform team keeps its Flux objects as they are.',
    brings: ['bootstrap', 'apps', 'flux', 'README.md'],
  },
  { author: MARA, date: '2026-11-05T14:52:00+0100', message: 'podinfo: 6.9.2 to staging', brings: [] },
];

/** The one file that changes along the way: what it says until the last commit. */
const RELEASE = {
  path: 'podinfo/overlays/staging/kustomization.yaml',
  before: 'newTag: 6.9.1',
  after: 'newTag: 6.9.2',
};

/**
 * Fills `demo.git` with the demo's content and its small history, unless it has any branch or tag already:
 * what people have made of it stays theirs. `commit` is what its default branch points to.
 *
 * The content names its own repository, so its commit ids depend on the host's address and the cluster's name.
 */
export async function seedDemo(options: {
  host: GitHost;
  /** What the README calls the cluster. */
  cluster?: string;
}): Promise<{ created: boolean; commit: string }> {
  const path = await options.host.ensureRepository('demo');
  const refs = await git(path, 'for-each-ref', '--count=1', '--format=%(objectname)');
  if (refs !== '') {
    const head = await git(path, 'rev-parse', '--quiet', '--verify', 'HEAD').catch(() => refs);
    return { created: false, commit: head };
  }
  const files = await readContent({ GIT_URL: options.host.url, CLUSTER: options.cluster ?? 'in-cluster' });
  await fastImport(path, importStream(files));
  return { created: true, commit: await git(path, 'rev-parse', 'refs/heads/main') };
}

async function readContent(values: Record<string, string>): Promise<Map<string, string>> {
  const entries = await readdir(FOLDER, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const files = new Map<string, string>();
  for (const path of paths.sort()) {
    let text = await readFile(path, 'utf8');
    for (const [name, value] of Object.entries(values)) text = text.replaceAll(name, () => value);
    files.set(relative(FOLDER, path).split(sep).join('/'), text);
  }
  return files;
}

/** The whole history in the form that `git fast-import` takes: one process, and the branch appears last. */
function importStream(files: Map<string, string>): string {
  const left = new Map(files);
  const last = HISTORY.length - 1;
  return HISTORY.map((step, index) => {
    const changed: [string, string][] = [];
    for (const [path, text] of left) {
      const isDue = index === last || step.brings.some((part) => path === part || path.startsWith(`${part}/`));
      if (!isDue) continue;
      if (path === RELEASE.path && index < last) {
        changed.push([path, text.replace(RELEASE.after, RELEASE.before)]);
      } else {
        changed.push([path, text]);
        left.delete(path);
      }
    }
    return importCommit(step, changed);
  }).join('');
}

function importCommit(step: Step, files: [string, string][]): string {
  const zone = step.date.slice(-5);
  const person = `${step.author} ${Date.parse(step.date) / 1000} ${zone}`;
  const changes = files.map(([path, text]) => `M 100644 inline ${path}\n${data(text)}`);
  const head = `commit refs/heads/main\nauthor ${person}\ncommitter ${person}\n`;
  return `${head}${data(`${step.message}\n`)}${changes.join('')}\n`;
}

function data(text: string): string {
  return `data ${Buffer.byteLength(text)}\n${text}\n`;
}

async function fastImport(path: string, stream: string): Promise<void> {
  const child = spawn('git', ['fast-import', '--quiet', '--done'], {
    cwd: path,
    env: gitEnv(),
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString('utf8')));
  child.stdin.on('error', () => {
    // Its end says more, below.
  });
  child.stdin.end(`${stream}done\n`);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  if (code !== 0)
    throw new Error(`the demo repository could not be filled: git fast-import ended with ${code}\n${errors}`);
}

async function git(path: string, ...args: string[]): Promise<string> {
  return (await run('git', args, { cwd: path, env: gitEnv() })).stdout.trim();
}

import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The folder of bare repositories: names, creation, the default branch. */
export interface Repositories {
  path(name: string): string;
  exists(name: string): boolean;
  ensure(name: string): Promise<string>;
  list(): Promise<string[]>;
}

/**
 * Nothing here outlives a demo, so nothing waits for the disk, and no push pays for housekeeping.
 * Partial fetches are what the service lives on.
 */
const CONFIG = `[core]
	repositoryformatversion = 0
	filemode = true
	bare = true
	fsync = none
	logAllRefUpdates = false
	hooksPath = /dev/null
[http]
	receivepack = true
	getanyfile = false
[receive]
	autogc = false
	fsckObjects = false
	unpackLimit = 100
	denyDeleteCurrent = ignore
[transfer]
	fsckObjects = false
[uploadpack]
	allowFilter = true
	allowAnySHA1InWant = true
	allowRefInWant = true
[gc]
	auto = 0
[maintenance]
	auto = false
`;

/** Bare repositories under `root`; `team/app` lives in `root/team/app.git`. */
export function openRepositories(root: string): Repositories {
  const underWay = new Map<string, Promise<string>>();

  return {
    path: (name) => pathOf(root, name),
    exists: (name) => isRepository(pathOf(root, name)),
    ensure(name) {
      const path = pathOf(root, name);
      const current = underWay.get(path);
      if (current !== undefined) return current;
      if (isRepository(path)) return Promise.resolve(path);
      const creation = create(path).finally(() => underWay.delete(path));
      underWay.set(path, creation);
      return creation;
    },
    async list() {
      return (await namesUnder(root, '')).sort();
    },
  };
}

/** Whether `name` (without `.git`) may be a repository here: path segments that cannot leave the folder. */
export function isRepositoryName(name: string): boolean {
  if (name.length > 200) return false;
  return name
    .split('/')
    .every(
      (part) =>
        /^[A-Za-z0-9_][A-Za-z0-9._-]*$/.test(part) && !part.includes('..') && !/(?:\.git|\.lock|\.)$/i.test(part),
    );
}

/** The name without its `.git`. */
export function plainName(name: string): string {
  return name.endsWith('.git') ? name.slice(0, -'.git'.length) : name;
}

/**
 * Lets HEAD follow the first branch that is pushed, as hosts do:
 * a repository whose default branch does not exist takes the new one (`main`, if it is among them).
 */
export function followFirstBranch(path: string, refs: string[]): void {
  const branches = refs.filter((ref) => ref.startsWith('refs/heads/'));
  const first = branches.includes('refs/heads/main') ? 'refs/heads/main' : branches[0];
  if (first === undefined) return;
  const head = defaultRef(path);
  if (head === first || hasRef(path, head)) return;
  writeFileSync(join(path, 'HEAD'), `ref: ${first}\n`);
}

/** The name of the default branch. */
export function defaultBranch(path: string): string {
  return defaultRef(path).replace(/^refs\/heads\//, '');
}

/** What `ref` points to, from the repository's files; `undefined` where it does not exist. */
export function readRef(path: string, ref: string): string | undefined {
  const loose = readText(join(path, ref))?.trim();
  if (loose !== undefined && /^[0-9a-f]{40,64}$/.test(loose)) return loose;
  const packed = readText(join(path, 'packed-refs'))
    ?.split('\n')
    .find((line) => line.endsWith(` ${ref}`));
  return packed?.split(' ')[0];
}

/** Looks into folders, never into repositories. */
async function namesUnder(root: string, folder: string): Promise<string[]> {
  const entries = await readdir(join(root, folder), { withFileTypes: true }).catch(() => []);
  const found: string[] = [];
  for (const entry of entries) {
    const name = folder + plainName(entry.name);
    if (!entry.isDirectory() || !isRepositoryName(name)) continue;
    if (entry.name.endsWith('.git')) found.push(name);
    else found.push(...(await namesUnder(root, `${name}/`)));
  }
  return found;
}

function hasRef(path: string, ref: string): boolean {
  return readRef(path, ref) !== undefined;
}

function defaultRef(path: string): string {
  return (
    readText(join(path, 'HEAD'))
      ?.trim()
      .replace(/^ref: /, '') ?? 'refs/heads/main'
  );
}

function pathOf(root: string, name: string): string {
  const plain = plainName(name);
  if (!isRepositoryName(plain)) {
    throw new Error(`"${name}" cannot be a repository name: use letters, digits, ".", "_", "-", and "/" between parts`);
  }
  return join(root, `${plain}.git`);
}

function isRepository(path: string): boolean {
  return existsSync(join(path, 'HEAD'));
}

/** Made beside and moved into place, so that a repository is whole or not there. */
async function create(path: string): Promise<string> {
  const parent = dirname(path);
  await mkdir(parent, { recursive: true });
  const draft = join(parent, `.new-${randomBytes(6).toString('hex')}`);
  try {
    await run('git', ['init', '--quiet', '--bare', '--template=', '--initial-branch=main', draft], { env: gitEnv() });
    await writeFile(join(draft, 'config'), CONFIG);
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    if (!isRepository(path)) throw error;
  }
  return path;
}

/** An environment in which only the repository's own settings count, not those of the machine or its user. */
export function gitEnv(): Record<string, string> {
  return {
    PATH: process.env['PATH'] ?? '/usr/bin:/bin',
    HOME: '/nonexistent',
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: 'safe.directory',
    GIT_CONFIG_VALUE_0: '*',
  };
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

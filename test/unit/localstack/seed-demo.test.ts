import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import type { GitHost } from '#localstack/git-host.ts';
import { startGitHost } from '#localstack/git-host.ts';
import { openRepositories } from '#localstack/git-host/repositories.ts';
import { seedDemo } from '#localstack/seed-demo.ts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';

const DEMO = join(import.meta.dirname, '../../../localstack/demo');
const run = promisify(execFile);

interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string };
  spec?: { source?: { path: string; repoURL: string }; path?: string; url?: string; project?: string };
}

let folder: string;
let host: GitHost;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hawser-demo-'));
  host = await startGitHost({ root: join(folder, 'repositories') });
});

afterEach(async () => {
  await host.stop();
  await rm(folder, { recursive: true, force: true });
});

describe('the demo repository', () => {
  it('can be cloned, with a history of several people', async () => {
    const { created, commit } = await seedDemo({ host });
    expect(created).toBe(true);
    const work = await clone();
    expect(await git(work, 'rev-parse', 'HEAD')).toBe(commit);
    expect(await git(work, 'symbolic-ref', 'HEAD')).toBe('refs/heads/main');
    const authors = (await git(work, 'log', '--format=%an')).split('\n');
    expect(authors).toHaveLength(5);
    expect(new Set(authors).size).toBe(3);
    expect(await git(work, 'fsck', '--strict')).not.toContain('error');
  });

  it('holds all of its files, with the address of this host and the name of the cluster', async () => {
    await seedDemo({ host, cluster: 'sandbox' });
    const work = await clone();
    const there = (await git(work, 'ls-tree', '-r', '--name-only', 'HEAD')).split('\n');
    const entries = await readdir(DEMO, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile());
    expect(there).toHaveLength(files.length);
    for (const path of there) {
      const text = await readFile(join(work, path), 'utf8');
      expect(text, path).not.toMatch(/GIT_URL|CLUSTER/);
    }
    expect(await readFile(join(work, 'README.md'), 'utf8')).toContain(`git clone ${host.url}/demo.git`);
    expect(await readFile(join(work, 'README.md'), 'utf8')).toContain('`sandbox`');
  });

  it('has the same commit ids each time', async () => {
    const first = await seedOffline('one');
    await new Promise((done) => setTimeout(done, 1100));
    expect(await seedOffline('two')).toEqual(first);
  });

  it('is not touched again', async () => {
    await seedDemo({ host });
    const work = await clone();
    await writeFile(join(work, 'README.md'), 'mine');
    await git(work, 'commit', '-qam', 'my own');
    await git(work, 'push', '-q', 'origin', 'main');
    expect(await seedDemo({ host })).toEqual({ created: false, commit: await git(work, 'rev-parse', 'HEAD') });
  });

  it('is not touched where it has only other branches', async () => {
    const work = join(folder, 'other');
    await run('git', ['init', '-q', '-b', 'trunk', work]);
    await git(work, 'commit', '-q', '--allow-empty', '-m', 'mine');
    await git(work, 'push', '-q', `${host.url}/demo.git`, 'trunk');
    expect(await seedDemo({ host })).toEqual({ created: false, commit: await git(work, 'rev-parse', 'HEAD') });
  });

  it('declares applications whose sources are there, in its own repository and project', async () => {
    await seedDemo({ host });
    const work = await clone();
    const objects = [...(await manifests(work, 'bootstrap')), ...(await manifests(work, 'apps'))];
    const applications = objects.filter((object) => object.kind === 'Application');
    expect(applications.map((object) => object.metadata.name).sort()).toEqual([
      'monitoring',
      'podinfo-production',
      'podinfo-staging',
      'redis',
      'redis-staging',
      'root',
    ]);
    for (const { spec } of applications) {
      expect(spec?.project).toBe('shop');
      expect(spec?.source?.repoURL).toBe(`${host.url}/demo.git`);
      expect(await readdir(join(work, spec?.source?.path ?? 'none'))).not.toHaveLength(0);
    }
    for (const { spec } of objects.filter((object) => object.kind === 'Kustomization')) {
      expect(await readdir(join(work, spec?.path ?? 'none'))).toContain('kustomization.yaml');
    }
    const source = objects.find((object) => object.kind === 'GitRepository');
    expect(source?.spec?.url).toBe(`${host.url}/demo.git`);
  });
});

/** A seed under an address that stays, because the content carries it. */
async function seedOffline(name: string): Promise<string> {
  const repositories = openRepositories(join(folder, name));
  const { commit } = await seedDemo({
    host: {
      url: 'http://127.0.0.1:4000',
      stop: () => Promise.resolve(),
      ensureRepository: (repository) => repositories.ensure(repository),
      repositoryPath: (repository) => repositories.path(repository),
    },
  });
  return commit;
}

async function manifests(work: string, path: string): Promise<Manifest[]> {
  const names = await readdir(join(work, path));
  const texts = await Promise.all(names.map((name) => readFile(join(work, path, name), 'utf8')));
  return texts.flatMap((text) => parseAllDocuments(text).map((document) => document.toJS() as Manifest));
}

async function clone(): Promise<string> {
  await run('git', ['clone', '-q', `${host.url}/demo.git`, join(folder, 'work')]);
  return join(folder, 'work');
}

async function git(cwd: string, ...args: string[]): Promise<string> {
  const identity = ['-c', 'user.name=Tess', '-c', 'user.email=tess@shop.example'];
  return (await run('git', [...identity, ...args], { cwd })).stdout.trim();
}

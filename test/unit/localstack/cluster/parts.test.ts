import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readBuildLog } from '#localstack/cluster/go-build.ts';
import {
  cacheName,
  catalog,
  goVersionOf,
  linkerFlags,
  readModule,
  type Part,
} from '#localstack/cluster/parts-catalog.ts';
import {
  defaultCacheDir,
  ensureKustomize,
  ensureSandboxParts,
  isPinnedVersion,
  missingPartsError,
} from '#localstack/cluster/parts.ts';
import { elapsedText } from '#localstack/cluster/progress.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parts-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('cacheName', () => {
  const sources = { goMod: 'module a\n', goSum: 'x h1:1\n' };

  it('names module, content, system and processor', () => {
    expect(cacheName('kwok', sources, 'linux', 'x64')).toMatch(/^kwok-[0-9a-f]{16}-linux-x64$/);
  });

  it.each([
    ['go.mod', 'kwok', { ...sources, goMod: 'module b\n' }],
    ['go.sum', 'kwok', { ...sources, goSum: 'x h1:2\n' }],
    ['version stamp', 'kustomize', sources],
  ] as const)('changes with the %s', (_, module, changed) => {
    expect(hashOf(cacheName(module, changed))).not.toBe(hashOf(cacheName('kwok', sources)));
  });
});

describe('the catalog', () => {
  it('pins every part in its own module', () => {
    for (const part of catalog) expect(readModule(part.module).goMod).toContain(part.goPackage);
  });

  it('stamps the version that a release build has', () => {
    expect(linkerFlags('kubernetes')).toContain('gitVersion=v1.35.0');
    expect(linkerFlags('kustomize')).toContain('version=v5.7.1');
  });

  it('reads the Go version a module asks for', () => {
    expect(goVersionOf('module x\n\ngo 1.25.3\n')).toBe('1.25.3');
  });
});

describe('isPinnedVersion', () => {
  it.each([
    ['kubeScheduler', 'Kubernetes v1.35.4', true],
    ['kubeScheduler', 'Kubernetes v1.34.0', false],
    ['etcd', 'etcd Version: 3.6.9\nGit SHA: x', true],
    ['etcd', 'etcd Version: 3.5.9\nGit SHA: x', false],
    ['kwok', 'kwok version 0.7.1 go1.24', true],
    ['kustomize', 'v5.7.1', true],
    ['kustomize', 'v5.7.0', false],
    ['kwok', 'no number', false],
  ] as const)('says of %s with output %j: %s', (key, output, expected) => {
    expect(isPinnedVersion(partOf(key), output)).toBe(expected);
  });
});

describe('finding parts', () => {
  it('takes them from KUBEBUILDER_ASSETS first', async () => {
    await fakeBinaries(
      folder,
      catalog.map((part) => part.binary),
    );

    const parts = await ensureSandboxParts({ cacheDir: join(folder, 'cache'), env: { KUBEBUILDER_ASSETS: folder } });

    expect(parts.kubeApiserver).toBe(join(folder, 'kube-apiserver'));
    expect(Object.keys(parts)).toEqual(catalog.map((part) => part.key));
  });

  it('takes kustomize from PATH only at the pinned version', async () => {
    await fakeBinaries(join(folder, 'old'), ['kustomize'], 'v4.0.0');
    await fakeBinaries(join(folder, 'right'), ['kustomize'], 'v5.7.1');
    const PATH = `${join(folder, 'old')}:${join(folder, 'right')}`;

    const path = await ensureKustomize({ cacheDir: join(folder, 'cache'), env: { PATH } });

    expect(path).toBe(join(folder, 'right', 'kustomize'));
  });

  it('says what is missing and the ways on where there is no Go', async () => {
    await fakeBinaries(folder, ['etcd', 'kube-apiserver']);
    const env = { KUBEBUILDER_ASSETS: folder, PATH: folder };

    const asked = ensureSandboxParts({ cacheDir: join(folder, 'cache'), env });

    await expect(asked).rejects.toThrow(
      /needs kube-controller-manager, kube-scheduler, kwok, kustomize \(KUBEBUILDER_ASSETS/,
    );
    await expect(asked).rejects.toThrow(
      /Go is not installed[^]*1\. install Go 1\.2\d[^]*2\. set KUBEBUILDER_ASSETS[^]*3\..*--context NAME/,
    );
  });

  it('says so where Go is too old', async () => {
    await fakeBinaries(folder, ['go'], 'go: go.mod requires go >= 1.25.0 (running go 1.20; GOTOOLCHAIN=local)', 1);

    const asked = ensureKustomize({ cacheDir: join(folder, 'cache'), env: { PATH: `${folder}:/bin:/usr/bin` } });

    await expect(asked).rejects.toThrow(/1\.25\.0 is needed[^]*running go 1\.20/);
  });

  it('does not offer a cluster where only kustomize is missing', () => {
    const error = missingPartsError([partOf('kustomize')], 'Go is not installed', 'kustomize', undefined);

    expect(error.message).toContain('put kustomize v5.7.1 on PATH');
    expect(error.message).not.toContain('--context');
  });

  it('keeps the cache where the environment says', () => {
    expect(defaultCacheDir({ XDG_CACHE_HOME: '/cache' })).toBe('/cache/hawser');
    expect(defaultCacheDir({})).toMatch(/\/\.cache\/hawser$/);
  });
});

describe('build progress', () => {
  it('counts compiled packages, not downloads', () => {
    const log = 'go: downloading a v1\nruntime\nk8s.io/api/core/v1\n';

    expect(readBuildLog(log)).toEqual({ compiled: 2, latest: 'k8s.io/api/core/v1' });
  });

  it('shows a download while nothing is compiled', () => {
    expect(readBuildLog('go: downloading a v1\n')).toEqual({ compiled: 0, latest: 'downloading a v1' });
  });

  it.each([
    [900, '0 s'],
    [59_999, '59 s'],
    [125_000, '2 min 05 s'],
  ])('says %d ms as %s', (milliseconds, expected) => {
    expect(elapsedText(milliseconds)).toBe(expected);
  });
});

function hashOf(name: string): string | undefined {
  return name.split('-')[1];
}

function partOf(key: Part['key']): Part {
  const part = catalog.find((candidate) => candidate.key === key);
  if (part === undefined) throw new Error(`No part ${key}`);
  return part;
}

async function fakeBinaries(dir: string, names: string[], output = '', code = 0): Promise<void> {
  await mkdir(dir, { recursive: true });
  for (const name of names) {
    const stream = code === 0 ? '' : ' >&2';
    await writeFile(join(dir, name), `#!/bin/sh\necho '${output}'${stream}\nexit ${code}\n`);
    await chmod(join(dir, name), 0o755);
  }
}

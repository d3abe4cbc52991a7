import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bundleRenderSandbox, layOutKustomizeLayer } from '#infra/build/bundle-render.ts';
import { temporaryFolder } from '#test/kit/temp.ts';

describe('the package of render-sandbox', () => {
  it('is two files that need nothing beside them, and holds no client of any service', async () => {
    await using folder = await temporaryFolder();
    const task = join(folder.path, 'render-sandbox');
    await bundleRenderSandbox(task);
    expect((await readdir(task)).filter((name) => !name.endsWith('.LEGAL.txt')).toSorted()).toEqual([
      'index.mjs',
      'render-worker.mjs',
    ]);
    for (const name of ['index.mjs', 'render-worker.mjs']) {
      const text = await readFile(join(task, name), 'utf8');
      const imported = [...text.matchAll(/(?:[^.\w]from|\bimport)\s*["']([^"']+)["']/g)].map(([, path]) => path);
      expect(imported.filter((path) => path?.startsWith('node:') !== true)).toEqual([]);
      expect(text).not.toMatch(/aws-sdk|amazonaws/);
    }
    // Cold starts read it.
    expect((await stat(join(task, 'index.mjs'))).size).toBeLessThan(150_000);
  });

  it('INV-35, NT-66: empties the environment before anything else of it runs', async () => {
    await using folder = await temporaryFolder();
    await bundleRenderSandbox(folder.path);
    const text = await readFile(join(folder.path, 'index.mjs'), 'utf8');
    const first = text.indexOf('delete process.env[');
    expect(first).toBeGreaterThan(0);
    for (const later of ['@middy/', 'ulimit -d', 'render-limit']) expect(text.indexOf(later)).toBeGreaterThan(first);
  });
});

describe('the layer with kustomize', () => {
  it('takes no binary of another version, and says which one it wants', async () => {
    await using folder = await temporaryFolder();
    const other = join(folder.path, 'kustomize');
    await writeFile(other, '#!/bin/sh\necho v5.4.0\n', { mode: 0o755 });
    await expect(layOutKustomizeLayer(join(folder.path, 'layer'), other)).rejects.toMatchObject({
      code: 'invalid-input',
      message: expect.stringContaining('says v5.4.0') as string,
      hint: expect.stringContaining('v5.7.1') as string,
    });
  });

  it('lies where Lambda shows it as /opt/kustomize/kustomize', async (context) => {
    if (process.platform !== 'linux' || process.arch !== 'x64') context.skip('the layer is built on linux x64');
    await using folder = await temporaryFolder();
    const right = join(folder.path, 'kustomize');
    await writeFile(right, '#!/bin/sh\necho v5.7.1\n', { mode: 0o644 });
    await expect(layOutKustomizeLayer(join(folder.path, 'layer'), right)).rejects.toMatchObject({
      code: 'invalid-input',
    });
    await writeFile(join(folder.path, 'runs'), '#!/bin/sh\necho v5.7.1\n', { mode: 0o755 });
    expect(await layOutKustomizeLayer(join(folder.path, 'layer'), join(folder.path, 'runs'))).toBe(true);
    expect((await stat(join(folder.path, 'layer', 'kustomize', 'kustomize'))).mode & 0o777).toBe(0o755);
  });
});

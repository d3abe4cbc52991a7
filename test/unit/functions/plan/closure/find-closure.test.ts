import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { HawserError } from '#shared/errors.ts';
import { bundleOf, findClosure, findClosures, inputDigestOf } from '#functions/plan/closure/find-closure.ts';
import type { Closure } from '#functions/plan/closure/find-closure.ts';
import { memoryTree } from '#test/kit/memory-tree.ts';
import { context, pathsOf, sourceAt } from './sources.ts';

const settings = { versions: { kustomize: '5.7.1', helm: '4.1.4' }, policyVersion: '1' };

describe('closures of many applications', () => {
  it('cost a request for each level, not for each application', async () => {
    const files: Record<string, string> = { 'common/kustomization.yaml': 'resources: [x.yaml]', 'common/x.yaml': '' };
    for (let index = 0; index < 1000; index += 1) {
      files[`apps/a${index}/kustomization.yaml`] = `resources: [../../bases/b${index % 10}]\nnamePrefix: a${index}-\n`;
      files[`bases/b${index % 10}/kustomization.yaml`] = `resources: [../../common]\nnamePrefix: b${index % 10}-\n`;
    }
    const tree = memoryTree(files);
    const requests = Array.from({ length: 1000 }, (_, index) => ({ source: sourceAt(`apps/a${index}`), context }));
    const closures = await findClosures(tree, requests);
    expect(closures.filter((closure) => closure instanceof HawserError)).toEqual([]);
    expect(pathsOf(closures[7] as Closure)).toEqual([
      'apps/a7/kustomization.yaml',
      'bases/b7/kustomization.yaml',
      'common/kustomization.yaml',
      'common/x.yaml',
    ]);
    expect(tree.requests.map((oids) => oids.length)).toEqual([1000, 10, 1]);
  });

  it('keep an error in its own place', async () => {
    const tree = memoryTree(
      {
        'good/kustomization.yaml': '{}',
        'bad/kustomization.yaml': 'resources: [https://x/y]',
        'large/kustomization.yaml': `# ${'x'.repeat(2000)}`,
      },
      { blobBytes: 1000 },
    );
    const requests = ['good', 'bad', 'large', 'none'].map((path) => ({ source: sourceAt(path), context }));
    const closures = await findClosures(tree, requests);
    expect(closures.map((closure) => (closure instanceof HawserError ? closure.code : closure.tool))).toEqual([
      'kustomize',
      'unsafe-path',
      'source-too-large',
      'path-not-found',
    ]);
  });
});

describe('the input digest', () => {
  const base = { 'a/kustomization.yaml': 'resources: [x.yaml]', 'a/x.yaml': 'kind: A' };
  const digest = async (
    files: Parameters<typeof memoryTree>[0],
    changes: Partial<typeof settings> & { capabilities?: unknown } = {},
    path = 'a',
  ) => inputDigestOf([await findClosure(memoryTree(files), sourceAt(path), context)], { ...settings, ...changes });

  it('stays when something changes that is not read', async () => {
    expect(await digest({ ...base, 'a/README.md': 'new', 'b/y.yaml': 'new' })).toBe(await digest(base));
  });

  it('changes with contents, names, modes, options, tools, policy and capabilities (NT-160, NT-162)', async () => {
    const digests = await Promise.all([
      digest(base),
      digest({ ...base, 'a/x.yaml': 'kind: B' }),
      digest({ 'a/kustomization.yaml': 'resources: [y.yaml]', 'a/y.yaml': 'kind: A' }),
      digest({ ...base, 'a/x.yaml': { executable: 'kind: A' } }),
      digest({ ...base, 'a/.argocd-source.yaml': 'kustomize: {namePrefix: x}' }),
      digest(base, { versions: { kustomize: '5.8.0', helm: '4.1.4' } }),
      digest(base, { policyVersion: '2' }),
      digest(base, { capabilities: ['apps/v1'] }),
      digest({ 'b/kustomization.yaml': 'resources: [x.yaml]', 'b/x.yaml': 'kind: A' }, {}, 'b'),
    ]);
    expect(new Set(digests).size).toBe(digests.length);
  });

  it('needs no contents but those of files that name others', async () => {
    const tree = memoryTree(base);
    inputDigestOf([await findClosure(tree, sourceAt('a'), context)], settings);
    expect(tree.requests).toHaveLength(1);
    expect(tree.requests[0]).toHaveLength(1);
  });

  it('does not depend on the order in which files are found', async () => {
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray(['a', 'b', 'c', 'd', 'e'], { minLength: 5 }), async (names) => {
        const files = Object.fromEntries(names.map((name) => [`d/${name}.yaml`, `kind: ${name}`]));
        expect(await digest(files, {}, 'd')).toBe(
          await digest(Object.fromEntries(Object.entries(files).toReversed()), {}, 'd'),
        );
      }),
    );
  });
});

describe('the bundle', () => {
  it('holds the files of the closure, read in one request', async () => {
    const tree = memoryTree({
      'a/kustomization.yaml': 'resources: [x.yaml, same.yaml]',
      'a/x.yaml': 'kind: A',
      'a/same.yaml': 'kind: A',
      'a/run.sh': 'x',
    });
    const closure = await findClosure(tree, sourceAt('a'), context);
    tree.requests.length = 0;
    const bundle = await bundleOf(tree, closure);
    expect(bundle.path).toBe('a');
    expect(bundle.job).toEqual({ tool: 'kustomize', options: {} });
    expect(bundle.files.map(({ path, content }) => [path, Buffer.from(content).toString()])).toEqual([
      ['a/kustomization.yaml', 'resources: [x.yaml, same.yaml]'],
      ['a/same.yaml', 'kind: A'],
      ['a/x.yaml', 'kind: A'],
    ]);
    expect(tree.requests).toHaveLength(1);
  });
});

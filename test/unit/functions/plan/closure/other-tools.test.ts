import { describe, expect, it } from 'vitest';

import type { FluxOptions, HelmOptions } from '#shared/domain/application.ts';
import { findClosure } from '#functions/plan/closure/find-closure.ts';
import { memoryTree } from '#test/kit/memory-tree.ts';
import { auto, context, failureOf, pathsOf, sourceAt } from './sources.ts';

const helm = (options: HelmOptions = {}) => ({ tool: 'helm', helm: options }) as const;
const flux = (options: FluxOptions = {}) => ({ tool: 'flux', flux: options }) as const;

describe('detection', () => {
  it('takes Chart.yaml for Helm, then a kustomization for Kustomize, then a plain directory', async () => {
    const tree = memoryTree({
      'both/Chart.yaml': 'name: x',
      'both/kustomization.yaml': '{}',
      'k/kustomization.yml': '{}',
      'd/a.yaml': '',
    });
    expect((await findClosure(tree, sourceAt('both'), context)).tool).toBe('helm');
    expect((await findClosure(tree, sourceAt('k'), context)).tool).toBe('kustomize');
    expect((await findClosure(tree, sourceAt('d'), context)).tool).toBe('directory');
  });

  it('lets an explicit block decide', async () => {
    const tree = memoryTree({ 'a/Chart.yaml': 'name: x', 'a/x.yaml': '' });
    const closure = await findClosure(
      tree,
      sourceAt('a', { tool: 'directory', directory: { recurse: false, include: '', exclude: '' } }),
      context,
    );
    expect(closure.tool).toBe('directory');
    expect(pathsOf(closure)).toEqual(['a/Chart.yaml', 'a/x.yaml']);
  });

  it('merges .argocd-source.yaml and the one of the application onto the options', async () => {
    const tree = memoryTree({
      'a/kustomization.yaml': '{}',
      'a/.argocd-source.yaml':
        'kustomize:\n  namePrefix: all-\n  images: [a:1]\nrepoURL: https://evil.example\npath: elsewhere\n',
      'a/.argocd-source-shop.yaml': 'kustomize:\n  images: [a:2]\n',
      'a/.argocd-source-other.yaml': 'kustomize:\n  namePrefix: other-\n',
    });
    const closure = await findClosure(tree, sourceAt('a'), context);
    expect(closure.job).toEqual({ tool: 'kustomize', options: { namePrefix: 'all-', images: ['a:2'] } });
    expect(closure.path).toBe('a');
    expect(pathsOf(closure)).toContain('a/.argocd-source-shop.yaml');
  });

  it('refuses overrides that contradict each other or are not of the right shape', async () => {
    const two = memoryTree({
      'a/kustomization.yaml': '{}',
      'a/.argocd-source.yaml': 'kustomize: {namePrefix: x}\nhelm: {releaseName: y}\n',
    });
    expect(await failureOf(two, sourceAt('a'))).toMatchObject({ code: 'source-invalid' });
    const wrong = memoryTree({ 'a/kustomization.yaml': '{}', 'a/.argocd-source.yaml': 'kustomize: {images: 7}\n' });
    const error = await failureOf(wrong, sourceAt('a'));
    expect(error.message).toContain('a/.argocd-source.yaml');
    expect(error.message).toContain('images');
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});

describe('the closure of a directory', () => {
  const files = {
    'a/b.yaml': '',
    'a/a.yml': '',
    'a/c.json': '',
    'a/d.txt': '',
    'a/sub/x.yaml': '',
    'a/sub/deep/y.yaml': '',
    'a.yaml': '',
  };

  it('holds the manifests of the folder only, in order', async () => {
    const closure = await findClosure(memoryTree(files), sourceAt('a'), context);
    expect(closure.job).toEqual({ tool: 'directory', manifests: ['a/a.yml', 'a/b.yaml', 'a/c.json'] });
    expect(closure.folders).toContainEqual({ path: 'a', recursive: false });
  });

  it('holds those below where it recurses', async () => {
    const closure = await findClosure(
      memoryTree(files),
      sourceAt('a', auto({ recurse: true, include: '', exclude: '' })),
      context,
    );
    expect(closure.job).toEqual({
      tool: 'directory',
      manifests: ['a/a.yml', 'a/b.yaml', 'a/c.json', 'a/sub/deep/y.yaml', 'a/sub/x.yaml'],
    });
    expect(closure.folders).toContainEqual({ path: 'a', recursive: true });
  });

  it('reads include and exclude as Argo CD does: a star matches slashes too', async () => {
    const chosen = async (include: string, exclude: string) =>
      pathsOf(await findClosure(memoryTree(files), sourceAt('a', auto({ recurse: true, include, exclude })), context));
    expect(await chosen('*.yaml', '')).toEqual(['a/b.yaml', 'a/sub/deep/y.yaml', 'a/sub/x.yaml']);
    expect(await chosen('{*.yml,sub/x.yaml}', '')).toEqual(['a/a.yml', 'a/sub/x.yaml']);
    expect(await chosen('', '{sub/*,*.json}')).toEqual(['a/a.yml', 'a/b.yaml']);
  });

  it('works at the root of the repository', async () => {
    expect(pathsOf(await findClosure(memoryTree(files), sourceAt(''), context))).toEqual(['a.yaml']);
    expect(pathsOf(await findClosure(memoryTree(files), sourceAt('./'), context))).toEqual(['a.yaml']);
  });

  it('refuses manifests that are links, ignores other links, and explains Jsonnet (NT-20)', async () => {
    const link = memoryTree({ 'a/x.yaml': { link: '/etc/passwd' } });
    expect(await failureOf(link, sourceAt('a'))).toMatchObject({ code: 'unsafe-path' });
    const harmless = memoryTree({ 'a/x.yaml': '', 'a/README': { link: '../README' } });
    expect(pathsOf(await findClosure(harmless, sourceAt('a'), context))).toEqual(['a/x.yaml']);
    expect(await failureOf(memoryTree({ 'a/x.jsonnet': '' }), sourceAt('a'))).toMatchObject({ code: 'unsupported' });
  });

  it('stops at LIM-05', async () => {
    const many = Object.fromEntries(Array.from({ length: 20_001 }, (_, index) => [`a/f${index}.yaml`, '']));
    expect(await failureOf(memoryTree(many), sourceAt('a'))).toMatchObject({ code: 'source-too-large' });
    const deep = memoryTree({ [`a/${'d/'.repeat(40)}x.yaml`]: '' });
    expect(await failureOf(deep, sourceAt('a', auto({ recurse: true, include: '', exclude: '' })))).toMatchObject({
      code: 'source-too-large',
    });
  });

  it('keeps the executable bit', async () => {
    const closure = await findClosure(memoryTree({ 'a/x.yaml': { executable: '' } }), sourceAt('a'), context);
    expect(closure.files[0]).toMatchObject({ executable: true });
  });
});

describe('the closure of a Flux Kustomization', () => {
  it('is that of the kustomization where the folder has one', async () => {
    const tree = memoryTree({
      'clusters/prod/kustomization.yaml': 'resources: [../base]',
      'clusters/base/kustomization.yaml': '{}',
      'clusters/prod/x.yaml': '',
    });
    const closure = await findClosure(tree, sourceAt('./clusters/prod', flux()), context);
    expect(closure.job).toMatchObject({ tool: 'flux', hasKustomization: true, manifests: [] });
    expect(pathsOf(closure)).toEqual(['clusters/base/kustomization.yaml', 'clusters/prod/kustomization.yaml']);
  });

  it('is all YAML below it otherwise, folders with a kustomization as one resource', async () => {
    const tree = memoryTree({
      'f/a.yaml': '',
      'f/b.yml': '',
      'f/c.json': '',
      'f/plain/d.yaml': '',
      'f/own/kustomization.yaml': 'resources: [e.yaml]',
      'f/own/e.yaml': '',
      'f/own/unused.yaml': '',
      'f/own/inner/x.yaml': '',
    });
    const closure = await findClosure(tree, sourceAt('/f', flux()), context);
    expect(closure.job).toMatchObject({
      hasKustomization: false,
      manifests: ['f/a.yaml', 'f/b.yml', 'f/own', 'f/plain/d.yaml'],
    });
    expect(pathsOf(closure)).toEqual([
      'f/a.yaml',
      'f/b.yml',
      'f/own/e.yaml',
      'f/own/kustomization.yaml',
      'f/plain/d.yaml',
    ]);
    expect(closure.folders).toContainEqual({ path: 'f', recursive: true });
  });

  it('leaves out what Flux leaves out: defaults and .sourceignore files, the deeper one last', async () => {
    const tree = memoryTree({
      '.sourceignore': '# tests\n*.test.yaml\n/f/skipped/\n',
      'f/.sourceignore': '!keep.test.yaml\nlocal.yaml\n',
      'f/a.yaml': '',
      'f/a.test.yaml': '',
      'f/keep.test.yaml': '',
      'f/local.yaml': '',
      'f/skipped/b.yaml': '',
      'f/.github/workflow.yaml': '',
      'f/.travis.yml': '',
      'f/sub/.sops.yaml': '',
    });
    const closure = await findClosure(tree, sourceAt('f', flux()), context);
    expect(closure.job).toMatchObject({ manifests: ['f/a.yaml', 'f/keep.test.yaml'] });
  });

  it('says that the folder does not exist', async () => {
    expect(await failureOf(memoryTree({ 'x/a.yaml': '' }), sourceAt('y', flux()))).toMatchObject({
      code: 'path-not-found',
    });
  });
});

describe('the closure of a chart', () => {
  const chart = {
    'c/Chart.yaml': 'name: c\nversion: 1.0.0\n',
    'c/values.yaml': '',
    'c/templates/a.yaml': '',
    'c/files/x.bin': '',
    'c/crds/y.yaml': '',
  };

  it('holds the whole folder but what .helmignore leaves out', async () => {
    const tree = memoryTree({
      ...chart,
      'c/.helmignore': '*.md\ndocs/\n/ci\n',
      'c/README.md': '',
      'c/docs/x.yaml': '',
      'c/ci/y.yaml': '',
      'c/sub/ci/z.yaml': '',
    });
    const closure = await findClosure(tree, sourceAt('c'), context);
    expect(pathsOf(closure)).toEqual(['c/.helmignore', ...Object.keys(chart), 'c/sub/ci/z.yaml'].sort());
    expect(closure.folders).toContainEqual({ path: 'c', recursive: true });
    expect(closure.job).toEqual({
      tool: 'helm',
      options: { valueFiles: [] },
      releaseName: 'shop',
      namespace: 'shop-ns',
      kubeVersion: '1.35',
      apiVersions: ['v1'],
    });
  });

  it('puts Argo CD’s build environment in parameters, as Go expands a text', async () => {
    const tree = memoryTree(chart);
    const value = '${ARGOCD_APP_NAME}/$ARGOCD_APP_NAMESPACE/$ARGOCD_APP_PROJECT_NAME $ARGOCD_APP_SOURCE_PATH';
    const odd = 'a$$b ${none}$gone|$1| 5 $ {x} $ARGOCD_APP_NAMES';
    const parameters = [value, odd].map((text, index) => ({ name: `p${index}`, value: text }));
    const closure = await findClosure(tree, sourceAt('c', helm({ parameters, values: 'a: $ARGOCD_APP_NAME' })), {
      ...context,
      project: 'team',
    });
    expect(closure.job).toMatchObject({
      options: {
        parameters: [{ value: 'shop/shop-ns/team c' }, { value: 'a$b || 5 $ {x} ' }],
        values: 'a: $ARGOCD_APP_NAME',
      },
    });
    expect(closure.folders).not.toContainEqual({ path: '', recursive: true });
  });

  it('depends on every commit where a parameter names the revision', async () => {
    const tree = memoryTree({ ...chart, 'elsewhere/x': '' });
    const parameters = [{ name: 'tag', value: 'v-$ARGOCD_APP_REVISION_SHORT_8' }];
    const closure = await findClosure(tree, sourceAt('c', helm({ parameters })), context);
    const tag = `v-${tree.commit.sha.slice(0, 8)}`;
    expect(closure.job).toMatchObject({ options: { parameters: [{ name: 'tag', value: tag }] } });
    expect(closure.folders).toContainEqual({ path: '', recursive: true });
    expect(closure.files.map(({ path }) => path)).not.toContain('elsewhere/x');
  });

  it('adds value files beside and above the chart, as paths from the chart', async () => {
    const tree = memoryTree({
      ...chart,
      'values/prod.yaml': '',
      'c/staging.yaml': '',
      'env/shop.yaml': '',
      'data/ca.pem': '',
    });
    const valueFiles = ['staging.yaml', '../values/prod.yaml', '/env/$ARGOCD_APP_NAME.yaml'];
    const fileParameters = [{ name: 'ca', path: '../data/ca.pem' }];
    const closure = await findClosure(
      tree,
      sourceAt('c', helm({ valueFiles, fileParameters, releaseName: 'r' })),
      context,
    );
    expect(closure.job).toMatchObject({
      releaseName: 'r',
      options: { valueFiles: ['staging.yaml', '../values/prod.yaml', '../env/shop.yaml'], fileParameters },
    });
    expect(pathsOf(closure)).toEqual(expect.arrayContaining(['values/prod.yaml', 'env/shop.yaml', 'data/ca.pem']));
  });

  it('expands patterns in order, a file that is also named by itself only once', async () => {
    const tree = memoryTree({ ...chart, 'v/a.yaml': '', 'v/b.yaml': '', 'v/deep/c.yaml': '' });
    const valueFiles = ['../v/**/*.yaml', '../v/a.yaml'];
    const closure = await findClosure(tree, sourceAt('c', helm({ valueFiles })), context);
    expect(closure.job).toMatchObject({ options: { valueFiles: ['../v/b.yaml', '../v/deep/c.yaml', '../v/a.yaml'] } });
    expect(closure.folders).toContainEqual({ path: 'v', recursive: true });
  });

  it('fails on missing value files unless told to go on, and then looks where they would be', async () => {
    const tree = memoryTree(chart);
    const error = await failureOf(tree, sourceAt('c', helm({ valueFiles: ['valeus.yaml'] })));
    expect(error.code).toBe('path-not-found');
    expect(error.hint).toContain('values.yaml');
    expect(await failureOf(tree, sourceAt('c', helm({ valueFiles: ['../v/*.yaml'] })))).toMatchObject({
      code: 'path-not-found',
    });
    const closure = await findClosure(
      tree,
      sourceAt('c', helm({ valueFiles: ['../v/x.yaml', 'values.yaml'], ignoreMissingValueFiles: true })),
      context,
    );
    expect(closure.job).toMatchObject({ options: { valueFiles: ['values.yaml'] } });
    expect(closure.folders).toContainEqual({ path: 'v', recursive: false });
  });

  it.each([
    '../../x',
    'file:///etc/passwd',
    'http://169.254.169.254/',
    'secrets://x',
    's3://bucket/x',
    'git@github.com:o/r',
  ])('refuses the value file %s (NT-40)', async (name) => {
    expect(await failureOf(memoryTree(chart), sourceAt('c', helm({ valueFiles: [name] })))).toMatchObject({
      code: 'unsafe-path',
    });
  });

  it('takes a leading slash for the root of the repository: /etc/passwd is not there (NT-40)', async () => {
    expect(await failureOf(memoryTree(chart), sourceAt('c', helm({ valueFiles: ['/etc/passwd'] })))).toMatchObject({
      code: 'path-not-found',
    });
  });

  it('refuses links in the chart (NT-20, NT-41)', async () => {
    for (const name of ['Chart.lock', 'values.yaml', 'templates/x.yaml']) {
      const tree = memoryTree({ ...chart, [`c/${name}`]: { link: '/etc/passwd' } });
      expect(await failureOf(tree, sourceAt('c'))).toMatchObject({ code: 'unsafe-path' });
    }
  });

  it('puts local dependencies under charts, theirs too', async () => {
    const tree = memoryTree({
      'c/Chart.yaml': 'name: c\ndependencies:\n  - {name: lib, version: 1, repository: "file://../lib"}\n',
      'lib/Chart.yaml': 'name: lib\ndependencies:\n  - {name: base, version: 1, repository: "file://../base"}\n',
      'lib/templates/_x.tpl': '',
      'base/Chart.yaml': 'name: base',
      'base/values.yaml': '',
    });
    const closure = await findClosure(tree, sourceAt('c'), context);
    expect(pathsOf(closure)).toEqual([
      'c/Chart.yaml',
      'c/charts/lib/Chart.yaml',
      'c/charts/lib/charts/base/Chart.yaml',
      'c/charts/lib/charts/base/values.yaml',
      'c/charts/lib/templates/_x.tpl',
    ]);
    expect(closure.folders).toEqual(
      expect.arrayContaining([
        { path: 'lib', recursive: true },
        { path: 'base', recursive: true },
      ]),
    );
  });

  it('takes vendored dependencies, and says how to vendor others', async () => {
    const dependencies =
      'name: c\ndependencies:\n  - {name: redis, version: 1.0.0, repository: "https://user:secret@charts.example.com"}\n';
    const vendored = memoryTree({ 'c/Chart.yaml': dependencies, 'c/charts/redis-1.0.0.tgz': 'x' });
    expect(pathsOf(await findClosure(vendored, sourceAt('c'), context))).toContain('c/charts/redis-1.0.0.tgz');
    const error = await failureOf(memoryTree({ 'c/Chart.yaml': dependencies }), sourceAt('c'));
    expect(error).toMatchObject({ code: 'unsupported' });
    expect(error.hint).toContain('helm dependency update');
    expect(JSON.stringify([error.message, error.data])).not.toContain('secret');
  });

  it.each(['..', '.', 'a/b', ''])('refuses a dependency called %j (NT-42)', async (name) => {
    const tree = memoryTree({
      'c/Chart.yaml': `name: c\ndependencies:\n  - {name: "${name}", repository: "file://../c2"}\n`,
      'c2/Chart.yaml': 'name: x',
    });
    expect(await failureOf(tree, sourceAt('c'))).toMatchObject({ code: 'source-invalid' });
  });

  it('ends on charts that depend on each other', async () => {
    const tree = memoryTree({
      'a/Chart.yaml': 'name: a\ndependencies:\n  - {name: b, repository: "file://../b"}\n',
      'b/Chart.yaml': 'name: b\ndependencies:\n  - {name: a, repository: "file://../a"}\n',
    });
    expect(await failureOf(tree, sourceAt('a'))).toMatchObject({ code: 'source-too-large' });
  });

  it('says that a folder is no chart', async () => {
    expect(await failureOf(memoryTree({ 'c/values.yaml': '' }), sourceAt('c', helm()))).toMatchObject({
      code: 'path-not-found',
    });
  });
});

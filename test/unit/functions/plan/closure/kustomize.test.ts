import { describe, expect, it } from 'vitest';

import { findClosure } from '#functions/plan/closure/find-closure.ts';
import { memoryTree } from '#test/kit/memory-tree.ts';
import { context, failureOf, pathsOf, sourceAt } from './sources.ts';

const lists = (field: string, ...entries: string[]): string =>
  `${field}:\n${entries.map((entry) => `  - ${entry}\n`).join('')}`;

describe('the build environment in kustomize options', () => {
  const tree = memoryTree({ 'a/kustomization.yaml': '' });
  const options = {
    images: ['web=registry.test/$ARGOCD_APP_NAME:1'],
    commonLabels: { app: '${ARGOCD_APP_NAME}' },
    commonAnnotations: { app: '$ARGOCD_APP_NAME' },
    namePrefix: '$ARGOCD_APP_NAME-',
  };
  const optionsOf = async (more: object) => {
    const render = { tool: 'kustomize' as const, kustomize: { ...options, ...more } };
    const { job } = await findClosure(tree, sourceAt('a', render), context);
    return job.tool === 'kustomize' ? job.options : undefined;
  };

  it('stands in images and labels, and in annotations where asked for', async () => {
    const filled = { ...options, images: ['web=registry.test/shop:1'], commonLabels: { app: 'shop' } };
    expect(await optionsOf({})).toEqual(filled);
    expect(await optionsOf({ commonAnnotationsEnvsubst: true })).toEqual({
      ...filled,
      commonAnnotations: { app: 'shop' },
    });
  });
});

describe('the closure of a kustomization', () => {
  it('holds bases, components, patches and generator files, and nothing else', async () => {
    const tree = memoryTree({
      'apps/shop/kustomization.yaml': [
        lists('resources', '../../base', 'extra.yaml'),
        lists('components', '../../components/tls'),
        'patches:\n  - path: patches/replicas.yaml\n  - patch: |-\n      kind: Deployment\n',
        lists('patchesStrategicMerge', 'old-patch.yaml'),
        'patchesJson6902:\n  - path: json-patch.yaml\n    target: {kind: Service, name: x}\n',
        'configMapGenerator:\n  - name: a\n    files: [settings.properties, key=other/name.txt]\n    envs: [a.env]\n',
        'secretGenerator:\n  - name: b\n    env: b.env\n',
        'replacements:\n  - path: replacement.yaml\n',
        lists('crds', 'crd.json'),
        lists('configurations', 'config.yaml'),
        'openapi:\n  path: schema.json\n',
      ].join(''),
      'apps/shop/extra.yaml': '',
      'apps/shop/patches/replicas.yaml': '',
      'apps/shop/old-patch.yaml': '',
      'apps/shop/json-patch.yaml': '',
      'apps/shop/settings.properties': '',
      'apps/shop/other/name.txt': '',
      'apps/shop/a.env': '',
      'apps/shop/b.env': '',
      'apps/shop/replacement.yaml': '',
      'apps/shop/crd.json': '',
      'apps/shop/config.yaml': '',
      'apps/shop/schema.json': '',
      'apps/shop/README.md': 'not read',
      'apps/other/kustomization.yaml': 'not read',
      'base/Kustomization': lists('resources', 'deployment.yaml'),
      'base/deployment.yaml': '',
      'base/unused.yaml': 'not read',
      'components/tls/kustomization.yml': `kind: Component\n${lists('resources', './tls.yaml')}`,
      'components/tls/tls.yaml': '',
    });
    const closure = await findClosure(tree, sourceAt('apps/shop'), context);
    const shop = [
      'a.env',
      'b.env',
      'config.yaml',
      'crd.json',
      'extra.yaml',
      'json-patch.yaml',
      'kustomization.yaml',
      'old-patch.yaml',
    ];
    shop.push('other/name.txt', 'patches/replicas.yaml', 'replacement.yaml', 'schema.json', 'settings.properties');
    const others = [
      'base/Kustomization',
      'base/deployment.yaml',
      'components/tls/kustomization.yml',
      'components/tls/tls.yaml',
    ];
    expect(pathsOf(closure)).toEqual([...shop.map((name) => `apps/shop/${name}`), ...others].sort());
    expect(closure).toMatchObject({ tool: 'kustomize', path: 'apps/shop', job: { tool: 'kustomize', options: {} } });
    expect(closure.folders).toEqual(
      expect.arrayContaining([
        { path: 'base', recursive: false },
        { path: 'apps/shop', recursive: false },
      ]),
    );
  });

  it('follows what generators and transformers name, inline ones too', async () => {
    const tree = memoryTree({
      'a/kustomization.yaml': `${lists('transformers', 'transformer.yaml')}generators:\n  - |-\n    apiVersion: builtin\n    kind: ConfigMapGenerator\n    metadata: {name: x}\n    files: [inline.txt]\n`,
      'a/transformer.yaml':
        'apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: p}\npath: patch.yaml\n---\nkind: ReplacementTransformer\nreplacements: [{path: r.yaml}]\n',
      'a/patch.yaml': '',
      'a/r.yaml': '',
      'a/inline.txt': '',
    });
    expect(pathsOf(await findClosure(tree, sourceAt('a'), context))).toEqual([
      'a/inline.txt',
      'a/kustomization.yaml',
      'a/patch.yaml',
      'a/r.yaml',
      'a/transformer.yaml',
    ]);
  });

  it('adds components and patches of the application itself', async () => {
    const tree = memoryTree({
      'a/kustomization.yaml': '{}',
      'c/kustomization.yaml': lists('resources', 'x.yaml'),
      'c/x.yaml': '',
      'a/p.yaml': '',
    });
    const kustomize = {
      components: ['../c', '../missing'],
      ignoreMissingComponents: true,
      patches: [{ path: 'p.yaml' }],
    };
    const closure = await findClosure(tree, sourceAt('a', { tool: 'kustomize', kustomize }), context);
    expect(pathsOf(closure)).toEqual(['a/kustomization.yaml', 'a/p.yaml', 'c/kustomization.yaml', 'c/x.yaml']);
    expect(closure.warnings.join()).toContain('../missing');
    expect(closure.folders).toContainEqual({ path: 'missing', recursive: false });
  });

  it.each([
    ['https://127.0.0.1:9001/x.yaml', 'resources'],
    ['github.com/owner/repo?ref=main', 'resources'],
    ['github.com/owner/repo?timeout=100000', 'bases'],
    ['git@github.com:owner/repo.git', 'resources'],
    ['git::https://example.com/x', 'components'],
    ['ssh://git@example.com/x', 'components'],
    ['http://[fd00:ec2::254]/', 'crds'],
    ['https://example.com/t.yaml', 'transformers'],
    ['https://example.com/t.yaml', 'configurations'],
  ])('refuses the remote %s in %s, naming file and entry (NT-60)', async (address, field) => {
    const error = await failureOf(memoryTree({ 'a/kustomization.yaml': lists(field, address) }), sourceAt('a'));
    expect(error).toMatchObject({ code: 'unsafe-path', retry: 'never' });
    expect(error.message).toContain('a/kustomization.yaml');
    expect(error.message).toContain(field);
    expect(error.message).toContain(address);
  });

  it.each([
    ['configMapGenerator:\n  - name: x\n    files: ["k=https://example.com/x"]\n'],
    ['patches:\n  - path: https://example.com/x\n'],
    ['openapi:\n  path: https://example.com/x\n'],
    ['replacements:\n  - path: http://example.com/x\n'],
  ])('refuses remote files in every other field (NT-60): %j', async (kustomization) => {
    expect(await failureOf(memoryTree({ 'a/kustomization.yaml': kustomization }), sourceAt('a'))).toMatchObject({
      code: 'unsafe-path',
    });
  });

  it('refuses a remote base even where a folder of that name exists, because kustomize would clone it (NT-60)', async () => {
    const tree = memoryTree({
      'a/kustomization.yaml': lists('resources', 'github.com/o/r'),
      'a/github.com/o/r/kustomization.yaml': '{}',
    });
    expect(await failureOf(tree, sourceAt('a'))).toMatchObject({ code: 'unsafe-path' });
  });

  it('refuses a remote base in a base of a base (NT-60)', async () => {
    const tree = memoryTree({
      'a/kustomization.yaml': lists('resources', '../b'),
      'b/kustomization.yaml': lists('resources', '../c'),
      'c/kustomization.yaml': lists('resources', 'https://example.com/x'),
    });
    const error = await failureOf(tree, sourceAt('a'));
    expect(error.message).toContain('c/kustomization.yaml');
  });

  it.each([
    '../../../x',
    '/etc/passwd',
    '../../apps',
    'a\\..\\x',
    '.git/config',
    '.GIT/config',
    'git~1',
    'x/.g\u200Cit/y',
  ])('refuses the path %j (NT-21, NT-23, NT-61)', async (path) => {
    const tree = memoryTree({ 'a/kustomization.yaml': lists('resources', JSON.stringify(path)) });
    expect(await failureOf(tree, sourceAt('a'))).toMatchObject({ code: 'unsafe-path' });
  });

  it('lets a path leave its folder as long as it stays in the repository', async () => {
    const tree = memoryTree({ 'a/b/kustomization.yaml': lists('resources', '../../x.yaml'), 'x.yaml': '' });
    expect(pathsOf(await findClosure(tree, sourceAt('a/b'), context))).toEqual(['a/b/kustomization.yaml', 'x.yaml']);
  });

  it('refuses links and submodules, and links on the way (NT-20, NT-24)', async () => {
    const cases = [
      { 'a/kustomization.yaml': { link: '/etc/passwd' } },
      { 'a/kustomization.yaml': lists('resources', 'x.yaml'), 'a/x.yaml': { link: '/proc/self/environ' } },
      { 'a/kustomization.yaml': lists('resources', 'dir/x.yaml'), 'a/dir': { link: '../../..' } },
      { 'a/kustomization.yaml': lists('resources', '../module'), module: { submodule: '1'.repeat(40) } },
    ];
    for (const files of cases) {
      const error = await failureOf(memoryTree(files), sourceAt('a'));
      expect(error.code).toBe('unsafe-path');
      expect(error.message).toMatch(/OutOfBoundsSymlink|submodule/);
      expect(error.message).not.toContain('passwd');
    }
  });

  it('refuses an application path that is a link (NT-20)', async () => {
    const tree = memoryTree({ real: 'x', 'apps/shop': { link: '../real' } });
    expect(await failureOf(tree, sourceAt('apps/shop'))).toMatchObject({ code: 'unsafe-path' });
  });

  it('ends on cycles and on too many bases at once (NT-62)', async () => {
    const cycle = memoryTree({
      'a/kustomization.yaml': lists('resources', '../b'),
      'b/kustomization.yaml': lists('resources', '../a'),
    });
    const error = await failureOf(cycle, sourceAt('a'));
    expect(error).toMatchObject({ code: 'source-invalid' });
    expect(error.message).toContain('a → b → a');
    expect(
      await failureOf(memoryTree({ 'a/kustomization.yaml': lists('resources', '.') }), sourceAt('a')),
    ).toMatchObject({ code: 'source-invalid' });
    const many: Record<string, string> = {};
    for (let index = 0; index < 10_000; index += 1)
      many[`c${index}/kustomization.yaml`] = lists('components', `../c${index + 1}`);
    expect(await failureOf(memoryTree(many), sourceAt('c0'))).toMatchObject({ code: 'source-too-large' });
  });

  it('walks a base once, however often it is named', async () => {
    const files: Record<string, string> = { 'l30/kustomization.yaml': '{}' };
    for (let level = 0; level < 30; level += 1) {
      files[`l${level}/kustomization.yaml`] = lists('resources', `../l${level + 1}`, `../m${level}`);
      files[`m${level}/kustomization.yaml`] = lists('resources', `../l${level + 1}`);
    }
    expect((await findClosure(memoryTree(files), sourceAt('l0'), context)).files).toHaveLength(61);
  });

  it('says where a file is missing and what is there', async () => {
    const tree = memoryTree({
      'a/kustomization.yaml': lists('resources', 'deploymnet.yaml'),
      'a/deployment.yaml': '',
      'a/zzz.yaml': '',
    });
    const error = await failureOf(tree, sourceAt('a'));
    expect(error.code).toBe('path-not-found');
    expect(error.message).toContain('a/kustomization.yaml: resources names deploymnet.yaml');
    expect(error.message).toContain('main');
    expect(error.hint).toMatch(/deployment\.yaml.*zzz\.yaml/);
  });

  it('says that the path of the application does not exist, and what does', async () => {
    const error = await failureOf(memoryTree({ 'apps/shop/a.yaml': '', 'apps/cart/a.yaml': '' }), sourceAt('apps/shp'));
    expect(error).toMatchObject({ code: 'path-not-found', data: { path: 'apps/shp', revision: 'main' } });
    expect(error.hint).toContain('shop/');
  });

  it.each(['../x', '/x', 'a/../../b', 'a\u0000b', '..\\x', 'a/.git/x'])(
    'refuses the application path %j (NT-21)',
    async (path) => {
      expect(await failureOf(memoryTree({ 'x/a.yaml': '' }), sourceAt(path))).toMatchObject({ code: 'unsafe-path' });
    },
  );

  it.each(['a%2f..', 'a..', 'repo-evil'])('finds nothing at %j (NT-21)', async (path) => {
    expect(await failureOf(memoryTree({ 'repo/a.yaml': '' }), sourceAt(path))).toMatchObject({
      code: 'path-not-found',
    });
  });

  it.each([
    ['resources: [a.yaml]\nresources: [b.yaml]\n', 'a/kustomization.yaml:2'],
    ['resources: [\n', 'a/kustomization.yaml:'],
    [`x: ${'['.repeat(1000)}${']'.repeat(1000)}\n`, 'nested deeper'],
    [
      `a: &a [x]\n${Array.from({ length: 30 }, (_, i) => `k${i}: &b${i} [${Array.from({ length: 20 }, () => (i === 0 ? '*a' : `*b${i - 1}`)).join()}]`).join('\n')}\n`,
      'alias',
    ],
    ['- a\n', 'is not a kustomization'],
    ['resources:\n  - {a: b}\n', 'resources is no path'],
  ])('refuses broken YAML with file and line: %#', async (text, expected) => {
    // Five times: a parser that survives the first such document may not survive the second (NT-70).
    for (let round = 0; round < 5; round += 1) {
      const error = await failureOf(
        memoryTree({ 'a/kustomization.yaml': text, 'a/a.yaml': '', 'a/b.yaml': '' }),
        sourceAt('a'),
      );
      expect(error.code).toBe('source-invalid');
      expect(error.message).toContain(expected);
    }
  });

  it('refuses charts, functions and two kustomizations in one folder (NT-63, NT-64)', async () => {
    const helm = 'helmCharts:\n  - name: x\n    releaseName: --post-renderer=./x.sh\n';
    expect(await failureOf(memoryTree({ 'a/kustomization.yaml': helm }), sourceAt('a'))).toMatchObject({
      code: 'unsupported',
    });
    const exec =
      'kind: X\nmetadata:\n  annotations:\n    config.kubernetes.io/function: |\n      exec: {path: ./x.sh}\n';
    const tree = memoryTree({ 'a/kustomization.yaml': lists('generators', 'g.yaml'), 'a/g.yaml': exec });
    expect(await failureOf(tree, sourceAt('a'))).toMatchObject({ code: 'unsupported' });
    expect(
      await failureOf(memoryTree({ 'a/kustomization.yaml': '{}', 'a/kustomization.yml': '{}' }), sourceAt('a')),
    ).toMatchObject({ code: 'source-invalid' });
  });
});

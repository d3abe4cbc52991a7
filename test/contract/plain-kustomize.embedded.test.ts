import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { canonicalText } from '#shared/adapters/render/json-tree.ts';
import { defaultLimits } from '#shared/adapters/render/limits.ts';
import { renderPlainKustomization } from '#shared/adapters/render/plain-kustomize.ts';
import type { RenderContext } from '#shared/adapters/render/render-context.ts';
import { prepareToolchain } from '#shared/adapters/render/toolchain.ts';
import type { ToolPaths } from '#shared/adapters/render/wire.ts';
import { splitDocuments } from '#shared/adapters/render/yaml-subset.ts';
import { yamlToTree } from '#shared/adapters/render/yaml-to-json.ts';
import { ensureKustomize } from '#localstack/cluster/sandbox.ts';
import { configMap, deployment, service, shop, type Texts } from '#test/fixtures/render/bundles.ts';
import { yamlCorpus, yamlPieces } from '#test/fixtures/render/yaml-corpus.ts';
import { askKubectl } from '#test/kit/kubectl-reader.ts';
import { temporaryFolder } from '#test/kit/temp.ts';

/**
 * What is rendered without starting kustomize is what kustomize 5.7.1 renders, in the same order. All objects that the
 * short way takes go through one build of the real tool, so one that it refuses fails the run.
 */
describe('kustomizations that only list resources', { timeout: 180_000 }, () => {
  let tools: ToolPaths;
  beforeAll(async () => {
    tools = await prepareToolchain({
      cacheDir: join(tmpdir(), 'hawser-test-tools'),
      kustomize: await ensureKustomize(),
    });
  }, 180_000);

  const plain = (texts: Texts): string[] | undefined => {
    const context: RenderContext = {
      directory: '/nowhere',
      source: '/nowhere/src',
      path: '',
      files: new Map(Object.entries(texts).map(([path, text]) => [path, Buffer.from(text)])),
      tools: { helm: '/nowhere', kubectl: '/nowhere' },
      limits: defaultLimits,
      warnings: [],
      kustomizations: new Map(),
      executables: new Set(),
    };
    return renderPlainKustomization(context)?.map(({ tree }) => canonicalText(tree));
  };

  const real = async (texts: Texts): Promise<string[]> => {
    await using folder = await temporaryFolder();
    for (const [path, text] of Object.entries(texts)) {
      await mkdir(dirname(join(folder.path, path)), { recursive: true });
      await writeFile(join(folder.path, path), text);
    }
    const output = execFileSync(tools.kustomize ?? '', ['build', folder.path], {
      maxBuffer: 256 * 1024 * 1024,
    }).toString();
    const documents = splitDocuments(output).map(({ text }) => ({ text, tree: yamlToTree(text, defaultLimits) }));
    const answers = askKubectl(
      tools.kubectl,
      documents.filter(({ tree }) => tree === undefined).map(({ text }) => text),
    );
    return documents.map(({ tree }) => (tree === undefined ? (answers.shift() ?? '') : canonicalText(tree)));
  };

  const folderOf = (objects: string[]): Texts => ({
    'kustomization.yaml': `resources:\n${objects.map((_, index) => `- f${index}.yaml\n`).join('')}`,
    ...Object.fromEntries(objects.map((text, index) => [`f${index}.yaml`, text])),
  });

  /** Compares those that the short way takes, and says how many they were. */
  const compare = async (objects: string[]): Promise<number> => {
    const taken = objects.filter((object) => plain(folderOf([object])) !== undefined);
    // kustomize takes time with the square of the objects.
    for (let start = 0; start < taken.length; start += 400) {
      const texts = folderOf(taken.slice(start, start + 400));
      expect(plain(texts)).toEqual(await real(texts));
    }
    return taken.length;
  };

  const probes = (texts: string[]): string[] =>
    texts.map((text, index) => `apiVersion: v1\nkind: Probe\nmetadata: {name: p${index}}\n${text}`);

  it('render every scalar in every position as kustomize does', async () => {
    expect(await compare(probes(yamlCorpus))).toBeGreaterThan(2500);
  });

  it('render random documents as kustomize does', async () => {
    const pieces = fc
      .array(fc.constantFrom(...yamlPieces), { minLength: 1, maxLength: 12 })
      .map((parts) => `v:\n  ${parts.join('')}\n`);
    const mutated = fc
      .tuple(fc.constantFrom(...yamlCorpus), fc.nat(), fc.constantFrom(...yamlPieces))
      .map(([text, at, piece]) => `${text.slice(0, at % text.length)}${piece}${text.slice(at % text.length)}`);
    expect(await compare(probes(fc.sample(fc.oneof(pieces, mutated), { numRuns: 8000, seed: 42 })))).toBeGreaterThan(
      500,
    );
  });

  it('render random texts and numbers in every style as kustomize does', async () => {
    const odd = fc.string({ unit: fc.constantFrom(...' a\n#:-"\'|>!&*%@é{}[],?\\=~10.'.split('')), maxLength: 14 });
    const value = fc.oneof(
      odd,
      fc.string({ unit: 'grapheme', maxLength: 60 }),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
      fc.integer().map(String),
      fc.stringMatching(/^[-+]?[0-9_.eExXobB]{1,12}$/),
    );
    const style = fc.constantFrom(
      (text: string) => `v: ${JSON.stringify(text)}\n`,
      (text: string) => `v: '${text.replaceAll("'", "''").replaceAll('\n', '\n\n  ')}'\n`,
      (text: string) => `v: ${text}\n`,
      (text: string) => `v: |-\n  ${text.replaceAll('\n', '\n  ')}\n`,
      (text: string) => `v: |\n  ${text.replaceAll('\n', '\n  ')}\n`,
      (text: string) => `${JSON.stringify(text)}: v\n`,
      (text: string) => `v: [${JSON.stringify(text)}, {k: ${JSON.stringify(text)}}]\n`,
    );
    expect(
      await compare(
        probes(
          fc.sample(
            fc.tuple(value, style).map(([text, write]) => write(text)),
            { numRuns: 6000, seed: 43 },
          ),
        ),
      ),
    ).toBeGreaterThan(3000);
  });

  it('put objects of all kinds, groups and namespaces into kustomize’s order', async () => {
    const kinds = [
      'v1/Namespace',
      'v1/ConfigMap',
      'v1/Secret',
      'v1/Service',
      'v1/ServiceAccount',
      'apps/v1/Deployment',
      'apps/v1/StatefulSet',
      'apps/v1beta1/Deployment',
      'batch/v1/Job',
      'batch/v1/CronJob',
      'networking.k8s.io/v1/Ingress',
      'rbac.authorization.k8s.io/v1/Role',
      'rbac.authorization.k8s.io/v1/ClusterRole',
      'apiextensions.k8s.io/v1/CustomResourceDefinition',
      'policy/v1/PodDisruptionBudget',
      'storage.k8s.io/v1/StorageClass',
      'v1/PersistentVolume',
      'example.com/v1alpha1/Widget',
      'a.example.com/v1/Widget',
      'v1/Pod',
      'v1/PersistentVolumeClaim',
      'autoscaling/v2/HorizontalPodAutoscaler',
    ];
    const metadata = fc.record(
      {
        namespace: fc.constantFrom('default', 'a', 'b-c', 'zz'),
        labels: fc.dictionary(
          fc.constantFrom('app', 'app.kubernetes.io/name', 'x-y'),
          fc.constantFrom('a', '1', 'true', ''),
          { minKeys: 1 },
        ),
        annotations: fc.dictionary(
          fc.constantFrom('note', 'argocd.argoproj.io/sync-wave'),
          fc.constantFrom('-1', 'some text: with colon'),
          { minKeys: 1 },
        ),
        creationTimestamp: fc.constant(null),
        finalizers: fc.constantFrom([], ['x/y']),
        generateName: fc.constant('g-'),
      },
      { requiredKeys: [] },
    );
    const object = fc
      .tuple(fc.constantFrom(...kinds), metadata, fc.constantFrom('web', 'api', 'db-0', 'system:x', 'A'))
      .map(([kind, rest, name], index = 0) => {
        const slash = kind.lastIndexOf('/');
        return JSON.stringify({
          apiVersion: kind.slice(0, slash),
          kind: kind.slice(slash + 1),
          metadata: { ...rest, name: `${name}${index}` },
          spec: {
            serviceAccountName: 'web',
            template: {
              spec: { containers: [{ name: 'c', image: 'i:1', ports: [] }], volumes: [{ configMap: { name: 'web' } }] },
            },
            nothing: null,
            empty: {},
          },
        });
      });
    for (let seed = 1; seed <= 6; seed += 1) {
      const objects = fc.sample(object, { numRuns: 60, seed }).map((text) => `${text}\n`);
      const byIdentity = new Map(
        objects.map((text) => {
          const { kind, metadata: meta } = JSON.parse(text) as {
            kind: string;
            metadata: { name: string };
          };
          return [`${kind}/${meta.name}`, text];
        }),
      );
      expect(await compare([...byIdentity.values()])).toBeGreaterThan(25);
    }
  });

  it('go the same way through nested folders and files of several documents', async () => {
    const texts: Texts = {
      'kustomization.yaml':
        'apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n  - ./one.yaml\n  - base\n',
      'one.yaml': `---\n${deployment}---\n# between\n${service}`,
      'base/kustomization.yml': 'resources: [two.yaml]\n',
      'base/two.yaml': configMap('two', 'a: |\n    x: y\n      z\n  b: "1"'),
    };
    expect(plain(texts)).toEqual(await real(texts));
  });

  it.each<[string, Texts]>([
    ['a transformation', { ...flat(), 'kustomization.yaml': 'resources: [deployment.yaml]\nnamePrefix: a-\n' }],
    ['an unknown field', { ...flat(), 'kustomization.yaml': 'resources: [deployment.yaml]\nfoo: 1\n' }],
    ['no resources', { ...flat(), 'kustomization.yaml': 'resources: []\n' }],
    ['a component', { ...flat(), 'kustomization.yaml': 'kind: Component\nresources: [deployment.yaml]\n' }],
    ['two kustomizations', { ...flat(), 'kustomization.yml': 'resources: [service.yaml]\n' }],
    [
      'an object twice',
      { ...flat(), 'kustomization.yaml': 'resources: [deployment.yaml, again.yaml]\n', 'again.yaml': deployment },
    ],
    [
      'the same base twice',
      {
        'kustomization.yaml': 'resources: [a, a]\n',
        'a/kustomization.yaml': 'resources: [x.yaml]\n',
        'a/x.yaml': service,
      },
    ],
    [
      'a file outside the folder',
      {
        'a/kustomization.yaml': 'resources: [../x.yaml]\n',
        'kustomization.yaml': 'resources: [a]\n',
        'x.yaml': service,
      },
    ],
    ['no line end at the end', { 'kustomization.yaml': 'resources: [x.yaml]\n', 'x.yaml': service.trimEnd() }],
    [
      'an object without a name',
      { 'kustomization.yaml': 'resources: [x.yaml]\n', 'x.yaml': 'apiVersion: v1\nkind: Service\nmetadata: {}\n' },
    ],
    [
      'a list',
      {
        'kustomization.yaml': 'resources: [x.yaml]\n',
        'x.yaml': 'apiVersion: v1\nkind: ConfigMapList\nitems: []\nmetadata: {name: x}\n',
      },
    ],
    [
      'a reference with a namespace',
      {
        'kustomization.yaml': 'resources: [x.yaml]\n',
        'x.yaml': 'apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: x}\nsubjects: []\n',
      },
    ],
    [
      'empty labels',
      {
        'kustomization.yaml': 'resources: [x.yaml]\n',
        'x.yaml': 'apiVersion: v1\nkind: Service\nmetadata: {name: x, labels: {}}\n',
      },
    ],
    [
      'an annotation of kustomize’s',
      {
        'kustomization.yaml': 'resources: [x.yaml]\n',
        'x.yaml':
          'apiVersion: v1\nkind: Service\nmetadata: {name: x, annotations: {internal.config.kubernetes.io/index: "1"}}\n',
      },
    ],
    [
      'a word that readers read differently',
      { 'kustomization.yaml': 'resources: [x.yaml]\n', 'x.yaml': configMap('x', 'a: yes') },
    ],
    ['a repeated key', { 'kustomization.yaml': 'resources: [x.yaml]\n', 'x.yaml': configMap('x', 'a: "1"\n  a: "2"') }],
  ])('leave %s to kustomize', (_, texts) => {
    expect(plain(texts)).toBeUndefined();
  });
});

function flat(): Texts {
  return Object.fromEntries(Object.entries(shop).map(([path, text]) => [path.replace('shop/', ''), text]));
}

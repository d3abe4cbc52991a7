import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HawserError } from '#shared/errors.ts';
import type { RenderBundle, Renderer } from '#shared/ports/renderer.ts';
import {
  chart,
  configMap,
  deployment,
  directoryBundle,
  fluxBundle,
  helmBundle,
  kustomizeBundle,
  oneTemplate,
  service,
  shop,
} from '#test/fixtures/render/bundles.ts';
import { asTenant, type TenantRenderer } from '#test/kit/tenant.ts';

interface Limits {
  wallClock?: number;
  memory?: number;
}

type Parsed = {
  kind: string;
  metadata: Record<string, unknown> & { name: string };
  data?: Record<string, string>;
  [key: string]: unknown;
};

/** What every renderer does, and what none lets happen. */
export function describeRenderer(name: string, open: (limits?: Limits) => Promise<Renderer>): void {
  describe(`${name}: renderer`, () => {
    let renderer: TenantRenderer;
    beforeAll(async () => {
      renderer = asTenant(await open());
    });
    afterAll(() => renderer.close());

    const render = async (bundle: RenderBundle): Promise<Parsed[]> =>
      (await renderer.render(bundle)).objects.map((text) => JSON.parse(text) as Parsed);
    const failure = async (bundle: RenderBundle): Promise<HawserError> => {
      const error: unknown = await renderer.render(bundle).then(
        ({ objects }) => new Error(`rendered ${objects.length} objects: ${objects.join('\n').slice(0, 500)}`),
        (thrown: unknown) => thrown,
      );
      expect(error, String(error)).toBeInstanceOf(HawserError);
      return error as HawserError;
    };
    const names = (objects: Parsed[]): string[] => objects.map((object) => `${object.kind} ${object.metadata.name}`);

    describe('kustomize', () => {
      it('answers canonical JSON of every object, the same every time', async () => {
        const first = await renderer.render(kustomizeBundle(shop));
        const second = await renderer.render(kustomizeBundle(shop));
        expect(second).toEqual(first);
        expect(first.objects).toContain(
          '{"apiVersion":"v1","data":{"a":"1"},"kind":"ConfigMap","metadata":{"name":"conf"}}',
        );
        expect(first.objects).toHaveLength(4);
        expect(first.warnings).toEqual([]);
      });

      it('applies the overrides of an Application to the user’s kustomization', async () => {
        const objects = await render(
          kustomizeBundle(shop, 'shop', {
            namePrefix: 'pre-',
            nameSuffix: '-post',
            namespace: 'team',
            images: ['nginx=registry.example.com:5000/nginx:2'],
            replicas: [{ name: 'web', count: 5 }],
            commonLabels: { tier: 'front' },
            labelWithoutSelector: true,
            commonAnnotations: { note: 'x' },
            patches: [{ target: { kind: 'Service' }, patch: '- {op: replace, path: /spec/ports/0/port, value: 81}' }],
          }),
        );
        const web = objects.find((object) => object.kind === 'Deployment');
        expect(web).toMatchObject({
          metadata: { name: 'pre-web-post', namespace: 'team', labels: { tier: 'front' }, annotations: { note: 'x' } },
          spec: {
            replicas: 5,
            selector: { matchLabels: { app: 'web' } },
            template: { spec: { containers: [{ image: 'registry.example.com:5000/nginx:2' }] } },
          },
        });
        expect(objects.find((object) => object.kind === 'Service')).toMatchObject({ spec: { ports: [{ port: 81 }] } });
      });

      it('refuses to overwrite a label of the file unless forced', async () => {
        const texts = { ...shop, 'shop/kustomization.yaml': 'resources: [config.yaml]\ncommonLabels: {tier: back}\n' };
        const error = await failure(kustomizeBundle(texts, 'shop', { commonLabels: { tier: 'front' } }));
        expect(error).toMatchObject({
          code: 'render-failed',
          message: 'label tier already in kustomization file. Use --force to override.',
        });
        const forced = await render(
          kustomizeBundle(texts, 'shop', { commonLabels: { tier: 'front' }, forceCommonLabels: true }),
        );
        expect(forced[0]?.metadata['labels']).toEqual({ tier: 'front' });
      });

      it('follows bases in sibling folders and reports kustomize’s own words on failure', async () => {
        const texts = {
          'base/kustomization.yaml': 'resources: [c.yaml]\n',
          'base/c.yaml': configMap('c'),
          'shop/kustomization.yaml': 'resources: [../base]\nnamePrefix: p-\n',
        };
        expect(names(await render(kustomizeBundle(texts)))).toEqual(['ConfigMap p-c']);
        const error = await failure(kustomizeBundle({ ...texts, 'base/c.yaml': 'kind: ConfigMap\n' }));
        expect(error.code).toBe('render-failed');
        expect(error.message).toMatch(/^kustomize: .*c\.yaml/s);
        expect(error.message).not.toMatch(/render-jobs|\/tmp|\/src\//);
      });
    });

    describe('flux', () => {
      it('generates a kustomization over the manifests and renders an empty folder to nothing', async () => {
        expect(names(await render(fluxBundle({ 'shop/a.yaml': service, 'shop/deep/b.yaml': configMap('b') })))).toEqual(
          ['ConfigMap b', 'Service web'],
        );
        expect(await render(fluxBundle({ 'shop/README.md': 'nothing' }))).toEqual([]);
        expect(await render(fluxBundle({ 'shop/kustomization.yaml': '' }))).toEqual([]);
      });

      it('adds namespace, prefix, patches, images and common metadata', async () => {
        const texts = {
          ...shop,
          'shop/kustomization.yaml':
            'resources: [deployment.yaml]\nimages: [{name: nginx, newTag: "1", digest: "sha256:abc"}]\n',
        };
        const [web] = await render(
          fluxBundle(texts, {
            targetNamespace: 'team',
            namePrefix: 'p-',
            images: [{ name: 'nginx', newTag: '3' }],
            patches: [{ patch: 'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 7}\n' }],
            commonMetadata: { labels: { team: 'a' }, annotations: { note: 'b' } },
          }),
        );
        expect(web).toMatchObject({
          metadata: { name: 'p-web', namespace: 'team', labels: { team: 'a' }, annotations: { note: 'b' } },
          spec: {
            replicas: 7,
            template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ image: 'nginx:3' }] } },
          },
        });
      });

      it('substitutes variables in each object, except where the object opts out', async () => {
        const texts = {
          'shop/a.yaml': configMap('a', 'v: "${size:=9}-${name^^}-$${kept}-$bare"\n  n: ${count}'),
          'shop/b.yaml': configMap('b', 'v: "${size}"').replace(
            'metadata:',
            'metadata:\n  annotations: {kustomize.toolkit.fluxcd.io/substitute: disabled}',
          ),
        };
        const [a, b] = await render(fluxBundle(texts, { substitute: { name: 'x\ny', count: '"3"' } }));
        expect(a?.data).toEqual({ v: '9-XY-${kept}-$bare', n: '3' });
        expect(b?.data).toEqual({ v: '${size}' });
      });

      it('names the variable that has no value', async () => {
        const error = await failure(
          fluxBundle({ 'shop/a.yaml': configMap('a', 'v: "${nope}"') }, { substitute: { other: '1' } }),
        );
        expect(error).toMatchObject({ code: 'render-failed', data: { variable: 'nope' } });
        expect(error.message).toContain('ConfigMap a');
      });

      it('reads files beside the folder, as the source allows', async () => {
        const texts = {
          'shop/kustomization.yaml':
            'configMapGenerator: [{name: c, files: [../common/x.txt]}]\ngeneratorOptions: {disableNameSuffixHash: true}\n',
          'common/x.txt': 'hello',
        };
        expect((await render(fluxBundle(texts)))[0]?.data).toEqual({ 'x.txt': 'hello' });
      });

      it('refuses objects that are still encrypted', async () => {
        const secret = 'apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: ENC}\nsops: {mac: x}\n';
        expect(await failure(fluxBundle({ 'shop/s.yaml': secret }))).toMatchObject({
          code: 'render-failed',
          message: expect.stringContaining('SOPS') as string,
        });
      });
    });

    describe('helm', () => {
      it('renders templates, CRDs, hooks and tests, but no notes', async () => {
        const objects = await render(helmBundle());
        expect(names(objects).toSorted()).toEqual([
          'ConfigMap demo-config',
          'CustomResourceDefinition widgets.example.com',
          'Job migrate',
          'Pod probe',
        ]);
        expect(objects.find((object) => object.kind === 'ConfigMap')).toMatchObject({
          metadata: { namespace: 'team' },
          data: { size: '1', list: 'a+b', text: 'none', kube: 'v1.33.1', widgets: 'true' },
        });
        expect(names(await render(helmBundle(chart, { skipCrds: true, skipTests: true }))).toSorted()).toEqual([
          'ConfigMap demo-config',
          'Job migrate',
        ]);
      });

      it('lets parameters win over valuesObject, that over value files, those over the chart', async () => {
        const texts = { ...chart, 'chart/one.yaml': 'size: 2\ntext: file\n', 'env/two.yaml': 'size: 3\n' };
        const data = async (options: object): Promise<unknown> => {
          const objects = await render(helmBundle(texts, options));
          return objects.find((object) => object.kind === 'ConfigMap')?.data;
        };
        expect(await data({ valueFiles: ['one.yaml', '../env/two.yaml'] })).toMatchObject({ size: '3', text: 'file' });
        expect(await data({ valueFiles: ['one.yaml'], values: 'size: 4' })).toMatchObject({ size: '4', text: 'file' });
        expect(await data({ values: 'size: 4', valuesObject: { size: 5 } })).toMatchObject({ size: '5' });
        expect(await data({ valuesObject: { size: 5 }, parameters: [{ name: 'size', value: '6' }] })).toMatchObject({
          size: '6',
        });
        expect(
          await data({
            parameters: [
              { name: 'text', value: 'a,b=c' },
              { name: 'nested.list', value: '{x,y}' },
              { name: 'nested.list[0]', value: 'z' },
            ],
          }),
        ).toMatchObject({ text: 'a,b=c', list: 'z+y' });
        expect(await data({ parameters: [{ name: 'text', value: '007', forceString: true }] })).toMatchObject({
          text: '007',
        });
        expect(await data({ fileParameters: [{ name: 'text', path: 'one.yaml' }] })).toMatchObject({
          text: 'size: 2\ntext: file\n',
        });
        expect(await data({ valueFiles: ['gone.yaml'], ignoreMissingValueFiles: true })).toMatchObject({ size: '1' });
        expect(await failure(helmBundle(texts, { valueFiles: ['gone.yaml'] }))).toMatchObject({
          code: 'render-failed',
          data: { path: 'gone.yaml' },
        });
      });

      it('NT-44: gives helm’s words, file and line when a template or chart is broken', async () => {
        const error = await failure(helmBundle(oneTemplate('a: 1\nb: {{ fail "no such size" }}\n')));
        expect(error).toMatchObject({ code: 'render-failed', data: { tool: 'helm' } });
        expect(error.message).toContain('no such size');
        expect(error.message).not.toMatch(/render-jobs/);
        expect((await failure(helmBundle({ ...oneTemplate('{}'), 'chart/Chart.yaml': 'name: [' }))).code).toBe(
          'render-failed',
        );
      });

      it('NT-47: flags a chart that calls lookup, which finds nothing', async () => {
        const { objects, warnings } = await renderer.render(
          helmBundle(oneTemplate(configMap('l', 'found: {{ len (lookup "v1" "Secret" "kube-system" "") | quote }}'))),
        );
        expect(objects[0]).toContain('"found":"0"');
        expect(warnings).toEqual([expect.stringMatching(/^uses-lookup/)]);
      });
    });

    describe('directory', () => {
      it('takes YAML, JSON and lists as they are, in order', async () => {
        const objects = await render(
          directoryBundle({
            'a.yaml': `${deployment}---\n# nothing here\n---\n${service}`,
            'b.json': '[{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"j"},"big":12345678901234567890}]',
            'c.yaml': `apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: i}}\n`,
          }),
        );
        expect(names(objects)).toEqual(['Deployment web', 'Service web', 'ConfigMap j', 'ConfigMap i']);
      });

      it('keeps 64-bit integers and reads scalars as kubectl does', async () => {
        const { objects } = await renderer.render(
          directoryBundle({
            'a.yaml':
              'apiVersion: v1\nkind: X\nmetadata: {name: x}\nspec: {a: 0777, b: no, c: 9223372036854775807, d: 1e3, e: 2024-01-01, f: 18446744073709551615}\n',
          }),
        );
        expect(objects).toEqual([
          '{"apiVersion":"v1","kind":"X","metadata":{"name":"x"},"spec":{"a":511,"b":false,"c":9223372036854775807,"d":1000,"e":"2024-01-01","f":18446744073709551615}}',
        ]);
      });

      it('asks the real kubectl where YAML is odd', async () => {
        const [object] = await render(
          directoryBundle({
            'a.yaml':
              'apiVersion: v1\nkind: X\nmetadata: {name: x}\nspec:\n  tagged: !!str 12\n  binary: !!binary aGk=\n  ? complex\n  : key\n',
          }),
        );
        expect(object?.['spec']).toEqual({ tagged: '12', binary: 'hi', complex: 'key' });
      });

      it('skips marked files and files that are no manifests, and reports broken ones with file, document and line', async () => {
        const good = configMap('good');
        expect(
          names(
            await render(
              directoryBundle({
                'a.yaml': good,
                'b.yaml': `# +argocd:skip-file-rendering\n${configMap('no')}`,
                'values.yaml': 'size: 1\n',
                'c.yaml': 'a: b: c\n',
              }),
            ),
          ),
        ).toEqual(['ConfigMap good']);
        const error = await failure(
          directoryBundle({
            'x/broken.yaml': `${good}---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a: b\n`,
          }),
        );
        expect(error).toMatchObject({ code: 'object-invalid', data: { line: 11 } });
        expect(error.message).toMatch(/^file x\/broken\.yaml, document 2 \(line 8\): .*line 11/);
      });

      it('names what an object lacks', async () => {
        expect(
          await failure(directoryBundle({ 'a.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {labels: {a: b}}\n' })),
        ).toMatchObject({
          code: 'object-invalid',
          message: 'file a.yaml, document 1 (ConfigMap) has no metadata.name',
        });
      });

      it('keeps the last of objects that are there twice, with a warning', async () => {
        const { objects, warnings } = await renderer.render(
          directoryBundle({ 'a.yaml': configMap('x', 'v: "1"'), 'b.yaml': configMap('x', 'v: "2"') }),
        );
        expect(objects).toEqual([expect.stringContaining('"v":"2"')]);
        expect(warnings).toEqual([
          'RepeatedResourceWarning: Resource /ConfigMap//x appeared 2 times among application resources.',
        ]);
      });

      it('NT-170: keeps keys that JavaScript objects treat specially', async () => {
        const { objects } = await renderer.render(
          directoryBundle({
            'a.yaml': configMap('x', '__proto__: {isAdmin: true}\n  constructor: {prototype: {x: 1}}'),
          }),
        );
        expect(objects[0]).toContain('"__proto__":{"isAdmin":true},"constructor":{"prototype":{"x":1}}');
        expect(({} as Record<string, unknown>)['isAdmin']).toBeUndefined();
      });

      it('NT-70: survives documents that nest too deeply, again and again', async () => {
        const deep = `apiVersion: v1\nkind: X\nmetadata: {name: x}\nspec: ${'['.repeat(1000)}${']'.repeat(1000)}\n`;
        const deepJson = `{"apiVersion":"v1","kind":"X","metadata":{"name":"x"},"spec":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
        for (let round = 0; round < 3; round += 1) {
          expect(await failure(directoryBundle({ 'a.yaml': deep }))).toMatchObject({
            code: 'render-limit',
            data: { limit: 'depth' },
          });
          expect(await failure(directoryBundle({ 'a.json': deepJson }))).toMatchObject({
            code: 'render-limit',
            data: { limit: 'depth' },
          });
        }
        expect(await render(directoryBundle({ 'a.yaml': service }))).toHaveLength(1);
      });

      it('NT-71, NT-72: counts aliases and merges before it expands them', async () => {
        const laughs = [
          'a: &l0 [x, x, x, x, x, x, x, x, x]',
          ...Array.from(
            { length: 9 },
            (_, n) => `l${n + 1}: &l${n + 1} [${Array.from({ length: 9 }, () => `*l${n}`).join(', ')}]`,
          ),
        ];
        const bomb = `apiVersion: v1\nkind: X\nmetadata: {name: x}\n${laughs.join('\n')}\n`;
        expect(['render-limit', 'object-invalid']).toContain((await failure(directoryBundle({ 'a.yaml': bomb }))).code);
        const merges = `apiVersion: v1\nkind: X\nmetadata: {name: x}\na: &a {${Array.from({ length: 100 }, (_, n) => `k${n}: v`).join(', ')}}\nb: {<<: [${Array.from({ length: 8000 }, () => '*a').join(', ')}]}\n`;
        expect(['render-limit', 'object-invalid']).toContain(
          (await failure(directoryBundle({ 'a.yaml': merges }))).code,
        );
      });

      it('LIM-12, LIM-13: limits the number and the size of objects', async () => {
        expect(
          await failure(directoryBundle({ 'a.yaml': configMap('x', `v: "${'x'.repeat(1_500_000)}"`) })),
        ).toMatchObject({ code: 'render-limit', data: { limit: 'objectSize' } });
        const many = Array.from(
          { length: 10_001 },
          (_, n) => `{"apiVersion":"v1","kind":"X","metadata":{"name":"x${n}"}}`,
        );
        expect(await failure(directoryBundle({ 'a.json': `[${many.join(',')}]` }))).toMatchObject({
          code: 'render-limit',
          data: { limit: 'objects', value: 10_000 },
        });
        expect(await render(directoryBundle({ 'a.json': `[${many.slice(1).join(',')}]` }))).toHaveLength(10_000);
      });
    });

    describe('hostile input', () => {
      it.each([
        '../x',
        '/etc/x',
        'a/../../b',
        'a\\b',
        'a\u0000b',
        'a//b',
        './a',
        '.git/config',
        'a/.GIT/x',
        'git~1/x',
        '.git::$INDEX_ALLOCATION/x',
        '.g\u200cit/x',
        'x/'.repeat(40) + 'y',
      ])('NT-21, NT-23: refuses a bundle with the path %j', async (path) => {
        expect(
          (
            await failure({
              path: '',
              files: [{ path, content: Buffer.from('a') }],
              job: { tool: 'directory', manifests: [] },
            })
          ).code,
        ).toBe('unsafe-path');
        expect((await failure({ path, files: [], job: { tool: 'kustomize', options: {} } })).code).toBe('unsafe-path');
      });

      it.each([
        '/etc/passwd',
        '../../x.yaml',
        'file:///etc/passwd',
        'http://169.254.169.254/latest',
        'secrets://x',
        's3://b/k',
        '$other/values.yaml',
      ])('NT-40: refuses the value file %j before helm runs', async (path) => {
        expect((await failure(helmBundle(chart, { valueFiles: [path] }))).code).toBe('render-failed');
        expect((await failure(helmBundle(chart, { fileParameters: [{ name: 'a', path }] }))).code).toBe(
          'render-failed',
        );
      });

      it.each(['a[999999999]', `${'a.'.repeat(100_000)}b`, `${'a.'.repeat(40)}b`, 'a=b', 'a,b', 'a[x]', ''])(
        'NT-45: refuses a parameter name: case %#',
        async (parameter) => {
          expect((await failure(helmBundle(chart, { parameters: [{ name: parameter, value: '1' }] }))).code).toBe(
            'render-failed',
          );
        },
      );

      it.each([
        { releaseName: '--post-renderer=./x.sh' },
        { releaseName: '{{ env "PATH" }}' },
        { namespace: '-n' },
        { kubeVersion: '1.30 --debug' },
        { apiVersions: ['v1,--post-renderer=x'] },
      ])('NT-49, NT-64: refuses %j', async (options) => {
        expect((await failure(helmBundle(chart, options))).code).toBe('render-failed');
      });

      it.each(['file:///proc/self/environ', 'http://127.0.0.1:1/x', '/etc/passwd', '../../x.json'])(
        'NT-43: refuses a schema that refers to %s',
        async ($ref) => {
          const error = await failure(
            helmBundle({ ...chart, 'chart/values.schema.json': JSON.stringify({ properties: { size: { $ref } } }) }),
          );
          expect(error).toMatchObject({ code: 'render-failed', data: { file: 'chart/values.schema.json' } });
        },
      );

      it('NT-46, NT-60: opens no connection, whatever field names a host', async () => {
        let connections = 0;
        const server = createServer((socket) => {
          connections += 1;
          socket.destroy();
        });
        await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
        const address = server.address();
        const host = `127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
        const reference = `http://${host}/x.yaml`;
        const kustomizations = [
          `resources: ["${reference}"]`,
          `components: ["${reference}"]`,
          `bases: ["git::http://${host}/a/b?timeout=100000"]`,
          `crds: ["${reference}"]`,
          `configurations: ["${reference}"]`,
          `transformers: ["${reference}"]`,
          `generators:\n- |\n  apiVersion: builtin\n  kind: ConfigMapGenerator\n  metadata: {name: x}\n  files: ["k=${reference}"]`,
          `openapi: {path: "${reference}"}`,
          `configMapGenerator: [{name: a, files: ["${reference}"]}]`,
          `configMapGenerator: [{name: a, files: ["k=${reference}"]}]`,
          `secretGenerator: [{name: a, envs: ["${reference}"]}]`,
          `patches: [{path: "${reference}"}]`,
          `replacements: [{path: "${reference}"}]`,
          'resources: ["github.com/kubernetes-sigs/kustomize?ref=v1"]',
          'resources: ["git@github.com:a/b.git"]',
          'resources: ["http://[fd00:ec2::254]/x"]',
          `helmCharts: [{name: x, repo: "http://${host}"}]`,
          `resources: [../base]`,
        ];
        for (const text of kustomizations) {
          const texts = {
            'shop/kustomization.yaml': `${text}\n`,
            'base/kustomization.yaml': `resources: ["${reference}"]\n`,
          };
          expect(['render-failed', 'unsupported'], text).toContain((await failure(kustomizeBundle(texts))).code);
          expect(['render-failed', 'unsupported'], text).toContain((await failure(fluxBundle(texts))).code);
        }
        const dns = await renderer.render(
          helmBundle(oneTemplate(configMap('d', 'v: {{ getHostByName "example.com" | quote }}'))),
        );
        expect(dns.objects[0]).toContain('"v":""');
        server.close();
        expect(connections).toBe(0);
      });

      it.each([
        '../../../../../../../../etc/passwd',
        '/etc/passwd',
        '/proc/self/environ',
        '../../../../../../../proc/1/environ',
        '../missing.txt',
      ])('NT-61: reads no file outside the bundle: %s', async (path) => {
        for (const text of [
          `configMapGenerator: [{name: a, files: ["${path}"]}]`,
          `resources: ["${path}"]`,
          `patches: [{path: "${path}"}]`,
          `secretGenerator: [{name: a, envs: ["${path}"]}]`,
        ]) {
          const texts = { 'shop/kustomization.yaml': `${text}\n` };
          expect((await failure(kustomizeBundle(texts))).code).toBe('render-failed');
          expect((await failure(fluxBundle(texts))).code).toBe('render-failed');
        }
      });

      it('NT-61: an Application’s kustomization reads no file beside its own folder', async () => {
        const texts = {
          'shop/kustomization.yaml': 'configMapGenerator: [{name: c, files: [../common/x.txt]}]\n',
          'common/x.txt': 'hello',
        };
        expect((await failure(kustomizeBundle(texts))).message).toContain('security');
      });

      it('NT-62: ends bases that refer to each other', async () => {
        const texts = {
          'shop/kustomization.yaml': 'resources: [../other]\n',
          'other/kustomization.yaml': 'resources: [../shop]\n',
        };
        expect((await failure(kustomizeBundle(texts))).message).toContain('cycle');
        expect((await failure(kustomizeBundle({ 'shop/kustomization.yaml': 'resources: [.]\n' }))).code).toBe(
          'render-failed',
        );
      });

      it('NT-63: runs no plugin', async () => {
        const ran = join(tmpdir(), `hawser-plugin-ran-${process.pid}`);
        const plugin =
          'apiVersion: v1\nkind: X\nmetadata:\n  name: x\n  annotations: {config.kubernetes.io/function: "exec: {path: ./run.sh}"}\n';
        const texts = {
          'shop/kustomization.yaml': 'generators: [plugin.yaml]\n',
          'shop/plugin.yaml': plugin,
          'shop/run.sh': `#!/bin/sh\ntouch ${ran}\n`,
        };
        expect((await failure(kustomizeBundle(texts))).code).toBe('render-failed');
        expect((await failure(fluxBundle(texts))).code).toBe('render-failed');
        expect(existsSync(ran)).toBe(false);
      });

      it('NT-66: shows nothing of the service’s environment', async () => {
        process.env['HAWSER_CANARY'] = 'canary-value-7f3a';
        const texts = oneTemplate(
          configMap(
            'e',
            'a: {{ .Files.Get "/proc/self/environ" | quote }}\n  b: {{ .Files.Get "../../../../../../proc/self/environ" | quote }}\n  c: {{ .Files.Glob "/proc/*/environ" | toYaml | quote }}',
          ),
        );
        expect((await renderer.render(helmBundle(texts))).objects.join()).not.toContain('canary-value-7f3a');
        const error = await failure(helmBundle(oneTemplate(configMap('e', 'a: {{ env "HAWSER_CANARY" | quote }}'))));
        expect(error.message).toContain('function "env" not defined');
        expect(error.message).not.toContain('canary-value-7f3a');
        delete process.env['HAWSER_CANARY'];
      });

      it('NT-52: ends what needs too much memory, and renders the next job', async () => {
        expect(await failure(helmBundle(oneTemplate(configMap('m', 'a: {{ len (until 1000000000) }}'))))).toMatchObject(
          { code: 'render-limit', data: { limit: 'memory' } },
        );
        expect(
          (await failure(helmBundle(oneTemplate('{{ define "x" }}{{ template "x" . }}{{ end }}{{ template "x" . }}'))))
            .code,
        ).toMatch(/render-/);
        expect(await render(helmBundle())).toHaveLength(4);
      });

      it('LIM-09: cuts a tool that prints without end', async () => {
        const endless = `{{ range until 40000 }}---\n${configMap('x{{ . }}', `v: {{ repeat 1000 "x" }}`)}{{ end }}`;
        expect(await failure(helmBundle(oneTemplate(endless)))).toMatchObject({
          code: 'render-limit',
          data: { limit: 'output' },
        });
      });

      it('LIM-10, NT-52: ends what takes too long, in that job only', async () => {
        const hasty = asTenant(await open({ wallClock: 4000 }));
        const loop = helmBundle(oneTemplate('{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}'));
        const [ended, ...others] = await Promise.allSettled([
          hasty.render(loop),
          hasty.render(helmBundle()),
          hasty.render(kustomizeBundle(shop)),
        ]);
        expect(ended).toMatchObject({
          status: 'rejected',
          reason: { code: 'render-limit', data: { limit: 'wallClock', value: 4000 } },
        });
        expect(others.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled']);
        expect((await hasty.render(kustomizeBundle(shop))).objects).toHaveLength(4);
        await hasty.close();
      });

      it('stops at once when it is called off', async () => {
        const controller = new AbortController();
        const loop = helmBundle(oneTemplate('{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}'));
        const pending = renderer.render(loop, controller.signal);
        setTimeout(() => controller.abort(), 100);
        await expect(pending).rejects.toMatchObject({ code: 'unavailable', retry: 'later' });
        await expect(renderer.render(helmBundle(), controller.signal)).rejects.toMatchObject({ code: 'unavailable' });
        expect(await render(helmBundle())).toHaveLength(4);
      });
    });
  });
}

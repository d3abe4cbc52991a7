import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { describe, expect, it } from 'vitest';
import { declaredSource, plainSource } from '#cli/render/source-of.ts';
import { readYaml } from '#cli/output/yaml.ts';
import { temporaryFolder } from '#test/kit/temp.ts';
import { hawser, type Ran } from './hawser.ts';

const demo = fileURLToPath(new URL('../../../localstack/demo', import.meta.url));
function render(cwd: string, ...args: string[]): Promise<Ran> {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(process.env['HOME'] ?? '/tmp', '.cache');
  return hawser(['render', ...args], { cwd, env: { XDG_CACHE_HOME: cache } });
}

describe('render', () => {
  it('gives what a push would give: kustomizations with what they refer to, without any service', async () => {
    const { code, out, err } = await render(demo, 'podinfo/overlays/production');
    expect([code, err]).toEqual([0, '']);
    const objects = parseAllDocuments(out).map((document) => document.toJS() as { kind: string });
    expect(objects.map(({ kind }) => kind)).toEqual(['ConfigMap', 'Service', 'Deployment', 'PodDisruptionBudget']);
  });

  it('gives charts with the options of their application', async () => {
    const plain = await render(demo, 'charts/redis', '-o', 'json');
    const declared = await render(demo, 'charts/redis', '--app', 'apps/redis.yaml', '-o', 'json');
    expect([plain.code, declared.code]).toEqual([0, 0]);
    const items = (text: string): unknown[] => (JSON.parse(text) as { items: unknown[] }).items;
    expect(items(declared.out)).toHaveLength(items(plain.out).length);
    expect(declared.out).not.toBe(plain.out);
  });

  it('gives Flux Kustomizations, and names', async () => {
    const { code, out } = await render(demo, 'flux/infra', '--app', 'apps/flux.yaml', '-o', 'name');
    expect(code).toBe(0);
    expect(out).toContain('namespace/');
  });

  it('keeps numbers that JavaScript cannot hold', async () => {
    await using folder = await temporaryFolder();
    writeFileSync(
      join(folder.path, 'a.yaml'),
      'apiVersion: example.com/v1\nkind: Big\nmetadata: {name: a}\nspec: {number: 9007199254740993}\n',
    );
    expect((await render(folder.path, '.')).out).toContain('number: 9007199254740993');
  });

  it('ends with 1, in the words of the tool, where it cannot be rendered; with 2 where there is no folder', async () => {
    await using folder = await temporaryFolder();
    mkdirSync(join(folder.path, 'app'));
    writeFileSync(join(folder.path, 'app', 'kustomization.yaml'), 'resources: [missing.yaml]\n');
    const { code, err } = await render(folder.path, 'app');
    expect(code).toBe(1);
    expect(err).toContain('missing.yaml');
    expect((await render(folder.path, 'nothing')).code).toBe(2);
  });

  it('follows no link out of the folder (NT-20)', async () => {
    await using folder = await temporaryFolder();
    symlinkSync('/etc/hostname', join(folder.path, 'a.yaml'));
    const { code, out } = await render(folder.path, '.');
    expect([code, out]).toEqual([1, '']);
  });

  it('takes the nearest repository for the root', async () => {
    await using folder = await temporaryFolder();
    cpSync(join(demo, 'podinfo'), join(folder.path, 'podinfo'), { recursive: true });
    const alone = await render(join(folder.path, 'podinfo', 'overlays', 'production'), '.');
    expect(alone.code).toBe(1);
    mkdirSync(join(folder.path, '.git'));
    const within = await render(join(folder.path, 'podinfo', 'overlays', 'production'), '.', '-o', 'name');
    expect([within.code, within.out.split('\n').length]).toEqual([0, 5]);
  });
});

describe('the source that is rendered', () => {
  const application = (path: string): string =>
    `apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: a-${path}}\nspec: {source: {repoURL: 'https://x/y', path: ${path}}, destination: {namespace: shop}}\n`;
  const read = (text: string) =>
    readYaml(text).map(({ value, line }) => ({ object: value as { [key: string]: string }, file: 'x.yaml', line }));

  it('is the folder itself where no application is given', () => {
    expect(plainSource('a/b', 'b')).toMatchObject({
      name: 'b',
      namespace: 'default',
      source: { path: 'a/b', render: { tool: 'auto' } },
    });
  });

  it('is that of the only application, or of the one that renders this folder', () => {
    expect(declaredSource('elsewhere', read(application('one')), 'x.yaml')).toMatchObject({
      name: 'a-one',
      namespace: 'shop',
    });
    const both = read(`${application('one')}---\n${application('two')}`);
    expect(declaredSource('two', both, 'x.yaml').name).toBe('a-two');
    expect(declaredSource('nested/two', both, 'x.yaml')).toMatchObject({
      name: 'a-two',
      source: { path: 'nested/two' },
    });
    expect(() => declaredSource('three', both, 'x.yaml')).toThrow('no application in x.yaml renders three');
    expect(() => declaredSource('three', [], 'x.yaml')).toThrow('declares no application');
  });
});

import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readProcesses } from '#shared/adapters/render/leftovers.ts';
import { createLoneRenderer } from '#shared/adapters/render/lone-renderer.ts';
import { createRenderer } from '#shared/adapters/render/renderer.ts';
import { prepareToolchain } from '#shared/adapters/render/toolchain.ts';
import type { RenderLimits } from '#shared/adapters/render/limits.ts';
import type { KustomizeOptions } from '#shared/domain/application.ts';
import type { Log } from '#shared/ports/log.ts';
import type { RenderBundle, Renderer } from '#shared/ports/renderer.ts';
import {
  configMap,
  directoryBundle,
  helmBundle,
  kustomizeBundle,
  oneTemplate,
  shop,
  type Texts,
} from '#test/fixtures/render/bundles.ts';
import { hostileTool } from '#test/kit/hostile-tool.ts';
import { temporaryFolder } from '#test/kit/temp.ts';
import { asTenant, type TenantRenderer } from '#test/kit/tenant.ts';
import { describeRenderer } from './renderer.contract.ts';
import { ensureKustomize } from '#localstack/cluster/sandbox.ts';

const silent: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silent,
};
// Unpacked tools are shared between runs; jobs are not.
const cacheDir = join(tmpdir(), 'hawser-test-tools');

const open = (limits: Partial<RenderLimits> = {}): Promise<Renderer> =>
  createRenderer({ cacheDir, log: silent, limits });

describeRenderer('kubectl’s kustomize', open);

describe('kustomize’s own binary', { timeout: 180_000 }, () => {
  let kustomize: string;
  let renderer: TenantRenderer;
  beforeAll(async () => {
    kustomize = await ensureKustomize();
    renderer = asTenant(await createRenderer({ cacheDir, log: silent, kustomize }));
  }, 180_000);
  afterAll(() => renderer.close());

  it('gives what kubectl’s gives', async () => {
    const other = asTenant(await open());
    const bundle = kustomizeBundle(shop, 'shop', { namePrefix: 'x-', images: ['nginx:2'] });
    expect(await renderer.render(bundle)).toEqual(await other.render(bundle));
    await other.close();
  });

  const kustomization =
    'resources: [deployment.yaml, service.yaml]\nimages: [{name: nginx, newTag: "1", newName: old}, {name: b, newTag: x}]\nreplicas: [{name: web, count: 1}]\nlabels: [{pairs: {have: it}}]\nnamePrefix: was-\n';
  const cases: { name: string; options: KustomizeOptions; edits: string[][] }[] = [
    { name: 'an image tag', options: { images: ['nginx:1.27'] }, edits: [['set', 'image', 'nginx:1.27']] },
    { name: 'a digest', options: { images: ['nginx@sha256:aa'] }, edits: [['set', 'image', 'nginx@sha256:aa']] },
    {
      name: 'a new image with a port',
      options: { images: ['nginx=r.io:5000/x/nginx'] },
      edits: [['set', 'image', 'nginx=r.io:5000/x/nginx']],
    },
    {
      name: 'tag and digest',
      options: { images: ['nginx=a/b:2@sha256:bb', 'c:1'] },
      edits: [['set', 'image', 'nginx=a/b:2@sha256:bb', 'c:1']],
    },
    { name: 'a kept tag', options: { images: ['nginx=new:*'] }, edits: [['set', 'image', 'nginx=new:*']] },
    { name: 'a kept name', options: { images: ['nginx=*:9'] }, edits: [['set', 'image', 'nginx=*:9']] },
    { name: 'replicas', options: { replicas: [{ name: 'web', count: 4 }] }, edits: [['set', 'replicas', 'web=4']] },
    {
      name: 'prefix, suffix and namespace',
      options: { namePrefix: 'a-', nameSuffix: '-z', namespace: 'n' },
      edits: [
        ['set', 'nameprefix', '--', 'a-'],
        ['set', 'namesuffix', '--', '-z'],
        ['set', 'namespace', '--', 'n'],
      ],
    },
    { name: 'labels', options: { commonLabels: { a: 'b' } }, edits: [['add', 'label', 'a:b']] },
    {
      name: 'labels without selectors',
      options: { commonLabels: { a: 'b' }, labelWithoutSelector: true },
      edits: [['add', 'label', '--without-selector', 'a:b']],
    },
    {
      name: 'labels in templates',
      options: { commonLabels: { a: 'b' }, labelWithoutSelector: true, labelIncludeTemplates: true },
      edits: [['add', 'label', '--without-selector', '--include-templates', 'a:b']],
    },
    {
      name: 'a forced label',
      options: { commonLabels: { have: 'b' }, labelWithoutSelector: true, forceCommonLabels: true },
      edits: [['add', 'label', '--force', '--without-selector', 'have:b']],
    },
    { name: 'annotations', options: { commonAnnotations: { a: 'b' } }, edits: [['add', 'annotation', 'a:b']] },
  ];

  it.each(cases)('renders $name as `kustomize edit` and `kustomize build` do', async ({ options, edits }) => {
    await using folder = await temporaryFolder();
    const texts: Texts = { ...shop, 'shop/kustomization.yaml': kustomization };
    await mkdir(join(folder.path, 'shop'));
    for (const [path, text] of Object.entries(texts)) await writeFile(join(folder.path, path), text);
    for (const edit of edits)
      execFileSync(kustomize, ['edit', ...edit], { cwd: join(folder.path, 'shop'), stdio: 'pipe' });
    const built = execFileSync(kustomize, ['build', 'shop'], { cwd: folder.path, stdio: 'pipe' }).toString();
    const expected = await renderer.render(directoryBundle({ 'built.yaml': built }));
    expect((await renderer.render(kustomizeBundle(texts, 'shop', options))).objects).toEqual(expected.objects);
  });
});

/** A process of the same user that no job started and that does not descend from this one: its parent is gone. */
function startBystander(): { pid: number } & Disposable {
  const pid = Number(execFileSync('sh', ['-c', 'sleep 60 >/dev/null 2>&1 & echo $!'], { env: {} }).toString());
  return { pid, [Symbol.dispose]: () => void process.kill(pid) };
}

describe('the sandbox', () => {
  it('NT-66: gives a tool exactly the allow-listed environment, an empty stdin and no open files', async () => {
    await using folder = await temporaryFolder();
    const probe = join(folder.path, 'kustomize');
    // Answers for kustomize: its version, or an object that says what it sees.
    await writeFile(
      probe,
      `#!${process.execPath}
if (process.argv[2] === 'version') console.log('v5.7.1');
else {
  const fs = require('node:fs');
  const seen = { environment: process.env, stdin: fs.readFileSync(0, 'utf8'), interfaces: Object.keys(require('node:os').networkInterfaces()), group: fs.readFileSync('/proc/self/stat', 'utf8').split(') ')[1].split(' ')[2], limits: fs.readFileSync('/proc/self/limits', 'utf8') };
  console.log(JSON.stringify({ apiVersion: 'v1', kind: 'X', metadata: { name: 'x' }, seen }));
}
`,
    );
    await chmod(probe, 0o755);
    process.env['AWS_SECRET_ACCESS_KEY'] = 'canary';
    const renderer = asTenant(await createRenderer({ cacheDir, log: silent, kustomize: probe }));
    // A prefix, because a folder that only lists resources needs no tool.
    const { objects } = await renderer.render(kustomizeBundle(shop, 'shop', { namePrefix: 'x-' }));
    const { seen } = JSON.parse(objects[0] ?? '{}') as {
      seen: { environment: Record<string, string>; stdin: string; interfaces: string[]; group: string; limits: string };
    };
    await renderer.close();
    delete process.env['AWS_SECRET_ACCESS_KEY'];
    expect(Object.keys(seen.environment).toSorted()).toEqual([
      'GIT_CONFIG_GLOBAL',
      'GIT_CONFIG_NOSYSTEM',
      'GOGC',
      'GOMAXPROCS',
      'GOMEMLIMIT',
      'HOME',
      'KUBECONFIG',
      'LANG',
      'PATH',
      'TMPDIR',
    ]);
    expect(seen.stdin).toBe('');
    expect(seen.group).not.toBe(String(process.pid));
    expect(seen.interfaces).toEqual([]);
    expect(seen.limits).toMatch(/Max data size +2147483648/);
  });

  it('starts no process for a folder that only lists resources', async () => {
    await using folder = await temporaryFolder();
    const only = join(folder.path, 'kustomize');
    await writeFile(
      only,
      `#!${process.execPath}\nif (process.argv[2] !== 'version') process.exit(1);\nconsole.log('v5.7.1');\n`,
      {
        mode: 0o755,
      },
    );
    const renderer = asTenant(await createRenderer({ cacheDir, log: silent, kustomize: only }));
    expect((await renderer.render(kustomizeBundle(shop))).objects).toHaveLength(4);
    await expect(renderer.render(kustomizeBundle(shop, 'shop', { namePrefix: 'x-' }))).rejects.toMatchObject({
      code: 'render-failed',
    });
    await renderer.close();
  });

  it('INV-35: finds on a shared machine what a tool left running, ends it, and leaves other processes alone', async () => {
    await using folder = await temporaryFolder();
    const tool = join(folder.path, 'kustomize');
    await writeFile(tool, hostileTool.replaceAll('/var/node', process.execPath), { mode: 0o755 });
    const paths = await prepareToolchain({ cacheDir });
    const jobs = join(folder.path, 'jobs');
    const workerFile = join(import.meta.dirname, '../../shared/adapters/render/render-worker.ts');
    const lone = await createLoneRenderer({
      ...paths,
      kustomize: tool,
      jobs,
      isOwnMachine: false,
      workerFile,
      log: silent,
    });
    using bystander = startBystander();
    const deed = (name: string): RenderBundle =>
      kustomizeBundle({ ...shop, 'shop/deed': name }, 'shop', { namePrefix: 'x-' });

    const { result, left } = await lone.run(deed('linger'), {});

    expect(left).toEqual([expect.stringMatching(/^process ./)]);
    const { seen } = JSON.parse('objects' in result ? (result.objects[0] ?? '{}') : '{}') as { seen: { pid: number } };
    expect(seen.pid).toBeGreaterThan(1);
    const rows = readProcesses().filter(({ state }) => state !== 'Z');
    expect(rows.map(({ pid }) => pid)).not.toContain(seen.pid);
    expect(rows.map(({ pid }) => pid)).toContain(bystander.pid);
    expect(await readdir(jobs)).toEqual([]);
    await lone.close();
  });

  it('INV-35: leaves no file and no process behind', async () => {
    await using folder = await temporaryFolder();
    const renderer = asTenant(
      await createRenderer({ cacheDir: folder.path, log: silent, limits: { wallClock: 3000 } }),
    );
    await renderer.render(helmBundle());
    await renderer.render(helmBundle(oneTemplate('{{ fail "x" }}'))).catch(() => undefined);
    await renderer
      .render(helmBundle(oneTemplate('{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}')))
      .catch(() => undefined);
    const [jobs = ''] = await readdir(join(folder.path, 'render-jobs'));
    expect(await readdir(join(folder.path, 'render-jobs', jobs))).toEqual([]);
    await renderer.close();
    expect(await readdir(join(folder.path, 'render-jobs'))).toEqual([]);
    const running = execFileSync('ps', ['-eo', 'args']).toString();
    expect(running).not.toContain(folder.path);
  });

  it('FT-30: replaces a worker that was killed and fails its job only', async () => {
    const renderer = asTenant(await createRenderer({ cacheDir, log: silent, workers: 1 }));
    await renderer.render(directoryBundle({ 'a.yaml': configMap('a') }));
    const workers = execFileSync('ps', ['-o', 'pid=,args=', '--ppid', String(process.pid)])
      .toString()
      .split('\n')
      .filter((line) => line.includes('render-worker'));
    const pending = renderer.render(
      helmBundle(oneTemplate('{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}')),
    );
    setTimeout(() => workers.forEach((line) => process.kill(Number.parseInt(line, 10), 'SIGKILL')), 100);
    await expect(pending).rejects.toMatchObject({ code: 'unavailable', retry: 'later' });
    expect((await renderer.render(helmBundle())).objects).toHaveLength(4);
    await renderer.close();
  });

  it('refuses a tool of another version', async () => {
    await using folder = await temporaryFolder();
    const other = join(folder.path, 'kustomize');
    await writeFile(other, `#!${process.execPath}\nconsole.log('v5.4.0')\n`, { mode: 0o755 });
    await expect(createRenderer({ cacheDir, log: silent, kustomize: other })).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('5.4.0, not 5.7.1') as string,
    });
  });

  it('unpacks tools once and replaces a damaged one', async () => {
    await using folder = await temporaryFolder();
    const first = asTenant(await createRenderer({ cacheDir: folder.path, log: silent }));
    await first.close();
    const tools = await readdir(join(folder.path, 'tools'));
    const helm = join(folder.path, 'tools', tools.find((name) => name.startsWith('helm')) ?? '', 'helm');
    const good = await readFile(helm);
    await writeFile(helm, 'not helm');
    const second = asTenant(await createRenderer({ cacheDir: folder.path, log: silent }));
    await second.close();
    expect((await readFile(helm)).equals(good)).toBe(true);
    expect(await second.versions()).toEqual({ helm: '4.1.4', kubectl: '1.35.2', kustomize: '5.7.1', json: '1' });
  });
});

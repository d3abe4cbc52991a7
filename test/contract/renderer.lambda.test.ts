import { randomBytes } from 'node:crypto';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ensureKustomize } from '#localstack/cluster/sandbox.ts';
import type { Log } from '#shared/ports/log.ts';
import type { RenderBundle, Renderer } from '#shared/ports/renderer.ts';
import { configMap, directoryBundle, helmBundle, kustomizeBundle, oneTemplate } from '#test/fixtures/render/bundles.ts';
import { hostileTool } from '#test/kit/hostile-tool.ts';
import { lambdaIsolation, startLambda, type LambdaFunction, type LambdaOptions } from '#test/kit/lambda.ts';
import { buildSandbox, rendererAt } from '#test/kit/render-sandbox.ts';
import { temporaryFolder } from '#test/kit/temp.ts';
import { asTenant } from '#test/kit/tenant.ts';
import { describeRenderer } from './renderer.contract.ts';

const isolation = lambdaIsolation();
// Where nothing is started nothing is asked: every test is skipped and says why.
let lambda: LambdaFunction | undefined;
let hostile: LambdaFunction | undefined;
let package_: Pick<LambdaOptions, 'task' | 'layers'>;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
const told: { fields: Record<string, unknown>; message: string }[] = [];
const tell = (fields: Record<string, unknown>, message: string): void => void told.push({ fields, message });
const log: Log = { debug: tell, info: tell, warn: tell, error: tell, child: () => log };
const at = (where: LambdaFunction | undefined): Renderer => rendererAt(where?.url ?? 'http://127.0.0.1:9', log);

beforeAll(async () => {
  folder = await temporaryFolder();
  if (!isolation.ok) return;
  package_ = await buildSandbox(folder.path, await ensureKustomize());
  lambda = await startLambda(package_);
  const tool = join(folder.path, 'tool');
  await writeFile(tool, hostileTool);
  await chmod(tool, 0o755);
  hostile = await startLambda(await buildSandbox(join(folder.path, 'hostile'), tool));
}, 180_000);
beforeEach((context) => {
  if (!isolation.ok) context.skip(isolation.reason);
});
afterAll(async () => {
  await lambda?.close();
  await hostile?.close();
  await folder.remove();
});

describeRenderer('render-sandbox as on Lambda', (limits = {}) => {
  const renderer = at(lambda);
  const { wallClock } = limits;
  if (wallClock === undefined) return Promise.resolve(renderer);
  return Promise.resolve({ ...renderer, render: (bundle, call) => renderer.render(bundle, { ...call, wallClock }) });
});

describe('the environments of render-sandbox', { timeout: 60_000 }, () => {
  /** A kustomization that needs the tool, which then does the deed. */
  const deed = (name: string): RenderBundle =>
    kustomizeBundle(
      { 'shop/kustomization.yaml': 'resources: [c.yaml]\n', 'shop/c.yaml': configMap('c'), 'shop/deed': name },
      'shop',
      {
        namePrefix: 'x-',
      },
    );
  const seenBy = async (name: string, tenant: string): Promise<Record<string, unknown>> => {
    const { objects } = await asTenant(at(hostile), tenant).render(deed(name));
    return (JSON.parse(objects[0] ?? '{}') as { seen: Record<string, unknown> }).seen;
  };

  it('INV-35, FT-35: never serve two organisations, and serve one again while they are clean', async () => {
    const before = lambda?.started.length ?? 0;
    for (const tenant of ['one', 'two', 'one', 'two']) await asTenant(at(lambda), tenant).render(helmBundle());
    expect(lambda?.started.slice(before).map((name) => name.split('#')[0])).toEqual(['one', 'two']);
  });

  it('refuse an invocation that names no organisation', async () => {
    await expect(asTenant(at(lambda), '').render(helmBundle())).rejects.toMatchObject({ code: 'internal' });
  });

  it('NT-66: hold nothing usable: not for a tool, and not in /proc of any process of theirs', async () => {
    const seen = await seenBy('look', 'looker');
    expect(Object.keys(seen['environment'] as object).toSorted()).toEqual([
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
    const others = seen['others'] as Record<string, string>;
    expect(Object.keys(others).length).toBeGreaterThan(2);
    expect(JSON.stringify(seen)).not.toMatch(/canary|AKIA|AWS_|eu-central-1|127\.0\.0\.1/i);
    expect(seen['limits']).toMatch(/Max data size +2147483648/);
    expect(seen['limits']).toMatch(/Max file size +67108864/);
    expect(seen['temporary']).toEqual(['render-jobs']);
    expect(seen['task']).toEqual(expect.arrayContaining(['index.mjs', 'render-worker.mjs']));
  });

  it('NT-66: give a template nothing of the environment, the task or the process table', async () => {
    const files = ['/proc/self/environ', '/proc/1/environ', '/var/task/index.mjs', '../../../../var/task/index.mjs'];
    const lines = files.map((path, index) => `f${index}: {{ .Files.Get ${JSON.stringify(path)} | quote }}`);
    const more = [
      'g: {{ .Files.Glob "/{proc,var,opt}/**" | toYaml | quote }}',
      'h: {{ tpl "{{ .Files.Lines \\"/etc/passwd\\" }}" . | quote }}',
    ];
    const { objects } = await asTenant(at(lambda)).render(
      helmBundle(oneTemplate(configMap('x', [...lines, ...more].join('\n  ')))),
    );
    const { data } = JSON.parse(objects[0] ?? '{}') as { data: Record<string, string> };
    expect(Object.values(data).filter((value) => !['', '{}', '[]', 'map[]'].includes(value.trim()))).toEqual([]);
    for (const name of ['env', 'expandenv']) {
      const chart = helmBundle(oneTemplate(configMap('x', `a: {{ ${name} "AWS_SECRET_ACCESS_KEY" | quote }}`)));
      await expect(asTenant(at(lambda)).render(chart)).rejects.toMatchObject({
        code: 'render-failed',
        message: expect.stringContaining(`function "${name}" not defined`) as string,
      });
    }
  });

  it('cannot be changed: code and tools are read-only', async () => {
    const written = await seenBy('write', 'writer');
    expect(new Set(Object.values(written))).toEqual(new Set(['EROFS']));
  });

  it('INV-35, FT-35: end what a job leaves, answer, and never see another job', async () => {
    told.length = 0;
    const before = hostile?.started.length ?? 0;
    expect(await seenBy('stay', 'stayer')).toMatchObject({ pid: expect.any(Number) as number });
    const left = told.flatMap(({ fields }) => (fields['left'] as string[] | undefined) ?? []);
    // What a process calls itself is its own affair.
    expect(left).toEqual([expect.stringMatching(/^process ./), 'file kept']);
    // At once: the environment may not have ended yet, and is not used all the same.
    const seen = await seenBy('look', 'stayer');
    expect(seen['temporary']).toEqual(['render-jobs']);
    expect((seen['commands'] as string[]).filter((command) => command.includes('setInterval'))).toEqual([]);
    const started = hostile?.started.slice(before) ?? [];
    expect(started).toHaveLength(2);
    expect(hostile?.alive()).not.toContain(started[0]);
    expect(hostile?.alive()).toContain(started[1]);
  });

  it('FT-30: ended from within, fail that job only, after one more try in another', async () => {
    const before = hostile?.started.length ?? 0;
    await expect(seenBy('kill', 'killer')).rejects.toMatchObject({
      code: 'unavailable',
      retry: 'later',
      data: { ended: true },
    });
    expect(hostile?.started.slice(before)).toHaveLength(2);
    expect(await seenBy('crowd', 'killer')).toEqual({});
  });

  it('LIM-10: are ended by Lambda where a job outlasts the function', async () => {
    const short = await startLambda({ ...package_, timeoutSeconds: 2 });
    const loop = helmBundle(oneTemplate('{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}'));
    await expect(asTenant(at(short)).render(loop)).rejects.toMatchObject({
      code: 'render-limit',
      retry: 'never',
      data: { limit: 'wallClock', value: 2000 },
    });
    await short.close();
  });

  it('LIM-09: say which of Lambda’s limits a bundle or its objects pass', async () => {
    const noise = randomBytes(7_000_000).toString('base64');
    const big = directoryBundle({ 'a.yaml': configMap('a'), 'noise.txt': noise });
    await expect(asTenant(at(lambda)).render(big)).rejects.toMatchObject({
      code: 'render-limit',
      data: { limit: 'request', value: 6_291_456 },
    });
    const template =
      '{{ range until 8 }}---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: "x{{ . }}"}\ndata: {v: "{{ randBytes 1000000 }}"}\n{{ end }}';
    await expect(asTenant(at(lambda)).render(helmBundle(oneTemplate(template)))).rejects.toMatchObject({
      code: 'render-limit',
      data: { limit: 'response', value: 6_291_456 },
    });
  });

  it('answer their versions without an invocation', async () => {
    const before = lambda?.started.length;
    expect(await rendererAt('http://127.0.0.1:9', log).versions()).toEqual({
      helm: '4.1.4',
      kubectl: '1.35.2',
      kustomize: '5.7.1',
      json: '1',
    });
    expect(lambda?.started.length).toBe(before);
  });
});

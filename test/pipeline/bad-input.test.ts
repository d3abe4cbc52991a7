import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ApplicationDetail } from '#shared/messages/api.ts';
import { eventually, startTestProduct, type TestProduct } from '#test/kit/product.ts';

/** What people get wrong and what attackers try, against the running product: each hurts itself alone, says why, and heals. */
let product: TestProduct;
let work: string;

beforeAll(async () => {
  product = await startTestProduct();
  work = await product.clone('bad');
  await files({ 'good/cm.yaml': configMap('good') });
  await push();
  await declare('good');
  await untilSynced('good');
}, 900_000);

afterAll(async () => {
  await product?.end();
});

const configMap = (name: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {a: b}\n`;
const detail = (id: string) => product.api<ApplicationDetail>('GET', `/api/v1/applications/${id}`);
const raw = (path: string, init: RequestInit = {}) => fetch(`${product.run.url}${path}`, init);

async function files(contents: Record<string, string>): Promise<void> {
  for (const [path, content] of Object.entries(contents)) {
    await mkdir(join(work, path, '..'), { recursive: true });
    await writeFile(join(work, path), content);
  }
}

async function push(branch = 'main'): Promise<void> {
  await product.git(work, 'add', '-A');
  await product.git(work, 'commit', '-qm', 'change', '--allow-empty');
  await product.git(work, 'push', '-q', '--force', 'origin', `HEAD:${branch}`);
}

function application(name: string, source: Record<string, unknown> = {}, spec: Record<string, unknown> = {}) {
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Application',
    metadata: { name, namespace: 'argocd' },
    spec: {
      project: 'default',
      source: { repoURL: `${product.run.git}/bad.git`, targetRevision: 'main', path: name, ...source },
      destination: { server: 'https://kubernetes.default.svc', namespace: name },
      syncPolicy: { automated: { prune: true, selfHeal: true }, syncOptions: ['CreateNamespace=true'] },
      ...spec,
    },
  };
}

async function apply(...objects: unknown[]): Promise<{ action: string; message?: string }[]> {
  return (await product.api<{ items: { action: string; message?: string }[] }>('POST', '/api/v1/objects', { objects }))
    .items;
}

async function declare(name: string, source: Record<string, unknown> = {}): Promise<void> {
  expect(await apply(application(name, source))).toMatchObject([{ action: 'created' }]);
}

async function untilSynced(id: string): Promise<ApplicationDetail> {
  return eventually(`${id} is Synced`, async () => {
    const one = await detail(id);
    return one.sync === 'Synced' && one.health === 'Healthy' && one.conditions.length === 0 ? one : undefined;
  });
}

/** The sentence that people see once something is wrong. */
async function trouble(id: string, pattern: RegExp, milliseconds = 30_000): Promise<string> {
  return eventually(
    `${id} says ${String(pattern)}`,
    async () => {
      const one = await detail(id);
      const said = [...one.conditions.map((condition) => condition.message), one.message ?? ''].join('\n');
      return pattern.test(said) ? said : undefined;
    },
    milliseconds,
  );
}

describe('a webhook delivery', () => {
  const deliver = (path: string, body: string, headers: Record<string, string> = {}) =>
    raw(`/webhooks/generic/${path}`, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', ...headers },
    });
  const signed = (body: string, secret = product.run.webhookSecret) => ({
    'x-hawser-signature': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
  });

  it('is refused with what to do without a signature or with one under another secret, before it is parsed (NT-02, NT-05)', async () => {
    for (const headers of [{}, signed('{}', 'another'), { 'x-hawser-signature': 'sha256=00' }]) {
      const answer = await deliver('bad', 'not json', headers);

      expect(answer.status).toBe(401);
      expect(((await answer.json()) as { hint: string }).hint).toContain('X-Hawser-Signature');
    }
  });

  it('is refused where it is no JSON, too large or for nobody, and taken where it is good (NT-01, NT-12)', async () => {
    const large = `"${'x'.repeat(6 * 1024 * 1024)}"`;

    expect((await deliver('bad', 'not json', signed('not json'))).status).toBe(400);
    expect((await deliver('bad', large, signed(large))).status).toBe(413);
    expect((await deliver('nobody', '{}', signed('{}'))).status).toBe(404);
    expect((await deliver('bad', '{"ref":5}', signed('{"ref":5}'))).status).toBe(202);
  });
});

describe('the API', () => {
  const post = (body: string, headers: Record<string, string>) =>
    raw('/api/v1/objects', {
      method: 'POST',
      body,
      headers: { authorization: `Bearer ${product.run.token}`, ...headers },
    });

  it('answers a body that is no JSON, of another type or too large with a problem of the sender (NT-132)', async () => {
    expect((await post('{bad', { 'content-type': 'application/json' })).status).toBe(400);
    expect((await post('{"objects":[]}', { 'content-type': 'text/plain' })).status).toBe(415);
    expect((await post(`"${'x'.repeat(40 * 1024 * 1024)}"`, { 'content-type': 'application/json' })).status).toBe(413);
    expect((await raw('/api/v1/applications')).status).toBe(401);
  });

  it('refuses objects that it cannot take, each with its own sentence, and takes the others (INV-39)', async () => {
    const items = await apply(
      application('wrong-type', { repoURL: 5 }),
      application('no-project', {}, { project: 'nosuch' }),
      application('nowhere', {}, { destination: { server: 'https://nowhere.example', namespace: 'x' } }),
      application('outside', { path: '../../etc' }),
      application('password', { repoURL: 'https://user:canary-pw@example.test/x.git' }),
      { apiVersion: 'argoproj.io/v1alpha1', kind: 'ApplicationSet', metadata: { name: 's' }, spec: {} },
      { apiVersion: 'helm.toolkit.fluxcd.io/v2', kind: 'HelmRelease', metadata: { name: 'h' }, spec: {} },
      application('fine', { path: 'good' }),
    );

    expect(items.map((item) => item.action)).toEqual([...Array.from({ length: 7 }, () => 'refused'), 'created']);
    const said = items.map((item) => item.message ?? '');
    expect(said[0]).toContain('spec.source.repoURL');
    expect(said[1]).toContain('project nosuch does not exist');
    expect(said[2]).toContain('https://nowhere.example');
    expect(said[3]).toContain('outside the repository');
    expect(said[5]).toContain('not supported yet');
    expect(said[6]).toContain('not supported yet');
    expect(said.join()).not.toContain('canary-pw');
    await untilSynced('fine');
  });
});

describe('a source', () => {
  it('that cannot be rendered says file and reason, hurts nobody else and heals with the next push (INV-39, NT-20, NT-60, NT-71)', async () => {
    const bad: Record<string, { content: Record<string, string>; says: RegExp }> = {
      broken: {
        content: { 'broken/x.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\n data: [\n' },
        says: /broken\/x\.yaml/,
      },
      bomb: { content: { 'bomb/x.yaml': aliasBomb() }, says: /bomb\/x\.yaml.*alias/ },
      huge: {
        content: { 'huge/x.yaml': `# ${'x'.repeat(12_000_000)}\n` },
        says: /huge\/x\.yaml is larger than \d+ bytes/,
      },
      outside: {
        content: { 'outside/kustomization.yaml': 'resources: [../../../etc/passwd]\n' },
        says: /out of the repository/,
      },
      remote: {
        content: { 'remote/kustomization.yaml': 'resources: ["https://example.test/x.yaml"]\n' },
        says: /remote address/,
      },
      circle: { content: { 'circle/kustomization.yaml': 'resources: [../circle]\n' }, says: /circle → circle/ },
      nameless: {
        content: { 'nameless/x.yaml': 'apiVersion: v1\nkind: ConfigMap\ndata: {a: b}\n' },
        says: /no metadata\.name/,
      },
      unquoted: { content: { 'unquoted/x.yaml': configMap('y') }, says: /metadata\.name that YAML reads as true/ },
      chart: {
        content: {
          'chart/Chart.yaml': 'apiVersion: v2\nname: chart\nversion: 1.0.0\n',
          'chart/templates/x.yaml': '{{ fail "you must set x" }}\n',
        },
        says: /chart\/templates\/x\.yaml.*you must set x/,
      },
      link: { content: { 'link/y.yaml': configMap('y2') }, says: /link\/x\.yaml is a symbolic link/ },
    };
    for (const { content } of Object.values(bad)) await files(content);
    await symlink('/etc/passwd', join(work, 'link/x.yaml'));
    await files({ 'good/cm.yaml': configMap('good2') });
    await push();
    await apply(...Object.keys(bad).map((name) => application(name)));

    for (const [name, { says }] of Object.entries(bad)) expect(await trouble(name, says)).not.toContain('root:');
    await eventually(
      'the neighbour goes on',
      async () => (await product.kube.request('GET', '/api/v1/namespaces/good/configmaps/good2')).status === 200,
    );
    for (const name of Object.keys(bad)) {
      await rm(join(work, name), { recursive: true });
      await files({ [`${name}/cm.yaml`]: configMap('mended') });
    }
    await push();
    for (const name of Object.keys(bad)) await untilSynced(name);
  }, 90_000);

  it('that leaves half-written objects out says so', async () => {
    await files({ 'half/x.yaml': 'metadata: {name: x}\ndata: {a: b}\n', 'half/values.yaml': 'image: x\n' });
    await push();
    await declare('half');

    const said = await trouble('half', /left out/);
    expect(said).toContain('half/x.yaml');
    expect(said).not.toContain('values.yaml');
  });

  it('that does not exist yet is taken as soon as it does, branch or repository (FT-22)', async () => {
    await declare('later-branch', { path: 'good', targetRevision: 'later' });
    await declare('later-repository', { path: 'good', repoURL: `${product.run.git}/later.git` });
    await trouble('later-branch', /no ref later/);
    await trouble('later-repository', /no such repository/);

    await push('later');
    await product.git(work, 'push', '-q', `${product.run.git}/later.git`, 'HEAD:main');
    await untilSynced('later-branch');
    await untilSynced('later-repository');
  });

  it('is kept as it was when its branch is force-pushed or deleted and comes back (NT-11)', async () => {
    await push('moving');
    await declare('moving', { path: 'good', targetRevision: 'moving' });
    const before = await untilSynced('moving');
    await product.git(work, 'push', '-q', 'origin', ':moving');
    await trouble('moving', /no ref moving/);
    expect((await detail('moving')).resources.length).toBe(before.resources.length);

    await product.git(work, 'checkout', '-q', '--orphan', 'other');
    await files({ 'good/cm.yaml': configMap('rewritten') });
    await push('moving');
    await product.git(work, 'checkout', '-q', 'main');
    await eventually(
      'the rewritten branch is applied',
      async () => (await product.kube.request('GET', '/api/v1/namespaces/moving/configmaps/rewritten')).status === 200,
    );
  });
});

describe('a Git host', () => {
  let server: Server;
  let url: string;

  beforeAll(async () => {
    server = createServer((request, response) => {
      if (request.url?.startsWith('/hang') === true) return;
      response.writeHead(401, { 'www-authenticate': 'Basic' }).end('no');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  it('that wants credentials or cannot be reached is named, with what to do (FT-23)', async () => {
    await declare('private', { repoURL: `${url}/private.git` });
    await declare('gone', { repoURL: 'http://127.0.0.1:1/gone.git' });

    expect(await trouble('private', /wants credentials/)).toContain('token');
    await trouble('gone', /127\.0\.0\.1:1 cannot be reached/);
  });

  it('that never answers holds up nobody else (INV-39)', async () => {
    await apply(
      ...Array.from({ length: 8 }, (_, index) => application(`hang-${index}`, { repoURL: `${url}/hang${index}.git` })),
    );
    await files({ 'good/cm.yaml': configMap('beside') });
    await push();

    await eventually(
      'the push is applied',
      async () => (await product.kube.request('GET', '/api/v1/namespaces/good/configmaps/beside')).status === 200,
      10_000,
    );
  });
});

describe('a Secret', () => {
  it('shows no value anywhere, not even where the API server quotes it (NT-90, NT-91, NT-93)', async () => {
    const canaries = ['CANARY-plain', 'CANARY-map', 'CANARY-field', '7362517362', 'Q0FOQVJZLWI2NA'];
    await files({
      'secret/x.yaml': [
        'apiVersion: v1\nkind: Secret\nmetadata: {name: s1}\nstringData: {a: CANARY-plain}\ndata: {b: Q0FOQVJZLWI2NA==}',
        'apiVersion: v1\nkind: Secret\nmetadata: {name: s2}\ndata: {a: 7362517362}',
        'apiVersion: v1\nkind: Secret\nmetadata: {name: s3}\nstringData: {a: {b: CANARY-map}}',
        'apiVersion: v1\nkind: Secret\nmetadata: {name: s4}\nfoo: CANARY-field',
      ].join('\n---\n'),
    });
    await push();
    await declare('secret');
    await trouble('secret', /s2.*expected string/);

    const seen: string[] = [];
    for (const path of ['', '/events', '/history', '/tree', '/manifests']) {
      seen.push(JSON.stringify(await product.api('GET', `/api/v1/applications/secret${path}`)));
    }
    seen.push(JSON.stringify(await product.api('GET', '/api/v1/objects/applications/argocd/secret')));
    seen.push(JSON.stringify(await product.api('GET', '/api/v1/events')));
    const logs = join(product.dataDir, 'logs');
    for (const name of await readdir(logs)) seen.push(readFileSync(join(logs, name), 'utf8'));
    for (const file of ['hawser.db', 'hawser.db-wal'])
      seen.push(readFileSync(join(product.dataDir, file)).toString('latin1'));
    expect(canaries.filter((canary) => seen.some((text) => text.includes(canary)))).toEqual([]);
  });
});

function aliasBomb(): string {
  let text = `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bomb}\na: &a [${Array(9).fill('lol').join()}]\n`;
  for (const [from, to] of ['ab', 'bc', 'cd', 'de', 'ef', 'fg', 'gh', 'hi'])
    text += `${to}: &${to} [${Array(9).fill(`*${from}`).join()}]\n`;
  return text;
}

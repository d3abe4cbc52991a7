import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { verbs } from '#cli/verbs.ts';
import { ApplicationDetail, ApplicationList, ClusterView, RepositoryView, TreeView } from '#shared/messages/api.ts';
import { startFixtureApi, type FixtureApi } from '#test/kit/fixture-api.ts';
import { temporaryFolder } from '#test/kit/temp.ts';
import { cells, hawser, hawserUntil, type Ran, type RunOptions } from './hawser.ts';

// oxlint-disable-next-line no-control-regex
const control = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/;

let api: FixtureApi;
/** An address where nobody answers. */
let nobody = '';
beforeAll(async () => {
  const gone = await startFixtureApi();
  nobody = gone.url;
  await gone.close();
  api = await startFixtureApi();
});
afterAll(async () => {
  await api.close();
});

function run(line: string, options: RunOptions = {}): Promise<Ran> {
  return hawser(line.split(' '), { api, ...options });
}

describe('the fixture', () => {
  it('keeps the contract of the API', () => {
    for (const application of api.data.applications)
      expect(ApplicationDetail.parse(application).id).toBe(application.id);
    expect(api.data.clusters.map((one) => ClusterView.parse(one))).toHaveLength(2);
    expect(api.data.repositories.map((one) => RepositoryView.parse(one))).toHaveLength(2);
    expect(TreeView.parse(api.data.trees['podinfo-production']).live).toBe(true);
    expect(ApplicationList.shape.items).toBeDefined();
  });
});

describe('help', () => {
  const subcommands: Record<string, string[]> = {
    cluster: ['add', 'list', 'wait', 'renew', 'revoke', 'restore', 'remove'],
    repo: ['add', 'list', 'rotate-secret', 'remove'],
    token: ['list', 'add', 'revoke'],
    queues: ['list', 'peek', 'redrive'],
    completion: ['words'],
  };
  const commands = verbs.flatMap(({ name }) => [[name], ...(subcommands[name] ?? []).map((inner) => [name, inner])]);

  it('shows every command, examples, and ends with 0', async () => {
    const { code, out } = await hawser(['--help']);
    expect(code).toBe(0);
    for (const { name, summary } of verbs) expect(out).toMatch(new RegExp(`  ${name} +${summary.slice(0, 20)}`));
    expect(out).toContain('Examples:');
    expect((await hawser([])).out).toBe(out);
  });

  it('has examples for every command', async () => {
    for (const command of commands) {
      const { code, out } = await hawser([...command, '--help']);
      expect([command, code]).toEqual([command, 0]);
      expect(out, command.join(' ')).toMatch(/Examples:\n {2}\S/);
      expect(out).toContain('--server <url>');
    }
  });

  it('is the same as help COMMAND', async () => {
    expect((await hawser(['help', 'sync'])).out).toBe((await hawser(['sync', '--help'])).out);
  });
});

describe('wrong usage', () => {
  it.each([
    ['frob', "unknown command 'frob'"],
    ['get', "missing required argument 'kind'"],
    ['get apps --frob', "unknown option '--frob'"],
    ['get widgets', 'there is no kind "widgets"'],
    ['get apps -o xml', '-o "xml" is not something'],
    ['diff podinfo-production -o wide', '-o "wide" is not something'],
    ['wait podinfo-staging --for=happiness', 'one cannot wait for "happiness"'],
    ['wait podinfo-staging --timeout soon', '"soon" is not a duration'],
    ['apply', 'there is nothing to apply'],
    ['delete podinfo-staging --cascade all', "argument 'all' is invalid"],
    ['delete podinfo-staging', 'this needs a confirmation'],
    ['rollback podinfo-production x', '"x" is not an id'],
    ['completion tcsh', "'tcsh' is invalid"],
  ])('of `hawser %s` ends with 2, says what, and what to do', async (line, what) => {
    const { code, out, err } = await run(line);
    expect(code).toBe(2);
    expect(out).toBe('');
    const [first = '', second = ''] = err.trimEnd().split('\n');
    expect(first).toMatch(/^error: /);
    expect(first).toContain(what);
    expect(second).toMatch(/^(?: {7}|\()\S/);
  });

  it('suggests the command that was meant', async () => {
    expect((await run('snyc podinfo-staging')).err).toContain('Did you mean sync?');
  });
});

describe('a service that is not there or says no', () => {
  it('ends with 4 where nobody answers', async () => {
    const { code, err } = await hawser(['get', 'apps', '--server', nobody, '--token', 'x']);
    expect(code).toBe(4);
    expect(err).toBe(
      `error: cannot reach ${nobody}: connection refused\n       Check the address given with --server.\n`,
    );
  });

  it('ends with 3 for a wrong token, and for what a viewer may not do', async () => {
    const wrong = await run('get apps', { env: { HAWSER_TOKEN: 'wrong' } });
    expect(wrong).toMatchObject({ code: 3, err: expect.stringContaining('hawser login') as string });
    const viewer = await run('suspend podinfo-staging', { env: { HAWSER_TOKEN: 'fixture-viewer-token' } });
    expect(viewer).toMatchObject({ code: 3, err: expect.stringContaining('may look but not change') as string });
  });

  it('ends with 2 where no server is known', async () => {
    const { code, err } = await hawser(['get', 'apps']);
    expect(code).toBe(2);
    expect(err).toContain('hawser login SERVER');
  });

  it('never prints the token', async () => {
    const { out, err } = await hawser(['get', 'apps', '--server', nobody, '--token', 'canary-7x']);
    expect(out + err).not.toContain('canary-7x');
  });
});

describe('get', () => {
  it('lists all applications over all pages, with the namespaces that tell them apart', async () => {
    const { code, out } = await run('get apps');
    const [header, ...rows] = cells(out);
    expect(code).toBe(0);
    expect(header).toEqual(['NAMESPACE', 'NAME', 'CLUSTER', 'SYNC', 'HEALTH', 'REVISION', 'UPDATED', 'MESSAGE']);
    expect(rows).toHaveLength(8);
    expect(rows[0]?.slice(0, 6)).toEqual([
      'argocd',
      'podinfo-production',
      'production',
      'OutOfSync',
      'Healthy',
      '6dcb09b',
    ]);
    expect(out).toContain('prunes are held back: hawser confirm monitoring');
  });

  it('prints objects as they were declared, with status, for jq (-o json)', async () => {
    const list = JSON.parse((await run('get apps -o json')).out) as {
      kind: string;
      items: { status?: { sync?: { status: string } } }[];
    };
    expect(list.kind).toBe('List');
    expect(list.items[0]?.status?.sync?.status).toBe('OutOfSync');
    const one = JSON.parse((await run('get app podinfo-staging -o json')).out) as {
      kind: string;
      metadata: { name: string };
    };
    expect([one.kind, one.metadata.name]).toEqual(['Application', 'podinfo-staging']);
  });

  it('prints YAML that reads back, and names', async () => {
    const yaml = parse((await run('get ks/infra -o yaml')).out) as {
      kind: string;
      status: { conditions: { type: string }[] };
    };
    expect(yaml.kind).toBe('Kustomization');
    expect(yaml.status.conditions[0]?.type).toBe('Ready');
    expect((await run('get ks -o name')).out).toBe(
      'kustomization.kustomize.toolkit.fluxcd.io/infra\nkustomization.kustomize.toolkit.fluxcd.io/tenants\n',
    );
  });

  it('filters by namespace, label and name', async () => {
    expect((await run('get apps -n team-a -o name')).out).toBe('application.argoproj.io/redis\n');
    expect((await run('get apps -l team=shop,env!=staging -o name')).out).toBe(
      'application.argoproj.io/podinfo-production\nkustomization.kustomize.toolkit.fluxcd.io/tenants\n',
    );
    expect(cells((await run('get apps team-a/redis podinfo-staging')).out)).toHaveLength(3);
    expect((await run('get clusters -l env=staging -o name')).out).toBe('cluster/staging\n');
  });

  it.each([
    ['clusters', 'production (default)'],
    ['repos', 'authentication failed'],
    ['gitrepositories', 'stored artifact'],
    ['projects', 'production/podinfo-*'],
    ['events', 'SyncFailed'],
  ])('lists %s', async (kind, text) => {
    const { code, out } = await run(`get ${kind}`);
    expect(code).toBe(0);
    expect(out).toContain(text);
  });

  it('says on standard error that there is nothing', async () => {
    expect(await run('get apps -n nowhere')).toEqual({ code: 0, out: '', err: 'No applications found.\n' });
  });

  it('refuses a name that does not exist, and suggests near ones', async () => {
    const { code, err } = await run('get app podinfo-prod');
    expect(code).toBe(3);
    expect(err).toContain('Did you mean podinfo-production?');
  });

  it('lets no control character of a name or message through (NT-135)', async () => {
    const outputs = await Promise.all(
      ['get apps -o wide', 'get app evil -o json', 'get app evil -o yaml', 'tree evil'].map((line) => run(line)),
    );
    for (const { out, err } of outputs) expect(out + err).not.toMatch(control);
    expect(
      (JSON.parse(outputs[1]?.out ?? '') as { metadata: { annotations: { note: string } } }).metadata.annotations.note,
    ).toBe('\u001b[2J \u009b31m\nnext');
  });

  it('colours only when asked to, where there is no terminal', async () => {
    expect((await run('get apps')).out).not.toContain('\u001b');
    expect((await run('get apps', { env: { FORCE_COLOR: '1' } })).out).toContain('\u001b[32mSynced\u001b[39m');
    expect((await run('get apps --no-color', { env: { FORCE_COLOR: '1' } })).out).not.toContain('\u001b');
  });

  it.each([[true], [false]])('watches, with live updates: %s; changed rows come again', async (stream) => {
    await using own = await startFixtureApi({ stream });
    let changed = false;
    const { out } = await hawserUntil(
      ['get', 'apps', '-w'],
      { api: own },
      (text) => text.split('podinfo-staging').length === 3 && text.endsWith('\n'),
      (text) => {
        if (changed || !text.includes('evil')) return;
        changed = true;
        own.update('podinfo-staging', { health: 'Degraded' });
      },
    );
    const lines = cells(out);
    expect(lines.filter(([, name]) => name === 'podinfo-staging')).toHaveLength(2);
    expect(lines.filter(([first]) => first === 'NAMESPACE')).toHaveLength(1);
  });
});

describe('apply', () => {
  const application = 'apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: NAME}\nspec: {}\n';

  it('says of every object what became of it, in the order of the files', async () => {
    await using folder = await temporaryFolder();
    mkdirSync(join(folder.path, 'inner'));
    writeFileSync(
      join(folder.path, 'a.yaml'),
      `${application.replace('NAME', 'fresh')}---\n${application.replace('NAME', 'redis')}`,
    );
    writeFileSync(
      join(folder.path, 'b.json'),
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'List',
        items: [{ apiVersion: 'argoproj.io/v1alpha1', kind: 'Application', metadata: { name: 'monitoring' } }],
      }),
    );
    writeFileSync(join(folder.path, 'README.md'), '# not YAML: [');
    writeFileSync(join(folder.path, 'inner', 'c.yml'), application.replace('NAME', 'deep'));

    const flat = await run(`apply -f ${folder.path}`);
    expect(flat).toEqual({
      code: 0,
      out: 'application.argoproj.io/fresh created\napplication.argoproj.io/redis configured\napplication.argoproj.io/monitoring unchanged\n',
      err: '',
    });
    expect((await run(`apply -R -f ${folder.path} --dry-run`)).out).toContain(
      'application.argoproj.io/deep created (dry run)',
    );
    expect(api.changes.at(-1)?.body).toMatchObject({ dryRun: true });
  });

  it('reads standard input, and hands the cluster on', async () => {
    const { code, out } = await run('apply -f - --cluster staging', { input: application.replace('NAME', 'fresh') });
    expect([code, out]).toEqual([0, 'application.argoproj.io/fresh created\n']);
    expect(api.changes.at(-1)?.body).toMatchObject({ cluster: 'staging' });
  });

  it('ends with 3 where an object is refused, and applies the others', async () => {
    const set = 'apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: all}\n';
    const { code, out, err } = await run('apply -f -', { input: `${set}---\n${application.replace('NAME', 'fresh')}` });
    expect(code).toBe(3);
    expect(out).toBe('application.argoproj.io/fresh created\n');
    expect(err).toBe(
      'applicationset.argoproj.io/all refused: ApplicationSet is not supported yet\n       standard input:1\n',
    );
  });

  it('never sends what belongs into a cluster: it may be a Secret', async () => {
    const before = api.changes.length;
    const { code, err } = await run('apply -f -', {
      input: 'apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: canary-9y}\n',
    });
    expect(code).toBe(3);
    expect(err).toContain('secret/s refused: a Secret belongs into a cluster');
    expect(api.changes).toHaveLength(before);
  });

  it('names file and line of what cannot be read', async () => {
    const { code, err } = await run('apply -f -', { input: 'a: [1\n' });
    expect(code).toBe(2);
    expect(err).toContain('standard input cannot be read');
    expect((await run('apply -f /nonexistent/x.yaml')).err).toContain('there is no file or folder');
  });
});

describe('diff', () => {
  it('shows what a sync would change, and ends with 1', async () => {
    const { code, out } = await run('diff podinfo-production');
    expect(code).toBe(1);
    expect(out).toContain(
      '--- live/apps/Deployment/podinfo-production/podinfo\n+++ desired/apps/Deployment/podinfo-production/podinfo\n@@',
    );
    expect(out).toContain('-  replicas: 1\n+  replicas: 3\n');
    expect(out).not.toContain('managedFields');
    expect(out).toContain('-  COLOUR: blue');
  });

  it('ends with 0 and no output where nothing differs', async () => {
    expect(await run('diff podinfo-staging')).toEqual({ code: 0, out: '', err: '' });
    expect((await run('diff podinfo-production --resource :Service:podinfo')).code).toBe(0);
  });

  it('prints data for programs', async () => {
    const { items } = JSON.parse((await run('diff podinfo-production -o json')).out) as { items: { key: string }[] };
    expect(items).toHaveLength(2);
  });
});

describe('reading one application', () => {
  it('draws its tree', async () => {
    const { code, out } = await run('tree podinfo-production');
    expect(code).toBe(0);
    expect(out).toContain('│     ├─ Pod podinfo-production/podinfo-7d-a     -           Healthy');
  });

  it('draws what is declared where the agent does not answer, and says so', async () => {
    const { code, out, err } = await run('tree podinfo-staging');
    expect(code).toBe(0);
    expect(out).toContain('└─ Deployment podinfo-staging/web');
    expect(err).toContain('warning: the agent of cluster production did not answer in time');
  });

  it('shows its events, oldest first, and its history, newest first', async () => {
    const events = cells((await run('events podinfo-production')).out);
    expect(events.slice(1).map((row) => row[3])).toEqual(['Published', 'Drift']);
    const history = cells((await run('history podinfo-production')).out);
    expect(history.slice(1).map(([id]) => id)).toEqual(['3 *', '2', '1']);
  });

  it('watches its events', async () => {
    await using own = await startFixtureApi();
    let told = false;
    const { out } = await hawserUntil(
      ['events', '--watch', '-o', 'json'],
      { api: own },
      (text) => text.includes('Corrected'),
      () => {
        if (told) return;
        told = true;
        own.data.events.push({
          application: 'redis',
          at: new Date().toISOString(),
          type: 'Normal',
          reason: 'Corrected',
          message: 'x',
        });
        own.update('redis', { health: 'Healthy' });
      },
    );
    const reasons = out
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { reason: string }).reason);
    expect(reasons).toEqual(['Published', 'Drift', 'SyncFailed', 'Corrected']);
  });
});

import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startFixtureApi, type FixtureApi } from '#test/kit/fixture-api.ts';
import { temporaryFolder } from '#test/kit/temp.ts';
import { ClusterInstall } from '#shared/messages/api.ts';
import { hawser, hawserUntil, hawserWhen, type Ran, type RunOptions } from './hawser.ts';

let api: FixtureApi;
beforeEach(async () => {
  api = await startFixtureApi();
});
afterEach(async () => {
  await api.close();
});

function run(line: string, options: RunOptions = {}): Promise<Ran> {
  return hawser(line.split(' '), { api, ...options });
}

/** What was asked for beside having Git read. */
const syncs = () => api.changes.filter(({ path }) => path.endsWith('/sync'));

describe('sync', () => {
  it('has Git read, asks and goes on', async () => {
    const { code, out } = await run('sync podinfo-staging infra --prune');
    expect([code, out]).toEqual([
      0,
      'podinfo-staging is being synced (generation 103)\ninfra is being synced (generation 104)\n',
    ]);
    expect(api.changes.map(({ path }) => path.split('/').at(-1))).toEqual(['refresh', 'refresh', 'sync', 'sync']);
    expect(syncs()).toMatchObject([
      { path: '/api/v1/applications/podinfo-staging/sync', body: { prune: true } },
      { path: '/api/v1/applications/infra/sync', body: { prune: true } },
    ]);
  });

  it('waits for exactly the operation that it asked for', async () => {
    const { code, out, err } = await run('sync podinfo-production --wait --resource apps:Deployment:podinfo');
    expect([code, out, err]).toEqual([0, 'podinfo-production synced (Synced, Healthy)\n', '']);
    expect(syncs()[0]?.body).toEqual({ resources: ['apps/Deployment/podinfo-production/podinfo'] });
    expect(api.streams()).toBe(0);
  });

  it('asks for no sync where what Git says cannot be published, and says what helps', async () => {
    api.update('podinfo-staging', {
      conditions: [{ type: 'ComparisonError', message: 'kustomization.yaml:3: is no list', lastTransitionTime: 'now' }],
    });
    const { code, err } = await run('sync podinfo-staging infra --wait');
    expect(code).toBe(3);
    expect(err).toContain('podinfo-staging: what Git says cannot be published: kustomization.yaml:3: is no list');
    expect(err).toContain('`hawser sync podinfo-staging --published`');
    expect(syncs()).toEqual([]);
  });

  it('takes what was published last where told so', async () => {
    await using away = await startFixtureApi({ unread: true });
    const { code } = await hawser(['sync', 'infra', '--published', '--wait'], { api: away });
    expect(code).toBe(0);
    expect(away.changes.map(({ path }) => path.split('/').at(-1))).toEqual(['sync']);
  });

  it('ends with 1 where Git is not read in time', async () => {
    await using away = await startFixtureApi({ unread: true });
    const { code, err } = await hawser(['sync', 'infra', '--timeout', '300ms'], { api: away });
    expect(code).toBe(1);
    expect(err).toContain('infra: not within 0s: Git is being read: https://');
    expect(err).toContain('`hawser sync --published`');
  });

  it('says that it was broken off while Git was read, and asks for no sync', async () => {
    await using away = await startFixtureApi({ unread: true });
    let reads = 0;
    const { code, err } = await hawserWhen(['sync', 'infra'], { api: away }, () => {
      reads += away.changes.length;
      // A moment after the refresh was asked for.
      return reads > 10;
    });
    expect([code, err]).toEqual([130, expect.stringContaining('infra: stopped waiting')]);
    expect(away.changes.map(({ path }) => path.split('/').at(-1))).toEqual(['refresh']);
  });

  it('works without live updates', async () => {
    await using polled = await startFixtureApi({ stream: false });
    expect((await hawser(['sync', 'podinfo-staging', '--wait'], { api: polled })).code).toBe(0);
  });

  it('ends with 1 where it fails, and says which object and where to look', async () => {
    const { code, err } = await run('sync redis --wait');
    expect(code).toBe(1);
    expect(err).toContain('StatefulSet redis: spec.serviceName: field is immutable');
    expect(err).toContain('See `hawser events redis`.');
  });

  it('ends with 1 when the time is up', async () => {
    await using stuck = await startFixtureApi({ stuck: true });
    const { code, err } = await hawser(['sync', 'podinfo-staging', '--wait', '--timeout', '300ms'], { api: stuck });
    expect(code).toBe(1);
    expect(err).toContain('error: podinfo-staging: not within 0s: waiting for the agent');
  });

  it('ends with 1 where deletions are held back, and says what lets them go (G-13)', async () => {
    const { code, err } = await run('sync monitoring --wait');
    expect(code).toBe(1);
    expect(err).toContain('hawser confirm monitoring');
  });

  it('asks for nothing at all where one of the applications does not exist', async () => {
    const { code } = await run('sync podinfo-staging podinfo-stagin');
    expect([code, api.changes]).toEqual([3, []]);
  });

  it('prints what was accepted for programs', async () => {
    expect(JSON.parse((await run('sync podinfo-staging -o json')).out)).toEqual({
      items: [{ application: 'podinfo-staging', generation: 102 }],
    });
  });
});

describe('wait', () => {
  it('ends with 0 where everything is as it should be', async () => {
    expect((await run('wait podinfo-staging infra')).code).toBe(0);
  });

  it('waits until it changes', async () => {
    api.update('podinfo-staging', { health: 'Progressing' });
    setTimeout(() => api.update('podinfo-staging', { health: 'Healthy' }), 700);
    expect((await run('wait podinfo-staging --for=healthy --timeout 20s')).code).toBe(0);
  });

  it('ends with 1 when the time is up', async () => {
    const { code, err } = await run('wait redis --for healthy --timeout 200ms');
    expect(code).toBe(1);
    expect(err).toContain('Degraded');
  });

  it('takes what is not there for deleted', async () => {
    expect(await run('wait gone --for=deleted')).toMatchObject({ code: 0, out: 'gone is gone\n' });
  });
});

describe('other changes', () => {
  it('rolls back to the entry before, or to the one named', async () => {
    const { code, out } = await run('rollback podinfo-production --wait');
    expect(code).toBe(0);
    expect(out).toContain('rolling back podinfo-production to 6dcb09b Add podinfo (generation 101)');
    expect(api.changes[0]).toMatchObject({
      path: '/api/v1/applications/podinfo-production/rollback',
      body: { generation: 30 },
    });
    await run('rollback podinfo-production 1');
    expect(api.changes[1]?.body).toEqual({ generation: 12 });
  });

  it('confirms exactly the list that it showed (G-13)', async () => {
    const { code, out } = await run('confirm monitoring --yes --wait');
    expect(code).toBe(0);
    expect(out).toContain('- Deployment monitoring/prometheus');
    expect(out).toContain('- ConfigMap monitoring/rules');
    expect(api.changes[0]?.body).toEqual({ listDigest: 'd'.repeat(64) });
    expect((await run('confirm monitoring')).out).toBe('nothing is held back for monitoring\n');
  });

  it('suspends, resumes and refreshes', async () => {
    expect((await run('suspend podinfo-staging infra')).out).toBe('podinfo-staging is suspended\ninfra is suspended\n');
    expect((await run('resume infra')).out).toBe('infra is taken care of again\n');
    expect((await run('refresh team-a/redis')).out).toBe('redis is being read again\n');
    expect((await run('refresh infra --wait')).out).toBe('infra is as Git says\n');
    expect(api.changes.map(({ path }) => path.replace('/api/v1/applications/', ''))).toEqual([
      'podinfo-staging/suspend',
      'infra/suspend',
      'infra/resume',
      'team-a-redis/refresh',
      'infra/refresh',
    ]);
  });

  it('deletes, leaves objects alone unless told otherwise, and waits (G-10)', async () => {
    const { code, out } = await run('delete podinfo-staging --yes --wait');
    expect(code).toBe(0);
    expect(out).toBe('podinfo-staging is being deleted; its objects stay\npodinfo-staging (deleted)\n');
    await run('delete infra --yes --cascade foreground');
    expect(api.changes.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'DELETE /api/v1/applications/podinfo-staging?cascade=orphan',
      'DELETE /api/v1/applications/infra?cascade=foreground',
    ]);
  });

  it('adds a cluster and waits for its agent; the command alone is on standard output before that', async () => {
    const { code, out, err } = await run('cluster add edge --label env=edge --label zone=a');
    expect(code).toBe(0);
    expect(out).toMatch(
      /^helm upgrade --install hawser-agent [\s\S]*\ncluster edge is connected \(Kubernetes v1.35.1\)\n$/,
    );
    expect(err).toContain('good once, for 15 minutes');
    expect(api.changes[0]?.body).toEqual({
      name: 'edge',
      identity: 'service-account',
      labels: { env: 'edge', zone: 'a' },
    });
  });

  it('says that an agent did not come, and how to wait again', async () => {
    const { code, out, err } = await run('cluster add lonely --timeout 300ms');
    expect(code).toBe(1);
    expect(out).not.toContain('connected');
    expect(err).toMatch(
      /error: lonely: not connected within 0s: it has not registered yet, its token is good for 1[45]m/,
    );
    expect(err).toContain('`hawser cluster wait lonely` waits again');
  });

  it('leaves the cluster registered when waiting is broken off', async () => {
    const ended = await hawserUntil(['cluster', 'add', 'lonely'], { api }, (text) => text.includes('helm'));
    expect(ended.code).toBe(130);
    expect(ended.err).toContain('lonely: stopped waiting');
    expect(api.data.clusters.map(({ id }) => id)).toContain('lonely');
  });

  it('does not wait where told so, nor where a script reads', async () => {
    expect(await run('cluster add lonely --no-wait')).toMatchObject({ code: 0 });
    const { code, out } = await run('cluster add edge -o json');
    expect(code).toBe(0);
    expect(ClusterInstall.parse(JSON.parse(out)).values).toMatchObject({ cluster: 'edge' });
  });

  it('hands the role of an agent on, and knows no identity but those that there are', async () => {
    await run('cluster add eks --identity irsa --role-id AROAEXAMPLE123456789 --no-wait');
    expect(api.changes[0]?.body).toEqual({ name: 'eks', identity: 'irsa', awsRoleId: 'AROAEXAMPLE123456789' });
    expect(await run('cluster add eks2 --identity kerberos')).toMatchObject({ code: 2, err: /service-account, irsa/ });
  });

  it('revokes, restores and renews clusters', async () => {
    expect((await run('cluster revoke staging --yes')).out).toBe('cluster staging is revoked\n');
    expect((await run('cluster list')).out).toMatch(/^staging +revoked +.* service-account/m);
    expect((await run('cluster restore staging')).out).toBe('cluster staging is let in again\n');
    expect((await run('cluster renew staging')).out).toContain('hawser-register_shop_staging_');
    expect(await run('cluster revoke nowhere --yes')).toMatchObject({ code: 3, err: /nowhere is not registered/ });
  });

  it('lists and removes clusters', async () => {
    // Seconds go by between the two.
    const listed = async (line: string) => (await run(line)).out.replaceAll(/\d+s +/g, 'N s ');
    expect(await listed('cluster list')).toBe(await listed('get clusters'));
    expect((await run('cluster remove staging --yes')).out).toBe('cluster staging is removed\n');
    expect(await run('cluster remove production --yes')).toMatchObject({ code: 3, err: /4 applications still/ });
  });

  it('adds repositories with a password that never stands in a list of processes', async () => {
    const added = await run('repo add https://git.shop.example/new.git --username x --password -', {
      input: 'hunter2\n',
    });
    expect(added.out).toContain('https://hawser.example/webhooks/github/new');
    expect(added.err).toContain('a'.repeat(64));
    expect(api.changes[0]?.body).toEqual({
      url: 'https://git.shop.example/new.git',
      credentials: { kind: 'basic', username: 'x', password: 'hunter2' },
    });
    expect(added.out + added.err).not.toContain('hunter2');
  });

  it('rotates the secret of webhooks, and says how long the one before is taken (FT-07)', async () => {
    const rotated = await run('repo rotate-secret gitops');
    expect(rotated.err).toContain('b'.repeat(64));
    expect(rotated.err).toContain('taken until 2026-01-02');
    const stolen = await run(`repo rotate-secret gitops --now --webhook-secret -`, { input: `${'c'.repeat(32)}\n` });
    expect(stolen.err).toContain('is refused from now on');
    expect(api.changes).toMatchObject([
      { path: '/api/v1/repositories/gitops/webhook-secret', body: {} },
      { path: '/api/v1/repositories/gitops/webhook-secret', body: { overlapHours: 0, webhookSecret: 'c'.repeat(32) } },
    ]);
  });

  it('adds repositories with keys from files, which no argument and no output shows (NT-93)', async () => {
    await using temporary = await temporaryFolder();
    const folder = temporary.path;
    const key = '-----BEGIN OPENSSH PRIVATE KEY-----\ncanary\n-----END OPENSSH PRIVATE KEY-----\n';
    for (const [name, text] of Object.entries({ key, hosts: 'git.test ssh-ed25519 AAAA\n', ca: 'CA' }))
      writeFileSync(join(folder, name), text);
    const ways = [
      [
        `git@git.test:a.git --ssh-private-key-path ${folder}/key --known-hosts ${folder}/hosts --ssh-passphrase -`,
        { kind: 'ssh', privateKey: key, knownHosts: 'git.test ssh-ed25519 AAAA\n', passphrase: 'hunter2' },
      ],
      [
        `https://ghe.test/o/a.git --github-app-id 1 --github-app-installation-id 2 --github-app-private-key-path ${folder}/key --github-app-enterprise-base-url https://ghe.test/api/v3`,
        { kind: 'github-app', appId: '1', installationId: '2', privateKey: key, apiUrl: 'https://ghe.test/api/v3' },
      ],
      ['https://git.test/a.git --bearer-token-stdin', { kind: 'bearer', token: 'hunter2' }],
      ['https://git.test/a.git --password-stdin', { kind: 'basic', password: 'hunter2' }],
      ['codecommit::eu-west-1://a --codecommit', { kind: 'codecommit' }],
    ] as const;
    for (const [args, credentials] of ways) {
      const added = await run(`repo add ${args}`, { input: 'hunter2\n' });
      expect(added.code).toBe(0);
      expect(api.changes.at(-1)?.body).toMatchObject({ credentials });
      expect(added.out + added.err).not.toMatch(/hunter2|canary/);
    }
    await run(`repo add https://git.test/a.git --ca-file ${folder}/ca`);
    expect(api.changes.at(-1)?.body).toEqual({ url: 'https://git.test/a.git', ca: 'CA' });
  });

  it.each([
    ['https://git.test/a --password - --codecommit', /more than one way/],
    ['https://git.test/a --ssh-private-key-path /nowhere/key', /cannot be read \(ENOENT\)/],
    ['git@git.test:a --password x', /https address/],
    ['https://git.test/a --codecommit', /CodeCommit only/],
    ['git@git.test:a --known-hosts x', /goes with --ssh-private-key-path/],
    ['https://git.test/a --github-app-id 1', /--github-app-private-key-path/],
    ['https://git.test/a --username x', /--username goes with --password/],
    ['https://git.test/a --password - --webhook-secret -', /only one secret/],
  ])('says what goes with what: repo add %s', async (args, reason) => {
    expect(await run(`repo add ${args}`, { input: 'x' })).toMatchObject({ code: 2, err: reason });
  });

  it('lists and forgets templates of credentials', async () => {
    expect((await run('repo list --templates')).out).toMatch(/argocd-shop +https:\/\/git\.shop\.example +basic/);
    expect((await run('repo remove argocd-shop --template --yes')).out).toBe('template argocd-shop is removed\n');
  });

  it('sends of Secrets those only that open repositories', async () => {
    const secret = (name: string, data: string, label = '') =>
      `apiVersion: v1\nkind: Secret\nmetadata: {name: ${name}, namespace: shop${label}}\nstringData: {${data}}\n`;
    const labelled = ', labels: {argocd.argoproj.io/secret-type: repo-creds}';
    const source =
      'apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: g, namespace: shop}\nspec: {url: https://git.test/a, secretRef: {name: referenced}}\n';
    const input = [
      source,
      secret('referenced', 'password: one'),
      secret('template', 'url: https://git.test', labelled),
      secret('database', 'password: canary'),
      secret('tls', 'tls.key: canary'),
    ].join('---\n');
    const applied = await run('apply -f -', { input });
    expect(applied.err).toMatch(/secret\/database refused[\s\S]*secret\/tls refused/);
    const sent = JSON.stringify(api.changes);
    expect(sent).toContain('"one"');
    expect(sent).toContain('"template"');
    expect(sent).not.toContain('canary');
  });

  it('looks into queues and sends dead letters again', async () => {
    expect((await run('queues list')).out).toMatch(/render-jobs +3 +2 +1 +1/);
    expect((await run('queues peek render-jobs')).out).toContain('render-limit: more than 60 s');
    expect((await run('queues peek hints')).err).toBe('No dead letters in hints.\n');
    expect((await run('queues redrive render-jobs')).out).toBe('sent again from render-jobs: 1 message\n');
  });
});

describe('doctor', () => {
  it('tells of each part whether it is well, and ends with 1 where one is not', async () => {
    const { code, out } = await run('doctor');
    expect(code).toBe(1);
    expect(out).toMatch(/^ok {4}server: .* \(from HAWSER_SERVER\) answers in \d+ ms$/m);
    expect(out).toContain('ok    token: mona (admin) of shop');
    expect(out).toContain('fail  cluster staging: its agent has been silent for 3h20m');
    expect(out).toContain('fail  repository charts: authentication failed');
    expect(out).toContain('warn  queue render-jobs: 1 message could not be handled');
    expect(out).toContain('warn  webhooks: no push has been announced');
  });

  it('ends with 4 where nobody answers, and with 1 for a wrong token', async () => {
    const nobody = await startFixtureApi();
    await nobody.close();
    const gone = await hawser(['doctor', '--server', nobody.url, '--token', 'x']);
    expect(gone).toMatchObject({ code: 4, out: expect.stringMatching(/^fail {2}server: cannot reach/) as string });
    const wrong = await run('doctor --token wrong');
    expect(wrong).toMatchObject({
      code: 1,
      out: expect.stringContaining('fail  token: this token is not valid') as string,
    });
  });

  it('warns of a service of another version', async () => {
    await using other = await startFixtureApi({ version: '0.9.0' });
    const { out } = await hawser(['doctor'], { api: other });
    expect(out).toContain('warn  version: client 0.1.0 and service 0.9.0 are not of one version');
  });
});

describe('logging in', () => {
  it('checks the token, keeps it for its owner only, and is forgotten by logout', async () => {
    await using folder = await temporaryFolder();
    const env = { XDG_CONFIG_HOME: folder.path };
    const file = join(folder.path, 'hawser', 'login.json');

    const wrong = await hawser(['login', api.url, '--token', '-'], { env, input: 'wrong' });
    expect([wrong.code, existsSync(file)]).toEqual([3, false]);

    const right = await hawser(['login', api.url, '--token', '-'], { env, input: `${api.token}\n` });
    expect(right.out).toBe(`logged in to ${api.url} as mona (admin) of shop\n`);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ server: api.url, token: api.token });

    expect((await hawser(['get', 'clusters'], { env })).code).toBe(0);
    expect((await hawser(['logout'], { env })).code).toBe(0);
    expect((await hawser(['get', 'clusters'], { env })).code).toBe(2);
  });
});

describe('the rest', () => {
  it('shows versions, also without a service', async () => {
    expect((await run('version')).out).toMatch(/^client: \d+\.\d+\.\d+ \(Node\.js .*\)\nserver: 0\.1\.0\n$/);
    expect(JSON.parse((await hawser(['version', '--client', '-o', 'json'])).out)).toMatchObject({ client: '0.1.0' });
    expect((await hawser(['--version'])).out).toBe('0.1.0\n');
  });

  it.each(['bash', 'zsh', 'fish'])('prints a completion script for %s', async (shell) => {
    const { code, out } = await run(`completion ${shell}`);
    expect(code).toBe(0);
    expect(out).toContain('completion words');
  });

  it('prints a completion script that bash can read', async () => {
    const { out } = await run('completion bash');
    const checked = spawnSync('bash', ['-n'], { input: out });
    expect([checked.status, checked.stderr.toString()]).toEqual([0, '']);
  });

  it('completes names of applications, and is silent where that is impossible', async () => {
    const names = await hawser(['completion', 'words', '--', 'sync', '--wait'], { api });
    expect(names.out.split('\n')).toContain('podinfo-staging');
    expect(await hawser(['completion', 'words', '--', 'sync'])).toMatchObject({ code: 0, out: '', err: '' });
  });
});

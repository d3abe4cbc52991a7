import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { JsonObject } from '#shared/domain/json.ts';
import { Hint } from '#shared/messages/hint.ts';
import { declareObjects } from '#shared/state/declare.ts';
import { organisationKey } from '#shared/state/keys.ts';
import { ensureRepository, listRepositories } from '#shared/state/registry.ts';
import { listTemplates, repositoryAccess } from '#shared/state/repository-access.ts';
import { cluster, openServiceParts, organisation, type ServiceParts } from '#test/kit/service-parts.ts';

const key = '-----BEGIN OPENSSH PRIVATE KEY-----\ncanaryKey\n-----END OPENSSH PRIVATE KEY-----\n';
const appKey = '-----BEGIN RSA PRIVATE KEY-----\ncanaryKey\n-----END RSA PRIVATE KEY-----\n';
const certificate = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';
let parts: ServiceParts;

beforeEach(async () => {
  parts = await openServiceParts();
});
afterEach(() => parts.close());

function declare(objects: JsonObject[], more: { parent?: string; dryRun?: boolean } = {}) {
  return declareObjects(parts, {
    organisation,
    objects,
    homeCluster: cluster,
    defaultCluster: cluster,
    by: 'ada',
    trace: 't',
    ...more,
  });
}

function argo(type: 'repository' | 'repo-creds', stringData: JsonObject, name = 'creds'): JsonObject {
  const labels = { 'argocd.argoproj.io/secret-type': type };
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: 'argocd', labels }, stringData };
}

function flux(stringData: JsonObject, name = 'auth', namespace = 'flux-system'): JsonObject {
  return { apiVersion: 'v1', kind: 'Secret', type: 'Opaque', metadata: { name, namespace }, stringData };
}

function gitRepository(url: string, spec: JsonObject = { secretRef: { name: 'auth' } }, name = 'demo'): JsonObject {
  return {
    apiVersion: 'source.toolkit.fluxcd.io/v1',
    kind: 'GitRepository',
    metadata: { name, namespace: 'flux-system' },
    spec: { url, interval: '1m', ...spec },
  };
}

/** How the one registered repository, or that of a URL, would be reached. */
async function access(url?: string) {
  if (url !== undefined) await ensureRepository(parts, organisation, url);
  const all = await listRepositories(parts.store, organisation);
  const found = url === undefined ? all[0] : all.find((one) => one.url === url);
  if (found === undefined) throw new Error('not registered');
  return repositoryAccess(parts, organisation, found);
}

/** Everything that is in the table and in the queues. */
async function shownAnywhere(): Promise<string> {
  const { rows } = await parts.store.query(organisationKey(organisation), { prefix: '', limit: 1000 });
  const hints = await parts.hints.receive({ max: 10, waitSeconds: 0, visibilitySeconds: 1 });
  return JSON.stringify([rows, hints]);
}

describe("Argo CD's repository Secrets", () => {
  it.each([
    [
      'user and password',
      { url: 'https://git.test/a.git', username: 'ada', password: 'canaryKey' },
      { kind: 'basic', username: 'ada', password: 'canaryKey' },
    ],
    [
      'a bearer token',
      { url: 'https://git.test/a.git', bearerToken: 'canaryKey' },
      { kind: 'bearer', token: 'canaryKey' },
    ],
    ['an SSH key', { url: 'git@git.test:a.git', sshPrivateKey: key }, { kind: 'ssh', privateKey: key }],
    [
      'a GitHub App',
      {
        url: 'https://ghe.test/o/a.git',
        githubAppID: '12',
        githubAppInstallationID: '34',
        githubAppPrivateKey: appKey,
        githubAppEnterpriseBaseUrl: 'https://ghe.test/api/v3',
      },
      { kind: 'github-app', appId: '12', installationId: '34', privateKey: appKey, apiUrl: 'https://ghe.test/api/v3' },
    ],
  ])('with %s open their repository, and are kept without data (NT-93, NT-95)', async (_what, data, credentials) => {
    const [item] = await declare([argo('repository', { type: 'git', ...data })]);
    expect(item).toEqual({ kind: 'Secret', namespace: 'argocd', name: 'creds', action: 'created' });
    expect((await access()).credentials).toEqual(credentials);
    expect(JSON.stringify(item) + (await shownAnywhere())).not.toContain('canaryKey');
  });

  it('take base64 data, too, and may come again with other data', async () => {
    const encoded = Buffer.from('https://git.test/a.git').toString('base64');
    const secret = argo('repository', {});
    delete secret['stringData'];
    secret['data'] = { url: encoded, password: Buffer.from('one').toString('base64') };
    await declare([secret]);
    expect((await access()).credentials).toEqual({ kind: 'basic', password: 'one' });
    const [item] = await declare([argo('repository', { url: 'https://git.test/a.git', password: 'two' })]);
    expect(item?.action).toBe('configured');
    expect((await access()).credentials).toEqual({ kind: 'basic', password: 'two' });
  });

  it('keep nothing of an annotation that repeats the Secret (NT-91)', async () => {
    const secret = argo('repository', { url: 'https://git.test/a.git', password: 'p' });
    (secret['metadata'] as JsonObject)['annotations'] = {
      'kubectl.kubernetes.io/last-applied-configuration': '{"data":"canaryKey"}',
    };
    await declare([secret]);
    expect(await shownAnywhere()).not.toContain('canaryKey');
  });

  it('ask for the repository to be read anew', async () => {
    await declare([argo('repository', { url: 'https://git.test/a.git', password: 'p' })]);
    const [delivery] = await parts.hints.receive({ max: 1, waitSeconds: 0, visibilitySeconds: 1 });
    expect(Hint.parse(JSON.parse(delivery?.body ?? ''))).toMatchObject({ repository: 'a', reason: 'refresh' });
  });

  it('are not widened: what is insecure or unknown has no effect, and says so (NT-27)', async () => {
    const insecure = { insecureIgnoreHostKey: 'true', insecure: 'true', project: 'shop' };
    const [item] = await declare([argo('repository', { url: 'git@git.test:a.git', sshPrivateKey: key, ...insecure })]);
    expect(item?.message).toMatch(/insecure.*always verified.*project/);
  });

  it.each([
    [{ password: 'canaryKey' }, /url/],
    [{ url: 'https://git.test/a.git', type: 'helm', password: 'canaryKey' }, /helm/],
    [{ url: 'https://git.test/a.git', tlsClientCertKey: 'canaryKey' }, /tlsClientCertKey/],
    [{ url: 'git@git.test:a.git', sshPrivateKey: 'canaryKey' }, /sshPrivateKey.*private key/],
    [{ url: 'https://git.test/a.git', githubAppPrivateKey: appKey }, /githubAppID/],
    [{ url: 'https://git.test/a.git', password: 42 }, /stringData.password/],
    [{ url: 'https://ada:canaryKey@git.test/a.git', password: 'x' }, /credentials/],
  ])('are refused with the reason, and no value (NT-90): %j', async (data, reason) => {
    const [item] = await declare([argo('repository', data as JsonObject)]);
    expect(item?.action).toBe('refused');
    expect(item?.message).toMatch(reason);
    expect(JSON.stringify(item) + (await shownAnywhere())).not.toContain('canaryKey');
  });

  it('change nothing in a dry run', async () => {
    const [item] = await declare([argo('repository', { url: 'https://git.test/a.git', password: 'p' })], {
      dryRun: true,
    });
    expect(item?.action).toBe('created');
    expect(await listRepositories(parts.store, organisation)).toEqual([]);
  });
});

describe("Argo CD's credential templates", () => {
  beforeEach(() =>
    declare([
      argo('repo-creds', { url: 'https://git.test', password: 'host' }, 'host'),
      argo('repo-creds', { url: 'https://git.test/shop', password: 'shop' }, 'shop'),
      argo('repo-creds', { url: 'git@git.test:shop', sshPrivateKey: key }, 'ssh'),
      argo('repository', { url: 'https://git.test/shop/own.git', password: 'own' }, 'own'),
      argo('repository', { url: 'https://git.test/shop/plain.git' }, 'plain'),
    ]),
  );

  it.each([
    ['https://git.test/other/a.git', { kind: 'basic', password: 'host' }],
    ['https://git.test/shop/a.git', { kind: 'basic', password: 'shop' }],
    ['https://git.test/shop/own.git', { kind: 'basic', password: 'own' }],
    ['https://git.test/shop/plain.git', { kind: 'basic', password: 'shop' }],
    ['git@git.test:shop/b.git', { kind: 'ssh', privateKey: key }],
    ['ssh://git@git.test/shop/c.git', { kind: 'ssh', privateKey: key }],
  ])('open %s by the longest prefix', async (url, credentials) => {
    expect((await access(url)).credentials).toEqual(credentials);
  });

  it.each([
    'https://git.test.evil.example/shop/a.git',
    'https://git.test:8443/shop/a.git',
    'http://git.test/shop/a.git',
    'https://evil.example/git.test/shop/a.git',
    'git@git.test:other/b.git',
    'ssh://git@git.test:2222/shop/c.git',
  ])('send nothing to %s (NT-26)', async (url) => {
    expect((await access(url)).credentials).toBeUndefined();
  });

  it('are listed without what they hold', async () => {
    expect((await listTemplates(parts.store, organisation)).map(({ id, url, kind }) => [id, url, kind])).toEqual([
      ['argocd-host', 'https://git.test', 'basic'],
      ['argocd-shop', 'https://git.test/shop', 'basic'],
      ['argocd-ssh', 'git@git.test:shop', 'ssh'],
    ]);
    expect(await shownAnywhere()).not.toContain('canaryKey');
  });
});

describe("Flux's Secrets", () => {
  it.each([
    ['user and password', { username: 'ada', password: 'p' }, { kind: 'basic', username: 'ada', password: 'p' }],
    ['a bearer token', { bearerToken: 't\n' }, { kind: 'bearer', token: 't' }],
    [
      'a GitHub App',
      {
        githubAppID: '12',
        githubAppInstallationOwner: 'o',
        githubAppPrivateKey: appKey,
        githubAppBaseURL: 'https://git.test/api/v3',
      },
      { kind: 'github-app', appId: '12', privateKey: appKey, apiUrl: 'https://git.test/api/v3' },
    ],
  ])('with %s open the repositories that refer to them', async (_what, data, credentials) => {
    await declare([flux(data as JsonObject), gitRepository('https://git.test/o/a.git')]);
    expect((await access()).credentials).toEqual(credentials);
    expect(await shownAnywhere()).not.toContain('canaryKey');
  });

  it('hold SSH keys with their passphrase and the host keys', async () => {
    const data = {
      identity: key,
      'identity.pub': 'ssh-ed25519 AAAA',
      known_hosts: 'git.test ssh-ed25519 AAAA',
      password: 'phrase',
    };
    await declare([gitRepository('ssh://git@git.test/a.git'), flux(data)]);
    expect((await access()).credentials).toEqual({
      kind: 'ssh',
      privateKey: key,
      passphrase: 'phrase',
      knownHosts: 'git.test ssh-ed25519 AAAA',
    });
  });

  it.each(['caFile', 'ca.crt'])('hold certificate authorities in %s, with or without credentials', async (name) => {
    await declare([gitRepository('https://git.test/a.git'), flux({ [name]: certificate })]);
    expect(await access()).toMatchObject({ ca: certificate });
    await declare([flux({ [name]: certificate, password: 'p' })]);
    expect(await access()).toMatchObject({ ca: certificate, credentials: { kind: 'basic', password: 'p' } });
  });

  it('may come before or after: a GitRepository says what it waits for', async () => {
    const [waiting] = await declare([gitRepository('https://git.test/a.git')]);
    expect(waiting?.message).toContain('waits for Secret flux-system/auth');
    await declare([flux({ password: 'p' })]);
    expect((await access()).credentials).toEqual({ kind: 'basic', password: 'p' });
    await declare([gitRepository('https://git.test/b.git', { secretRef: { name: 'auth' } }, 'second')]);
    expect((await access('https://git.test/b.git')).credentials).toEqual({ kind: 'basic', password: 'p' });
  });

  it('may change for all that refer to them at once', async () => {
    await declare([
      gitRepository('https://git.test/a.git'),
      gitRepository('https://git.test/b.git', undefined, 'b'),
      flux({ password: 'p' }),
    ]);
    await declare([flux({ password: 'q' })]);
    for (const url of ['https://git.test/a.git', 'https://git.test/b.git'])
      expect((await access(url)).credentials).toEqual({ kind: 'basic', password: 'q' });
  });

  it('are sent to no other host because an application declares one: a person has to hand them in anew (NT-26)', async () => {
    await declare([gitRepository('https://git.test/a.git'), flux({ password: 'p' })]);
    const evil = gitRepository('https://evil.example/a.git', { secretRef: { name: 'auth' } }, 'evil');
    const [item] = await declare([evil], { parent: 'tenant' });
    expect(item?.message).toContain('hand it in anew');
    expect((await access('https://evil.example/a.git')).credentials).toBeUndefined();
  });

  it.each([
    ['that nothing refers to', flux({ password: 'canaryKey' }, 'other')],
    ['of another namespace', flux({ password: 'canaryKey' }, 'auth', 'shop')],
    ['that opens no repository', flux({ 'age.agekey': 'canaryKey' })],
    [
      "of Argo CD's clusters",
      {
        ...flux({ config: 'canaryKey' }),
        metadata: { name: 'c', labels: { 'argocd.argoproj.io/secret-type': 'cluster' } },
      },
    ],
  ])('%s are refused and not kept', async (_what, secret) => {
    const [, item] = await declare([gitRepository('https://git.test/a.git'), secret]);
    expect(item).toMatchObject({
      action: 'refused',
      message: expect.stringContaining('argocd.argoproj.io/secret-type'),
    });
    expect(await shownAnywhere()).not.toContain('canaryKey');
  });

  it('that cannot be used at the address are refused with the reason', async () => {
    const [, item] = await declare([gitRepository('https://git.test/a.git'), flux({ identity: key })]);
    expect(item).toMatchObject({ action: 'refused', message: expect.stringContaining('ssh://') });
  });

  it('are not needed for CodeCommit with provider aws', async () => {
    const url = 'https://git-codecommit.eu-west-1.amazonaws.com/v1/repos/shop';
    await declare([gitRepository(url, { provider: 'aws' })]);
    expect((await access()).credentials).toEqual({ kind: 'codecommit' });
    expect(await parts.secrets.get(`${organisation}/repository/shop`)).toBeUndefined();
  });
});

describe('what an application renders', () => {
  const known = (name: string, data: JsonObject): JsonObject => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'argocd' },
    data,
  });

  it('decides neither who logs in nor whom the service trusts', async () => {
    const objects = [
      argo('repository', { url: 'https://git.test/a.git', password: 'p' }),
      known('argocd-ssh-known-hosts-cm', { ssh_known_hosts: 'evil' }),
    ];
    for (const item of await declare(objects, { parent: 'tenant' })) expect(item.action).toBe('refused');
    expect((await access('git@git.test:b.git')).knownHosts).toBeUndefined();
  });

  it('unlike what a person hands in: host keys and certificate authorities of the organisation', async () => {
    await declare([
      known('argocd-ssh-known-hosts-cm', { ssh_known_hosts: 'git.test ssh-ed25519 AAAA' }),
      known('argocd-tls-certs-cm', { 'git.test': certificate }),
    ]);
    expect(await access('git@git.test:b.git')).toMatchObject({ knownHosts: 'git.test ssh-ed25519 AAAA' });
    expect(await access('https://git.test/c.git')).toMatchObject({ ca: certificate });
    expect((await access('https://other.test/d.git')).ca).toBeUndefined();
  });
});

describe('what was stored before there were kinds', () => {
  it.each([
    [
      { username: 'x', password: 'p' },
      { kind: 'basic', username: 'x', password: 'p' },
    ],
    [{ password: 'p' }, { kind: 'basic', password: 'p' }],
    [
      { bearerToken: 't', password: 'p' },
      { kind: 'bearer', token: 't' },
    ],
    [{ username: 'x' }, undefined],
  ])('is read: %j', async (stored, credentials) => {
    const repository = await ensureRepository(parts, organisation, 'https://git.test/a.git');
    await parts.secrets.put(`${organisation}/repository/${repository.id}`, JSON.stringify(stored));
    const read = await repositoryAccess(parts, organisation, { ...repository, hasCredentials: true });
    expect(read.credentials).toEqual(credentials);
  });

  it.each(['canaryKey', '{"credentials":{"kind":"canaryKey"}}', '[]', '{"password":7}'])(
    'is an error that quotes nothing where it is damaged: %s (NT-93)',
    async (text) => {
      const repository = await ensureRepository(parts, organisation, 'https://git.test/a.git');
      await parts.secrets.put(`${organisation}/repository/${repository.id}`, text);
      const error: unknown = await repositoryAccess(parts, organisation, { ...repository, hasCredentials: true }).catch(
        (thrown: unknown) => thrown,
      );
      expect(error).toMatchObject({ code: 'repository-auth-failed' });
      expect(JSON.stringify([error, (error as Error).message, (error as Error).stack])).not.toContain('canaryKey');
    },
  );
});

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { recordTrouble } from '#functions/plan/head-ref.ts';
import { getRepository } from '#shared/state/registry.ts';
import { repositoryAccess } from '#shared/state/repository-access.ts';
import { openApi, openServiceParts, organisation, type ServiceParts } from '#test/kit/service-parts.ts';

const key = '-----BEGIN OPENSSH PRIVATE KEY-----\ncanaryKey\n-----END OPENSSH PRIVATE KEY-----\n';
let parts: ServiceParts;
let api: Awaited<ReturnType<typeof openApi>>;
beforeEach(async () => {
  parts = await openServiceParts();
  api = await openApi(parts);
});
afterEach(() => parts.close());

async function add(body: object): Promise<{ status: number; text: string }> {
  const response = await api.ask(api.tokens.admin, 'POST', '/api/v1/repositories', body);
  return { status: response.status, text: await response.text() };
}

async function credentialsOf(id: string) {
  const repository = await getRepository(parts.store, organisation, id);
  if (repository === undefined) throw new Error('not registered');
  return (await repositoryAccess(parts, organisation, repository)).credentials;
}

describe('adding a repository', () => {
  it.each([
    ['https://git.test/a.git', { kind: 'basic', username: 'x', password: 'canaryKey' }],
    ['https://git.test/a.git', { kind: 'bearer', token: 'canaryKey' }],
    ['https://github.com/o/a.git', { kind: 'github-app', appId: '1', installationId: '2', privateKey: key }],
    ['git@git.test:a.git', { kind: 'ssh', privateKey: key, passphrase: 'canaryKey' }],
    ['codecommit::eu-west-1://a', { kind: 'codecommit' }],
  ])('at %s keeps its credentials, which no answer shows (NT-93, NT-94): %j', async (url, credentials) => {
    const answer = await add({ url, credentials });
    expect(answer.status).toBe(201);
    expect(await credentialsOf('a')).toEqual(credentials);
    const shown = [answer.text];
    for (const path of ['/repositories', '/repositories/templates', '/openapi.json'])
      shown.push(await (await api.ask(api.tokens.viewer, 'GET', `/api/v1${path}`)).text());
    expect(shown.join()).not.toContain('canaryKey');
    expect(shown[1]).toContain('"hasCredentials":true');
  });

  it('says of trouble since when it is there', async () => {
    await add({ url: 'https://git.test/a.git' });
    const where = { organisation, repository: 'a', selector: 'main' };
    const trouble = { code: 'unavailable', message: 'no answer', asked: [], ticket: 1 };
    await recordTrouble(parts.store, where, trouble, '2026-01-01T00:00:00.000Z');
    await recordTrouble(parts.store, where, trouble, '2026-01-02T00:00:00.000Z');
    const answer = await api.ask(api.tokens.viewer, 'GET', '/api/v1/repositories');
    const { items } = (await answer.json()) as { items: unknown[] };
    expect(items).toMatchObject([
      { error: 'no answer', errorCode: 'unavailable', errorSince: '2026-01-01T00:00:00.000Z' },
    ]);
  });

  it('takes user and password the short way', async () => {
    await add({ url: 'https://git.test/a.git', username: 'x', password: 'p' });
    expect(await credentialsOf('a')).toEqual({ kind: 'basic', username: 'x', password: 'p' });
  });

  it('changes how a known one is read, address included', async () => {
    await add({ url: 'https://git.test/shop/a.git' });
    await add({ url: 'git@git.test:shop/a.git', credentials: { kind: 'ssh', privateKey: key } });
    expect((await getRepository(parts.store, organisation, 'a'))?.url).toBe('git@git.test:shop/a.git');
    expect(await credentialsOf('a')).toEqual({ kind: 'ssh', privateKey: key });
  });

  it.each([
    [{ url: 'https://git.test/a.git', credentials: { kind: 'ssh', privateKey: key } }, /ssh:/],
    [{ url: 'git@git.test:a.git', credentials: { kind: 'basic', password: 'canaryKey' } }, /https/],
    [{ url: 'https://git.test/a.git', credentials: { kind: 'codecommit' } }, /CodeCommit/],
    [{ url: 'https://git.test/a.git', username: 'x' }, /password/],
    [{ url: 'git@git.test:a.git', credentials: { kind: 'ssh', privateKey: 'canaryKey' } }, /PEM/],
    [{ url: 'https://git.test/a.git', credentials: { kind: 'canaryKey' } }, /credentials/],
    [{ url: 'file:///etc/passwd' }, /url/],
    [{ url: '--upload-pack=x' }, /url/],
    [{ url: 'https://x:canaryKey@git.test/a.git' }, /credentials/],
    [{ url: 'https://git.test/a.git', ca: 'canaryKey' }, /certificate/],
  ])('is refused with the reason and without what was given: %j', async (body, reason) => {
    const answer = await add(body);
    expect(answer.status).toBe(400);
    expect(answer.text).toMatch(reason);
    expect(answer.text).not.toContain('canaryKey');
  });
});

describe('templates of credentials', () => {
  beforeEach(async () => {
    const labels = { 'argocd.argoproj.io/secret-type': 'repo-creds' };
    const object = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'shop', namespace: 'argocd', labels },
      stringData: { url: 'https://git.test/shop', password: 'canaryKey' },
    };
    await api.ask(api.tokens.admin, 'POST', '/api/v1/objects', { objects: [object] });
    await add({ url: 'https://git.test/shop/a.git' });
  });

  it('show that a repository has credentials, and are listed without them', async () => {
    const repositories = await (await api.ask(api.tokens.viewer, 'GET', '/api/v1/repositories')).text();
    expect(repositories).toContain('"hasCredentials":true');
    const templates = await (await api.ask(api.tokens.viewer, 'GET', '/api/v1/repositories/templates')).text();
    expect(JSON.parse(templates)).toEqual({
      items: [{ id: 'argocd-shop', url: 'https://git.test/shop', kind: 'basic' }],
    });
  });

  it('are forgotten with their secret', async () => {
    expect((await api.ask(api.tokens.admin, 'DELETE', '/api/v1/repositories/templates/argocd-shop')).status).toBe(204);
    expect(await parts.secrets.get(`${organisation}/repository/template.argocd-shop`)).toBeUndefined();
    expect(await credentialsOf('a')).toBeUndefined();
    expect((await api.ask(api.tokens.admin, 'DELETE', '/api/v1/repositories/templates/argocd-shop')).status).toBe(404);
  });
});

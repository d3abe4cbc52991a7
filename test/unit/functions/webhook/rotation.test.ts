import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { getRepository, removeRepository } from '#shared/state/registry.ts';
import { readWebhookSecrets } from '#shared/state/webhook-secrets.ts';
import { createWebhookApp } from '#functions/webhook/app.ts';
import { createSecretCache } from '#functions/webhook/secret-cache.ts';
import { openApi, openServiceParts, organisation, type ServiceParts } from '#test/kit/service-parts.ts';
import { fixture, signature } from './deliveries.ts';

const hour = 3600_000;
const ours = 'a secret of our own, of 32 signs and more';
let parts: ServiceParts;
let api: Awaited<ReturnType<typeof openApi>>;
let old: string;

beforeEach(async () => {
  parts = await openServiceParts();
  api = await openApi(parts);
  old = await add({});
});
afterEach(() => parts.close());

async function add(more: object): Promise<string> {
  const response = await api.ask(api.tokens.admin, 'POST', '/api/v1/repositories', {
    url: 'https://git.test/demo.git',
    ...more,
  });
  return ((await response.json()) as { webhookSecret: string }).webhookSecret;
}

async function rotate(body: object = {}): Promise<{ webhookSecret: string; previousUntil: string }> {
  const response = await api.ask(api.tokens.admin, 'POST', '/api/v1/repositories/demo/webhook-secret', body);
  expect(response.status).toBe(200);
  return (await response.json()) as { webhookSecret: string; previousUntil: string };
}

/** The webhook function's own way to secrets, with the minute for which it keeps them. */
function openWebhook(): (secret: string) => Promise<number> {
  const cache = createSecretCache({
    clock: parts.clock,
    read: (repository) => readWebhookSecrets(parts, organisation, repository),
  });
  const app = createWebhookApp({
    ...parts,
    findSecrets: cache.find,
    findSecretsAgain: cache.findAgain,
    enqueue: async () => undefined,
  });
  const { body } = fixture('github-push');
  return async (secret) => {
    const text = JSON.stringify(body);
    const headers = {
      'content-type': 'application/json',
      'x-github-event': 'push',
      ...signature('github', text, secret),
    };
    return (await app.request('/webhooks/github/demo', { method: 'POST', headers, body: text })).status;
  };
}

describe('a rotated webhook secret', () => {
  it('is taken beside the one before for a day, and alone after that (FT-07, INV-03)', async () => {
    const deliver = openWebhook();
    expect(await deliver(old)).toBe(202);
    const { webhookSecret, previousUntil } = await rotate();

    expect(Date.parse(previousUntil) - parts.clock.now()).toBe(24 * hour);
    await parts.clock.advance(10_000);
    expect([await deliver(webhookSecret), await deliver(old)]).toEqual([202, 202]);
    await parts.clock.advance(24 * hour - 20_000);
    expect([await deliver(webhookSecret), await deliver(old)]).toEqual([202, 202]);
    await parts.clock.advance(80_000);
    expect([await deliver(webhookSecret), await deliver(old)]).toEqual([202, 401]);
  });

  it('is taken alone at once, within the minute that functions keep secrets, where the one before was stolen (FT-07)', async () => {
    const deliver = openWebhook();
    const { webhookSecret } = await rotate();
    const third = (await rotate({ overlapHours: 0 })).webhookSecret;

    await parts.clock.advance(60_000);
    expect([await deliver(third), await deliver(webhookSecret), await deliver(old)]).toEqual([202, 401, 401]);
  });

  it('leaves the one before alone when it is asked for twice', async () => {
    await rotate({ webhookSecret: ours });
    await rotate({ webhookSecret: ours });

    expect(await readWebhookSecrets(parts, organisation, 'demo')).toEqual([ours, old]);
  });

  it('may also come with adding the repository once more', async () => {
    expect(await add({ webhookSecret: ours })).toBe(ours);
    expect(await readWebhookSecrets(parts, organisation, 'demo')).toEqual([ours, old]);
  });

  it('goes with its repository, and so does the one before', async () => {
    await rotate();
    const repository = await getRepository(parts.store, organisation, 'demo');
    if (repository !== undefined) await removeRepository(parts, organisation, repository);

    expect(await readWebhookSecrets(parts, organisation, 'demo')).toEqual([]);
  });

  it.each([
    ['nobody', undefined, 'demo', {}, 401],
    ['a viewer', 'viewer', 'demo', {}, 403],
    ['the admin of another organisation', 'rival', 'demo', {}, 404],
    ['an admin who names no repository of theirs', 'admin', 'other', {}, 404],
    ['an admin with a short secret (NT-05)', 'admin', 'demo', { webhookSecret: 'short' }, 400],
    ['an admin with an overlap of weeks', 'admin', 'demo', { overlapHours: 1000 }, 400],
  ] as const)('is refused to %s', async (_who, token, id, body, status) => {
    const owner = token === undefined ? undefined : api.tokens[token];
    const response = await api.ask(owner, 'POST', `/api/v1/repositories/${id}/webhook-secret`, body);

    expect(response.status).toBe(status);
    expect(await readWebhookSecrets(parts, organisation, 'demo')).toEqual([old]);
  });
});

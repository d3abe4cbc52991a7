import type { Hint } from '#shared/messages/hint.ts';
import { markDirty } from '#shared/state/dirty.ts';
import { getRepository } from '#shared/state/registry.ts';
import { readWebhookSecrets } from '#shared/state/webhook-secrets.ts';
import { createWebhookApp } from '#functions/webhook/app.ts';
import { createSecretCache } from '#functions/webhook/secret-cache.ts';
import { createCore } from './core.ts';
import { httpFunction } from './http.ts';
import { openQueues } from './parts-queues.ts';
import { openWebhookSecrets } from './parts-secrets.ts';
import { openTable } from './parts-table.ts';

const core = createCore('webhook', ['table', 'queueBase', 'cipherKey']);
const { organisation } = core.settings;
const table = openTable(core);
const { hints } = openQueues(core, table);
const secrets = openWebhookSecrets(core, table);

const cache = createSecretCache({
  clock: core.clock,
  async read(repository) {
    if ((await getRepository(table.store, organisation, repository)) === undefined) return undefined;
    return readWebhookSecrets({ secrets, ...core }, organisation, repository);
  },
});
const app = createWebhookApp({
  ...core,
  findSecrets: cache.find,
  findSecretsAgain: cache.findAgain,
  async enqueue({ repository, trace }) {
    const at = new Date(core.clock.now()).toISOString();
    const hint: Hint = { organisation, repository, reason: 'push', trace, at };
    await hints.send([JSON.stringify(hint)], { group: organisation });
  },
  markDirty: (hint) => markDirty({ ...table, ...core }, organisation, hint),
});

/** `POST /webhooks/{provider}/{repository}`. */
export const handler = httpFunction(core, app);

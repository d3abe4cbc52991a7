import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readSettings } from '#shared/state/settings.ts';
import { createApiApp } from '#functions/api/app.ts';
import { createCore } from './core.ts';
import { httpFunction } from './http.ts';
import { createQueueMailbox } from './mailbox.ts';
import { directAccessOf } from './parts-agents.ts';
import { openChunks, openSigner } from './parts-keys.ts';
import { openQueues } from './parts-queues.ts';
import { openSecrets } from './parts-secrets.ts';
import { openTable } from './parts-table.ts';

const core = createCore('api', ['table', 'queueBase', 'cipherKey', 'rootKeyPrefix', 'secretPrefix', 'url', 'region']);
const { settings } = core;
const table = openTable(core);
const queues = openQueues(core, table);
const dashboard = join(import.meta.dirname, 'dashboard');

const app = createApiApp({
  ...core,
  ...table,
  ...queues,
  snapshots: openChunks(core, table).snapshots,
  signer: openSigner(core),
  secrets: openSecrets(core, table),
  mailbox: createQueueMailbox(queues.wakeQueues, core.log),
  version: settings.version,
  ...(settings.url === undefined ? {} : { url: settings.url }),
  directAccess: directAccessOf(settings),
  // CloudWatch gets the metrics of all processes; there is no one process to ask.
  metricsText: async () => ({ text: '# See CloudWatch.\n# EOF\n', contentType: 'application/openmetrics-text' }),
  defaultCluster: async (organisation) => (await readSettings(table.store, organisation)).defaultCluster,
  holdsRequests: false,
  ...(existsSync(dashboard) ? { dashboard } : {}),
});

/** Everything over HTTP but webhooks and agents' tokens. */
export const handler = httpFunction(core, app, queues);

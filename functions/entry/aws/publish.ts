import { readSettings } from '#shared/state/settings.ts';
import * as flow from '#shared/flow.ts';
import { createPublishHandler } from '#functions/publish/handle-publish-job.ts';
import { createCore } from './core.ts';
import { openChunks, openSigner } from './parts-keys.ts';
import { openQueues } from './parts-queues.ts';
import { openWebhookSecrets } from './parts-secrets.ts';
import { openTable } from './parts-table.ts';
import { consumer, sqsFunction } from './sqs.ts';

const core = createCore('publish', ['table', 'queueBase', 'cipherKey', 'rootKeyPrefix']);
const table = openTable(core);
const queues = openQueues(core, table);
const publish = createPublishHandler({
  ...core,
  ...table,
  ...queues,
  ...openChunks(core, table),
  secrets: openWebhookSecrets(core, table),
  signer: openSigner(core),
  defaultCluster: async (organisation) => (await readSettings(table.store, organisation)).defaultCluster,
});

/** Publish jobs in, snapshots out. */
export const handler = sqsFunction(core, { ...table, ...queues }, [consumer(flow.publishJobs, publish)], {
  concurrency: 8,
});

import * as flow from '#shared/flow.ts';
import { createRenderHandler } from '#functions/render/handle-render-job.ts';
import { createCore } from './core.ts';
import { openChunks } from './parts-keys.ts';
import { openQueues } from './parts-queues.ts';
import { openRenderer } from './parts-renderer.ts';
import { openTable } from './parts-table.ts';
import { consumer, sqsFunction } from './sqs.ts';

const core = createCore('render', ['table', 'queueBase', 'cipherKey', 'renderFunction']);
const table = openTable(core);
const queues = openQueues(core, table);
const render = createRenderHandler({
  ...core,
  ...queues,
  chunks: openChunks(core, table).inputs,
  renderer: openRenderer(core),
});

/** Render jobs in, publish jobs out; the rendering itself happens in a function that may nothing. */
export const handler = sqsFunction(core, { ...table, ...queues }, [consumer(flow.renderJobs, render)], {
  concurrency: flow.renderJobs.batch,
});

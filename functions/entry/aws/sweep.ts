import { sweep } from '#functions/sweep/sweep.ts';
import { createCore } from './core.ts';
import { openQueues } from './parts-queues.ts';
import { openTable } from './parts-table.ts';
import { functionOf } from './pipeline.ts';

/** Lost webhooks cost this much at most, and a third for jitter (TGT-07). */
const pollSeconds = 180;

const core = createCore('sweep', ['table', 'queueBase']);
const table = openTable(core);
const queues = openQueues(core, table);

/** What the schedule runs every minute. A sweep that fails is tried again by the next one. */
export const handler = functionOf(
  core,
  () => sweep({ ...core, ...table, ...queues, pollSeconds }, core.settings.organisation),
  queues,
);

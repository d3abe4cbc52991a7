import * as flow from '#shared/flow.ts';
import { createReportHandler } from '#functions/report/handle-report.ts';
import { createCore } from './core.ts';
import { openChunks } from './parts-keys.ts';
import { openQueues } from './parts-queues.ts';
import { openTable } from './parts-table.ts';
import { consumer, sqsFunction } from './sqs.ts';

const core = createCore('report', ['table', 'queueBase', 'cipherKey']);
const table = openTable(core);
const queues = openQueues(core, table);
const report = createReportHandler({ ...core, ...table, ...queues, snapshots: openChunks(core, table).snapshots });

/** What agents say, through the API. */
export const handler = sqsFunction(core, { ...table, ...queues }, [consumer(flow.reports, report)], { concurrency: 4 });

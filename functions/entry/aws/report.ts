import * as flow from '#shared/flow.ts';
import { keepAnswer } from '#shared/state/answers.ts';
import { createAgentMailHandler } from '#functions/report/handle-agent-mail.ts';
import { createReportHandler } from '#functions/report/handle-report.ts';
import { createCore } from './core.ts';
import { openChunks } from './parts-keys.ts';
import { openQueues } from './parts-queues.ts';
import { openTable } from './parts-table.ts';
import { consumer, sqsFunction } from './sqs.ts';

const core = createCore('report', ['table', 'queueBase', 'cipherKey', 'agentRoleId']);
const table = openTable(core);
const queues = openQueues(core, table);
const deps = { ...core, ...table, ...queues };
const report = createReportHandler({ ...deps, snapshots: openChunks(core, table).snapshots });
const mail = createAgentMailHandler({
  ...deps,
  agentRoleId: core.settings.agentRoleId,
  report,
  answer: (organisation, cluster, answer) => keepAnswer(deps, organisation, cluster, answer),
});

/** What agents say, through the API or, those with credentials of their own, straight into their queue. */
export const handler = sqsFunction(
  core,
  { ...table, ...queues },
  [consumer(flow.reports, report), consumer(flow.agentMail, mail)],
  { concurrency: 4 },
);

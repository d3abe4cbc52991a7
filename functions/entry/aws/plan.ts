import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCodeCommitLogin } from '#shared/adapters/aws/codecommit-credentials.ts';
import { createGitSource } from '#shared/adapters/git/git-source.ts';
import { toolVersions } from '#shared/adapters/render/toolchain.ts';
import * as flow from '#shared/flow.ts';
import { createPlanHandler } from '#functions/plan/handle-hint.ts';
import { createCore } from './core.ts';
import { openChunks } from './parts-keys.ts';
import { openQueues } from './parts-queues.ts';
import { openCredentials } from './parts-secrets.ts';
import { openTable } from './parts-table.ts';
import { consumer, sqsFunction } from './sqs.ts';

const core = createCore('plan', ['table', 'queueBase', 'cipherKey', 'secretPrefix', 'privateAddresses']);
const table = openTable(core);
const queues = openQueues(core, table);
const isPrivateAllowed = core.settings.privateAddresses === 'allow';
const git = createGitSource({
  ...core,
  // Of this process alone: a new one fetches commits and trees again, not files.
  cacheDir: join(tmpdir(), `hawser-git-${process.pid}`),
  allowInsecureHttp: isPrivateAllowed,
  denyPrivateAddresses: !isPrivateAllowed,
  codecommit: createCodeCommitLogin({ ...core, ...table }),
});
const plan = createPlanHandler({
  ...core,
  ...table,
  ...queues,
  secrets: openCredentials(core),
  chunks: openChunks(core, table).inputs,
  git,
  toolVersions,
});

/** Hints in, render jobs out. Plans mostly wait for Git hosts, so that a whole batch runs at once. */
export const handler = sqsFunction(core, { ...table, ...queues }, [consumer(flow.hints, plan)], { concurrency: 10 });

import { HawserError } from '#shared/errors.ts';
import { readAgentSettings } from './agent-access-stack.ts';
import { buildAgentAccess, createApp } from './build-app.ts';

/** What a customer deploys for one cluster: `cdk deploy --app "node infra/aws/agent-access.ts" -c cluster=… …`. */
const app = createApp();
try {
  buildAgentAccess(
    app,
    readAgentSettings((key) => app.node.tryGetContext(key) as unknown),
  );
  app.synth();
} catch (error) {
  if (!(error instanceof HawserError)) throw error;
  console.error(`error: ${error.message}${error.hint === undefined ? '' : `\nhint: ${error.hint}`}`);
  process.exitCode = 2;
}

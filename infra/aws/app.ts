import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { HawserError } from '#shared/errors.ts';
import { findAssets } from './assets.ts';
import { buildStacks, createApp } from './build-app.ts';
import { readSettings } from './settings.ts';

/** What `cdk` runs (cdk.json): the whole deployment that the context describes. Bad context ends it with what to mend. */
const app = createApp();
try {
  const settings = readSettings((key) => app.node.tryGetContext(key) as unknown);
  const account = settings.account ?? process.env['CDK_DEFAULT_ACCOUNT'];
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8')) as {
    version: string;
  };
  buildStacks(app, {
    settings: { ...settings, ...(account === undefined ? {} : { account }) },
    assets: findAssets(),
    version,
  });
  app.synth();
} catch (error) {
  if (!(error instanceof HawserError)) throw error;
  console.error(`error: ${error.message}${error.hint === undefined ? '' : `\nhint: ${error.hint}`}`);
  process.exitCode = 2;
}

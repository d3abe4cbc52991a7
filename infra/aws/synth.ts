import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { HawserError } from '#shared/errors.ts';
import { findAssets } from './assets.ts';
import { buildStacks, createApp } from './build-app.ts';
import { inventoryOf } from './cost/estimate.ts';
import { printEstimate, printPrices } from './cost/print-estimate.ts';
import { readContext } from './deploy-plan.ts';
import { readSettings } from './settings.ts';

const usage = `Usage: npm run synth:aws -- [-c KEY=VALUE …] [--prices]

Writes the templates of a deployment to dist/cdk.out and prints its stacks and what they would cost. Needs no account and no
network. Without -c it describes an example: environment=demo region=eu-central-1 organisation=demo.

  npm run synth:aws
  npm run synth:aws -- -c environment=prod -c region=eu-central-1 -c organisation=acme -c waf=on
`;

/** `npm run synth:aws`. */
try {
  const { values } = parseArgs({
    options: {
      context: { type: 'string', short: 'c', multiple: true, default: [] },
      prices: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) console.log(usage);
  else if (values.prices) console.log(printPrices());
  else synthesise(values.context);
} catch (error) {
  const isOurs = error instanceof HawserError;
  if (!isOurs && !(error instanceof TypeError && 'code' in error)) throw error;
  console.error(`error: ${error.message}${isOurs && error.hint !== undefined ? `\nhint: ${error.hint}` : ''}`);
  process.exitCode = 2;
}

function synthesise(given: readonly string[]): void {
  const context: Record<string, string> = {
    environment: 'demo',
    region: 'eu-central-1',
    organisation: 'demo',
    ...readContext(given, 'npm run synth:aws -- --help'),
  };
  const root = join(import.meta.dirname, '..', '..');
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  const app = createApp({ outdir: join(root, 'dist', 'cdk.out') });
  buildStacks(app, { settings: readSettings((key) => context[key]), assets: findAssets(), version });
  const { stacks } = app.synth();
  const templates = stacks.map((stack) => stack.template as Parameters<typeof inventoryOf>[0][number]);
  for (const [index, stack] of stacks.entries()) {
    const resources = Object.keys(templates[index]?.Resources ?? {}).length;
    console.log(`${stack.stackName.padEnd(32)} ${String(resources).padStart(4)} resources`);
  }
  console.log(`\n${printEstimate(inventoryOf(templates))}\n\nwritten to dist/cdk.out`);
}

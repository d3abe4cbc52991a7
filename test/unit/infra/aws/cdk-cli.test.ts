import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { minimal, synthesise, type Synthesised } from './deployment.ts';

const run = promisify(execFile);
const cli = join(dirname(createRequire(import.meta.url).resolve('aws-cdk/package.json')), 'bin/cdk');

describe('the CDK command line', () => {
  let deployment: Synthesised;
  beforeAll(() => {
    deployment = synthesise(minimal);
  });
  afterAll(() => deployment.remove());

  it('reads the assembly that the library writes: their versions belong together', async () => {
    const { stdout } = await run(process.execPath, [cli, 'list', '--app', deployment.folder], {
      env: { PATH: process.env['PATH'], HOME: deployment.folder, CDK_DISABLE_VERSION_CHECK: '1' },
    });

    expect(stdout.trim().split('\n')).toEqual([
      'State (hawser-prod-state)',
      'Compute (hawser-prod-compute)',
      'Edge (hawser-prod-edge)',
      'Observability (hawser-prod-observability)',
    ]);
  });
});

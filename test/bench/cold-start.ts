import { execFile } from 'node:child_process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { bundleFunctions } from '#infra/build/bundle-functions.ts';
import { printRows, type BenchRow } from './row.ts';

const run = promisify(execFile);
/** Design §10: webhook and api are asked by people and Git hosts who wait; the others inform. */
const budgets: Record<string, { ms: number; kilobytes: number }> = {
  webhook: { ms: 200, kilobytes: 2000 },
  api: { ms: 200, kilobytes: 2000 },
};
/** The best counts: a machine that does something else meanwhile is not what is measured. */
const rounds = 9;

const environment = {
  AWS_REGION: 'eu-central-1',
  AWS_ACCESS_KEY_ID: 'bench',
  AWS_SECRET_ACCESS_KEY: 'bench',
  HAWSER_ENVIRONMENT: 'bench',
  HAWSER_ORGANISATION: 'bench',
  HAWSER_TABLE: 'hawser-bench',
  HAWSER_QUEUE_BASE: 'https://sqs.eu-central-1.amazonaws.com/123456789012/hawser-bench-',
  HAWSER_CIPHER_KEY: 'alias/hawser-bench/cipher',
  HAWSER_ROOT_KEY_PREFIX: 'alias/hawser-bench/root/',
  HAWSER_SECRET_PREFIX: 'hawser-bench/',
  HAWSER_RENDER_FUNCTION: 'hawser-bench-render-sandbox',
};

/** What each function's bundle weighs and how long a new process takes to load it (Lambda's init, without Node's own start). */
export async function benchColdStart(): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  for (const { name, file, bytes } of await bundleFunctions()) {
    // The sandbox loads nothing of ours but its handler, and needs Lambda's folders.
    if (name === 'render-sandbox') continue;
    const budget = budgets[name];
    const times: number[] = [];
    for (let round = 0; round < rounds; round += 1) times.push(await initOf(file));
    rows.push(
      {
        name: `${name}: init`,
        value: Math.min(...times),
        unit: 'ms',
        ...(budget === undefined ? {} : { budget: budget.ms }),
        note: `best of ${rounds}, worst ${Math.max(...times).toFixed(0)}`,
      },
      {
        name: `${name}: bundle`,
        value: bytes / 1000,
        unit: 'KB',
        ...(budget === undefined ? {} : { budget: budget.kilobytes }),
      },
    );
  }
  return rows;
}

/** Milliseconds of importing a bundle in a process of its own, with the environment that a function has. */
async function initOf(file: string): Promise<number> {
  const script = [
    'const started = performance.now();',
    `const { handler } = await import(${JSON.stringify(pathToFileURL(file).href)});`,
    'const took = performance.now() - started;',
    "if (typeof handler !== 'function') throw new Error('the bundle exports no handler');",
    'process.stdout.write(String(took));',
  ].join('\n');
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script], { env: environment });
  return Number(stdout);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) printRows(await benchColdStart());

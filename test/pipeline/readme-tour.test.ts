import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ApplicationList } from '#shared/messages/api.ts';
import { eventually, startTestProduct, type TestProduct } from '#test/kit/product.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '../..');

interface Block {
  /** The sentence in bold above it. */
  title: string;
  /** Among those of the same title, from 0. */
  number: number;
  script: string;
}

let product: TestProduct;
let folder: string;
/** What the shell of the tour carries from one block to the next. */
let session: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hawser-tour-'));
  product = await startTestProduct({ demo: true, dataDir: join(folder, '.hawser') });
  session = join(folder, 'session.sh');
  await symlink(join(root, 'cli'), join(folder, 'cli'));
}, 900_000);

afterAll(async () => {
  await product?.end();
  await rm(folder, { recursive: true, force: true });
});

describe('the tour of the README', async () => {
  const blocks = readBlocks(await readFile(join(root, 'README.md'), 'utf8'));

  it('has something to see after every block that changes something', () => {
    const titles = blocks.map(({ title }, index) => `${title} ${index}`);

    expect(blocks.length).toBeGreaterThan(10);
    for (const title of Object.keys(promises))
      expect(
        titles.some((one) => one.startsWith(title)),
        title,
      ).toBe(true);
  });

  it.each(blocks)('runs as written: $title', { timeout: 180_000 }, async ({ title, number, script }) => {
    if (title === 'The start.') await eventually('the demo is up', () => allGood(8), 120_000);

    const output = await runBlock(script);

    const promised = promises[title]?.[number];
    if (promised instanceof RegExp) expect(output).toMatch(promised);
    else if (promised !== undefined) await eventually(`what «${title}» promises`, promised, 60_000);
  });
});

/** What a reader is promised to see after each block of a step: in its output, or a moment later in the cluster and the service. */
const promises: Record<string, (RegExp | (() => Promise<boolean>) | undefined)[]> = {
  'The start.': [/podinfo-production/],
  'A release.': [() => imageIs('podinfo-staging', '6.9.3'), /podinfo: 6.9.3 to staging/],
  'Drift.': [() => hasReplicas('podinfo-production', 3)],
  'A mistake.': [
    () => sync('podinfo-staging', (one) => one !== 'Synced'),
    () => sync('podinfo-staging', (one) => one === 'Synced'),
  ],
  'A deletion.': [() => isGone('/apis/batch/v1/namespaces/monitoring/cronjobs/rules-report'), /Synced/],
  'Back.': [() => imageIs('podinfo-staging', '6.9.2')],
  'Hands off.': [() => hasReplicas('podinfo-production', 3)],
  'An application of your own.': [/greeting: ahoy/],
  'A webhook by hand.': [/"result":"hint"[\s\S]*"status":\s*401/],
  'The API.': [/"items":/],
  'The end.': [() => isGone('/api/v1/namespaces/hello/configmaps/hello')],
};

async function allGood(count: number): Promise<boolean> {
  const { items } = await product.api<ApplicationList>('GET', '/api/v1/applications');
  return items.length === count && items.every((one) => one.sync === 'Synced' && one.health === 'Healthy');
}

async function sync(id: string, test: (sync: string) => boolean): Promise<boolean> {
  return test((await product.api<{ sync: string }>('GET', `/api/v1/applications/${id}`)).sync);
}

async function imageIs(namespace: string, tag: string): Promise<boolean> {
  return JSON.stringify(await podinfo(namespace)).includes(`podinfo:${tag}"`);
}

async function hasReplicas(namespace: string, count: number): Promise<boolean> {
  return (await podinfo(namespace)).spec?.replicas === count;
}

function podinfo(namespace: string): Promise<{ spec?: { replicas?: number } }> {
  return product.kube.get(`/apis/apps/v1/namespaces/${namespace}/deployments/podinfo`);
}

async function isGone(path: string): Promise<boolean> {
  return (await product.kube.request('GET', path)).status === 404;
}

/** The `sh` blocks between the tour's heading and the next one. */
function readBlocks(readme: string): Block[] {
  const tour = /^## Tour[^\n]*\n([\s\S]*?)^## /m.exec(readme)?.[1] ?? '';
  const found: Block[] = [];
  let title = 'The start.';
  for (const [, bold, script] of tour.matchAll(/^\*\*(.+?)\*\*|^```sh\n([\s\S]*?)^```$/gm)) {
    if (bold !== undefined) title = bold;
    else found.push({ title, number: found.filter((block) => block.title === title).length, script: script ?? '' });
  }
  return found;
}

/** Runs a block in one shell, which keeps its functions, variables and folder for the next. A command that fails fails the test. */
async function runBlock(script: string): Promise<string> {
  const text = [
    `[ -f "${session}" ] && . "${session}"`,
    'set -eu -o pipefail',
    script,
    `set +eu; { declare -f hawser run; declare -p HAWSER KUBECONFIG PATH; printf 'cd %q\\n' "$PWD"; } > "${session}"`,
  ].join('\n');
  const env = { ...process.env, USER: 'tour', NO_COLOR: '1', HOME: process.env['HOME'] ?? folder };
  try {
    const { stdout, stderr } = await run('bash', ['-c', text], { cwd: folder, env, timeout: 170_000 });
    return stdout + stderr;
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`The block failed:\n${script}\n${stdout}${stderr}`);
  }
}

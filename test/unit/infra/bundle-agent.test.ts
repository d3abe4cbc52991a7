import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { agentEnvironment, agentNodeFlags, bundleAgent } from '#infra/build/bundle-agent.ts';

let folder: string;
let bundle: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hawser-bundle-'));
  bundle = join(folder, 'agent.mjs');
  await bundleAgent(bundle);
}, 60_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The file and what it imports before it runs. */
async function loadedAtStart(file: string, seen = new Set<string>()): Promise<string[]> {
  if (seen.has(file)) return [];
  seen.add(file);
  const text = await readFile(file, 'utf8');
  const imported = [...text.matchAll(/(?:^|[;\s}])(?:import|export)\s*(?:[\w*{}$,\s]+from\s*)?"(\.[^"]+)"/g)];
  const others = await Promise.all(imported.map(([, path]) => loadedAtStart(join(dirname(file), path ?? ''), seen)));
  return [text, ...others.flat()];
}

describe('the bundle of the agent', () => {
  it('loads nothing of a cloud at start: agents that speak HTTPS only do not pay for it', async () => {
    const texts = await loadedAtStart(bundle);
    expect(texts.length).toBeGreaterThan(1);
    for (const text of texts) expect(text).not.toMatch(/DynamoDB_20120810|AmazonSQS|TrentService/);
    const parts = (await readdir(join(folder, 'parts'))).filter((name) => name.endsWith('.mjs'));
    const all = await Promise.all(parts.map((name) => readFile(join(folder, 'parts', name), 'utf8')));
    // The check above would pass as well if direct access had been left out altogether.
    expect(all.some((text) => text.includes('DynamoDB_20120810'))).toBe(true);
  });

  it('holds the parts of this build only', async () => {
    const before = await readdir(join(folder, 'parts'));
    await bundleAgent(bundle);
    expect(await readdir(join(folder, 'parts'))).toEqual(before);
  });
});

describe('the image of the agent', () => {
  it('starts the bundle with the flags and the environment that it is measured with', async () => {
    const dockerfile = await readFile(join(import.meta.dirname, '../../../agent/Dockerfile'), 'utf8');
    const entrypoint = /^ENTRYPOINT (\[.*\])$/m.exec(dockerfile)?.[1];
    expect(JSON.parse(entrypoint ?? '[]')).toEqual(['/nodejs/bin/node', ...agentNodeFlags, '/app/agent.mjs']);
    const environment = [...dockerfile.matchAll(/^ENV (\w+)=(\S+)$/gm)].map(([, name, value]) => [name, value]);
    expect(Object.fromEntries(environment)).toEqual({ ...agentEnvironment, NODE_ENV: 'production' });
  });
});

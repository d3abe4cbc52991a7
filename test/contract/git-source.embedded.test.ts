import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

import { startGitHost } from '#localstack/git-host.ts';
import { createSystemClock } from '#shared/adapters/embedded/system-clock.ts';
import { createGitSource } from '#shared/adapters/git/git-source.ts';
import type { Log } from '#shared/ports/log.ts';
import { openTestRepository } from '#test/kit/git-repository.ts';
import { startGitProxy } from '#test/kit/git-proxy.ts';
import { describeGitSource } from './git-source.contract.ts';

const root = await mkdtemp(join(tmpdir(), 'hawser-git-'));
const host = await startGitHost({ root: join(root, 'host') });
const oldHost = await startGitProxy(host.url, { oldProtocol: true });
const quiet: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };
let count = 0;

afterAll(async () => {
  await oldHost.stop();
  await host.stop();
  await rm(root, { recursive: true, force: true, maxRetries: 5 });
});

const hosts = [
  { name: 'protocol 2 with filters', url: host.url, filter: 'true' },
  { name: 'protocol 2 without filters', url: host.url, filter: 'false' },
  { name: 'protocol 0', url: oldHost.url, filter: 'true' },
];

for (const { name, url, filter } of hosts) {
  describeGitSource(name, async () => {
    count += 1;
    const id = `r${count}`;
    await host.ensureRepository(id);
    const repository = openTestRepository(host.repositoryPath(id));
    repository.git('config', 'uploadpack.allowFilter', filter);
    const cacheDir = join(root, `cache-${count}`);
    const open = () => createGitSource({ cacheDir, clock: createSystemClock(), log: quiet });
    const access = { organisation: 'demo', repository: id, url: `${url}/${id}.git` };
    return { source: open(), repository, access, reopen: open, nowhere: { ...access, url: `${url}/nowhere.git` } };
  });
}

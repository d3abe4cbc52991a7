import { mkdtemp, mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

import { createSystemClock } from '#shared/adapters/embedded/system-clock.ts';
import { createGitSource } from '#shared/adapters/git/git-source.ts';
import { openTestRepository } from '#test/kit/git-repository.ts';
import { silentLog } from '#test/kit/service-parts.ts';
import { startSshGitHost } from '#test/kit/ssh-git-host.ts';
import { describeGitSource } from './git-source.contract.ts';

const root = await mkdtemp(join(tmpdir(), 'hawser-ssh-'));
await mkdir(join(root, 'host'));
const host = await startSshGitHost({ root: join(root, 'host') });
const oldHost = await startSshGitHost({ root: join(root, 'host'), clientKey: host.clientKey, hostKey: 'rsa' });
oldHost.faults.oldProtocol = true;
let count = 0;

afterAll(async () => {
  await oldHost.stop();
  await host.stop();
  await rm(root, { recursive: true, force: true, maxRetries: 5 });
});

const hosts = [
  { name: 'ssh, protocol 2 with filters', host, filter: 'true' },
  { name: 'ssh, protocol 2 without filters', host, filter: 'false' },
  { name: 'ssh, protocol 0', host: oldHost, filter: 'true' },
];

for (const { name, host: server, filter } of hosts) {
  describeGitSource(name, async () => {
    count += 1;
    const id = `r${count}`;
    const repository = openTestRepository(join(root, 'host', `${id}.git`));
    repository.git('config', 'uploadpack.allowFilter', filter);
    const cacheDir = join(root, `cache-${count}`);
    const open = () => createGitSource({ cacheDir, clock: createSystemClock(), log: silentLog });
    const credentials = {
      kind: 'ssh' as const,
      privateKey: server.clientKey.private,
      knownHosts: server.knownHosts,
    };
    const access = { organisation: 'demo', repository: id, url: `${server.url}/${id}.git`, credentials };
    return {
      source: open(),
      repository,
      access,
      reopen: open,
      nowhere: { ...access, url: `${server.url}/nowhere.git` },
    };
  });
}

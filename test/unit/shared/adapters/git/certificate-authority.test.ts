import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { request as send } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { startGitHost, type GitHost } from '#localstack/git-host.ts';
import { createSystemClock } from '#shared/adapters/embedded/system-clock.ts';
import { createGitSource } from '#shared/adapters/git/git-source.ts';
import type { GitSource, RepositoryAccess } from '#shared/ports/git-source.ts';
import { openTestRepository } from '#test/kit/git-repository.ts';
import { silentLog } from '#test/kit/service-parts.ts';
import { temporaryFolder } from '#test/kit/temp.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let host: GitHost;
let server: Server;
let source: GitSource;
let access: RepositoryAccess;
let commit: string;

/** A certificate for 127.0.0.1 that is its own authority. */
function certificate(name: string): { key: string; cert: string } {
  const [key, cert] = [join(folder.path, `${name}.key`), join(folder.path, `${name}.crt`)];
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2'];
  const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  execFileSync('openssl', [...args, '-keyout', key, '-out', cert, ...subject], { stdio: 'ignore' });
  return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
}

let ours: { key: string; cert: string };
let others: { key: string; cert: string };

beforeAll(async () => {
  folder = await temporaryFolder();
  ours = certificate('ours');
  others = certificate('others');
  host = await startGitHost({ root: join(folder.path, 'host') });
  await host.ensureRepository('gitops');
  commit = openTestRepository(host.repositoryPath('gitops')).commit({ files: { a: '1' } });
  server = createServer(ours, (request, response) => {
    const { method, headers } = request;
    const onward = send(new URL(request.url ?? '/', host.url), { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    request.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  source = createGitSource({ cacheDir: join(folder.path, 'cache'), clock: createSystemClock(), log: silentLog });
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/gitops.git`;
  access = { organisation: 'demo', repository: 'gitops', url };
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await host.stop();
  await folder.remove();
});

describe("a host's own certificate authority", () => {
  it('is trusted where it was given with the repository', async () => {
    expect((await source.resolve({ ...access, ca: ours.cert }, 'main')).commit).toBe(commit);
  });

  it.each([
    ['without one', undefined],
    ['with another', 'others'],
  ])('is the only way in: %s nothing is read, even after somebody else was let in', async (_what, given) => {
    await source.resolve({ ...access, ca: ours.cert }, 'main');
    const ca = given === undefined ? {} : { ca: others.cert };
    await expect(source.resolve({ ...access, ...ca }, 'HEAD')).rejects.toMatchObject({
      code: 'repository-unreachable',
      message: expect.stringMatching(/certificate/i),
    });
  });
});

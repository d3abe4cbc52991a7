import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createSystemClock } from '#shared/adapters/embedded/system-clock.ts';
import { createGitSource } from '#shared/adapters/git/git-source.ts';
import type { JsonObject } from '#shared/domain/json.ts';
import { declareObjects } from '#shared/state/declare.ts';
import { readHead, rootOf } from '#shared/state/heads.ts';
import { repositoryKey } from '#shared/state/keys.ts';
import { createPlanHandler } from '#functions/plan/handle-hint.ts';
import { sweep } from '#functions/sweep/sweep.ts';
import { openTestRepository, type TestRepository } from '#test/kit/git-repository.ts';
import {
  cluster,
  configMap,
  drain,
  openServiceParts,
  organisation,
  silentLog,
  type ServiceParts,
} from '#test/kit/service-parts.ts';
import { startSshGitHost, type SshGitHost } from '#test/kit/ssh-git-host.ts';
import { temporaryFolder } from '#test/kit/temp.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let host: SshGitHost;
let parts: ServiceParts;
let repository: TestRepository;

beforeAll(async () => {
  folder = await temporaryFolder();
  await mkdir(join(folder.path, 'host'));
  host = await startSshGitHost({ root: join(folder.path, 'host') });
  repository = openTestRepository(join(folder.path, 'host', 'gitops.git'));
  const opened = await openServiceParts();
  const git = createGitSource({ cacheDir: join(folder.path, 'cache'), clock: createSystemClock(), log: silentLog });
  parts = { ...opened, plan: createPlanHandler({ ...opened, git, chunks: opened.inputs }) };
});
afterAll(async () => {
  await parts.close();
  await host.stop();
  await folder.remove();
});

async function handIn(objects: JsonObject[]) {
  const request = { organisation, objects, homeCluster: cluster, defaultCluster: cluster, by: 'ada', trace: 't' };
  const items = await declareObjects(parts, request);
  await drain(parts);
  return items;
}

function secret(sshPrivateKey: string): JsonObject {
  const labels = { 'argocd.argoproj.io/secret-type': 'repo-creds' };
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'shop', namespace: 'argocd', labels },
    stringData: { url: host.url, sshPrivateKey },
  };
}

const application = (): JsonObject => ({
  apiVersion: 'argoproj.io/v1alpha1',
  kind: 'Application',
  metadata: { name: 'web', namespace: 'argocd' },
  spec: {
    project: 'default',
    source: { repoURL: `${host.url}/gitops.git`, path: 'web' },
    destination: { name: 'in-cluster', namespace: 'shop' },
  },
});

const knownHosts = (): JsonObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'argocd-ssh-known-hosts-cm', namespace: 'argocd' },
  data: { ssh_known_hosts: host.knownHosts },
});

async function deployed(): Promise<string | undefined> {
  const head = await readHead(parts.store, organisation, cluster, 'web');
  if (head === undefined) return undefined;
  const text = await parts.snapshots.read(organisation, cluster, rootOf(head.value).chunks[0] ?? '');
  return (JSON.parse(Buffer.from(text ?? []).toString()) as { data: { value: string } }).data.value;
}

async function trouble(): Promise<string | undefined> {
  const { rows } = await parts.store.query<{ error?: { message: string } }>(repositoryKey(organisation, 'gitops'), {
    prefix: 'HEADREF#',
    limit: 10,
  });
  return rows.find((row) => row.value.error !== undefined)?.value.error?.message;
}

describe("a repository over ssh, with Argo CD's own Secret and ConfigMap", () => {
  it('is refused while its host key is unknown, and nothing is rendered (NT-27)', async () => {
    repository.commit({ files: { 'web/a.yaml': configMap('a', 'one') } });
    const items = await handIn([application(), secret(host.clientKey.private)]);
    expect(items.map(({ action }) => action)).toEqual(['created', 'created']);
    expect(await deployed()).toBeUndefined();
    expect(await trouble()).toContain('No host key is known');
    expect(host.logins).toEqual([]);
  });

  it('shows nothing of a key that the host refuses (NT-93)', async () => {
    const { private: other } = ssh2.utils.generateKeyPairSync('ed25519');
    await handIn([knownHosts(), secret(other)]);
    const message = await trouble();
    expect(message).toContain('refuses this SSH key');
    expect(message).not.toContain((other.split('\n')[2] ?? '?').slice(0, 20));
    expect(await deployed()).toBeUndefined();
  });

  it('is read at once when the right key is handed in', async () => {
    await handIn([secret(host.clientKey.private)]);
    expect(await trouble()).toBeUndefined();
    expect(await deployed()).toBe('one');
  });

  it('is polled: a push arrives without a webhook (INV-02)', async () => {
    repository.commit({ files: { 'web/a.yaml': configMap('a', 'two') } });
    await sweep({ ...parts, pollSeconds: 60 }, organisation);
    await drain(parts);
    expect(await deployed()).toBe('two');
  });
});

import { createBell } from '#shared/adapters/embedded/memory-bell.ts';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { openConnection } from '#agent/cluster/connection.ts';
import { readClusterUid, readTokenKeys } from '#agent/cluster/identity.ts';
import { createRequests } from '#agent/cluster/requests.ts';
import { createSystemClock } from '#shared/adapters/embedded/system-clock.ts';
import { ClusterInstall, type ClusterView } from '#shared/messages/api.ts';
import { TokenAnswer } from '#shared/messages/agent-identity.ts';
import { findAgent } from '#shared/state/agent-tokens.ts';
import { getCluster } from '#shared/state/registry.ts';
import { putToken } from '#shared/state/tokens.ts';
import { addCluster } from '#functions/api/cluster-identity.ts';
import { newToken } from '#functions/api/auth.ts';
import { createTokenApp } from '#functions/token/app.ts';
import { startService } from '#localstack/service.ts';
import { startAgent, startTestCluster, type TestCluster } from '#test/kit/cluster.ts';
import type { FakeHub } from '#test/kit/fake-hub.ts';
import { silentLog } from '#test/kit/service-parts.ts';
import { openMemoryStore } from '#test/kit/store.ts';

const organisation = 'acme';
const clock = createSystemClock();
const accounts = '/api/v1/namespaces/hawser-system/serviceaccounts';
let home: TestCluster;
let clone: TestCluster;

beforeAll(async () => {
  [home, clone] = await Promise.all([openCluster('identity-home'), openCluster('identity-clone')]);
}, 20 * 60_000);
afterAll(async () => {
  await Promise.all([home?.stop(), clone?.stop()]);
});

async function openCluster(name: string): Promise<TestCluster> {
  const cluster = await startTestCluster(name);
  const object = (kind: string, called: string) => ({ apiVersion: 'v1', kind, metadata: { name: called } });
  await cluster.send('POST', '/api/v1/namespaces', object('Namespace', 'hawser-system'));
  for (const account of ['hawser-agent', 'other'])
    await cluster.send('POST', accounts, object('ServiceAccount', account));
  return cluster;
}

/** A token of the cluster's API server, as the kubelet gets them for projected volumes. */
async function tokenOf(cluster: TestCluster, account = 'hawser-agent', spec: object = {}): Promise<string> {
  const { status } = (await cluster.send('POST', `${accounts}/${account}/token`, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { audiences: ['hawser'], expirationSeconds: 600, ...spec },
  })) as unknown as { status: { token: string } };
  return status.token;
}

/** What the agent says of a cluster, read as the agent reads it. */
async function identityOf(cluster: TestCluster): Promise<{ clusterUid: string; jwks: object }> {
  const connection = openConnection({ kubeconfig: cluster.sandbox.kubeconfig });
  const requests = createRequests({ connection, clock, userAgent: 'hawser-test' });
  try {
    return { clusterUid: await readClusterUid(requests), jwks: await readTokenKeys(requests) };
  } finally {
    requests.close();
  }
}

async function uidOf(cluster: TestCluster): Promise<string> {
  return (await identityOf(cluster)).clusterUid;
}

/** The token function, with `home` registered through what its API server says. */
async function openRegistered() {
  const store = openMemoryStore();
  const draft = { id: 'home', labels: {}, servers: [], identity: 'service-account' as const };
  const { token = '' } = await addCluster({ store, clock, bell: createBell() }, organisation, draft);
  const metrics = { count: () => undefined, observe: () => undefined, gauge: () => undefined };
  const issuerKeys = { read: async () => undefined };
  const app = createTokenApp({ organisation, store, clock, metrics, log: silentLog, issuerKeys });
  const post = async (path: string, body: object, bearer?: string): Promise<Response> =>
    app.request(`/api/v1/agent/${path}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
      },
      body: JSON.stringify(body),
    });
  const register = async (serviceAccountToken: string) =>
    post('register', { ...(await identityOf(home)), serviceAccountToken }, token);
  const exchange = async (serviceAccountToken: string, clusterUid?: string) =>
    post('token', {
      organisation,
      cluster: 'home',
      clusterUid: clusterUid ?? (await uidOf(home)),
      serviceAccountToken,
    });
  const refused = await register(await tokenOf(home, 'hawser-agent', { audiences: [] }));
  const registered = await register(await tokenOf(home));
  return { store, exchange, refused, registered };
}

describe("an API server's ServiceAccount tokens", { timeout: 120_000 }, () => {
  it('register a cluster and are exchanged for tokens of the API', async () => {
    const { store, exchange, refused, registered } = await openRegistered();
    // The token that every pod has is for the API server, not for us.
    expect(refused.status).toBe(401);
    const first = TokenAnswer.parse(await registered.json());
    const second = TokenAnswer.parse(await (await exchange(await tokenOf(home))).json());

    for (const { accessToken } of [first, second])
      expect(await findAgent(store, accessToken, clock.now())).toEqual({ organisation, cluster: 'home' });
    expect((await getCluster(store, organisation, 'home'))?.pinned).toMatchObject({
      uid: await uidOf(home),
      subject: 'system:serviceaccount:hawser-system:hawser-agent',
    });
  });

  it('of another account, audience or cluster are refused, and so is a clone (NT-120, NT-153)', async () => {
    const { store, exchange } = await openRegistered();
    const status = async (token: string, uid?: string) => (await exchange(token, uid)).status;

    expect(await status(await tokenOf(home, 'other'))).toBe(401);
    expect(await status(await tokenOf(home, 'hawser-agent', { audiences: ['sts.amazonaws.com'] }))).toBe(401);
    expect(await status(await tokenOf(home, 'hawser-agent', { audiences: ['hawser', 'x'] }))).toBe(401);
    expect(await status(await tokenOf(home, 'hawser-agent', { expirationSeconds: 24 * 3600 }))).toBe(401);
    expect(await status(await tokenOf(clone))).toBe(401);
    expect(await status(await tokenOf(clone), await uidOf(clone))).toBe(401);
    expect(await status(await tokenOf(home), await uidOf(clone))).toBe(403);
    const { rows } = await store.query<{ reason: string }>(`T#${organisation}`, { prefix: 'EVENT#' });
    expect(rows.map(({ value }) => value.reason)).toContain('ClusterRegistered');
  });
});

describe('the agent, with nothing but its ServiceAccount token', { timeout: 240_000 }, () => {
  it('registers with the whole service, is heard, is shut out when revoked, and comes back (NT-110)', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'hawser-identity-'));
    const service = await startService({
      dataDir,
      port: 0,
      organisation,
      webhookSecret: 'x'.repeat(64),
      cacheDir: join(dataDir, 'cache'),
      log: silentLog,
    });
    onTestFinished(async () => {
      await service.stop();
      await rm(dataDir, { recursive: true, force: true, maxRetries: 3 });
    });
    const admin = newToken(organisation);
    await putToken(service.api.store, organisation, admin, { user: 'ada', role: 'admin', createdAt: '' });
    const ask = async (method: string, path: string, body?: object): Promise<unknown> => {
      const response = await fetch(`${service.url}/api/v1/clusters${path}`, {
        method,
        headers: { authorization: `Bearer ${admin}`, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return response.json();
    };
    const isHeard = async () => {
      const { items } = (await ask('GET', '')) as { items: ClusterView[] };
      return items.some(({ connected }) => connected);
    };

    const added = ClusterInstall.parse(await ask('POST', '', { name: 'home' }));
    const tokenFile = join(dataDir, 'token');
    await writeFile(tokenFile, await tokenOf(home), { mode: 0o600 });
    const rootKey = String(added.values['rootKey']);
    const hub = { url: service.url, token: '', organisation, cluster: 'home', rootKey };
    const agent = await startAgent(home.sandbox, hub as FakeHub, {
      HAWSER_SERVICE_ACCOUNT_TOKEN_FILE: tokenFile,
      HAWSER_REGISTRATION_TOKEN: added.registration?.token ?? '',
    });
    onTestFinished(() => agent.stop());
    await expect.poll(isHeard, { timeout: 60_000 }).toBe(true);

    await ask('POST', '/home/revoke', {});
    await expect.poll(() => agent.log.some((line) => line.includes('was revoked at')), { timeout: 30_000 }).toBe(true);
    await ask('POST', '/home/restore', {});
    const isBack = () => agent.log.some((line) => line.includes('the service gave new credentials'));
    await expect.poll(isBack, { timeout: 120_000 }).toBe(true);
  });
});

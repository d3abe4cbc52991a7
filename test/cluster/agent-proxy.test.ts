import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request as httpRequest, type Server } from 'node:http';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startAgent, startTestCluster, type AgentProcess, type TestCluster } from '#test/kit/cluster.ts';
import { createFakeHub, type FakeHub } from '#test/kit/fake-hub.ts';
import { certificateFor, listen, startProxy, type TestProxy } from '#test/kit/connect-proxy.ts';

let cluster: TestCluster;
let hub: FakeHub;
let proxy: TestProxy;
let front: Server;
let folder: string;
let environment: Record<string, string>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hawser-proxied-'));
  [cluster, hub] = await Promise.all([startTestCluster('proxied'), createFakeHub()]);
  const behind = new URL(await hub.listen());
  const pair = certificateFor(['hub.test']);
  // The service over TLS, under a name that only the proxy knows and a certificate of a private authority.
  front = createServer(pair, (incoming, outgoing) => {
    const { method, headers } = incoming;
    const to = { host: behind.hostname, port: behind.port, path: incoming.url ?? '/', method, headers };
    const onward = httpRequest(to, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on('error', () => outgoing.destroy());
    incoming.pipe(onward);
  }) as unknown as Server;
  proxy = await startProxy('agent:pa ss@wörd');
  proxy.ports.set('hub.test', await listen(front));
  await writeFile(join(folder, 'ca.crt'), pair.cert);
  environment = {
    HAWSER_SERVER: 'https://hub.test',
    HTTPS_PROXY: proxy.url,
    HTTP_PROXY: proxy.url,
    // With this alone Node's own requests would all go through the proxy, those to the API server as well.
    NODE_USE_ENV_PROXY: '1',
    NODE_EXTRA_CA_CERTS: join(folder, 'ca.crt'),
  };
}, 20 * 60_000);

afterAll(async () => {
  front?.closeAllConnections();
  front?.close();
  await proxy?.close();
  await hub?.close();
  await cluster?.stop();
  await rm(folder, { recursive: true, force: true });
}, 30_000);

/** The agent's bundle in a network that lets it out through the proxy only. */
async function inClosedNetwork(more: Record<string, string>, run: (agent: AgentProcess) => Promise<void>) {
  const agent = await startAgent({ kubeconfig: cluster.sandbox.kubeconfig }, hub, { ...environment, ...more });
  try {
    await run(agent);
  } catch (error) {
    console.log(agent.log.slice(-20).join('\n'));
    throw error;
  } finally {
    await agent.stop('SIGKILL');
  }
}

describe('an agent in a closed network', { timeout: 120_000 }, () => {
  it('reaches the service through the proxy, and the API server without it', async () => {
    await inClosedNetwork({}, async (agent) => {
      const metadata = { name: 'proxied', namespace: 'default' };
      const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { value: '1' } };
      await hub.publish({ application: 'proxied', objects: [object] });
      await hub.until('proxied', (report) => report.sync.status === 'Synced');
      expect((await cluster.get('/api/v1/namespaces/default/configmaps/proxied'))?.['data']).toEqual({ value: '1' });
      expect(new Set(proxy.asked)).toEqual(new Set(['CONNECT hub.test:443']));
      expect(agent.log.join('\n')).toContain(`http://127.0.0.1:${proxy.port}`);
      expect(agent.log.join('\n')).not.toMatch(/pa%20ss|pa ss/);
    });
  });

  it('says which proxy does not let it out, without the password, and keeps the cluster as it was', async () => {
    proxy.mood = 407;
    try {
      await inClosedNetwork({}, async (agent) => {
        const refusal = `the proxy http://127.0.0.1:${proxy.port} does not take our user and password (407)`;
        await hub.untilTrue(() => agent.log.some((line) => line.includes(refusal)), 'the refusal is logged', 30_000);
        expect(agent.log.join('\n')).not.toMatch(/pa%20ss|pa ss/);
        await cluster.send('DELETE', '/api/v1/namespaces/default/configmaps/proxied');
        let found = await cluster.get('/api/v1/namespaces/default/configmaps/proxied');
        for (let n = 0; n < 300 && found === undefined; n += 1) {
          await new Promise((resolve) => setTimeout(resolve, 100));
          found = await cluster.get('/api/v1/namespaces/default/configmaps/proxied');
        }
        expect(found?.['data']).toEqual({ value: '1' });
      });
    } finally {
      proxy.mood = 'serve';
    }
  });
});

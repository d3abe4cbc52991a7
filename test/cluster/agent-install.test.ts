import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { addCluster } from '#functions/api/cluster-identity.ts';
import { installCommand } from '#functions/api/install-command.ts';
import { createTokenApp } from '#functions/token/app.ts';
import { defaultCacheDir } from '#localstack/cluster/parts.ts';
import { createSystemClock } from '#shared/adapters/embedded/system-clock.ts';
import { prepareToolchain } from '#shared/adapters/render/toolchain.ts';
import type { KubeObject } from '#shared/domain/kube-object.ts';
import { declareObjects } from '#shared/state/declare.ts';
import { getCluster } from '#shared/state/registry.ts';
import { readStatus } from '#shared/state/status.ts';
import type { FakeClock } from '#test/kit/clock.ts';
import { agentBundle, startAgent, startTestCluster, type AgentProcess, type TestCluster } from '#test/kit/cluster.ts';
import type { FakeHub } from '#test/kit/fake-hub.ts';
import { configMap, drain, openApi, openServiceParts, organisation } from '#test/kit/service-parts.ts';

const run = promisify(execFile);
const chart = join(import.meta.dirname, '../../agent/chart');
const namespace = 'hawser-system';
const release = 'hawser-agent';

let cluster: TestCluster;
let helm: string;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hawser-chart-'));
  const tools = prepareToolchain({ cacheDir: join(defaultCacheDir(), 'tools') });
  [cluster, { helm }] = await Promise.all([startTestCluster('install'), tools, agentBundle()]);
}, 20 * 60_000);
afterAll(async () => {
  await cluster?.stop();
  await rm(folder, { recursive: true, force: true });
}, 30_000);

const required = {
  server: 'https://hawser.example',
  organisation: 'acme',
  cluster: 'one',
  rootKey: 'MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=',
};
const aws = {
  region: 'eu-central-1',
  table: 'hawser-prod',
  cipherKey: 'alias/hawser-prod/cipher',
  wakeQueue: 'https://sqs.eu-central-1.amazonaws.com/123456789012/hawser-prod-wake-1',
  mailQueue: 'https://sqs.eu-central-1.amazonaws.com/123456789012/hawser-prod-agent-mail',
};
const roleArn = 'arn:aws:iam::123456789012:role/hawser-agent';
const identities: Record<string, Record<string, unknown>> = {
  'service-account': { registration: { token: 'hawser-registration_acme_one_secret' } },
  irsa: { aws: { ...aws, roleArn } },
  'pod-identity': { aws },
  static: { token: 'hawser-agent_acme_one_secret' },
};

/** What the real helm makes of the chart; throws with its words where it refuses. */
async function render(values: object, name = release): Promise<KubeObject[]> {
  const file = join(folder, `values-${Math.random().toString(36).slice(2)}.json`);
  await writeFile(file, JSON.stringify({ ...required, ...values }));
  const { stdout } = await run(helm, ['template', name, chart, '--namespace', namespace, '--values', file]);
  return parseAllDocuments(stdout)
    .map((document) => document.toJS() as KubeObject | null)
    .filter((object) => object !== null);
}

const places: Record<string, string> = {
  ServiceAccount: `/api/v1/namespaces/${namespace}/serviceaccounts`,
  Secret: `/api/v1/namespaces/${namespace}/secrets`,
  ConfigMap: `/api/v1/namespaces/${namespace}/configmaps`,
  Deployment: `/apis/apps/v1/namespaces/${namespace}/deployments`,
  NetworkPolicy: `/apis/networking.k8s.io/v1/namespaces/${namespace}/networkpolicies`,
  Role: `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/roles`,
  RoleBinding: `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/rolebindings`,
  ClusterRole: '/apis/rbac.authorization.k8s.io/v1/clusterroles',
  ClusterRoleBinding: '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
};

/** Creates all, as `kubectl create --validate=strict` would; first only as a trial. */
async function install(objects: readonly KubeObject[]): Promise<void> {
  const space = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } };
  if ((await cluster.get(`/api/v1/namespaces/${namespace}`)) === undefined)
    await cluster.send('POST', '/api/v1/namespaces', space);
  for (const query of ['?fieldValidation=Strict&dryRun=All', '?fieldValidation=Strict'])
    for (const object of objects) await cluster.send('POST', `${places[object.kind]}${query}`, object);
}

function find(objects: readonly KubeObject[], kind: string): KubeObject {
  const found = objects.find((object) => object.kind === kind);
  if (found === undefined) throw new Error(`the chart renders no ${kind}`);
  return found;
}

interface PodSpec {
  containers: {
    env: { name: string; value: string; valueFrom?: object }[];
    volumeMounts?: { name: string; mountPath: string }[];
  }[];
  volumes: { name: string; projected?: { sources: unknown[] }; secret?: { secretName: string } }[];
}

const podSpecOf = (objects: readonly KubeObject[]) =>
  (find(objects, 'Deployment')['spec'] as unknown as { template: { spec: PodSpec } }).template.spec;
const environmentOf = (objects: readonly KubeObject[]) =>
  Object.fromEntries((podSpecOf(objects).containers[0]?.env ?? []).map(({ name, value }) => [name, value]));

async function eventually(condition: () => Promise<boolean>, what: string, timeoutMs = 30_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe('the chart', { timeout: 60_000 }, () => {
  it.each(Object.entries(identities))('installs with identity %s, and its pod starts', async (identity, values) => {
    const name = `agent-${identity}`;
    await install(await render({ identity, ...values }, name));
    const pods = `/api/v1/namespaces/${namespace}/pods?labelSelector=app.kubernetes.io%2Finstance%3D${name}`;
    await eventually(async () => {
      const [pod] = await cluster.list(pods);
      return (pod?.['status'] as { phase?: string } | undefined)?.phase === 'Running';
    }, `a pod of ${name} runs`);
  });

  it('gives the pod a token for us alone, and no secret that lasts, unless identity is static', async () => {
    const objects = await render({ ...identities['service-account'] });
    expect(podSpecOf(objects).volumes).toContainEqual({
      name: 'service-account-token',
      projected: {
        sources: [{ serviceAccountToken: { audience: 'hawser', expirationSeconds: 600, path: 'token' } }],
      },
    });
    const environment = environmentOf(objects);
    expect(environment).toMatchObject({
      HAWSER_HUB: 'auto',
      HAWSER_SERVICE_ACCOUNT_TOKEN_FILE: '/var/run/secrets/hawser/token',
      HAWSER_REGISTRATION_TOKEN_FILE: '/var/run/hawser-registration/token',
    });
    expect(environment).not.toHaveProperty('HAWSER_AGENT_TOKEN_FILE');
    // Registered once, the token may go: nothing hangs on it.
    const after = await render({});
    expect(after.some(({ kind }) => kind === 'Secret')).toBe(false);
    expect(environmentOf(after)).not.toHaveProperty('HAWSER_REGISTRATION_TOKEN_FILE');
  });

  it('tells a pod with a role where the service is, and names the role for IRSA', async () => {
    const irsa = await render({ identity: 'irsa', ...identities['irsa'] });
    expect(find(irsa, 'ServiceAccount').metadata.annotations).toEqual({ 'eks.amazonaws.com/role-arn': roleArn });
    for (const objects of [irsa, await render({ identity: 'pod-identity', aws })]) {
      expect(environmentOf(objects)).toMatchObject({
        AWS_REGION: aws.region,
        HAWSER_AWS_TABLE: aws.table,
        HAWSER_AWS_CIPHER_KEY: aws.cipherKey,
        HAWSER_AWS_WAKE_QUEUE: aws.wakeQueue,
        HAWSER_AWS_MAIL_QUEUE: aws.mailQueue,
      });
      expect(objects.some(({ kind }) => kind === 'Secret')).toBe(false);
    }
  });

  it('lets nobody in but scrapers that were named, and the agent out to what it needs', async () => {
    const closed = find(await render({ server: 'https://hawser.example:8443' }), 'NetworkPolicy');
    expect(closed['spec']).toMatchObject({ policyTypes: ['Ingress', 'Egress'], ingress: [] });
    const { egress } = closed['spec'] as unknown as { egress: { ports: { port: number }[]; to?: unknown }[] };
    expect(egress.map(({ ports }) => ports.map(({ port }) => port))).toEqual([
      [53, 53],
      [443, 8443, 6443],
    ]);
    const scraped = find(await render({ networkPolicy: { metricsNamespaces: ['monitoring'] } }), 'NetworkPolicy');
    expect(JSON.stringify(scraped['spec'])).toContain('"values":["monitoring"]');
    const off = await render({ networkPolicy: { enabled: false } });
    expect(off.some(({ kind }) => kind === 'NetworkPolicy')).toBe(false);
    const podIdentity = find(await render({ identity: 'pod-identity', aws }), 'NetworkPolicy');
    expect(JSON.stringify(podIdentity['spec'])).toContain('169.254.170.23/32');
  });

  const portsOut = (objects: readonly KubeObject[]) => {
    const { egress } = find(objects, 'NetworkPolicy')['spec'] as unknown as { egress: { ports: { port: number }[] }[] };
    return egress.flatMap(({ ports }) => ports.map(({ port }) => port));
  };
  const variables = (objects: readonly KubeObject[]) =>
    new Map(podSpecOf(objects).containers[0]?.env.map((entry) => [entry.name, entry.valueFrom ?? entry.value]));

  it('brings the agent out through a proxy, whose password only a Secret holds, and opens its port', async () => {
    const https = 'http://user:p%40ss@proxy.corp:3128';
    const objects = await render({ proxy: { https, noProxy: ['10.0.0.0/8', 'corp.example'] } }, 'agent-proxied');
    await install(objects);
    const secret = await cluster.get(`/api/v1/namespaces/${namespace}/secrets/agent-proxied-proxy`);
    expect(secret?.['data']).toEqual({ HTTPS_PROXY: Buffer.from(https).toString('base64') });
    expect(JSON.stringify(objects.filter(({ kind }) => kind !== 'Secret'))).not.toContain('p%40ss');
    const env = variables(objects);
    const key = { name: 'agent-proxied-proxy', key: 'HTTPS_PROXY', optional: true };
    expect(env.get('HTTPS_PROXY')).toEqual({ secretKeyRef: key });
    expect(env.get('NO_PROXY')).toBe('10.0.0.0/8,corp.example');
    expect(portsOut(objects)).toEqual([53, 53, 443, 6443, 3128]);
    expect(portsOut(await render({ proxy: { https: 'http://proxy.corp', http: 'https://proxy.corp:8443' } }))).toEqual([
      53, 53, 443, 6443, 80, 8443,
    ]);
  });

  it('takes the addresses of proxies from a Secret of yours as well, and none where there is no proxy', async () => {
    const objects = await render({ proxy: { secret: 'corporate-proxy', ports: [8080] } });
    expect(objects.some(({ kind }) => kind === 'Secret')).toBe(false);
    const key = { name: 'corporate-proxy', key: 'HTTP_PROXY', optional: true };
    expect(variables(objects).get('HTTP_PROXY')).toEqual({ secretKeyRef: key });
    expect(portsOut(objects)).toContain(8080);
    const without = variables(await render({}));
    for (const name of ['HTTPS_PROXY', 'HTTP_PROXY', 'NO_PROXY', 'NODE_EXTRA_CA_CERTS'])
      expect(without.has(name), name).toBe(false);
  });

  it('has Node trust private authorities, given as certificates or as a ConfigMap of yours', async () => {
    const caBundle = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';
    const objects = await render({ caBundle }, 'agent-trusting');
    await install(objects);
    const made = await cluster.get(`/api/v1/namespaces/${namespace}/configmaps/agent-trusting-ca`);
    expect(made?.['data']).toEqual({ 'ca.crt': caBundle });
    for (const [all, name] of [
      [objects, 'agent-trusting-ca'],
      [await render({ caConfigMap: 'corporate-ca' }), 'corporate-ca'],
    ] as const) {
      expect(podSpecOf(all).volumes).toContainEqual({ name: 'ca', configMap: { name } });
      const mount = podSpecOf(all).containers[0]?.volumeMounts?.find((entry) => entry.name === 'ca');
      expect(`${mount?.mountPath}/ca.crt`).toBe(variables(all).get('NODE_EXTRA_CA_CERTS'));
    }
  });

  it.each<[string, Record<string, unknown>, string]>([
    ['a value that there is not', { tokens: 'x' }, 'tokens'],
    ['a cluster that is no id (NT-150)', { cluster: 'one\n  evil: true' }, '/cluster'],
    ['an address with quotes (NT-150)', { server: 'https://x"}}{{' }, '/server'],
    ['an address of another kind', { server: 'ftp://x' }, '/server'],
    ['no root key', { rootKey: '' }, '/rootKey'],
    ['an identity that there is not', { identity: 'password' }, '/identity'],
    ['static without a token', { identity: 'static' }, '/token'],
    ['a static token that would not be used', { token: 'x' }, '/token'],
    ['static and direct', { identity: 'static', token: 'x', hub: 'direct' }, '/hub'],
    ['IRSA without addresses', { identity: 'irsa' }, '/aws'],
    ['IRSA without a role', { identity: 'irsa', aws }, 'aws.roleArn'],
    ['a role that is no ARN', { identity: 'irsa', aws: { ...aws, roleArn: 'hawser' } }, '/aws/roleArn'],
    ['pod identity over HTTPS', { identity: 'pod-identity', aws, hub: 'https' }, '/hub'],
    ['a token with a line break (NT-150)', { registration: { token: 'a\nb: c' } }, '/registration/token'],
    ['a port that there is not', { metricsPort: 0 }, '/metricsPort'],
    ['a proxy of another kind', { proxy: { https: 'socks5://proxy:1080' } }, '/proxy/https'],
    ['a proxy with a line break (NT-150)', { proxy: { http: 'http://proxy\nb: c' } }, '/proxy/http'],
    ['an exception with quotes (NT-150)', { proxy: { noProxy: ['x"}}{{'] } }, '/proxy/noProxy'],
    ['a proxy beside the Secret of one', { proxy: { secret: 'x', https: 'http://proxy:3128' } }, '/proxy/https'],
    ['certificates that are none', { caBundle: 'x' }, '/caBundle'],
    [
      'certificates beside a ConfigMap of them',
      { caBundle: '-----BEGIN CERTIFICATE-----', caConfigMap: 'x' },
      '/caBundle',
    ],
  ])('refuses %s', async (_what, values, place) => {
    await expect(render(values)).rejects.toThrow(place);
  });

  it('takes the very command that the API prints, whatever the values hold (NT-150)', async () => {
    const command = installCommand({ ...required, identity: 'service-account', registration: { token: 'once' } });
    const script = command
      .replace(/^helm upgrade --install/, `'${helm}' template`)
      .replace('--create-namespace', '')
      .replace('agent/chart', `'${chart}'`);
    const { stdout } = await run('/bin/sh', ['-c', script]);
    expect(stdout).toContain('HAWSER_REGISTRATION_TOKEN_FILE');
  });
});

describe('an installed agent', { timeout: 120_000 }, () => {
  const user = `system:serviceaccount:${namespace}:${release}`;

  beforeAll(async () => {
    await install(await render({ registration: { token: 'once' } }));
  }, 60_000);

  async function may(attributes: object): Promise<boolean> {
    const groups = ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'];
    const review = await cluster.send('POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: { user, groups, ...attributes },
    });
    return (review['status'] as unknown as { allowed: boolean }).allowed;
  }
  const resource = (verb: string, what: string, more: object = {}) => {
    const [plural, group = ''] = what.split('.', 2) as [string, string?];
    const [name, subresource] = plural.split('/') as [string, string?];
    return may({ resourceAttributes: { verb, resource: name, subresource, group, namespace: 'shop', ...more } });
  };

  it('may do what it must', async () => {
    const kubeSystem = { namespace: '', name: 'kube-system' };
    const needed: [string, Promise<boolean>][] = [
      ['read the UID of kube-system', resource('get', 'namespaces', kubeSystem)],
      ...['/api', '/apis', '/apis/apps/v1', '/version', '/openid/v1/jwks'].map((path): [string, Promise<boolean>] => [
        path,
        may({ nonResourceAttributes: { verb: 'get', path } }),
      ]),
      ...['get', 'list', 'create', 'patch', 'delete'].map((verb): [string, Promise<boolean>] => [
        `${verb} its state`,
        resource(verb, 'secrets', { namespace }),
      ]),
      ...['get', 'list', 'watch', 'create', 'patch', 'update', 'delete'].flatMap((verb) =>
        ['configmaps', 'services', 'deployments.apps', 'jobs.batch'].map((what): [string, Promise<boolean>] => [
          `${verb} ${what}`,
          resource(verb, what),
        ]),
      ),
    ];
    for (const [what, allowed] of needed) expect(await allowed, what).toBe(true);
  });

  it('may do no more: no commands in pods, no tokens of others, no rights, nobody’s name', async () => {
    const denied: [string, Promise<boolean>][] = [
      ['exec', resource('create', 'pods/exec')],
      ['attach', resource('create', 'pods/attach')],
      ['port-forward', resource('create', 'pods/portforward')],
      ['tokens', resource('create', 'serviceaccounts/token')],
      ['nodes', resource('get', 'nodes', { namespace: '' })],
      ['impersonate', resource('impersonate', 'users', { namespace: '' })],
      ['impersonate accounts', resource('impersonate', 'serviceaccounts')],
      ['roles', resource('create', 'clusterroles', { namespace: '', group: 'rbac.authorization.k8s.io' })],
      ['bindings', resource('create', 'clusterrolebindings', { namespace: '', group: 'rbac.authorization.k8s.io' })],
      ['escalate', resource('escalate', 'clusterroles', { namespace: '', group: 'rbac.authorization.k8s.io' })],
      ['webhooks', resource('create', 'validatingwebhookconfigurations', { group: 'admissionregistration.k8s.io' })],
      ['signing', resource('create', 'certificatesigningrequests', { group: 'certificates.k8s.io' })],
      ['everything', resource('*', '*', { group: '*' })],
      ['logs', may({ nonResourceAttributes: { verb: 'get', path: '/logs' } })],
    ];
    for (const [what, allowed] of denied) expect(await allowed, what).toBe(false);
  });

  it('registers with its ServiceAccount, hauls what was published, and comes back without the registration token', async () => {
    const service = await openService();
    let agent: AgentProcess | undefined;
    try {
      const tokenFile = join(folder, 'token');
      await writeFile(tokenFile, await accountToken(['hawser']));
      const kubeconfig = await kubeconfigOfAccount();
      const environment = { HAWSER_SERVICE_ACCOUNT_TOKEN_FILE: tokenFile, HAWSER_AGENT_TOKEN: '', HAWSER_HUB: 'auto' };
      agent = await startAgent({ kubeconfig }, service.asHub, {
        ...environment,
        HAWSER_REGISTRATION_TOKEN: service.registrationToken,
      });
      await service.publish('web', { 'web/a.yaml': configMap('a', '1') });
      await service.until(
        async () => (await readStatus(service.parts.store, organisation, 'web'))?.sync.status === 'Synced',
      );
      expect((await cluster.get('/api/v1/namespaces/default/configmaps/a'))?.['data']).toEqual({ value: '1' });
      const pinned = (await getCluster(service.parts.store, organisation, 'eks'))?.pinned;
      const kubeSystem = await cluster.get('/api/v1/namespaces/kube-system');
      expect(pinned).toMatchObject({ uid: kubeSystem?.metadata.uid, subject: user });

      await agent.stop('SIGKILL');
      agent = await startAgent({ kubeconfig }, service.asHub, environment);
      await service.publish('web', { 'web/a.yaml': configMap('a', '2') });
      await service.until(async () => {
        const live = await cluster.get('/api/v1/namespaces/default/configmaps/a');
        return (live?.['data'] as { value: string } | undefined)?.value === '2';
      });
      expect(agent.log.join('\n')).not.toContain('hawser-agent_');
    } catch (error) {
      console.log(agent?.log.slice(-30).join('\n'));
      throw error;
    } finally {
      await agent?.stop('SIGKILL');
      await service.close();
    }
  });

  async function accountToken(audiences?: string[]): Promise<string> {
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${release}/token`;
    const spec = { ...(audiences === undefined ? {} : { audiences }), expirationSeconds: 3600 };
    const answer = await cluster.send('POST', path, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec,
    });
    return (answer['status'] as unknown as { token: string }).token;
  }

  /** The agent with the rights that the chart gave it, and no others. */
  async function kubeconfigOfAccount(): Promise<string> {
    const config = parse(await readFile(cluster.sandbox.kubeconfig, 'utf8')) as { users: { user: unknown }[] };
    config.users = config.users.map((one) => ({ ...one, user: {} }));
    const [first] = config.users;
    if (first !== undefined) first.user = { token: await accountToken() };
    const file = join(folder, 'kubeconfig');
    await writeFile(file, stringify(config), { mode: 0o600 });
    return file;
  }
});

/** The service over HTTP: the token function before the API, on the embedded adapters. */
async function openService() {
  const parts = await openServiceParts({ clock: createSystemClock() as unknown as FakeClock });
  const { app } = await openApi(parts);
  const draft = { id: 'eks', labels: {}, servers: [], identity: 'service-account' as const };
  const { token: registrationToken = '' } = await addCluster(parts, organisation, draft);
  const http = new Hono();
  http.route('/', createTokenApp({ ...parts, organisation, issuerKeys: { read: async () => undefined } }));
  http.route('/', app);
  const listener = getRequestListener(http.fetch);
  const server = createServer((request, response) => void listener(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const rootKey = await parts.signer.rootPublicKey(organisation);
  return {
    parts,
    registrationToken,
    asHub: { url, token: '', organisation, cluster: 'eks', rootKey } as unknown as FakeHub,
    async publish(name: string, files: Record<string, string>) {
      parts.git.push('demo', files);
      const object = {
        apiVersion: 'argoproj.io/v1alpha1',
        kind: 'Application',
        metadata: { name, namespace: 'argocd', annotations: { round: String(Math.random()) } },
        spec: {
          source: { repoURL: 'https://git.test/demo.git', path: name },
          destination: { name: 'in-cluster', namespace: 'default' },
          syncPolicy: { automated: {} },
        },
      };
      const by = { by: 'ada', trace: 't' };
      await declareObjects(parts, {
        organisation,
        objects: [object],
        homeCluster: 'eks',
        defaultCluster: 'eks',
        ...by,
      });
      await drain(parts);
    },
    async until(condition: () => Promise<boolean>) {
      await eventually(async () => {
        await drain(parts);
        return condition();
      }, 'what the service waits for');
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await parts.close();
    },
  };
}

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { stringify } from 'yaml';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openConnection } from '#agent/cluster/connection.ts';
import { createRequests } from '#agent/cluster/requests.ts';
import { createAwsHub, type AwsPlaces } from '#agent/hub/aws-hub.ts';
import { createHttpHub } from '#agent/hub/http-hub.ts';
import { createHttpJson } from '#agent/hub/http-json.ts';
import { createStaticCredentials } from '#agent/identity/credentials.ts';
import { explainFailure, readProxies, type ProxySettings } from '#agent/proxy.ts';
import { createSystemClock } from '#shared/adapters/embedded/system-clock.ts';
import type { Clock } from '#shared/ports/clock.ts';
import { certificateFor, listen, startProxy, type TestProxy } from '#test/kit/connect-proxy.ts';

const password = 'pa ss@wörd';
const update = { version: 7, scope: 'changes', applications: [], commands: [] };
const trusted = getCACertificates('default');

let proxy: TestProxy;
/** The service and AWS; who came, by host and path. */
let plain: Server;
let secure: Server;
let came: string[];
let plainPort: number;
let securePort: number;
let pair: { key: string; cert: string };

beforeAll(() => {
  pair = certificateFor(['hub.test', 'aws.test', 'sts.eu-central-1.amazonaws.com', 'localhost', 'kube.test']);
});
afterAll(() => setDefaultCACertificates(trusted));

beforeEach(async () => {
  setDefaultCACertificates([...trusted, pair.cert]);
  came = [];
  const serve: Parameters<typeof createServer>[1] = (request, response) => {
    came.push(`${request.headers.host?.split(':')[0]} ${request.url?.split('?')[0]}`);
    const target = String(request.headers['x-amz-target']).split('.').at(-1) ?? '';
    const body = awsAnswers[target] ?? update;
    request.resume().on('end', () => {
      if (request.headers.host?.startsWith('sts.') === true)
        response.setHeader('content-type', 'text/xml').end(assumed);
      else response.end(JSON.stringify(body));
    });
  };
  plain = createServer(serve);
  secure = createTlsServer(pair, serve) as unknown as Server;
  [plainPort, securePort] = [await listen(plain), await listen(secure)];
  proxy = await startProxy(`user:${password}`);
  for (const host of ['hub.test', 'aws.test', 'kube.test']) proxy.ports.set(host, securePort);
  proxy.ports.set('sts.eu-central-1.amazonaws.com', securePort);
});

afterEach(async () => {
  for (const server of [plain, secure]) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  await proxy.close();
});

function proxiesOf(environment: Record<string, string>): ProxySettings | undefined {
  return readProxies(environment, (variable, problem) => {
    throw new Error(`${variable} ${problem}`);
  });
}

async function pollThrough(server: string, environment: Record<string, string>) {
  const http = createHttpJson(new URL(server), proxiesOf(environment));
  const hub = createHttpHub({ http, credentials: createStaticCredentials({ token: 'token' }, () => 0) });
  try {
    return await hub.poll({ after: 0, waitSeconds: 0 });
  } finally {
    http.close();
  }
}

describe('the way to the service', () => {
  it.each(['HTTPS_PROXY', 'https_proxy'])('goes through the proxy of %s, with its user and password', async (name) => {
    const answer = await pollThrough('https://hub.test', { [name]: proxy.url });
    expect(answer.version).toBe(7);
    expect(proxy.asked).toEqual(['CONNECT hub.test:443']);
    expect(came).toEqual(['hub.test /api/v1/agent/poll']);
  });

  it.each(['HTTP_PROXY', 'http_proxy'])('goes through the proxy of %s where the service speaks http', async (name) => {
    proxy.ports.set('hub.test', plainPort);
    expect((await pollThrough('http://hub.test', { [name]: proxy.url })).version).toBe(7);
    expect(proxy.asked).toEqual(['GET http://hub.test/api/v1/agent/poll?after=0&wait=0']);
  });

  it('keeps its tunnel for the next request', async () => {
    const http = createHttpJson(new URL('https://hub.test'), proxiesOf({ HTTPS_PROXY: proxy.url }));
    for (let n = 0; n < 3; n += 1) await http.send({ method: 'GET', path: '/', timeoutMs: 5000 });
    expect(proxy.asked).toHaveLength(1);
    http.close();
  });

  it.each(['NO_PROXY', 'no_proxy'])('leaves out what %s names', async (name) => {
    const environment = { HTTPS_PROXY: proxy.url, [name]: 'example.com, hub.test' };
    // Only the proxy knows the name: asked for directly it is not found.
    await expect(pollThrough('https://hub.test', environment)).rejects.toThrow(/ENOTFOUND|EAI_AGAIN/);
    expect(proxy.asked).toEqual([]);
  });

  it('leaves out this machine and the cluster, whatever NO_PROXY says', async () => {
    const environment = { HTTPS_PROXY: proxy.url, HTTP_PROXY: proxy.url, NO_PROXY: 'example.com' };
    await pollThrough(`https://localhost:${securePort}`, environment);
    await pollThrough(`http://127.0.0.1:${plainPort}`, environment);
    await expect(pollThrough('https://hub.hawser.svc:8443', environment)).rejects.toThrow(/ENOTFOUND|EAI_AGAIN/);
    await expect(pollThrough('https://hub.hawser.svc.cluster.local', environment)).rejects.toThrow(
      /ENOTFOUND|EAI_AGAIN/,
    );
    expect(proxy.asked).toEqual([]);
  });

  it('names the proxy that refuses, closes or says nothing, without its password', async () => {
    const http = createHttpJson(new URL('https://hub.test'), proxiesOf({ HTTPS_PROXY: proxy.url }));
    const name = `the proxy http://127.0.0.1:${proxy.port}`;
    for (const [mood, text] of [
      [407, `hub.test/: ${name} does not take our user and password (407): see HTTPS_PROXY`],
      [403, `hub.test/: ${name} does not let us through (403)`],
      ['cut', `hub.test/: ${name} closed the connection`],
      ['silent', `hub.test/: ${name} did not answer within 0.4 s`],
    ] as const) {
      proxy.mood = mood;
      const timeoutMs = mood === 'silent' ? 500 : 5000;
      const sent = http.send({ method: 'GET', path: '/', timeoutMs });
      await expect(sent).rejects.toMatchObject({
        message: text,
        code: 'unavailable',
        retry: 'later',
        data: { notDelivered: true },
      });
    }
    http.close();
  });

  it('names the proxy that cannot be reached, without its password', async () => {
    const address = `http://user:${encodeURIComponent(password)}@127.0.0.1:1`;
    await expect(pollThrough('https://hub.test', { HTTPS_PROXY: address })).rejects.toThrow(
      'hub.test/api/v1/agent/poll: the proxy http://127.0.0.1:1 cannot be reached (ECONNREFUSED)',
    );
    const named = 'http://user:secret@proxy.invalid:3128';
    const sent = pollThrough('http://hub.test', { HTTP_PROXY: named });
    await expect(sent).rejects.toThrow(
      /the proxy http:\/\/proxy\.invalid:3128 cannot be reached \((ENOTFOUND|EAI_AGAIN)\)/,
    );
  });

  it('takes 407 of a proxy between it and an http service for an outage, not for a refusal of the service', async () => {
    proxy.mood = 407;
    const sent = pollThrough('http://hub.test', { HTTP_PROXY: proxy.url });
    await expect(sent).rejects.toMatchObject({ code: 'unavailable', retry: 'later' });
    await expect(sent).rejects.toThrow('the proxy does not take our user and password');
  });

  it('trusts whom Node trusts, and says how to have the authority of a proxy that intercepts trusted', async () => {
    setDefaultCACertificates(trusted);
    await expect(pollThrough('https://hub.test', { HTTPS_PROXY: proxy.url })).rejects.toThrow(
      /certificate is not trusted \(DEPTH_ZERO_SELF_SIGNED_CERT\).*NODE_EXTRA_CA_CERTS \(chart: caBundle/,
    );
  });

  it('ends when it is told to, while the proxy says nothing', async () => {
    proxy.mood = 'silent';
    const http = createHttpJson(new URL('https://hub.test'), proxiesOf({ HTTPS_PROXY: proxy.url }));
    const stop = new AbortController();
    const sent = http.send({ method: 'GET', path: '/', timeoutMs: 60_000, signal: stop.signal });
    setTimeout(() => stop.abort(), 20);
    await expect(sent).rejects.toThrow('aborted');
    http.close();
  });
});

const assumed = `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>AKIA</AccessKeyId><SecretAccessKey>s</SecretAccessKey>
  <SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>
  </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`;
const awsAnswers: Record<string, unknown> = {
  GetItem: {},
  Query: { Items: [] },
  ReceiveMessage: { Messages: [] },
  SendMessageBatch: { Successful: [{ Id: '0', MessageId: 'm', MD5OfMessageBody: '' }], Failed: [] },
};

describe('the direct way', () => {
  const base = 'https://aws.test';
  const places: AwsPlaces = {
    region: 'eu-central-1',
    table: 'hawser',
    cipherKey: 'alias/hawser',
    wakeQueue: `${base}/000000000000/wake`,
    mailQueue: `${base}/000000000000/agent-mail`,
    endpoints: { dynamodb: base, sqs: base, kms: base },
  };
  const open = (environment: Record<string, string>) =>
    createAwsHub({
      organisation: 'acme',
      cluster: 'one',
      from: places,
      clock: createSystemClock(),
      random: () => 0.5,
      proxy: proxiesOf(environment),
    });
  const before = { ...process.env };
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'hawser-irsa-'));
    writeFileSync(join(folder, 'token'), 'token');
    // A pod with IRSA: its credentials come from STS, which is outside as well.
    for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name];
    process.env['AWS_REGION'] = 'eu-central-1';
    process.env['AWS_ROLE_ARN'] = 'arn:aws:iam::123456789012:role/hawser-agent';
    process.env['AWS_WEB_IDENTITY_TOKEN_FILE'] = join(folder, 'token');
    process.env['AWS_EC2_METADATA_DISABLED'] = 'true';
  });
  afterEach(() => {
    for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name];
    Object.assign(process.env, before);
    rmSync(folder, { recursive: true });
  });

  it('goes through the proxy: table and queues, and STS for the credentials of IRSA', { timeout: 20_000 }, async () => {
    await open({ HTTPS_PROXY: proxy.url }).poll({ after: 0, waitSeconds: 0 });
    expect(new Set(proxy.asked)).toEqual(
      new Set(['CONNECT sts.eu-central-1.amazonaws.com:443', 'CONNECT aws.test:443']),
    );
    expect(came).toContain('aws.test /');
  });

  it('names the proxy that does not let it through, without its password', { timeout: 20_000 }, async () => {
    proxy.mood = 407;
    const error = await open({ HTTPS_PROXY: proxy.url })
      .poll({ after: 0, waitSeconds: 0 })
      .catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'unavailable', retry: 'later' });
    const text = String(error);
    expect(text).toContain(`the proxy http://127.0.0.1:${proxy.port} does not take our user and password (407)`);
    expect(text).not.toMatch(/pa( |%20)ss/);
  });
});

describe('the way to the API server', () => {
  const clock: Clock = { now: () => 0, monotonic: () => 0, sleep: () => Promise.resolve() };
  const before = { ...process.env };
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'hawser-kubeconfig-'))));
  afterEach(() => {
    for (const name of ['HTTPS_PROXY', 'https_proxy', 'NODE_USE_ENV_PROXY']) delete process.env[name];
    Object.assign(process.env, before);
    rmSync(folder, { recursive: true });
  });

  function kubeconfig(server: string, more: object = {}): string {
    const file = join(folder, 'config');
    const ca = { 'certificate-authority-data': Buffer.from(pair.cert).toString('base64') };
    const text = stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'c',
      contexts: [{ name: 'c', context: { cluster: 'k', user: 'u' } }],
      clusters: [{ name: 'k', cluster: { server, ...ca, ...more } }],
      users: [{ name: 'u', user: { token: 'kube-token' } }],
    });
    writeFileSync(file, text);
    return file;
  }

  it('never goes through the proxy of the environment, also where NO_PROXY does not name it', async () => {
    for (const name of ['HTTPS_PROXY', 'https_proxy']) process.env[name] = proxy.url;
    process.env['NODE_USE_ENV_PROXY'] = '1';
    const requests = createRequests({
      connection: openConnection({ kubeconfig: kubeconfig('https://kube.test') }),
      clock,
    });
    await expect(requests.send({ method: 'GET', path: '/version' })).rejects.toThrow(/ENOTFOUND|EAI_AGAIN/);
    await expect(requests.stream('/api', AbortSignal.timeout(5000))).rejects.toThrow(/ENOTFOUND|EAI_AGAIN/);
    expect(proxy.asked).toEqual([]);
    requests.close();
  });

  it("goes through the proxy of the kubeconfig's proxy-url: somebody asked for it", async () => {
    const file = kubeconfig('https://kube.test', { 'proxy-url': proxy.url });
    const requests = createRequests({ connection: openConnection({ kubeconfig: file }), clock });
    expect((await requests.send({ method: 'GET', path: '/version' })).status).toBe(200);
    expect(proxy.asked).toEqual(['CONNECT kube.test:443']);
    expect(came).toEqual(['kube.test /version']);
    requests.close();
  });

  it('refuses a proxy-url that it cannot use, without showing it', () => {
    const file = kubeconfig('https://kube.test', { 'proxy-url': 'socks5://user:secret@proxy:1080' });
    expect(() => openConnection({ kubeconfig: file })).toThrow(/^The proxy-url of the kubeconfig is not the address/);
  });
});

describe('settings of proxies', () => {
  it('are none where no proxy is set', () => {
    expect(proxiesOf({ NO_PROXY: 'example.com' })).toBeUndefined();
  });

  it('put networks, addresses and names in the words of Node', () => {
    const listed =
      '10.0.0.0/8 .corp,example.com,*.internal,[fd00::1],hub.example:8443,192.168.1.77/24,10.1.2.3-10.1.2.9,fd00::/8';
    const { noProxy } =
      proxiesOf({ HTTPS_PROXY: 'proxy:3128', NO_PROXY: listed, KUBERNETES_SERVICE_HOST: '172.20.0.1' }) ?? {};
    expect(noProxy?.split(',')).toEqual([
      '.localhost',
      '127.0.0.0-127.255.255.255',
      '::1',
      '.svc',
      '.cluster.local',
      '172.20.0.1',
      '10.0.0.0-10.255.255.255',
      '.corp',
      '.example.com',
      '*.internal',
      'fd00::1',
      'hub.example:8443',
      '192.168.1.0-192.168.1.255',
      '10.1.2.3-10.1.2.9',
      'fd00::/8',
    ]);
  });

  it('take lower case before upper case, and an address without a scheme for one of http', () => {
    const read = proxiesOf({ HTTPS_PROXY: 'http://upper:1', https_proxy: 'lower:2', HTTP_PROXY: 'https://secure:3' });
    expect(read).toMatchObject({ https: 'http://lower:2', http: 'https://secure:3' });
  });

  it.each([
    ['socks5://user:secret@proxy:1080', 'must be the address of an http or https proxy, not socks5'],
    ['http://user:secret@', 'must be the address of a proxy, such as http://proxy:3128'],
    ['http://user:sec%zzret@proxy:1', 'has a user or password that is not percent-encoded'],
  ])('refuse %s without showing it', (address, problem) => {
    const problems: string[] = [];
    expect(readProxies({ https_proxy: address }, (...said) => problems.push(said.join(' ')))).toBeUndefined();
    expect(problems).toEqual([`https_proxy ${problem}`]);
  });

  it('explain a connection that all addresses of the proxy refused', () => {
    const refusals = ['10.0.0.1', '10.0.0.2'].map((address) =>
      Object.assign(new Error('connect'), { code: 'ECONNREFUSED', address, port: 3128 }),
    );
    const error = new Error('fetch', { cause: new AggregateError(refusals) });
    const settings = { https: 'http://user:secret@proxy:3128', noProxy: '' };
    expect(explainFailure(error, settings)).toBe('the proxy http://proxy:3128 cannot be reached (ECONNREFUSED)');
    expect(explainFailure(error, { https: 'http://proxy:8080', noProxy: '' })).toBeUndefined();
  });
});

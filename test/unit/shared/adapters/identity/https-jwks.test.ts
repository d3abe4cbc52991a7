import { createServer, type RequestListener, type Server } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { createHttpsJwks } from '#shared/adapters/identity/https-jwks.ts';
import { cloudIssuer } from '#shared/domain/cloud-issuer.ts';
import { createFakeClock } from '#test/kit/clock.ts';
import { createKey } from '#test/kit/service-account.ts';
import { silentLog } from '#test/kit/service-parts.ts';

const eks = `https://oidc.eks.eu-central-1.amazonaws.com/id/${'0123456789ABCDEF'.repeat(2)}`;
const aks =
  'https://westeurope.oic.prod-aks.azure.com/5d2c1a7e-0000-4000-8000-00000000000a/5d2c1a7e-0000-4000-8000-00000000000b/';
const hour = 3600_000;
const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});

/** An issuer's host on this machine; the adapter's requests arrive there with their address as path. */
async function openHost(listener: RequestListener) {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const base = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  const clock = createFakeClock();
  const asked: string[] = [];
  const keys = createHttpsJwks({
    clock,
    log: silentLog,
    fetch: (url, init) => {
      asked.push(url);
      return fetch(`${base}/${url}`, init);
    },
  });
  return { keys, clock, asked, base };
}

async function setOf(...kids: string[]): Promise<string> {
  const keys = await Promise.all(kids.map((kid) => createKey(kid)));
  return JSON.stringify({ keys: keys.map(({ jwk }) => jwk) });
}

describe('issuers whose keys are fetched (NT-82)', () => {
  it.each([
    eks,
    `https://oidc.eks.cn-north-1.amazonaws.com.cn/id/${'a'.repeat(32)}`,
    `https://oidc.eks.us-gov-west-1.amazonaws.com/id/${'A'.repeat(32)}`,
    `https://oidc.eks.us-iso-east-1.c2s.ic.gov/id/${'A'.repeat(32)}`,
    `https://oidc.eks.eusc-de-east-1.amazonaws.eu/id/${'A'.repeat(32)}`,
    aks,
  ])('are %s', (issuer) => {
    expect(cloudIssuer(issuer)).toBeDefined();
  });

  it.each([
    'https://kubernetes.default.svc.cluster.local',
    'https://169.254.169.254/latest/meta-data',
    'https://localhost/id/x',
    eks.replace('https', 'http'),
    `${eks}/`,
    `${eks}?x=1`,
    `${eks}#x`,
    `${eks}\n`,
    eks.replace('oidc.eks', 'evil.oidc.eks'),
    eks.replace('amazonaws.com', 'amazonaws.com.evil.example'),
    eks.replace('https://', 'https://evil.example@'),
    eks.replace('eu-central-1', 'eu-central-1.evil.example/'),
    eks.replace('.com/', '.com:8443/'),
    eks.slice(0, -1),
    `${eks.slice(0, -32)}../../../../../../../../../../x/`,
    aks.replace('westeurope', 'a.evil'),
    aks.slice(0, -1),
    `${aks}x`,
    aks.replace('azure.com', 'azure.com.evil.example'),
    '',
  ])('are not %j, and nothing is asked there', async (issuer) => {
    const { keys, asked } = await openHost((_request, response) => response.end('{}'));
    expect(await keys.read(issuer, 'a')).toBeUndefined();
    expect(asked).toEqual([]);
  });
});

describe('the keys of an issuer', () => {
  it('are read at EKS beside it, at AKS where its discovery document says', async () => {
    const set = await setOf('a');
    const { keys, asked } = await openHost((request, response) => {
      const isDiscovery = request.url?.endsWith('openid-configuration') === true;
      response.end(isDiscovery ? JSON.stringify({ issuer: aks, jwks_uri: `${aks}openid/v1/jwks` }) : set);
    });
    expect((await keys.read(eks, 'a'))?.map(({ kid }) => kid)).toEqual(['a']);
    expect((await keys.read(aks, 'a'))?.map(({ kid }) => kid)).toEqual(['a']);
    expect(asked).toEqual([`${eks}/keys`, `${aks}.well-known/openid-configuration`, `${aks}openid/v1/jwks`]);
  });

  it.each([
    ['elsewhere', { issuer: aks, jwks_uri: 'https://evil.example/keys' }],
    ['above it', { issuer: aks, jwks_uri: `${aks}../../../keys` }],
    ['behind a user', { issuer: aks, jwks_uri: aks.replace('https://', 'https://evil@') }],
    ['nowhere', { issuer: aks }],
    ['for another issuer', { issuer: eks, jwks_uri: `${aks}openid/v1/jwks` }],
  ])('are not read where discovery says that they are %s', async (_where, document) => {
    const { keys, asked } = await openHost((_request, response) => response.end(JSON.stringify(document)));
    await expect(keys.read(aks, 'a')).rejects.toMatchObject({ code: 'unavailable', retry: 'later' });
    expect(asked).toHaveLength(1);
  });

  const faults: [what: string, listener: RequestListener][] = [
    ['an answer that leads elsewhere', (_request, response) => response.writeHead(302, { location: '/x' }).end()],
    ['a failure', (_request, response) => response.writeHead(500).end()],
    ['an answer that is not JSON', (_request, response) => response.end('<html>')],
    ['an answer that is no key set', (_request, response) => response.end('{}')],
    ['an answer that is far too long', (_request, response) => response.end(`{"keys":"${'x'.repeat(70_000)}"}`)],
    ['a connection that is cut off', (request) => request.socket.destroy()],
  ];
  it.each(faults)('cannot be had for now after %s', async (_what, listener) => {
    const { keys, asked } = await openHost(listener);
    await expect(keys.read(eks, 'a')).rejects.toMatchObject({ code: 'unavailable', retry: 'later' });
    expect(asked).toHaveLength(1);
  });

  it('are kept for a day, and longer while the issuer is away (FT-109)', async () => {
    let set: string | undefined = await setOf('a');
    const { keys, clock, asked } = await openHost((_request, response) =>
      set === undefined ? response.writeHead(503).end() : response.end(set),
    );
    await keys.read(eks, 'a');
    await clock.advance(24 * hour - 1);
    await keys.read(eks, 'a');
    expect(asked).toHaveLength(1);

    set = undefined;
    await clock.advance(1);
    expect((await keys.read(eks, 'a'))?.map(({ kid }) => kid)).toEqual(['a']);
    await clock.advance(48 * hour);
    expect((await keys.read(eks, 'a'))?.map(({ kid }) => kid)).toEqual(['a']);
    expect(asked).toHaveLength(3);

    set = await setOf('b');
    await clock.advance(60_000);
    expect((await keys.read(eks, 'b'))?.map(({ kid }) => kid)).toEqual(['b']);
  });

  it('are asked for anew for a kid that is not known, at most once a minute, and once for all who ask', async () => {
    const set = await setOf('a');
    const { keys, clock, asked } = await openHost((_request, response) => response.end(set));
    await Promise.all([keys.read(eks, 'a'), keys.read(eks, 'x'), keys.read(eks, 'y')]);
    expect(asked).toHaveLength(1);
    for (let guess = 0; guess < 50; guess += 1) await keys.read(eks, `guess-${guess}`);
    expect(asked).toHaveLength(1);
    await clock.advance(60_000);
    await keys.read(eks, 'new');
    expect(asked).toHaveLength(2);
  });

  it('of an issuer that fails are not asked for in a rush', async () => {
    const { keys, asked } = await openHost((_request, response) => response.writeHead(500).end());
    for (let time = 0; time < 5; time += 1)
      await expect(keys.read(eks, 'a')).rejects.toMatchObject({ code: 'unavailable' });
    expect(asked).toHaveLength(1);
  });
});

import { spawnSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ClusterInstall, ClusterView } from '#shared/messages/api.ts';
import { getCluster } from '#shared/state/registry.ts';
import { createIssuer, createKey } from '#test/kit/service-account.ts';
import { createTokenApp } from '#functions/token/app.ts';
import { createMailbox, type Mailbox } from '#functions/api/mailbox.ts';
import { installCommand } from '#functions/api/install-command.ts';
import { openApi, openServiceParts, organisation, type ServiceParts } from '#test/kit/service-parts.ts';

let parts: ServiceParts;
beforeEach(async () => {
  parts = await openServiceParts();
});
afterEach(async () => {
  await parts.close();
});

const directAccess = {
  region: 'eu-central-1',
  table: 'hawser-test',
  cipherKey: 'arn:aws:kms:eu-central-1:123456789012:key/k',
  wakeQueue: (org: string, cluster: string) => `https://sqs.test/wake-${org}-${cluster}`,
  mailQueue: 'https://sqs.test/agent-mail',
};

/** The API and its token function, and what they say. */
async function open(more: Parameters<typeof openApi>[1] = {}) {
  const api = await openApi(parts, more);
  const ask = async (method: string, path: string, body?: unknown, token: string = api.tokens.admin) => {
    const response = await api.ask(token, method, `/api/v1/clusters${path}`, body);
    const text = await response.text();
    return { status: response.status, body: (text === '' ? undefined : JSON.parse(text)) as Record<string, unknown> };
  };
  const install = async (path: string, body: unknown): Promise<ClusterInstall> => {
    const answer = await ask('POST', path, body);
    if (answer.status >= 300) throw new Error(JSON.stringify(answer));
    return ClusterInstall.parse(answer.body);
  };
  const tokens = createTokenApp({ ...parts, organisation, issuerKeys: { read: async () => undefined } });
  const key = await createKey('k');
  const issuer = createIssuer('https://kubernetes.default.svc', [key], () => parts.clock.now());
  const send = async (path: string, body: object, bearer?: string): Promise<string> => {
    const response = await tokens.request(`/api/v1/agent/${path}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
      },
      body: JSON.stringify({ clusterUid: 'uid', serviceAccountToken: await issuer.token(), ...body }),
    });
    const { accessToken } = (await response.json()) as { accessToken?: string };
    return accessToken ?? `${response.status}`;
  };
  const list = async () => ((await ask('GET', '')).body['items'] as ClusterView[]).map((one) => ClusterView.parse(one));
  return {
    ...api,
    ask,
    list,
    install,
    register: (registration: string) => send('register', { jwks: issuer.jwks }, registration),
    exchange: (cluster: string) => send('token', { organisation, cluster }),
    poll: async (token: string, query = '') => (await api.ask(token, 'GET', `/api/v1/agent/poll${query}`)).status,
  };
}

describe('open pages', () => {
  it('hear of a cluster that is added, revoked, restored, renewed or removed', async () => {
    const api = await open();
    const heard: (string | undefined)[] = [];
    parts.bell.listen(`organisation:${organisation}`, (payload) => heard.push(payload));
    await api.ask('POST', '', { name: 'edge' });
    for (const verb of ['revoke', 'restore', 'registration']) await api.ask('POST', `/edge/${verb}`);
    await api.ask('DELETE', '/edge');

    expect(heard).toEqual(Array.from({ length: 5 }, () => 'cluster:edge'));
  });
});

describe('adding a cluster', () => {
  it('answers a registration token with its command, once, and an agent that registers is let in', async () => {
    const api = await open();
    const { cluster, registration, install, values, token } = await api.install('', {
      name: 'edge',
      labels: { env: 'e' },
    });

    expect(cluster).toMatchObject({ id: 'edge', labels: { env: 'e' }, identity: 'service-account', connected: false });
    expect(token).toBeUndefined();
    expect(values).toMatchObject({
      organisation,
      cluster: 'edge',
      identity: 'service-account',
      registration: { token: registration?.token },
    });
    expect(install).toContain(registration?.token);
    expect(JSON.stringify(await api.list())).not.toContain(registration?.token);
    const access = await api.register(registration?.token ?? '');
    expect(await api.poll(access)).toBe(200);
    expect(await api.poll(registration?.token ?? '')).toBe(401);
    expect((await api.list()).find(({ id }) => id === 'edge')?.registrationExpiresAt).toBeUndefined();
  });

  it('with the identity static answers a token that is good at once', async () => {
    const api = await open();
    const { token, registration, values } = await api.install('', { name: 'edge', identity: 'static' });
    expect(registration).toBeUndefined();
    expect(values).toMatchObject({ identity: 'static', token });
    expect(await api.poll(token ?? '')).toBe(200);
  });

  it('with a role of its own answers where rows and queues are, and no secret', async () => {
    const api = await open({ directAccess });
    const role = { awsRoleId: 'AROAEXAMPLE123456789', awsRoleArn: 'arn:aws:iam::123456789012:role/agent' };
    const added = await api.install('', { name: 'eks', identity: 'irsa', ...role });
    expect(added.values).toMatchObject({
      identity: 'irsa',
      aws: { table: 'hawser-test', wakeQueue: `https://sqs.test/wake-${organisation}-eks`, roleArn: role.awsRoleArn },
    });
    expect([added.token, added.registration]).toEqual([undefined, undefined]);
    expect((await getCluster(parts.store, organisation, 'eks'))?.awsRoleId).toBe(role.awsRoleId);
  });

  it.each([
    ['irsa without a role', { name: 'x', identity: 'irsa' }, 400, 'awsRoleId'],
    ['a role that is none', { name: 'x', identity: 'irsa', awsRoleId: 'AIDAEXAMPLE123456789' }, 400, 'awsRoleId'],
    ['a role that means nothing', { name: 'x', awsRoleId: 'AROAEXAMPLE123456789' }, 400, 'mean nothing'],
    ['an identity that is none', { name: 'x', identity: 'kerberos' }, 400, 'identity'],
    ['a name that is no id (NT-150)', { name: 'x\n  evil: true' }, 400, 'cluster name'],
    ['a name in use', { name: 'other' }, 409, 'registered already'],
  ])('refuses %s', async (_what, body, status, why) => {
    const api = await open({ directAccess });
    const answer = await api.ask('POST', '', body);
    expect([answer.status, answer.body['detail']]).toEqual([status, expect.stringContaining(why)]);
  });

  it('refuses a role where there is nothing on AWS', async () => {
    const api = await open();
    const body = { name: 'x', identity: 'pod-identity', awsRoleId: 'AROAEXAMPLE123456789' };
    expect((await api.ask('POST', '', body)).status).toBe(422);
  });

  it('makes its wake queue before it, and removes the queue before it', async () => {
    const calls: string[] = [];
    let broken = true;
    const call = (name: string) => async (org: string, cluster: string) => {
      calls.push(
        `${name} ${org}/${cluster} ${(await getCluster(parts.store, org, cluster)) === undefined ? 'absent' : 'there'}`,
      );
      if (broken) throw new Error('no queues now');
    };
    const api = await open({ wakeQueues: { create: call('create'), remove: call('remove') } });
    expect((await api.ask('POST', '', { name: 'edge' })).status).toBe(500);
    broken = false;
    await api.install('', { name: 'edge' });
    expect((await api.ask('DELETE', '/edge')).status).toBe(204);
    expect(calls).toEqual(['create acme/edge absent', 'create acme/edge absent', 'remove acme/edge there']);
  });
});

describe('revoking a cluster (NT-110)', () => {
  it('refuses its tokens from the next request on, and restoring lets it in again with new ones', async () => {
    const api = await open();
    const { registration } = await api.install('', { name: 'edge' });
    const before = await api.register(registration?.token ?? '');
    expect((await api.ask('POST', '/edge/revoke', {})).body).toMatchObject({ id: 'edge', connected: false });

    expect(await api.poll(before)).toBe(401);
    expect(await api.exchange('edge')).toBe('403');
    expect((await api.list()).find(({ id }) => id === 'edge')?.revokedAt).toBeDefined();
    expect((await api.ask('POST', '/edge/restore', {})).body['revokedAt']).toBeUndefined();
    expect(await api.poll(before)).toBe(401);
    expect(await api.poll(await api.exchange('edge'))).toBe(200);
  });

  it('refuses a static token, too, until it is restored', async () => {
    const api = await open();
    expect(await api.poll(api.tokens.otherAgent)).toBe(200);
    await api.ask('POST', '/other/revoke', {});
    expect(await api.poll(api.tokens.otherAgent)).toBe(401);
    await api.ask('POST', '/other/restore', {});
    expect(await api.poll(api.tokens.otherAgent)).toBe(200);
  });

  it.each([
    ['revoked', 'POST', '/other/revoke'],
    ['removed', 'DELETE', '/other'],
  ])('ends a poll that is held when the cluster is %s', async (_what, method, path) => {
    const listening = Promise.withResolvers<void>();
    const mailbox = createMailbox(parts.bell);
    const wait: Mailbox['wait'] = (...of) => {
      const rung = mailbox.wait(...of);
      listening.resolve();
      return rung;
    };
    const api = await open({ mailbox: { ...mailbox, wait } });
    await parts.store.increment(`T#${organisation}#C#other`, 'HEAD');
    const held = api.poll(api.tokens.otherAgent, '?wait=50&after=1');
    await listening.promise;
    await api.ask(method, path, method === 'POST' ? {} : undefined);
    expect(await held).toBe(401);
  });

  it('leaves events that say who did it', async () => {
    const api = await open();
    for (const path of ['/other/revoke', '/other/restore', '/other/registration']) await api.ask('POST', path, {});
    await api.ask('DELETE', '/other');
    const { items } = (await (
      await api.app.request('/api/v1/events', { headers: { authorization: `Bearer ${api.tokens.admin}` } })
    ).json()) as {
      items: { reason: string; by: string; object: string }[];
    };
    expect(items.map(({ reason, by, object }) => [reason, by, object]).sort()).toEqual(
      ['ClusterRemoved', 'ClusterRestored', 'ClusterRevoked', 'RegistrationRenewed'].map((reason) => [
        reason,
        'ada',
        'cluster/other',
      ]),
    );
  });

  it('is not undone by a cluster of the same name that comes later', async () => {
    const api = await open();
    const { registration } = await api.install('', { name: 'edge' });
    const before = await api.register(registration?.token ?? '');
    await api.ask('DELETE', '/edge');
    expect(await api.poll(before)).toBe(401);
    const again = await api.install('', { name: 'edge' });
    expect(await api.poll(before)).toBe(401);
    await api.register(again.registration?.token ?? '');
    expect(await api.poll(before)).toBe(401);
  });
});

describe('renewing a registration', () => {
  it('leaves the agent what it has until the new token is used, and the old token is void', async () => {
    const api = await open();
    const first = await api.install('', { name: 'edge' });
    const second = await api.install('/edge/registration', {});
    expect(await api.register(first.registration?.token ?? '')).toBe('401');
    const access = await api.register(second.registration?.token ?? '');
    const third = await api.install('/edge/registration', {});
    expect(await api.poll(access)).toBe(200);
    const after = await api.register(third.registration?.token ?? '');
    expect(await api.poll(access)).toBe(401);
    expect(await api.poll(after)).toBe(200);
  });

  it('of a revoked cluster lets in nobody but the new token', async () => {
    const api = await open();
    const first = await api.install('', { name: 'edge' });
    await api.register(first.registration?.token ?? '');
    await api.ask('POST', '/edge/revoke', {});
    const { registration } = await api.install('/edge/registration', {});
    expect(await api.exchange('edge')).toBe('401');
    expect(await api.poll(await api.register(registration?.token ?? ''))).toBe(200);
    expect(await api.poll(await api.exchange('edge'))).toBe(200);
  });

  it('moves a static cluster to ServiceAccount tokens', async () => {
    const api = await open();
    const { registration, values } = await api.install('/other/registration', {});
    expect(values).toMatchObject({ identity: 'service-account' });
    expect(await api.poll(api.tokens.otherAgent)).toBe(200);
    await api.register(registration?.token ?? '');
    expect(await api.poll(api.tokens.otherAgent)).toBe(401);
    expect((await api.list()).find(({ id }) => id === 'other')?.identity).toBe('service-account');
  });

  it('is refused for agents with a role', async () => {
    const api = await open({ directAccess });
    await api.install('', { name: 'eks', identity: 'pod-identity', awsRoleId: 'AROAEXAMPLE123456789' });
    expect((await api.ask('POST', '/eks/registration', {})).status).toBe(400);
  });
});

describe('the install command (NT-150)', () => {
  const hostile = [
    `https://x.example/'; touch /tmp/owned; '`,
    'https://x.example/\n--set-json clusterAdmin=true',
    '{{ .Values.x }}: "y", z=1 \\ $(id) `id` $HOME !!',
    `'''"""`,
    'ü\u2028\u0000',
  ];
  it.each(hostile)('takes %j as the value that it is', (server) => {
    const values = { server, organisation, cluster: 'edge', rootKey: 'a+b/c=', identity: 'service-account' as const };
    const command = installCommand({ ...values, registration: { token: server } });
    // What a shell makes of it, argument by argument.
    const { stdout } = spawnSync('sh', ['-c', `helm() { printf '%s\\0' "$@"; }\n${command}`], { encoding: 'utf8' });
    const given = stdout.split('\0').slice(0, -1);
    expect(given.slice(0, 6)).toEqual([
      'upgrade',
      '--install',
      'hawser-agent',
      'agent/chart',
      '--namespace',
      'hawser-system',
    ]);
    const settings = given.slice(7);
    expect(settings.filter((_text, at) => at % 2 === 0).every((text) => text === '--set-json')).toBe(true);
    const read = settings
      .filter((_text, at) => at % 2 === 1)
      .map((text) => [text.slice(0, text.indexOf('=')), JSON.parse(text.slice(text.indexOf('=') + 1)) as unknown]);
    expect(Object.fromEntries(read)).toEqual({ ...values, registration: { token: server } });
  });
});

import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ClusterCommand } from '#shared/messages/cluster-command.ts';
import type { HubUpdate } from '#shared/ports/hub.ts';
import { keepAnswer } from '#shared/state/answers.ts';
import { askForAll } from '#shared/state/heads.ts';
import { recordPageChanges } from '#shared/state/page-changes.ts';
import { getProject } from '#shared/state/registry.ts';
import type { ApiDeps } from '#functions/api/context.ts';
import type { Mailbox } from '#functions/api/mailbox.ts';
import { grantAdmin, prepareOrganisation } from '#functions/api/prepare.ts';
import { ask as askAgent } from '#functions/api/questions.ts';
import { cluster, openApi, openServiceParts, organisation, type ServiceParts } from '#test/kit/service-parts.ts';

let parts: ServiceParts;
let api: Awaited<ReturnType<typeof openApi>>;
let posted: ClusterCommand[];
/** As on Lambda: commands lie in a queue, nothing rings, nobody may wait. */
let mailbox: Mailbox;

beforeEach(async () => {
  posted = [];
  mailbox = {
    post: async (_organisation, _cluster, command) => void posted.push(command),
    take: async () => posted.splice(0),
    wait: () => Promise.reject(new Error('nobody waits where waiting costs')),
  };
  parts = await openServiceParts();
  api = await openApi(parts, { holdsRequests: false, mailbox });
});
afterEach(() => parts.close());

describe('a poll that is not held', () => {
  const poll = async (query: string) =>
    (await (await api.ask(api.tokens.agent, 'GET', `/api/v1/agent/poll?${query}`)).json()) as HubUpdate;

  it('is answered at once, and says when to come again', async () => {
    expect(await poll('after=0&wait=55')).toMatchObject({ applications: [], commands: [], nextPollSeconds: 10 });
  });

  it('brings what lies in the queue, and what HEAD says', async () => {
    await askForAll(parts, organisation, cluster);
    posted.push({ type: 'tree', application: 'web', question: 'q-1' });

    const update = await poll('after=0&wait=55');

    expect(update.version).toBeGreaterThan(0);
    expect(update.commands).toContainEqual({ type: 'tree', application: 'web', question: 'q-1' });
    expect((await poll(`after=${update.version}&wait=55`)).commands).toEqual([]);
  });
});

describe('chunks', () => {
  const ask = async (digests: string[]) => {
    const response = await api.ask(api.tokens.agent, 'POST', '/api/v1/agent/chunks', { digests });
    return (await response.json()) as { chunks: Record<string, string>; left: string[] };
  };

  it('come as far as one answer holds them, the first whatever its size, and none is left out', async () => {
    const write = (bytes: number) => parts.snapshots.write(organisation, cluster, randomBytes(bytes));
    const digests = [await write(5_000_000), await write(1_000_000), await write(1_000_000), await write(10)];
    const missing = 'f'.repeat(64);

    const first = await ask([...digests.slice(0, 2), missing, ...digests.slice(2)]);
    const second = await ask(first.left);

    expect(Object.keys(first.chunks)).toEqual(digests.slice(0, 1));
    expect(first.left).toEqual([digests[1], missing, digests[2], digests[3]]);
    expect(Object.keys(second.chunks).toSorted()).toEqual(digests.slice(1).toSorted());
    expect(second.left).toEqual([]);
  });
});

describe('a question to an agent that comes by every ten seconds', () => {
  it('is answered when it has come by', async () => {
    const deps = { ...parts, mailbox, holdsRequests: false } as unknown as ApiDeps;
    const asking = askAgent(
      deps,
      organisation,
      cluster,
      { type: 'tree', application: 'web' },
      new AbortController().signal,
    );
    await expect.poll(() => posted.length).toBe(1);
    const [command] = posted;
    // Longer than anybody is waited for whose poll is held, and than the agent stays away.
    await parts.clock.advance(12_000);
    await keepAnswer(parts, organisation, cluster, {
      question: command?.type === 'tree' ? command.question : '',
      nodes: [],
    });

    expect(await asking).toMatchObject({ nodes: [] });
  });
});

describe('a stream that is not held', () => {
  const read = async (last?: string) => {
    const response = await api.app.request('/api/v1/stream', {
      headers: {
        authorization: `Bearer ${api.tokens.viewer}`,
        ...(last === undefined ? {} : { 'last-event-id': last }),
      },
    });
    return { type: response.headers.get('content-type'), text: await response.text() };
  };

  it('ends at once, says when to come again and where it stood', async () => {
    await recordPageChanges(parts, organisation, ['web']);

    const { type, text } = await read();

    expect(type).toBe('text/event-stream');
    expect(text).toBe('retry: 3000\nid: 1\nevent: pause\ndata: {"type":"pause"}\n\n');
    expect((await read('1')).text).toBe(text);
  });

  it('tells what has changed since, each thing once', async () => {
    await recordPageChanges(parts, organisation, ['gone', `cluster:${cluster}`]);
    await recordPageChanges(parts, organisation, ['gone']);

    const { text } = await read('0');

    expect(text.match(/^event: .*/gm)).toEqual(['event: removed', 'event: cluster', 'event: pause']);
    expect(text).toContain('data: {"type":"removed","id":"gone"}\n');
    expect(text).toContain('id: 2\n');
  });

  it('has the page read anew what nobody knows any more', async () => {
    await recordPageChanges(parts, organisation, ['web']);
    expect((await read('77')).text).toContain('event: reload\ndata: {"type":"reload"}\n\n');
  });

  it('has the page read anew when a cluster is gone', async () => {
    await recordPageChanges(parts, organisation, ['cluster:gone', `cluster:${cluster}`]);
    expect((await read('0')).text.match(/^event: .*/gm)).toEqual(['event: reload', 'event: cluster', 'event: pause']);
  });

  it('has the page read anew when trouble with a source comes or goes', async () => {
    await recordPageChanges(parts, organisation, ['source:demo', 'gone']);
    expect((await read('0')).text.match(/^event: .*/gm)).toEqual(['event: reload', 'event: removed', 'event: pause']);
  });

  it.each(['', 'x', '-1', '1e3', '9'.repeat(40)])('starts anew for the id %j', async (last) => {
    await recordPageChanges(parts, organisation, ['web']);
    expect((await read(last)).text.match(/^event: .*/gm)).toEqual(['event: pause']);
  });

  it('tells nothing of other organisations', async () => {
    await recordPageChanges(parts, 'rival', ['secret']);
    expect((await read('0')).text).not.toContain('secret');
  });
});

describe('preparing an organisation', () => {
  it('grants one admin token, the first time only, and another to who asks for one', async () => {
    const first = await grantAdmin(parts, 'fresh');
    expect(await grantAdmin(parts, 'fresh')).toBeUndefined();
    const second = await grantAdmin(parts, 'fresh', { again: true });

    expect(second).not.toBe(first);
    for (const token of [first, second]) {
      const answer = (await (await api.ask(token, 'GET', '/api/v1/session')).json()) as object;
      expect(answer).toMatchObject({ organisation: 'fresh', role: 'admin' });
    }
  });

  it('makes the default project, and leaves one alone that is there', async () => {
    await prepareOrganisation(parts.store, 'fresh');
    expect(await getProject(parts.store, 'fresh', 'default')).toMatchObject({ sourceRepos: ['*'] });
    const row = { partition: 'T#fresh', sort: 'PROJECT#default', revision: 2, value: { name: 'own' } };
    await parts.store.put(row);
    await prepareOrganisation(parts.store, 'fresh');
    expect(await getProject(parts.store, 'fresh', 'default')).toEqual({ name: 'own' });
  });
});

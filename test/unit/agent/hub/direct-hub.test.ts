import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createDirectHub } from '#agent/hub/direct-hub.ts';
import { HawserError } from '#shared/errors.ts';
import { AgentMail, MailContent } from '#shared/messages/agent-mail.ts';
import type { AgentReport, ApplicationReport } from '#shared/messages/agent-report.ts';
import type { ClusterCommand } from '#shared/messages/cluster-command.ts';
import type { Hub } from '#shared/ports/hub.ts';
import type { StateStore } from '#shared/ports/state-store.ts';
import { declareObjects } from '#shared/state/declare.ts';
import { askForAll } from '#shared/state/heads.ts';
import { clusterKey } from '#shared/state/keys.ts';
import { createMemoryQueue, type MemoryQueue } from '#test/kit/memory-queue.ts';
import {
  cluster,
  configMap,
  drain,
  openServiceParts,
  organisation,
  type ServiceParts,
} from '#test/kit/service-parts.ts';

let parts: ServiceParts;
let wake: MemoryQueue;
let mail: MemoryQueue;
let hub: Hub;
/** Reads of HEAD. */
let looks: number;
let failure: Error | undefined;

beforeEach(async () => {
  parts = await openServiceParts();
  wake = createMemoryQueue(parts.clock);
  mail = createMemoryQueue(parts.clock);
  looks = 0;
  failure = undefined;
  const store: StateStore = {
    ...parts.store,
    get: (partition, sort) => {
      if (sort === 'HEAD') looks += 1;
      return failure === undefined ? parts.store.get(partition, sort) : Promise.reject(failure);
    },
  };
  const { clock, snapshots } = parts;
  hub = createDirectHub({ organisation, cluster, store, snapshots, wake, mail, clock, random: () => 0.5 });
});
afterEach(() => parts.close());

async function publish(name: string, value: string): Promise<void> {
  parts.git.push('demo', {
    ...parts.git.tip('https://git.test/demo.git')?.files,
    [`${name}/a.yaml`]: configMap(name, value),
  });
  const object = {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Application',
    metadata: { name, namespace: 'argocd' },
    spec: {
      source: { repoURL: 'https://git.test/demo.git', path: name },
      destination: { name: 'in-cluster', namespace: 'shop' },
    },
  };
  const by = { by: 'ada', trace: 't' };
  await declareObjects(parts, {
    organisation,
    objects: [object],
    homeCluster: cluster,
    defaultCluster: cluster,
    ...by,
  });
  await drain(parts);
}

const command = (value: ClusterCommand | Record<string, unknown>) => wake.send([JSON.stringify(value)]);
const live: ClusterCommand = { type: 'live', question: 'q', application: 'web', key: 'k' };

/** A poll, with time moving on until it ends. */
async function poll(after: number, waitSeconds = 25) {
  const state = { ended: false };
  const polling = hub.poll({ after, waitSeconds }).finally(() => (state.ended = true));
  polling.catch(() => undefined);
  const began = parts.clock.monotonic();
  while (!state.ended) await parts.clock.advance(500);
  return { update: await polling, seconds: (parts.clock.monotonic() - began) / 1000 };
}

describe('a poll', () => {
  it('says what HEAD says, with the roots as they were signed, and reads the chunks that they name', async () => {
    await publish('web', '1');
    const { update } = await poll(0);
    expect(update).toMatchObject({ scope: 'all', version: expect.any(Number) as number, commands: [] });
    const [assignment] = update.applications;
    expect(assignment).toMatchObject({ application: 'web', root: { signature: expect.any(String) as string } });
    const { chunks } = JSON.parse(assignment?.root.root ?? '') as { chunks: string[] };
    const texts = await hub.chunks([...chunks, 'f'.repeat(64)]);
    expect([...texts.keys()]).toEqual(chunks);
    expect(Buffer.from(texts.get(chunks[0] ?? '') ?? []).toString()).toContain('"value":"1"');
  });

  it('with nothing new asks the queue for up to 20 s, and reads HEAD once a minute, not with every poll', async () => {
    await publish('web', '1');
    const { update } = await poll(0);
    expect(looks).toBe(1);
    for (let time = 0; time < 3; time += 1) {
      const next = await poll(update.version);
      expect(next.update).toEqual({ version: update.version, scope: 'changes', applications: [], commands: [] });
      expect(next.seconds).toBeGreaterThanOrEqual(19);
    }
    expect(wake.waits.every((seconds) => seconds <= 20)).toBe(true);
    expect(looks).toBe(2);
  });

  it('ends with a wake-up and tells what changed; the message is deleted', async () => {
    await publish('web', '1');
    const { update } = await poll(0);
    const polling = poll(update.version);
    await publish('shop', '1');
    await command({ type: 'wake', version: update.version + 1 });
    const next = await polling;
    expect(next.update).toMatchObject({ scope: 'changes', applications: [{ application: 'shop' }] });
    expect(next.seconds).toBeLessThan(5);
    expect(wake.bodies).toEqual([]);
  });

  it('converges without any wake-up, within 72 s (INV-03)', async () => {
    await publish('web', '1');
    let { update } = await poll(0);
    const { version } = update;
    await publish('shop', '1');
    const began = parts.clock.monotonic();
    while (update.applications.every(({ application }) => application !== 'shop')) ({ update } = await poll(version));
    expect(parts.clock.monotonic() - began).toBeLessThanOrEqual(72_000);
  });

  it('hands commands over, drops those that it does not know, and deletes all (INV-45)', async () => {
    await publish('web', '1');
    const { update } = await poll(0);
    await command({ type: 'dance' });
    await wake.send(['not JSON']);
    await command(live);
    const next = await poll(update.version);
    expect(next.update.commands).toEqual([live]);
    expect(wake.bodies).toEqual([]);
    expect(looks).toBe(1);
  });

  it('passes over a wake-up for what it knows already', async () => {
    await publish('web', '1');
    const { update } = await poll(0);
    await command({ type: 'wake', version: update.version });
    await poll(update.version);
    expect(looks).toBe(1);
  });

  it('loses no command where HEAD cannot be read then, nor where it cannot be deleted', async () => {
    await publish('web', '1');
    const { update } = await poll(0);
    await command(live);
    await command({ type: 'wake', version: update.version + 1 });
    failure = new HawserError('unavailable', 'throttled', { retry: 'later' });
    await expect(poll(update.version)).rejects.toThrow('throttled');
    failure = undefined;
    expect((await poll(update.version)).update.commands).toEqual([live]);
  });

  it('asks for everything where the service wants that', async () => {
    await publish('web', '1');
    const { update } = await poll(0);
    await askForAll(parts, organisation, cluster);
    await command({ type: 'wake', version: update.version + 1 });
    expect((await poll(update.version)).update.commands).toEqual([{ type: 'resend' }]);
  });

  it('looks again soon where a publisher is between its two writes', async () => {
    await publish('web', '1');
    const { update } = await poll(0);
    await parts.store.increment(clusterKey(organisation, cluster), 'HEAD');
    await command({ type: 'wake', version: update.version + 1 });
    await poll(update.version);
    await poll(update.version);
    expect(Math.max(...wake.waits.slice(-1))).toBeLessThanOrEqual(3);
  });

  it('of a cluster without anything is no hot loop', async () => {
    const first = await poll(0);
    expect(first.update).toMatchObject({ version: 0, applications: [] });
    expect((await poll(0)).seconds).toBeGreaterThanOrEqual(19);
    expect(looks).toBe(1);
  });

  it('hands nothing over whose form is wrong: rows are not trusted (NT-154)', async () => {
    await publish('web', '1');
    const partition = clusterKey(organisation, cluster);
    const row = await parts.store.get(partition, 'APP#web');
    if (row === undefined) throw new Error('nothing was published');
    await parts.store.put({ ...row, value: { ...row.value, root: { root: 7 } } });
    expect((await poll(0)).update.applications).toEqual([]);
  });

  it('ends when it is told to', async () => {
    await publish('web', '1');
    const { update } = await poll(0);
    const stop = new AbortController();
    const polling = hub.poll({ after: update.version, waitSeconds: 25, signal: stop.signal });
    await parts.clock.advance(1000);
    stop.abort();
    expect((await polling).applications).toEqual([]);
  });
});

describe('reports and answers', () => {
  const report: AgentReport = {
    format: 1,
    epoch: '2026-a',
    sequence: 7,
    agentVersion: '1',
    version: 1,
    applications: [],
    renew: ['old'],
    heartbeat: { digest: '', applications: 0, objects: 0, memoryBytes: 1 },
  };
  const opened = () =>
    mail.bodies.map((body) => {
      expect(Buffer.byteLength(body)).toBeLessThanOrEqual(250 * 1024);
      const { packed, ...head } = AgentMail.parse(JSON.parse(body));
      expect(head).toMatchObject({ organisation, cluster });
      return MailContent.parse(JSON.parse(gunzipSync(Buffer.from(packed, 'base64')).toString()));
    });
  const noise = (length: number) => Array.from({ length }, () => Math.floor(Math.random() * 36).toString(36)).join('');
  const application = (name: string, more: Partial<ApplicationReport> = {}): ApplicationReport => ({
    application: name,
    generation: 1,
    sync: { status: 'Synced' },
    health: { status: 'Healthy', message: noise(4000) },
    drift: [],
    conditions: [],
    events: [],
    ...more,
  });

  it('go as mail, small ones as one message', async () => {
    await hub.report(report);
    await hub.answer({ question: 'q', live: { kind: 'Pod' } });
    expect(opened()).toEqual([{ report }, { answer: { question: 'q', live: { kind: 'Pod' } } }]);
  });

  it('that are too large for a message are split by applications; what concerns the agent is said once (LIM-16)', async () => {
    const applications = Array.from({ length: 200 }, (_, index) => application(`app-${index}`));
    await hub.report({ ...report, applications });
    const contents = opened().flatMap((content) => ('report' in content ? [content.report] : []));
    expect(contents.length).toBeGreaterThan(1);
    expect(contents.flatMap((one) => one.applications)).toEqual(applications);
    expect(new Set(contents.map(({ epoch, sequence }) => `${epoch} ${sequence}`)).size).toBe(1);
    expect(contents.filter(({ renew }) => renew !== undefined)).toHaveLength(1);
  });

  it('of one application that is too large alone are cut and say so', async () => {
    const resources = Array.from({ length: 10_000 }, () => ({
      group: '',
      version: 'v1',
      kind: 'ConfigMap',
      namespace: 'shop',
      name: noise(60),
      status: 'Synced' as const,
    }));
    await hub.report({ ...report, applications: [application('web', { resources })] });
    const [content] = opened();
    const told = content !== undefined && 'report' in content ? content.report.applications[0] : undefined;
    expect(told?.resources?.length).toBeGreaterThan(1000);
    expect(told?.resources?.length).toBeLessThan(10_000);
    expect(told?.conditions).toMatchObject([{ type: 'ReportTruncated' }]);
  });

  it('that hold too much become an answer that says so', async () => {
    await hub.answer({ question: 'q', live: noise(600_000) });
    expect(opened()).toEqual([{ answer: { question: 'q', error: expect.stringContaining('larger') as string } }]);
  });
});

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createDirectHub } from '#agent/hub/direct-hub.ts';
import { createHttpHub } from '#agent/hub/http-hub.ts';
import type { HttpJson } from '#agent/hub/http-json.ts';
import { createStaticCredentials } from '#agent/identity/credentials.ts';
import { createAgent } from '#agent/loop.ts';
import { createRenewals } from '#agent/report/renewals.ts';
import { createAgentMailHandler } from '#functions/report/handle-agent-mail.ts';
import { sessionName } from '#shared/domain/wake-queue.ts';
import { AgentMail } from '#shared/messages/agent-mail.ts';
import type { AgentReport, ReceivedReport } from '#shared/messages/agent-report.ts';
import type { Hub } from '#shared/ports/hub.ts';
import { declareObjects } from '#shared/state/declare.ts';
import { organisationKey } from '#shared/state/keys.ts';
import { createFakeClock } from '#test/kit/clock.ts';
import { createMemoryQueue, type MemoryQueue } from '#test/kit/memory-queue.ts';
import {
  cluster,
  configMap,
  drain,
  openApi,
  openServiceParts,
  organisation,
  type ServiceParts,
} from '#test/kit/service-parts.ts';
import { silent, valuesIn } from './harness.ts';
import { createModelCluster, type ModelCluster } from './model-cluster.ts';

const role = 'AROAAGENT';
const month = 30 * 24 * 3600_000;

let parts: ServiceParts;
let model: ModelCluster;
let wake: MemoryQueue;
let mail: MemoryQueue;
let reports: AgentReport[];
let stop: AbortController;

/** One application, published; then a month passes. */
beforeEach(async () => {
  parts = await openServiceParts();
  model = createModelCluster();
  wake = createMemoryQueue(parts.clock);
  mail = createMemoryQueue(parts.clock);
  reports = [];
  stop = new AbortController();
  const row = { id: cluster, labels: {}, registeredAt: '', servers: [], identity: 'service-account' };
  await parts.store.put({
    partition: organisationKey(organisation),
    sort: `CLUSTER#${cluster}`,
    revision: 2,
    value: row,
  });
  parts.bell.listen(`cluster:${organisation}/${cluster}`, (payload) => {
    if (payload !== undefined) void wake.send([payload]);
  });
  await publish('web', '1');
  parts.clock.setNow(parts.clock.now() + month);
});
afterEach(async () => {
  stop.abort();
  await parts.clock.advance(0);
  await parts.close();
});

async function publish(name: string, value: string): Promise<void> {
  parts.git.push('demo', { [`${name}/a.yaml`]: configMap(name, value) });
  const object = {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Application',
    metadata: { name, namespace: 'argocd' },
    spec: {
      source: { repoURL: 'https://git.test/demo.git', path: name },
      destination: { name: 'in-cluster', namespace: 'shop' },
      syncPolicy: { automated: {} },
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

function directHub(): Hub {
  return createDirectHub({ ...parts, organisation, cluster, wake, mail, random: () => 0.5 });
}

/** The way through the real API, which holds no polls. */
async function httpHub(): Promise<Hub> {
  const { app, tokens } = await openApi(parts, { holdsRequests: false });
  const send: HttpJson['send'] = async ({ method, path, body, bearer }) => {
    const headers = { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' };
    const answer = await app.request(path, { method, headers, ...(body === undefined ? {} : { body }) });
    return { status: answer.status, text: await answer.text() };
  };
  const credentials = createStaticCredentials({ token: tokens.agent }, () => 0);
  return createHttpHub({ http: { send, close: () => undefined }, credentials });
}

/** The real agent; a fresh one when `model` is. */
async function startAgent(hub = directHub()): Promise<void> {
  const { clock } = parts;
  stop = new AbortController();
  const agent = createAgent({
    identity: { organisation, cluster, rootKey: await parts.signer.rootPublicKey(organisation) },
    hub,
    cluster: model.connect({}).cluster,
    clock,
    log: silent,
    namespace: 'hawser-system',
    agentVersion: 'test',
    random: () => 0.5,
  });
  void agent.run(stop.signal).catch(() => undefined);
}

/** The service at work: mail, reports, publish jobs, as its functions would. */
async function pump(): Promise<void> {
  const handle = createAgentMailHandler({
    ...parts,
    report: async (received: ReceivedReport) => {
      if ('report' in received) reports.push(received.report);
      await parts.report(received);
    },
    answer: async () => undefined,
    agentRoleId: role,
  });
  const deliveries = await mail.receive({ max: 10, waitSeconds: 0, visibilitySeconds: 30 });
  for (const { body } of deliveries)
    await handle(AgentMail.parse(JSON.parse(body)), { sender: `${role}:${sessionName(organisation, cluster)}` });
  await mail.done(deliveries);
  await drain(parts);
}

async function until(condition: () => boolean, what: string, seconds = 30): Promise<void> {
  for (let at = 0; at < seconds * 4 && !condition(); at += 1) {
    await pump();
    await parts.clock.advance(250);
  }
  if (!condition()) throw new Error(`not within ${seconds} s: ${what}`);
}

const renewed = () => reports.flatMap(({ renew = [] }) => renew);

describe('an application that was published long ago', () => {
  it('reaches a new agent: it asks for a newer signature, and takes that in within seconds', async () => {
    await startAgent();
    await until(() => valuesIn(model)['web'] === '1', 'it is applied');
    await until(
      () => reports.some(({ applications }) => applications.some(({ application }) => application === 'web')),
      'it is reported',
    );
    expect(renewed()).toEqual(['web']);
    const conditions = reports.flatMap(({ applications }) => applications.flatMap((one) => one.conditions));
    expect(conditions).toEqual([]);
  });

  it('reaches it over HTTPS, too, where the API hands roots out as they are', async () => {
    await startAgent(await httpHub());
    await until(() => valuesIn(model)['web'] === '1', 'it is applied', 60);
  });

  it('needs nothing where the agent holds it already, after a restart in particular', async () => {
    await startAgent();
    await until(() => valuesIn(model)['web'] === '1', 'it is applied');
    await until(() => mail.bodies.length === 0, 'all is said');
    stop.abort();
    await parts.clock.advance(0);
    parts.clock.setNow(parts.clock.now() + month);
    reports.length = 0;

    await startAgent();
    await until(() => reports.some(({ applications }) => applications.length > 0), 'it reports', 60);
    for (let second = 0; second < 90; second += 1) {
      await pump();
      await parts.clock.advance(1000);
    }
    expect(renewed()).toEqual([]);
    const told = reports.flatMap(({ applications }) => applications).at(-1);
    expect(told).toMatchObject({ application: 'web', sync: { status: 'Synced' }, conditions: [] });
  });

  it('is asked for again when nobody signs, but less and less often', async () => {
    await startAgent();
    const { publishJobs } = parts;
    // Whoever signs is away: jobs vanish.
    for (let minute = 0; minute < 120; minute += 1) {
      const deliveries = await publishJobs.receive({ max: 10, waitSeconds: 0, visibilitySeconds: 60 });
      await publishJobs.done(deliveries);
      const mails = await mail.receive({ max: 10, waitSeconds: 0, visibilitySeconds: 30 });
      for (const { body } of mails) reports.push(await reportIn(body));
      await mail.done(mails);
      await parts.clock.advance(60_000);
    }
    expect(renewed().length).toBeGreaterThanOrEqual(4);
    expect(renewed().length).toBeLessThanOrEqual(8);
    expect(valuesIn(model)).toEqual({});
  }, 60_000);
});

async function reportIn(body: string): Promise<AgentReport> {
  const { gunzipSync } = await import('node:zlib');
  const text = gunzipSync(Buffer.from(AgentMail.parse(JSON.parse(body)).packed, 'base64')).toString();
  return (JSON.parse(text) as { report: AgentReport }).report;
}

describe('the list of wishes', () => {
  it('names five hundred at a time, each until it is settled', () => {
    const clock = createFakeClock();
    const renewals = createRenewals(clock, () => undefined);
    for (let index = 0; index < 1200; index += 1) renewals.note(`app-${index}`);
    const first = renewals.due();
    expect(first).toHaveLength(500);
    renewals.asked(first);
    expect(renewals.due()).toHaveLength(500);
    renewals.settle(renewals.due()[0] ?? '');
    renewals.asked(renewals.due());
    expect(renewals.due()).toHaveLength(199);
  });

  it('says when asking has been in vain for a while', async () => {
    const clock = createFakeClock();
    const told: string[] = [];
    const renewals = createRenewals(clock, (application) => told.push(application));
    for (let asks = 0; asks < 3; asks += 1) {
      expect(renewals.note('web')).toBe(false);
      renewals.asked(renewals.due());
      await clock.advance(3600_000);
    }
    expect(renewals.note('web')).toBe(true);
    expect(told).toEqual(['web']);
  });
});

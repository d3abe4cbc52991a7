import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as flow from '#shared/flow.ts';
import type { Cluster } from '#shared/domain/cluster.ts';
import { sessionName } from '#shared/domain/wake-queue.ts';
import { handleDelivery } from '#shared/handle-delivery.ts';
import type { AgentMail } from '#shared/messages/agent-mail.ts';
import type { AgentReport, ReceivedReport } from '#shared/messages/agent-report.ts';
import type { Answer } from '#shared/messages/cluster-command.ts';
import { organisationKey } from '#shared/state/keys.ts';
import { createAgentMailHandler, senderProblem } from '#functions/report/handle-agent-mail.ts';
import { cluster, openServiceParts, organisation, type ServiceParts } from '#test/kit/service-parts.ts';

const agentRoleId = 'AROAAGENTSESSION';
const sender = `${agentRoleId}:${sessionName(organisation, cluster)}`;
const report: AgentReport = {
  format: 1,
  epoch: '2026-a',
  sequence: 1,
  agentVersion: '1',
  version: 1,
  applications: [],
  heartbeat: { digest: '', applications: 0, objects: 0, memoryBytes: 1 },
};

let parts: ServiceParts;
let reports: ReceivedReport[];
let answers: { organisation: string; cluster: string; answer: Answer }[];

beforeEach(async () => {
  parts = await openServiceParts();
  reports = [];
  answers = [];
  await putCluster({ identity: 'service-account' });
});
afterEach(() => parts.close());

async function putCluster(more: Partial<Cluster>, id = cluster): Promise<void> {
  const value: Cluster = { id, labels: {}, registeredAt: '', servers: [], ...more };
  await parts.store.put({ partition: organisationKey(organisation), sort: `CLUSTER#${id}`, revision: 1, value });
}

function handler(role: string | undefined = agentRoleId) {
  return createAgentMailHandler({
    ...parts,
    report: async (received) => void reports.push(received),
    answer: async (from, id, answer) => void answers.push({ organisation: from, cluster: id, answer }),
    agentRoleId: role,
  });
}

function mail(content: unknown, more: Partial<AgentMail> = {}): AgentMail {
  const packed = gzipSync(JSON.stringify(content)).toString('base64');
  return { organisation, cluster, sentAt: '1999-01-01T00:00:00.000Z', packed, ...more };
}

async function events() {
  const { rows } = await parts.store.query<{ reason: string; object: string }>(organisationKey(organisation), {
    prefix: 'EVENT#',
  });
  return rows.map(({ value }) => value);
}

describe('mail of an agent', () => {
  it('is taken in under who sent it, at the time of the service, not of the sender', async () => {
    await handler()(mail({ report }), { sender });
    await handler()(mail({ answer: { question: 'q', live: null } }), { sender });

    const receivedAt = new Date(parts.clock.now()).toISOString();
    expect(reports).toEqual([{ organisation, cluster, receivedAt, report }]);
    expect(answers).toEqual([{ organisation, cluster, answer: { question: 'q', live: null } }]);
  });

  it('in the name of another cluster is buried with the reason, counted and shown, and never handled (FT-106, NT-111)', async () => {
    await putCluster({ identity: 'service-account' }, 'other');
    const queue = parts.queues.get('agent-mail');
    await queue?.send([JSON.stringify(mail({ report }, { cluster: 'other' }))]);
    const [delivery] = (await queue?.receive({ max: 1, waitSeconds: 0, visibilitySeconds: 60 })) ?? [];
    const handle = handler();
    const never = new AbortController().signal;
    const outcome = await handleDelivery(
      {
        ...parts,
        queue: flow.agentMail,
        deliveries: queue as NonNullable<typeof queue>,
        handle: (message) => handle(message, { sender }),
      },
      delivery as NonNullable<typeof delivery>,
      { signal: never, stopped: never },
    );

    expect(outcome).toBe('dead');
    expect(reports).toEqual([]);
    expect(await queue?.deadLetters(10)).toEqual([
      expect.objectContaining({ reason: expect.stringContaining('sent by somebody else') }),
    ]);
    expect(await events()).toEqual([expect.objectContaining({ reason: 'AgentMailRefused', object: 'cluster/other' })]);
    expect(await parts.metrics.text()).toContain('agent_mail_refused_total 1');
  });

  it('that is refused again and again makes one event an hour', async () => {
    for (let time = 0; time < 20; time += 1)
      await expect(handler()(mail({ report }), { sender: 'AROAX:y' })).rejects.toMatchObject({ code: 'forbidden' });
    expect(await events()).toHaveLength(1);
  });

  it('that unpacks to more than any report, to nothing or to something else is refused, for good (FT-51)', async () => {
    const bomb = gzipSync(Buffer.alloc(17 * 1024 * 1024)).toString('base64');
    for (const bad of [
      mail({}, { packed: bomb }),
      mail({}, { packed: 'AAAA' }),
      mail({ report: { ...report, sequence: -1 } }),
      mail({ command: 'dance' }),
    ]) {
      await expect(handler()(bad, { sender })).rejects.toMatchObject({ code: 'invalid-input', retry: 'never' });
    }
    expect(reports).toEqual([]);
  });
});

describe('who speaks for a cluster', () => {
  const row = (more: Partial<Cluster>): Cluster => ({
    id: cluster,
    labels: {},
    registeredAt: '',
    servers: [],
    ...more,
  });
  const judge = (value: Cluster | undefined, from: string, role: string | undefined = agentRoleId) =>
    senderProblem(organisation, cluster, value, from, role);

  it('is the session of its own name, of the role of this deployment', () => {
    const registered = row({ identity: 'service-account' });
    expect(judge(registered, sender)).toBeUndefined();
    for (const other of [
      `${agentRoleId}:${sessionName(organisation, 'other')}`,
      `${agentRoleId}:${sessionName('rival', cluster)}`,
      `AROAOTHER:${sessionName(organisation, cluster)}`,
      `${agentRoleId}:`,
      agentRoleId,
      'AIDAUSER',
      '',
    ]) {
      expect(judge(registered, other), other).toBeDefined();
    }
  });

  it('is nobody where the deployment does not know its role, the cluster is revoked, gone, or has no direct access', () => {
    expect(senderProblem(organisation, cluster, row({ identity: 'service-account' }), sender, undefined)).toBeDefined();
    expect(judge(row({ identity: 'service-account', revokedAt: '2026-01-01' }), sender)).toContain('revoked');
    expect(judge(undefined, sender)).toContain('no such cluster');
    expect(judge(row({}), sender)).toBeDefined();
  });

  it('is the role that was registered, with IRSA and Pod Identity, whatever its session is called', () => {
    for (const identity of ['irsa', 'pod-identity'] as const) {
      const registered = row({ identity, awsRoleId: 'AROAPOD' });
      expect(judge(registered, 'AROAPOD:eks-agent-1234')).toBeUndefined();
      expect(judge(registered, sender)).toBeDefined();
      expect(judge(row({ identity }), 'AROAPOD:x')).toBeDefined();
      expect(judge(row({ identity }), 'undefined:x')).toBeDefined();
    }
  });
});

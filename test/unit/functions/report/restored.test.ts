import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HawserError } from '#shared/errors.ts';
import type { AgentReport } from '#shared/messages/agent-report.ts';
import { declareObjects } from '#shared/state/declare.ts';
import { readChanges, readHead, readVersion, rootOf } from '#shared/state/heads.ts';
import { readStatus } from '#shared/state/status.ts';
import {
  cluster,
  configMap,
  drain,
  openServiceParts,
  organisation,
  type ServiceParts,
} from '#test/kit/service-parts.ts';

/** The store is as it was some time ago; the agent is not. */
let parts: ServiceParts;
beforeEach(async () => {
  parts = await openServiceParts();
  parts.git.push('demo', files('1'));
  const objects = ['web', 'api'].map((name) => ({
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Application',
    metadata: { name, namespace: 'argocd' },
    spec: {
      source: { repoURL: 'https://git.test/demo.git', path: name },
      destination: { name: 'in-cluster', namespace: 'shop' },
    },
  }));
  const request = { organisation, objects, homeCluster: cluster, defaultCluster: cluster, by: 'ada', trace: 't' };
  await declareObjects(parts, request);
  await drain(parts);
});
afterEach(() => parts.close());

function files(value: string): Record<string, string> {
  return { 'web/a.yaml': configMap('a', value), 'api/a.yaml': configMap('a', value) };
}

async function headOf(application: string) {
  const row = await readHead(parts.store, organisation, cluster, application);
  if (row === undefined) throw new Error(`${application} has no head`);
  return { generation: row.value.generation, chunks: rootOf(row.value).chunks };
}

let sequence = 0;
/** What the agent says that it has. */
async function report(generations: Record<string, number>, from = cluster): Promise<void> {
  const applications = Object.entries(generations).map(([application, generation]) => ({
    application,
    generation,
    sync: { status: 'Synced' as const, revision: 'r', generation },
    health: { status: 'Healthy' as const },
    drift: [],
    conditions: [],
    events: [],
  }));
  const content: AgentReport = {
    format: 1,
    epoch: '2026-a',
    sequence: (sequence += 1),
    agentVersion: '1',
    version: 9,
    applications,
    heartbeat: { digest: '', applications: 1, objects: 1, memoryBytes: 1 },
  };
  await parts.report({
    organisation,
    cluster: from,
    receivedAt: new Date(parts.clock.now()).toISOString(),
    report: content,
  });
}

async function told(application: string): Promise<string[]> {
  const { rows } = await parts.store.query<{ reason: string }>(`T#${organisation}#A#${application}`, {
    prefix: 'EVENT#',
  });
  return rows.map(({ value }) => value.reason).filter((reason) => reason === 'StoreRestored');
}

describe('a store that went back in time (FT-49)', () => {
  it('publishes above what agents have, as it is where Git says the same', async () => {
    const before = await headOf('web');
    const other = await headOf('api');
    await report({ web: before.generation + 500, api: other.generation });
    await drain(parts);

    const after = await headOf('web');
    expect(after.generation).toBeGreaterThan(before.generation + 500);
    expect(after.chunks).toEqual(before.chunks);
    expect(await headOf('api')).toEqual(other);
    expect((await readStatus(parts.store, organisation, 'web'))?.desired?.generation).toBe(after.generation);
    expect(await told('web')).toHaveLength(1);
  });

  it('publishes what lies in Git by now, and never what the store held in between', async () => {
    const before = await headOf('web');
    const published: string[][] = [];
    parts.git.push('demo', files('2'));
    await report({ web: before.generation + 500 });
    parts.bell.listen(`cluster:${organisation}/${cluster}`, () => {
      void headOf('web').then(({ chunks }) => published.push(chunks));
    });
    await drain(parts);

    const after = await headOf('web');
    expect(after.generation).toBeGreaterThan(before.generation + 500);
    expect(after.chunks).not.toEqual(before.chunks);
    expect(published.flat()).not.toContain(before.chunks[0]);
  });

  it('has the agent read everything and tell of everything, once', async () => {
    const { generation } = await headOf('web');
    const known = await readVersion(parts.store, organisation, cluster);
    await report({ web: generation + 500 });
    await drain(parts);
    const version = await readVersion(parts.store, organisation, cluster);
    expect(version).toBeGreaterThan(known);
    const later = { ...parts, clock: { ...parts.clock, now: () => parts.clock.now() + 60_000 } };
    expect(await readChanges(later, organisation, cluster, known)).toMatchObject({ scope: 'all', resend: true });

    await report({ web: generation + 500 });
    expect(await readVersion(parts.store, organisation, cluster)).toBe(version);
    expect(await told('web')).toHaveLength(1);
  });

  it('waits for a repository that is away, and is whole when that is back', async () => {
    const { generation } = await headOf('web');
    parts.git.fail(new HawserError('repository-unreachable', 'no route', { retry: 'later' }));
    await report({ web: generation + 500 });
    await drain(parts);
    expect((await headOf('web')).generation).toBe(generation);

    parts.git.fail(undefined);
    await parts.plan({ organisation, repository: 'demo', reason: 'poll', trace: 'p', at: 'p' });
    await drain(parts);
    expect((await headOf('web')).generation).toBeGreaterThan(generation + 500);
  });

  it('believes no generation that no restore explains, and nobody of another cluster (INV-34)', async () => {
    const { generation } = await headOf('web');
    const ticket = async () => (await parts.store.get(`T#${organisation}`, 'TICKET'))?.revision;
    const before = await ticket();
    await report({ web: 2 ** 50 });
    await report({ web: generation + 500 }, 'far');
    await drain(parts);

    expect(await ticket()).toBe(before);
    expect((await headOf('web')).generation).toBe(generation);
  });

  it('is not taken for one while a publisher writes the head before the status', async () => {
    const { generation } = await headOf('web');
    const key = { partition: `T#${organisation}#A#web`, sort: 'STATUS' };
    const row = await parts.store.get<{ desired: object }>(key.partition, key.sort);
    const value = { ...row?.value, desired: { ...row?.value.desired, generation: generation - 1 } };
    await parts.store.put({ ...key, revision: (row?.revision ?? 0) + 1, value });
    const before = (await parts.store.get(`T#${organisation}`, 'TICKET'))?.revision;
    await report({ web: generation });

    expect((await parts.store.get(`T#${organisation}`, 'TICKET'))?.revision).toBe(before);
    expect(await told('web')).toEqual([]);
  });
});

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { JsonObject } from '#shared/domain/json.ts';
import type { PublishJob } from '#shared/messages/publish-job.ts';
import { declareObjects } from '#shared/state/declare.ts';
import { readHead, rootOf, takeTicket } from '#shared/state/heads.ts';
import {
  cluster,
  configMap,
  drain,
  openServiceParts,
  organisation,
  type ServiceParts,
} from '#test/kit/service-parts.ts';

/** A push after somebody asked for a sync, before the agent has told of it. */
let parts: ServiceParts;
beforeEach(async () => {
  parts = await openServiceParts();
  parts.git.push('demo', { 'web/a.yaml': configMap('a', '1') });
  await declare({});
});
afterEach(() => parts.close());

async function declare(syncPolicy: JsonObject): Promise<void> {
  const object = {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Application',
    metadata: { name: 'web', namespace: 'argocd' },
    spec: {
      source: { repoURL: 'https://git.test/demo.git', path: 'web' },
      destination: { name: 'in-cluster', namespace: 'shop' },
      syncPolicy,
    },
  };
  await declareObjects(parts, {
    organisation,
    objects: [object],
    homeCluster: cluster,
    defaultCluster: cluster,
    by: 'ada',
    trace: 't',
  });
  await drain(parts);
}

async function request(what: object): Promise<void> {
  const generation = await takeTicket(parts.store, organisation);
  const job = {
    organisation,
    application: 'web',
    generation,
    inputDigest: '',
    intent: { revision: '', dependsOn: [], initiatedBy: 'ada', renderDigest: '' },
    result: { status: 'repeat', ...what } as PublishJob['result'],
    trace: 't',
    at: 'now',
  } satisfies PublishJob;
  await parts.publishJobs.send([JSON.stringify(job)]);
  await drain(parts);
}

const sync = (id: string, more: object = {}) => ({ sync: { id, by: 'ada', at: '2026-01-01T00:00:00Z', ...more } });

async function push(value: string) {
  parts.git.push('demo', { 'web/a.yaml': configMap('a', value) });
  await parts.hints.send([
    JSON.stringify({ organisation, repository: 'demo', reason: 'push', trace: value, at: value }),
  ]);
  await drain(parts);
  return root();
}

async function root() {
  const head = await readHead(parts.store, organisation, cluster, 'web');
  if (head === undefined) throw new Error('web has no head');
  return rootOf(head.value);
}

/** The agent says how far it is with the newest generation. */
async function report(finished: boolean): Promise<void> {
  const { generation } = await root();
  const at = new Date(parts.clock.now()).toISOString();
  const operation = {
    phase: finished ? ('Succeeded' as const) : ('Running' as const),
    message: '',
    generation,
    revision: 'r',
    startedAt: at,
    ...(finished ? { finishedAt: at } : {}),
    initiatedBy: { username: 'ada' },
    retryCount: 0,
    resources: [],
  };
  await parts.report({
    organisation,
    cluster,
    receivedAt: at,
    report: {
      format: 1,
      epoch: 'e',
      sequence: (sequence += 1),
      agentVersion: '1',
      version: 1,
      applications: [
        {
          application: 'web',
          generation,
          sync: { status: 'Synced', revision: 'r', generation },
          health: { status: 'Healthy' },
          operation,
          drift: [],
          conditions: [],
          events: [],
        },
      ],
      heartbeat: { digest: '', applications: 1, objects: 1, memoryBytes: 1 },
    },
  });
}
let sequence = 0;

describe('a push right after somebody asked for a sync', () => {
  it('does not make the sync vanish: the agent may never have seen it', async () => {
    await request(sync('s1', { prune: true }));
    expect(await push('2')).toMatchObject({ sync: { id: 's1', prune: true } });
    expect(await push('3')).toMatchObject({ sync: { id: 's1', prune: true } });
  });

  it('keeps it while it runs, and not when it is over', async () => {
    await request(sync('s1'));
    await report(false);
    expect(await push('2')).toMatchObject({ sync: { id: 's1' } });
    await report(true);
    expect(await push('3')).not.toHaveProperty('sync');
  });

  it('asks for nothing where pushes are applied by themselves', async () => {
    await declare({ automated: {} });
    await request(sync('s1'));
    expect(await push('2')).not.toHaveProperty('sync');
  });

  it('does not make a rollback or a confirmation one of other content', async () => {
    const first = (await root()).generation;
    await push('2');
    await request({ ...sync('s1'), of: first });
    expect(await push('3')).not.toHaveProperty('sync');

    const confirmedPrunes = { listDigest: 'd'.repeat(64), until: '2027-01-01T00:00:00Z' };
    await request(sync('s2', { prune: true, confirmedPrunes }));
    expect(await push('4')).not.toHaveProperty('sync');
  });
});

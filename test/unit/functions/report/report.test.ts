import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { JsonObject } from '#shared/domain/json.ts';
import type { HistoryEntry, Drift } from '#shared/domain/status.ts';
import type { AgentReport, ApplicationReport } from '#shared/messages/agent-report.ts';
import { declareObjects } from '#shared/state/declare.ts';
import { orderDeletion } from '#shared/state/delete-application.ts';
import type { SnapshotRoot } from '#shared/domain/snapshot.ts';
import { readChanges, readHead, readVersion, rootOf } from '#shared/state/heads.ts';
import { applicationKey, clusterKey, organisationKey } from '#shared/state/keys.ts';
import { getApplication } from '#shared/state/registry.ts';
import { readStatus, type StoredSummary } from '#shared/state/status.ts';
import { mergeDrift } from '#functions/report/accept-application-report.ts';
import { nextSeen, type StoredSeen } from '#functions/report/handle-report.ts';
import {
  cluster,
  configMap,
  drain,
  openServiceParts,
  organisation,
  type ServiceParts,
} from '#test/kit/service-parts.ts';

let parts: ServiceParts;
let generation: number;

/** One application, published. */
beforeEach(async () => {
  parts = await openServiceParts();
  parts.git.push('demo', { 'web/a.yaml': configMap('a', '1') });
  await declare({ name: 'web', namespace: 'argocd' });
  generation = (await readHead(parts.store, organisation, cluster, 'web'))?.value.generation ?? 0;
});
afterEach(() => parts.close());

async function declare(metadata: JsonObject, source: JsonObject = {}): Promise<void> {
  const object = {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Application',
    metadata,
    spec: {
      source: { repoURL: 'https://git.test/demo.git', path: 'web', ...source },
      destination: { name: 'in-cluster', namespace: 'shop' },
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

function web(more: Partial<ApplicationReport> = {}): ApplicationReport {
  return {
    application: 'web',
    generation,
    sync: { status: 'Synced', revision: 'r', generation },
    health: { status: 'Healthy' },
    drift: [],
    conditions: [],
    events: [],
    ...more,
  };
}

function report(
  sequence: number,
  applications: ApplicationReport[] = [],
  more: Partial<AgentReport> = {},
): AgentReport {
  return {
    format: 1,
    epoch: '2026-a',
    sequence,
    agentVersion: '1',
    version: 1,
    applications,
    heartbeat: { digest: '', applications: 1, objects: 1, memoryBytes: 1 },
    ...more,
  };
}

async function receive(content: AgentReport, from = cluster): Promise<void> {
  const receivedAt = new Date(parts.clock.now()).toISOString();
  await parts.report({ organisation, cluster: from, receivedAt, report: content });
}

/** Sorts by time, as agents' epochs do. */
function epochNow(): string {
  return `x-${String(parts.clock.monotonic()).padStart(6, '0')}`;
}

async function status() {
  return readStatus(parts.store, organisation, 'web');
}

async function summary(): Promise<StoredSummary | undefined> {
  return (await parts.store.get<StoredSummary>(organisationKey(organisation), 'APP#web'))?.value;
}

describe('an application’s part of a report', () => {
  it('becomes its status and its line in the list', async () => {
    await receive(report(1, [web({ images: ['nginx:1'] })]));

    expect(await status()).toMatchObject({
      sync: { status: 'Synced' },
      health: { status: 'Healthy' },
      images: ['nginx:1'],
    });
    expect(await summary()).toMatchObject({ sync: 'Synced', health: 'Healthy' });
  });

  it('counts only when it is newer by (epoch, sequence) (INV-31)', async () => {
    await receive(report(5, [web({ health: { status: 'Healthy' } })]));
    await receive(report(4, [web({ health: { status: 'Degraded' } })]));
    expect((await status())?.health.status).toBe('Healthy');

    await receive(report(1, [web({ health: { status: 'Progressing' } })], { epoch: '2026-b' }));
    expect((await status())?.health.status).toBe('Progressing');
    await receive(report(99, [web({ health: { status: 'Degraded' } })]));
    expect((await status())?.health.status).toBe('Progressing');
  });

  it('delivered again, does what may not have been done, and nothing twice (INV-04)', async () => {
    const at = '2026-01-01T00:00:00.000Z';
    const events = [{ at, type: 'Normal' as const, reason: 'Synced', message: 'all applied' }];
    await receive(report(1, [web({ events, resources: [resource('a')] })]));
    // Whoever took it in died before the list and the summary were written.
    await parts.store.remove(applicationKey(organisation, 'web'), 'RESOURCES');
    await parts.store.remove(organisationKey(organisation), 'APP#web');
    await receive(report(1, [web({ events, resources: [resource('a')] })]));

    expect((await status())?.resources).toHaveLength(1);
    expect(await summary()).toMatchObject({ health: 'Healthy', objects: 1 });
    const { rows } = await parts.store.query<{ reason: string }>(applicationKey(organisation, 'web'), {
      prefix: 'EVENT#',
    });
    expect(rows.filter((row) => row.value.reason === 'Synced')).toHaveLength(1);
  });

  it('keeps the list of resources where the report says that it is as it was', async () => {
    await receive(report(1, [web({ resources: [resource('a'), resource('b')] })]));
    await receive(report(2, [web()]));

    expect((await status())?.resources).toHaveLength(2);
    expect(await summary()).toMatchObject({ objects: 2 });
  });

  it('gives the same status in any order and however often reports come (INV-04, INV-31; FT-104)', async () => {
    const health = ['Healthy', 'Degraded', 'Progressing', 'Missing', 'Unknown'] as const;
    const sent = health.map((one, index) => report(index + 1, [web({ health: { status: one } })]));
    await fc.assert(
      fc.asyncProperty(
        fc.shuffledSubarray(sent, { minLength: sent.length }),
        fc.array(fc.constantFrom(...sent), { maxLength: 5 }),
        async (order, again) => {
          await receive(report(1, [web({ health: { status: 'Healthy' } })], { epoch: epochNow() }));
          expect((await status())?.health.status).toBe('Healthy');
          for (const one of [...order, ...again]) await receive({ ...one, epoch: epochNow() });
          expect((await status())?.health.status).toBe('Unknown');
          await parts.clock.advance(1);
        },
      ),
      { numRuns: 20 },
    );
  });

  it('that was overtaken still brings what is said once: events, corrected drift, the list of resources (INV-04)', async () => {
    const at = '2026-01-01T00:00:00.000Z';
    const events = [{ at, type: 'Normal' as const, reason: 'Corrected', message: 'brought back' }];
    const id = { group: 'apps', version: 'v1', kind: 'Deployment', namespace: 'shop', name: 'web' };
    const drift = [{ ...id, change: 'deleted' as const, fields: [], seenAt: at, correctedAt: at }];
    const late = report(2, [web({ health: { status: 'Progressing' }, events, drift, resources: [resource('b')] })]);
    await receive(report(1, [web({ resources: [resource('a')] })]));
    await receive(report(3, [web()]));
    await receive(late);
    await receive(late);

    expect(await status()).toMatchObject({ health: { status: 'Healthy' }, drift, resources: [resource('b')] });
    const { rows } = await parts.store.query<{ reason: string }>(applicationKey(organisation, 'web'), {
      prefix: 'EVENT#',
    });
    expect(rows.filter((row) => row.value.reason === 'Corrected')).toHaveLength(1);

    await receive(report(4, [web({ resources: [resource('c')] })]));
    await receive(late);
    expect((await status())?.resources).toEqual([resource('c')]);
  });

  it('of an application of another cluster is ignored (INV-34, NT-111)', async () => {
    await receive(report(1, [web({ health: { status: 'Degraded' } })]), 'elsewhere');

    expect((await status())?.health.status).toBe('Unknown');
  });

  it('of an application that nobody knows is ignored', async () => {
    await receive(report(1, [web({ application: 'ghost' })]));

    expect(await readStatus(parts.store, organisation, 'ghost')).toBeUndefined();
  });

  it('changes no desired state and asks for no render (INV-33)', async () => {
    const before = await readHead(parts.store, organisation, cluster, 'web');
    const { renders } = parts.renderer;
    await receive(report(1, [web({ sync: { status: 'OutOfSync', generation: 999 } })]));
    await drain(parts);
    expect(await readHead(parts.store, organisation, cluster, 'web')).toEqual(before);

    // Newer than the store: the same again under a later number, as after a restore (FT-49).
    await receive(report(2, [web({ generation: 999 })]));
    await drain(parts);
    const after = await readHead(parts.store, organisation, cluster, 'web');
    const content = ({ generation: _, ...root }: SnapshotRoot) => root;
    expect(after && content(rootOf(after.value))).toEqual(before && content(rootOf(before.value)));
    expect(parts.renderer.renders).toBe(renders);
  });

  it('of ten thousand objects fits, whatever the agent says of each (LIM-12, LIM-17)', async () => {
    const resources = Array.from({ length: 10_000 }, (_, index) => resource(`object-${index}-with-a-rather-long-name`));
    const results = resources.map((one) => ({
      ...one,
      status: 'Synced' as const,
      message: `configmap/${one.name} configured`,
      action: 'configured' as const,
      phase: 'Sync' as const,
    }));
    const operation = {
      phase: 'Succeeded' as const,
      message: 'done',
      generation,
      revision: 'r',
      startedAt: 'x',
      finishedAt: 'y',
      initiatedBy: {},
      retryCount: 0,
      resources: results,
    };
    await receive(report(1, [web({ resources, operation })]));

    expect((await status())?.resources).toHaveLength(10_000);
    expect((await status())?.operation?.phase).toBe('Succeeded');
    expect(await summary()).toMatchObject({ objects: 10_000 });
  });

  it('lies in the chunk store where it is too large for a message (LIM-16)', async () => {
    const text = Buffer.from(JSON.stringify(report(1, [web()])));
    const stored = await parts.snapshots.write(organisation, cluster, text);
    await parts.report({ organisation, cluster, receivedAt: '2026-01-01T00:00:00Z', stored });

    expect(await status()).toMatchObject({ health: { status: 'Healthy' } });
  });
});

describe('drift', () => {
  const drift = (name: string, seenAt: string, correctedAt?: string): Drift => ({
    group: '',
    version: 'v1',
    kind: 'ConfigMap',
    namespace: 'shop',
    name,
    change: 'modified',
    fields: [],
    seenAt,
    ...(correctedAt === undefined ? {} : { correctedAt }),
  });

  it('that was corrected is remembered; that is open is only what the agent still sees', () => {
    const before = [drift('old', '1', '2'), drift('gone', '3')];

    expect(mergeDrift(before, [drift('new', '4')]).map((one) => one.name)).toEqual(['new', 'old']);
  });

  it('that gets corrected is one drift, not two', () => {
    expect(mergeDrift([drift('a', '1')], [drift('a', '1', '2')])).toEqual([drift('a', '1', '2')]);
  });

  it('lists the open first and a bounded tail of the corrected', () => {
    const corrected = Array.from({ length: 80 }, (_, index) => drift(`c${index}`, String(1000 + index), 'x'));
    const merged = mergeDrift(corrected, [drift('open', '1')]);

    expect(merged).toHaveLength(51);
    expect(merged[0]?.name).toBe('open');
    expect(merged[1]?.name).toBe('c79');
  });
});

describe('history', () => {
  const succeeded = (of: number, revision: string, finishedAt: string) => ({
    phase: 'Succeeded' as const,
    message: '',
    generation: of,
    revision,
    startedAt: finishedAt,
    finishedAt,
    initiatedBy: {},
    retryCount: 0,
    resources: [],
  });
  const entries = async () =>
    (await parts.store.query<HistoryEntry>(applicationKey(organisation, 'web'), { prefix: 'HISTORY#' })).rows.map(
      (row) => row.value,
    );

  it('says when a generation was deployed first', async () => {
    const revision = (await entries())[0]?.revision ?? '';
    await receive(report(1, [web({ operation: succeeded(generation, revision, 'T1') })]));
    await receive(report(2, [web({ operation: succeeded(generation, revision, 'T2') })]));

    expect(await entries()).toMatchObject([{ generation, deployedAt: 'T1' }]);
  });

  it('of an application that is synced by hand, too: the request’s generation deploys the content before it', async () => {
    const revision = (await entries())[0]?.revision ?? '';
    await receive(report(1, [web({ operation: succeeded(generation + 3, revision, 'T1') })]));

    expect(await entries()).toMatchObject([{ deployedAt: 'T1' }]);
  });
});

describe('lost reports', () => {
  const seen = (sequences: [number, boolean][]): StoredSeen | undefined => {
    let row: StoredSeen | undefined;
    for (const [sequence, isHeartbeat] of sequences)
      row = nextSeen(row, report(sequence, isHeartbeat ? [] : [web()]), 'now') ?? row;
    return row;
  };

  it('are noticed by the gap they leave, at the second heartbeat (INV-32)', () => {
    expect(
      seen([
        [1, false],
        [3, false],
      ]),
    ).toMatchObject({ missing: [2], overdue: [] });
    expect(
      seen([
        [1, false],
        [3, false],
        [4, true],
      ]),
    ).toMatchObject({ missing: [2], overdue: [2] });
  });

  it('that come late are not missing any more', () => {
    expect(
      seen([
        [1, false],
        [3, false],
        [2, false],
        [4, true],
      ]),
    ).toMatchObject({ missing: [], overdue: [] });
  });

  it('are noticed also when they were the first of an agent’s life', () => {
    expect(
      seen([
        [3, false],
        [4, true],
      ]),
    ).toMatchObject({ missing: [2, 1], overdue: [2, 1] });
  });

  it('of an epoch that is over do not count', () => {
    const old = nextSeen(undefined, report(7, [], { epoch: '2026-b' }), 'now');

    expect(nextSeen(old, report(99, [], { epoch: '2026-a' }), 'now')).toBeUndefined();
  });

  it('make the service ask for everything, until the agent has taken that in (INV-32)', async () => {
    await receive(report(1, [web()]));
    await receive(report(3, [web()]));
    const version = await readVersion(parts.store, organisation, cluster);
    await receive(report(4));

    expect(await readChanges(parts, organisation, cluster, version)).toMatchObject({ resend: true });
    const row = await parts.store.get<StoredSeen>(clusterKey(organisation, cluster), 'SEEN');
    expect(row?.value).toMatchObject({ missing: [], overdue: [], sequence: 4 });
    const after = await readVersion(parts.store, organisation, cluster);
    await receive(report(5));
    expect(await readVersion(parts.store, organisation, cluster)).toBe(after);
  });
});

describe('a deletion that was carried out', () => {
  const order = async () => {
    const application = await getApplication(parts.store, organisation, 'web');
    if (application)
      await orderDeletion(parts, organisation, application, { by: 'ada', trace: 't', cascade: 'orphan' });
    await drain(parts);
    generation = (await readHead(parts.store, organisation, cluster, 'web'))?.value.generation ?? 0;
  };

  it('makes the service forget the application, wherever it was', async () => {
    await order();
    await receive(report(1, [web({ deleted: true })]));

    expect(await getApplication(parts.store, organisation, 'web')).toBeUndefined();
    expect(await summary()).toBeUndefined();
    expect(await readHead(parts.store, organisation, cluster, 'web')).toBeUndefined();
    expect((await parts.store.query(applicationKey(organisation, 'web'))).rows).toEqual([]);
  });

  it('is no reason to forget what nobody ordered to be deleted (INV-26)', async () => {
    await receive(report(1, [web({ deleted: true })]));

    expect(await getApplication(parts.store, organisation, 'web')).toBeDefined();
  });

  it('of an earlier order does not count for a later one (G-10)', async () => {
    await order();
    const earlier = report(1, [web({ deleted: true })]);
    await declare({ name: 'web', namespace: 'argocd' });
    await order();
    await receive(earlier);

    expect(await getApplication(parts.store, organisation, 'web')).toHaveProperty('deleting');
  });

  it('is finished by the next delivery where somebody died half way', async () => {
    await order();
    const deleted = report(1, [web({ deleted: true })]);
    await parts.store.remove(clusterKey(organisation, cluster), 'APP#web');
    await parts.store.remove(applicationKey(organisation, 'web'), 'STATUS');
    await receive(deleted);

    expect(await summary()).toBeUndefined();
    expect(await getApplication(parts.store, organisation, 'web')).toBeUndefined();
  });
});

describe('what a cluster offers', () => {
  const capabilities = {
    kubernetesVersion: '1.35.0',
    uid: 'u',
    kinds: [{ group: 'x.test', version: 'v1', kind: 'X', plural: 'xs', namespaced: true }],
  };

  it('is kept, and asks to plan what may be a chart, only when it changed (NT-162)', async () => {
    await declare({ name: 'plain', namespace: 'argocd' }, { directory: { recurse: true } });
    await receive(report(1, [], { capabilities }));
    const [delivery] = await parts.hints.receive({ max: 5, waitSeconds: 0, visibilitySeconds: 60 });
    expect(JSON.parse(delivery?.body ?? '{}')).toMatchObject({ reason: 'refresh', applications: ['web'] });

    await receive(report(2, [], { capabilities }));
    expect(await parts.hints.counts()).toMatchObject({ ready: 0 });
  });
});

function resource(name: string) {
  return {
    group: '',
    version: 'v1',
    kind: 'ConfigMap',
    namespace: 'shop',
    name,
    status: 'Synced' as const,
    health: { status: 'Healthy' as const },
  };
}

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { JsonObject } from '#shared/domain/json.ts';
import { declareObjects } from '#shared/state/declare.ts';
import { readHead, rootOf } from '#shared/state/heads.ts';
import { readStatus } from '#shared/state/status.ts';
import {
  cluster,
  configMap,
  drain,
  openServiceParts,
  organisation,
  type ServiceParts,
} from '#test/kit/service-parts.ts';

/**
 * An application that depends on another waits for the generation that their common plan gives it. Whatever becomes of that
 * plan, something as late must come: else it waits for ever, in production as well.
 */
let parts: ServiceParts;
beforeEach(async () => {
  parts = await openServiceParts();
  parts.git.push('demo', files('1', '1'));
  await declareObjects(parts, {
    organisation,
    objects: [repository, kustomization('base', []), kustomization('top', ['base'])],
    homeCluster: cluster,
    defaultCluster: cluster,
    by: 'ada',
    trace: 't',
  });
});
afterEach(() => parts.close());

const repository: JsonObject = {
  apiVersion: 'source.toolkit.fluxcd.io/v1',
  kind: 'GitRepository',
  metadata: { name: 'demo', namespace: 'flux' },
  spec: { url: 'https://git.test/demo.git' },
};

function kustomization(name: string, dependsOn: string[]): JsonObject {
  return {
    apiVersion: 'kustomize.toolkit.fluxcd.io/v1',
    kind: 'Kustomization',
    metadata: { name, namespace: 'flux' },
    spec: {
      path: name,
      sourceRef: { kind: 'GitRepository', name: 'demo' },
      targetNamespace: 'shop',
      dependsOn: dependsOn.map((other) => ({ name: other })),
      interval: '1m',
    },
  };
}

function files(base: string, top: string): Record<string, string> {
  const file = (value: string) => (value === 'broken' ? '{"broken":true}' : configMap('a', value));
  return { 'base/a.yaml': file(base), 'top/a.yaml': file(top) };
}

const hint = (trace: string) => ({ organisation, repository: 'demo', reason: 'push' as const, trace, at: trace });

/** What the plan alone does; renders and publishes wait in their queues. */
async function planPush(base: string, top: string): Promise<void> {
  parts.git.push('demo', files(base, top));
  await parts.plan(hint(`${base} ${top} ${Math.random()}`));
}

async function push(base: string, top: string): Promise<void> {
  await planPush(base, top);
  await drain(parts);
}

async function root(application: string) {
  const row = await readHead(parts.store, organisation, cluster, application);
  if (row === undefined) throw new Error(`${application} has no head`);
  return rootOf(row.value);
}

/** What `top` waits for, and what there is of it. */
async function waiting(): Promise<{ for: number; is: number }> {
  return { for: (await root('flux-top')).dependsOn[0]?.generation ?? -1, is: (await root('flux-base')).generation };
}

async function expectServed(): Promise<void> {
  const { for: awaited, is } = await waiting();
  expect(is).toBeGreaterThanOrEqual(awaited);
  const status = await readStatus(parts.store, organisation, 'flux-base');
  expect(status?.desired?.generation).toBe(is);
}

/** Renders what was asked for, and gives the publish jobs in the order of their tickets, by application. */
async function publishJobs(): Promise<{ application: string; generation: number; publish: () => Promise<void> }[]> {
  const signal = new AbortController().signal;
  for (const delivery of await parts.renderJobs.receive({ max: 10, waitSeconds: 0, visibilitySeconds: 60 })) {
    await parts.render(JSON.parse(delivery.body) as never, { signal });
    await parts.renderJobs.done([delivery]);
  }
  const deliveries = await parts.publishJobs.receive({ max: 10, waitSeconds: 0, visibilitySeconds: 60 });
  return deliveries.map((delivery) => {
    const job = JSON.parse(delivery.body) as { application: string; generation: number };
    const publish = async () => {
      await parts.publish(job as never);
      await parts.publishJobs.done([delivery]);
    };
    return { ...job, publish };
  });
}

describe('who depends on others is served', () => {
  it('when two plans find the same change, and each gives half of it (FT-02, FT-18)', async () => {
    await drain(parts);
    // Both find the change before either has published it: one hint was delivered twice.
    parts.git.push('demo', files('2', '2'));
    const ask = { ...hint('both'), applications: ['flux-base', 'flux-top'] };
    await parts.plan(ask);
    const first = await publishJobs();
    await parts.plan(ask);
    const second = await publishJobs();
    const jobOf = (jobs: typeof first, application: string) => jobs.find((job) => job.application === application);

    await jobOf(first, 'flux-base')?.publish();
    await jobOf(second, 'flux-top')?.publish();
    expect((await waiting()).is).toBeLessThan((await waiting()).for);
    await jobOf(second, 'flux-base')?.publish();
    await jobOf(first, 'flux-top')?.publish();
    await drain(parts);

    await expectServed();
  });

  it('by the same content under another number: nothing else is published, nothing is told twice (INV-04)', async () => {
    await drain(parts);
    const before = await root('flux-base');
    await push('broken', '2');
    await push('1', '2');
    const after = await root('flux-base');

    expect({ ...after, generation: 0 }).toEqual({ ...before, generation: 0 });
    await expectServed();
    const { rows } = await parts.store.query<{ reason: string }>(`T#${organisation}#A#flux-base`, { prefix: 'EVENT#' });
    expect(rows.map((row) => row.value.reason).filter((reason) => reason === 'Published')).toHaveLength(1);
  });

  it('when a broken revision is taken back (INV-39)', async () => {
    await drain(parts);
    await push('broken', '2');
    const stuck = await waiting();
    expect(stuck.is).toBeLessThan(stuck.for);

    await push('1', '2');
    await expectServed();
  });

  it('when a change is taken back before it was published', async () => {
    await drain(parts);
    await planPush('2', '2');
    const late = await publishJobs();
    await late.find((job) => job.application === 'flux-top')?.publish();
    await push('1', '2');
    for (const job of late) await job.publish();
    await drain(parts);

    await expectServed();
  });

  it('when the application was declared anew meanwhile, to the same effect', async () => {
    await drain(parts);
    await planPush('2', '2');
    const late = await publishJobs();
    const declared = kustomization('base', []);
    const objects = [{ ...declared, metadata: { name: 'base', namespace: 'flux', labels: { team: 'a' } } }];
    await declareObjects(parts, {
      organisation,
      objects,
      homeCluster: cluster,
      defaultCluster: cluster,
      by: 'ada',
      trace: 'label',
    });
    for (const job of late) await job.publish();
    parts.git.push('demo', files('1', '2'));
    await drain(parts);

    await expectServed();
  });

  it('and an application that nobody waits for keeps its generation (a commit costs what it changes)', async () => {
    await drain(parts);
    const before = (await root('flux-top')).generation;
    await push('1', 'broken');
    await push('1', '1');

    expect((await root('flux-top')).generation).toBe(before);
  });
});

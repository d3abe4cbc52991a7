import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AgentReport } from '#shared/messages/agent-report.ts';
import { declareObjects } from '#shared/state/declare.ts';
import { readChanges, readHead, readVersion } from '#shared/state/heads.ts';
import {
  cluster,
  configMap,
  drain,
  openServiceParts,
  organisation,
  type ServiceParts,
} from '#test/kit/service-parts.ts';

let parts: ServiceParts;

beforeEach(async () => {
  parts = await openServiceParts();
  parts.git.push('demo', { 'web/a.yaml': configMap('a', '1') });
  const object = {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Application',
    metadata: { name: 'web', namespace: 'argocd' },
    spec: {
      source: { repoURL: 'https://git.test/demo.git', path: 'web' },
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
});
afterEach(() => parts.close());

async function reportRenew(renew: string[], from = cluster): Promise<void> {
  const report: AgentReport = {
    format: 1,
    epoch: '2026-a',
    sequence: 1,
    agentVersion: '1',
    version: 1,
    applications: [],
    renew,
    heartbeat: { digest: '', applications: 0, objects: 0, memoryBytes: 1 },
  };
  const receivedAt = new Date(parts.clock.now()).toISOString();
  await parts.report({ organisation, cluster: from, receivedAt, report });
}

const head = () => readHead(parts.store, organisation, cluster, 'web');
const days = (count: number) => parts.clock.setNow(parts.clock.now() + count * 24 * 3600_000);

describe('a root whose certificate has ended', () => {
  it('is signed again when an agent names it: the same root and fence, announced', async () => {
    const before = await head();
    const version = await readVersion(parts.store, organisation, cluster);
    days(30);
    await reportRenew(['web', 'web']);
    expect((await parts.publishJobs.counts()).ready).toBe(1);
    await drain(parts);

    const after = await head();
    expect(after?.revision).toBe(before?.revision);
    expect(after?.value).toEqual({ ...before?.value, root: expect.anything() as unknown });
    expect(after?.value.root.root).toBe(before?.value.root.root);
    expect(Date.parse(after?.value.root.certificate.notAfter ?? '')).toBeGreaterThan(parts.clock.now());
    const changes = await readChanges(parts, organisation, cluster, version);
    expect(changes.heads.map(({ application }) => application)).toEqual(['web']);
  });

  it('costs nothing where it is fresh, unknown, or of another cluster (INV-34)', async () => {
    await reportRenew(['web', 'nobody']);
    days(30);
    await reportRenew(['web'], 'other');
    expect((await parts.publishJobs.counts()).ready).toBe(0);
  });
});

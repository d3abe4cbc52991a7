import { generateKeyPairSync, sign } from 'node:crypto';
import { Bench } from 'tinybench';
import { defaultPolicy } from '#shared/domain/application.ts';
import { sha256 } from '#shared/domain/digest.ts';
import { compareAppliedDryRun, ownedDifferences } from '#shared/domain/drift.ts';
import { computeHealth } from '#shared/domain/health.ts';
import { orderObjects } from '#shared/domain/apply-order.ts';
import type { KubeObject } from '#shared/domain/kube-object.ts';
import { decidePrunes } from '#shared/domain/prune-guards.ts';
import { certificateText, type SignedRoot } from '#shared/domain/snapshot.ts';
import { markObject, ownerMark } from '#shared/domain/tracking.ts';
import { verifyRoot } from '#shared/domain/verify-snapshot.ts';
import { deploymentPair } from '../unit/shared/domain/drift-kit.ts';
import { safeInput } from '../unit/shared/domain/prune-kit.ts';

export interface BenchRow {
  name: string;
  value: number;
  unit: string;
  /** Largest value that is acceptable, in the same unit. */
  budget?: number;
  note?: string;
}

/** What the pure rules cost per call: medians in microseconds, in one process, after warming up. */
export async function benchDomain(): Promise<BenchRow[]> {
  const { desired, live } = deploymentPair();
  const drifted = structuredClone(live);
  (drifted['spec'] as { replicas: number }).replicas = 9;
  const ignore = [{ group: 'apps', kind: 'Deployment', jqPathExpressions: ['.spec.template.spec.containers[].image'] }];
  const objects = Array.from({ length: 1000 }, (_, index): KubeObject => {
    const kind = ['ConfigMap', 'Service', 'Deployment', 'Secret'][index % 4] as string;
    return {
      apiVersion: kind === 'Deployment' ? 'apps/v1' : 'v1',
      kind,
      metadata: { name: `x-${index}`, namespace: `n-${index % 10}` },
    };
  });
  const text = JSON.stringify(desired);
  const marks = { labels: { owner: ownerMark('shop') }, annotations: {} };
  const prunes = safeInput(['/ConfigMap/shop/old'], 1000);
  const { signed, expected } = signedRoot();

  const bench = new Bench({ time: 300, warmupTime: 100 });
  const cases: [name: string, budget: number | undefined, work: () => unknown][] = [
    ['owned differences of a Deployment, none', 50, () => ownedDifferences(desired, live)],
    ['owned differences of a Deployment, one', 50, () => ownedDifferences(desired, drifted)],
    ['owned differences with an ignore rule for it', undefined, () => ownedDifferences(desired, live, { ignore })],
    ['dry run compared with the live Deployment', 50, () => compareAppliedDryRun(live, drifted)],
    ['health of a Deployment', 10, () => computeHealth(live)],
    ['order of 1,000 objects', undefined, () => orderObjects(objects)],
    ['marking a Deployment', undefined, () => markObject(text, marks)],
    ['prune decision, 1,000 objects and 1 extra', undefined, () => decidePrunes(prunes)],
    ['verifying a root', undefined, () => verifyRoot(signed, expected)],
  ];
  for (const [name, , work] of cases) bench.add(name, () => void work());
  await bench.run();
  return cases.map(([name, budget], index) => {
    const result = bench.tasks[index]?.result;
    if (result === undefined || !('latency' in result)) throw new Error(`no result for ${name}`);
    const value = Number((result.latency.p50 * 1000).toFixed(2));
    const note = `p99 ${(result.latency.p99 * 1000).toFixed(1)} µs`;
    return { name, value, unit: 'µs', note, ...(budget === undefined ? {} : { budget }) };
  });
}

function signedRoot(): { signed: SignedRoot; expected: Parameters<typeof verifyRoot>[1] } {
  const root = generateKeyPairSync('ed25519');
  const dayKey = generateKeyPairSync('ed25519');
  const textOf = (key: typeof root.publicKey) => key.export({ type: 'spki', format: 'der' }).toString('base64');
  const claims = {
    organisation: 'acme',
    publicKey: textOf(dayKey.publicKey),
    notBefore: '2026-01-01T00:00:00Z',
    notAfter: '2026-01-02T00:00:00Z',
  };
  const certificate = {
    ...claims,
    signature: sign(null, Buffer.from(certificateText(claims)), root.privateKey).toString('base64'),
  };
  const text = JSON.stringify({
    format: 1,
    organisation: 'acme',
    cluster: 'one',
    application: 'shop',
    displayName: 'shop',
    kind: 'Application',
    generation: 1,
    revision: 'abc',
    inputDigest: '',
    destinationNamespace: '',
    policy: defaultPolicy,
    chunks: [sha256('x')],
    objectCount: 1,
    totalBytes: 100,
    flags: [],
    dependsOn: [],
    owner: ownerMark('shop'),
  });
  const signature = sign(null, Buffer.from(text), dayKey.privateKey).toString('base64');
  return {
    signed: { root: text, signature, certificate },
    expected: {
      organisation: 'acme',
      cluster: 'one',
      application: 'shop',
      rootPublicKey: textOf(root.publicKey),
      appliedGeneration: 0,
      now: Date.UTC(2026, 0, 1, 12),
    },
  };
}

import type { AgentReport, ApplicationReport } from '#shared/messages/agent-report.ts';
import type { ClusterInstall } from '#shared/messages/api.ts';
import type { ClusterCommand } from '#shared/messages/cluster-command.ts';
import type { Assignment } from '#shared/ports/hub.ts';
import type { TestProduct } from './product.ts';

/** What an agent in a closed network does, which speaks HTTPS only: asks, fetches, reports, answers. */
export interface ClosedAgent {
  poll(after?: number): Promise<{ version: number; applications: Assignment[]; commands: ClusterCommand[] }>;
  chunks(digests: readonly string[]): Promise<Record<string, string>>;
  /** Sends a report with this number; a skipped number is a report that was lost. */
  report(
    sequence: number,
    applications: readonly Partial<ApplicationReport>[],
    more?: Partial<AgentReport>,
  ): Promise<void>;
  answer(question: string): Promise<void>;
}

/** Registers a cluster with a static token, and speaks for it. */
export async function joinClosedCluster(product: TestProduct, name: string): Promise<ClosedAgent> {
  const { token = '' } = await product.api<ClusterInstall>('POST', '/api/v1/clusters', { name, identity: 'static' });
  const ask = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const response = await fetch(`${product.run.url}/api/v1/agent/${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text.slice(0, 500)}`);
    return JSON.parse(text) as T;
  };
  return {
    poll: (after = 0) => ask('GET', `poll?after=${after}&wait=0`),
    chunks: async (digests) => (await ask<{ chunks: Record<string, string> }>('POST', 'chunks', { digests })).chunks,
    report: (sequence, applications, more) =>
      ask('POST', 'reports', {
        format: 1,
        epoch: '2026-01-01T00:00:00.000Z-closed',
        sequence,
        agentVersion: 'test',
        version: 0,
        applications: applications.map(wholeReport),
        heartbeat: { digest: 'd', applications: applications.length, objects: 1, memoryBytes: 1 },
        ...more,
      }),
    answer: (question) => ask('POST', 'answers', { question, error: 'not in this cluster' }),
  };
}

function wholeReport(given: Partial<ApplicationReport>): ApplicationReport {
  return {
    application: '',
    generation: 1,
    sync: { status: 'Synced' },
    health: { status: 'Healthy' },
    drift: [],
    conditions: [],
    events: [],
    ...given,
  };
}

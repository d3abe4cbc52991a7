import { messageOf } from '#shared/errors.ts';
import type { AgentReport } from '#shared/messages/agent-report.ts';
import type { Clock } from '#shared/ports/clock.ts';
import type { Queue } from '#shared/ports/queue.ts';
import type { StateStore } from '#shared/ports/state-store.ts';
import type { SnapshotChunks } from '#shared/state/chunks.ts';
import { readChanges, rootOf } from '#shared/state/heads.ts';
import { cluster, organisation } from '#test/kit/service-parts.ts';

/** The service as an agent reaches it. */
export interface AgentParts {
  store: StateStore;
  snapshots: Pick<SnapshotChunks, 'read'>;
  reports: Pick<Queue, 'send'>;
  clock: Clock;
}

/** An agent with direct access: reads what changed, keeps what it has when it cannot, and says what it has. */
export function createAgent(cloud: AgentParts) {
  const applied = new Map<string, { generation: number; value: string }>();
  const valuesByGeneration = new Map<string, string>();
  const breaches: string[] = [];
  let version = 0;
  let sequence = 0;
  return {
    breaches,
    valueOf: (id: string, generation = applied.get(id)?.generation) =>
      valuesByGeneration.get(`${id} ${generation}`) ?? 'nothing',
    async poll(): Promise<void> {
      try {
        const changes = await readChanges(cloud, organisation, cluster, version);
        for (const head of changes.heads) {
          const chunk = await cloud.snapshots.read(organisation, cluster, rootOf(head).chunks[0] ?? '');
          if (chunk === undefined) breaches.push(`INV-10: ${head.application} names a chunk that is not there`);
          if (head.generation < (applied.get(head.application)?.generation ?? 0))
            breaches.push(`INV-13: ${head.application} went back`);
          const { data } = JSON.parse(Buffer.from(chunk ?? []).toString()) as { data: { value: string } };
          applied.set(head.application, { generation: head.generation, value: data.value });
          valuesByGeneration.set(`${head.application} ${head.generation}`, data.value);
        }
        version = changes.version;
        await cloud.reports.send([JSON.stringify(reportOf())]);
      } catch (error) {
        if (!messageOf(error).includes('AWS') && !messageOf(error).includes('answer was lost'))
          breaches.push(`the agent stumbled: ${messageOf(error)}`);
      }
    },
  };

  function reportOf() {
    const report: AgentReport = {
      format: 1,
      epoch: '2026-a',
      sequence: (sequence += 1),
      agentVersion: '1',
      version,
      applications: [...applied].map(([application, { generation }]) => ({
        application,
        generation,
        sync: { status: 'Synced', generation },
        health: { status: 'Healthy' },
        drift: [],
        conditions: [],
        events: [],
      })),
      heartbeat: { digest: '', applications: applied.size, objects: applied.size, memoryBytes: 1 },
    };
    return { organisation, cluster, receivedAt: new Date(cloud.clock.now()).toISOString(), report };
  }
}

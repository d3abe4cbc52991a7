import type { SignedRoot } from '../domain/snapshot.ts';
import type { AgentReport } from '../messages/agent-report.ts';
import type { Answer, ClusterCommand } from '../messages/cluster-command.ts';

/** One application that this cluster should run. */
export interface Assignment {
  application: string;
  generation: number;
  root: SignedRoot;
}

export interface HubUpdate {
  /** The cluster's HEAD version that this update reflects. */
  version: number;
  /** `all`: the complete list (an application missing from it is never a reason to delete); `changes`: only what changed since `after`. */
  scope: 'all' | 'changes';
  applications: Assignment[];
  commands: ClusterCommand[];
  /** The hub holds no polls: ask again after so long. Absent: at once. */
  nextPollSeconds?: number;
}

/** The agent's only view of the service. Every call may fail with `unavailable` (retry later) or `unauthenticated`. */
export interface Hub {
  /** Waits up to `waitSeconds` until HEAD is past `after` or a command is there. `after` 0 asks for all. */
  poll(options: { after: number; waitSeconds: number; signal?: AbortSignal }): Promise<HubUpdate>;
  /** Chunk texts (decompressed) by digest; those that do not exist are missing from the map. */
  chunks(digests: readonly string[]): Promise<Map<string, Uint8Array>>;
  report(report: AgentReport): Promise<void>;
  answer(answer: Answer): Promise<void>;
}

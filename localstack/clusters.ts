import { join } from 'node:path';
import { toId } from '#shared/domain/ids.ts';
import { clusterKey, sortKeys } from '#shared/state/keys.ts';
import { writeSettings } from '#shared/state/settings.ts';
import { agentEnvironment, agentNodeFlags } from '#infra/build/bundle-agent.ts';
import { startAgent, type RunningAgent } from './agents.ts';
import { startSandbox, type Progress, type SandboxCluster } from './cluster/sandbox.ts';
import { writeContextKubeconfig } from './kube-context.ts';
import type { StartOptions } from './options.ts';
import type { Memory } from './run-file.ts';
import type { RunningService } from './running-service.ts';
import type { Terminal } from './terminal.ts';

/** A cluster that the service steers. */
export interface Target {
  name: string;
  kubeconfig: string;
  server: string;
  /** Absent for a cluster of the user's own. */
  sandbox?: SandboxCluster;
}

export type Closer = () => Promise<void> | void;

interface ClusterStart {
  options: StartOptions;
  terminal: Terminal;
  signal: AbortSignal;
  closers: Closer[];
}

/** The sandbox clusters, or the one of the user's own context. */
export async function startClusters(from: ClusterStart): Promise<Target[]> {
  const { options, terminal, signal, closers } = from;
  if (options.context !== undefined) {
    terminal.step(`Cluster of context ${options.context}`);
    const kubeconfig = join(options.dataDir, 'context.kubeconfig');
    const server = writeContextKubeconfig(options.context, kubeconfig, process.env['KUBECONFIG']);
    terminal.done(server);
    return [{ name: toId(options.context), kubeconfig, server }];
  }
  const targets: Target[] = [];
  for (let number = 1; number <= options.clusters; number += 1) {
    const name = number === 1 ? 'sandbox' : `sandbox-${number}`;
    terminal.step(`Kubernetes ${name}`);
    const cluster = await startSandbox({
      name,
      dataDir: join(options.dataDir, 'clusters', name),
      signal,
      auditLog: options.auditLog === true,
      progress: (at) => terminal.detail(describeProgress(at)),
    });
    closers.push(() => cluster.stop());
    terminal.done(cluster.server);
    targets.push({ name, kubeconfig: cluster.kubeconfig, server: cluster.server, sandbox: cluster });
  }
  return targets;
}

interface AgentStart {
  options: StartOptions;
  terminal: Terminal;
  service: RunningService;
  organisation: string;
  memory: Memory;
  bundle: string;
  targets: Target[];
  closers: Closer[];
}

/** Registers the clusters and runs an agent for each; waits until they have been heard. */
export async function startAgents(from: AgentStart): Promise<{ target: Target; agent: RunningAgent }[]> {
  const { options, terminal, service, organisation, memory, targets } = from;
  terminal.step(targets.length === 1 ? 'Agent' : 'Agents');
  const rootKey = await service.rootPublicKey(organisation);
  await writeSettings(service.store, organisation, { defaultCluster: targets[0]?.name ?? 'sandbox' });
  const started: { target: Target; agent: RunningAgent }[] = [];
  for (const target of targets) {
    const access = await service.register(target, memory.agentTokens[target.name]);
    if (access.token !== undefined) memory.agentTokens[target.name] = access.token;
    const agent = startAgent({
      bundle: from.bundle,
      nodeFlags: agentNodeFlags,
      environment: { ...agentEnvironment, ...access.environment },
      server: service.url,
      organisation,
      cluster: target.name,
      rootKey,
      kubeconfig: target.kubeconfig,
      logFile: join(options.dataDir, 'logs', `agent-${target.name}.log`),
      logLevel: options.verbose ? 'debug' : 'info',
    });
    from.closers.push(() => agent.stop());
    started.push({ target, agent });
  }
  await untilConnected(service, organisation, targets);
  terminal.done(`log: ${join(options.dataDir, 'logs')}`);
  return started;
}

/** An agent that does not get through in time is named, but does not keep the rest from starting. */
async function untilConnected(service: RunningService, organisation: string, targets: Target[]): Promise<void> {
  const until = Date.now() + 20_000;
  for (const target of targets) {
    for (;;) {
      const row = await service.store.get<{ at: string }>(clusterKey(organisation, target.name), sortKeys.seen);
      if (row !== undefined && Date.now() - Date.parse(row.value.at) < 30_000) break;
      if (Date.now() > until) return;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }
}

/** Progress of a build or start as one line. */
export function describeProgress(at: Progress): string {
  const percent = at.fraction === undefined ? '' : ` ${Math.round(at.fraction * 100)} %`;
  return `${at.step}${at.detail === undefined ? '' : `: ${at.detail}`}${percent}`;
}

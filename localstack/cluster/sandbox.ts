import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HawserError } from '#shared/errors.ts';
import { createClusterObjects } from './bootstrap.ts';
import { componentDied, startComponent, type Component } from './component.ts';
import {
  kubeconfigOf,
  pathsOf,
  prepareDataDir,
  renderKubeconfig,
  users,
  writeWhole,
  type SandboxPaths,
  type Tokens,
} from './data-dir.ts';
import { withFileLock } from './file-lock.ts';
import {
  apiserverArgs,
  controllerManagerArgs,
  etcdArgs,
  kwokArgs,
  renderAuditPolicy,
  renderSchedulerConfig,
  schedulerArgs,
} from './flags.ts';
import { createKubeClient, type KubeClient } from './kube-client.ts';
import { ensureKustomize, ensureSandboxParts } from './parts.ts';
import type { SandboxParts } from './parts-catalog.ts';
import { choosePorts, type SandboxPorts } from './ports.ts';
import type { Progress } from './progress.ts';
import { clearRunState, takeOver, writeRunState } from './run-state.ts';

export { ensureKustomize, ensureSandboxParts };
export type { Progress, SandboxParts };

/** A running sandbox. */
export interface SandboxCluster {
  name: string;
  /** Path of a kubeconfig file with admin rights. */
  kubeconfig: string;
  /** https://127.0.0.1:port */
  server: string;
  /** Component name to process id. */
  pids: Record<string, number>;
  adminToken: string;
  /** Path of the audit log (JSON lines), where one was asked for. */
  auditLog?: string;
  /** Ends every process; returns when they are gone. May be called more than once. */
  stop(): Promise<void>;
}

export interface StartOptions {
  name: string;
  /** Everything the cluster keeps; a next start with the same folder goes on from there. */
  dataDir: string;
  parts?: SandboxParts;
  cacheDir?: string;
  progress?: (progress: Progress) => void;
  signal?: AbortSignal;
  auditLog?: boolean;
  /** How many nodes; default 3. Nodes that an earlier start created stay. */
  nodes?: number;
}

/** What the steps of a start share. */
interface Run {
  options: StartOptions;
  paths: SandboxPaths;
  parts: SandboxParts;
  tokens: Tokens;
  ports: SandboxPorts;
  server: string;
  /** In start order; ended in reverse. */
  components: Component[];
}

const readyWithin = 60_000;
const pollEvery = 50;
/** Between SIGTERM and SIGKILL. Short, because after a crash the API server waits in vain for an etcd that is gone. */
const graceSeconds = 2;

/**
 * Starts a Kubernetes without containers and returns when it takes work: etcd, API server, then
 * controller manager, scheduler and KWOK. None of them outlives this process, however it ends.
 * Throws a HawserError with the component's last log lines if one fails, or the signal's reason.
 */
export async function startSandbox(options: StartOptions): Promise<SandboxCluster> {
  const parts = options.parts ?? (await ensureSandboxParts(options));
  const paths = pathsOf(resolve(options.dataDir));
  await withFileLock(paths.lock, { signal: options.signal }, () => takeOver(paths));
  const tokens = await prepareDataDir(paths);
  const ports = await choosePorts(paths.ports);
  const server = `https://127.0.0.1:${ports.apiserver}`;
  const run: Run = { options, paths, parts, tokens, ports, server, components: [] };
  try {
    await startAll(run);
  } catch (error) {
    await stopAll(run);
    throw error;
  }
  return clusterOf(run);
}

async function startAll(run: Run): Promise<void> {
  const { options, paths, ports } = run;
  await writeWhole(paths.schedulerConfig, renderSchedulerConfig(paths));
  await writeWhole(paths.auditPolicy, renderAuditPolicy());

  tell(run, 'etcd', 0);
  const etcd = await launch(run, 'etcd', run.parts.etcd, etcdArgs(paths, ports));
  await until(run, etcd, () => isEtcdReady(ports.etcd));

  tell(run, 'kube-apiserver', 0.1);
  const flags = apiserverArgs(paths, ports, options.auditLog === true);
  const apiserver = await launch(run, 'kube-apiserver', run.parts.kubeApiserver, flags);
  const client = await until(run, apiserver, () => connect(run));
  try {
    await until(run, apiserver, async () => (await client.request('GET', '/readyz')).status === 200);
    await writeKubeconfigs(run);

    tell(run, 'kube-controller-manager, kube-scheduler and kwok', 0.7);
    const controllers = await startControllers(run);
    await createClusterObjects(client, options.nodes ?? 3);
    await until(run, controllers, () => hasDefaultServiceAccount(client));
  } finally {
    client.close();
  }
  options.progress?.({ step: `Cluster ${options.name} is ready`, detail: run.server, fraction: 1 });
}

/** The three that only need the API server; returns the controller manager, the one to wait for. */
async function startControllers(run: Run): Promise<Component> {
  const { paths, parts } = run;
  const stages = join(import.meta.dirname, 'kwok.yaml');
  const manager = controllerManagerArgs(paths);
  const controllers = await launch(run, 'kube-controller-manager', parts.kubeControllerManager, manager);
  await launch(run, 'kube-scheduler', parts.kubeScheduler, schedulerArgs(paths));
  await launch(run, 'kwok', parts.kwok, kwokArgs(paths, stages));
  return controllers;
}

async function launch(run: Run, name: string, command: string, args: string[]): Promise<Component> {
  run.options.signal?.throwIfAborted();
  const logFile = join(run.paths.logs, `${name}.log`);
  await writeWhole(logFile, '');
  // GOGC: a burst of applies is bound by the API server's processor time, a tenth of it garbage collection.
  // KWOK_WORKDIR: KWOK would also read ~/.kwok.
  const env = { GOGC: '200', ...process.env, KWOK_WORKDIR: run.paths.root };
  const component = await startComponent({ name, command, args, logFile, env, graceSeconds });
  run.components.push(component);
  await writeRunState(run.paths, pidsOf(run));
  return component;
}

/** Asks again every 50 ms until the answer is neither false nor undefined, or a component has ended. */
async function until<T>(run: Run, waitingFor: Component, ask: () => Promise<T | false | undefined>): Promise<T> {
  const deadline = Date.now() + readyWithin;
  let dead: Component | undefined;
  for (const component of run.components) void component.exited.then(() => (dead ??= component));
  while (Date.now() < deadline) {
    run.options.signal?.throwIfAborted();
    if (dead !== undefined) throw await componentDied(dead);
    const answer = await ask().catch(() => undefined);
    if (answer !== undefined && answer !== false) return answer;
    await sleep(pollEvery);
  }
  const text = `${waitingFor.name} was not ready within ${readyWithin / 1000} s; its log: ${waitingFor.logFile}`;
  throw new HawserError('timeout', text, { data: { component: waitingFor.name, log: waitingFor.logFile } });
}

async function isEtcdReady(port: number): Promise<boolean> {
  const answer = await fetch(`http://127.0.0.1:${port}/health`, { signal: AbortSignal.timeout(1000) });
  return answer.ok;
}

/** The API server writes its certificate, which ends with the authority's, before it listens. */
async function connect(run: Run): Promise<KubeClient> {
  const ca = await readFile(run.paths.servingCert, 'utf8');
  return createKubeClient({ server: run.server, ca, token: run.tokens.admin });
}

/** The controller manager creates it: where it is, the controllers are at work and pods are let in. */
async function hasDefaultServiceAccount(client: KubeClient): Promise<boolean> {
  return (await client.request('GET', '/api/v1/namespaces/default/serviceaccounts/default')).status === 200;
}

async function writeKubeconfigs(run: Run): Promise<void> {
  const ca = await readFile(run.paths.servingCert, 'utf8');
  for (const user of users) {
    const text = renderKubeconfig({ name: run.options.name, server: run.server, ca, token: run.tokens[user] });
    await writeWhole(kubeconfigOf(run.paths, user), text);
  }
}

function clusterOf(run: Run): SandboxCluster {
  let stopping: Promise<void> | undefined;
  return {
    name: run.options.name,
    kubeconfig: run.paths.kubeconfig,
    server: run.server,
    pids: pidsOf(run),
    adminToken: run.tokens.admin,
    ...(run.options.auditLog === true ? { auditLog: run.paths.auditLog } : {}),
    stop: () => (stopping ??= stopAll(run)),
  };
}

/** etcd goes last: the API server wants to say goodbye to it. */
async function stopAll(run: Run): Promise<void> {
  const [etcd, apiserver, ...others] = run.components;
  await Promise.all(others.map((component) => component.stop()));
  await apiserver?.stop();
  await etcd?.stop();
  await clearRunState(run.paths);
}

function pidsOf(run: Run): Record<string, number> {
  return Object.fromEntries(run.components.map((component) => [component.name, component.pid]));
}

function tell(run: Run, what: string, fraction: number): void {
  run.options.progress?.({ step: `Starting cluster ${run.options.name}`, detail: what, fraction });
}

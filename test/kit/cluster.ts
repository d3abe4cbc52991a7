import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openConnection } from '#agent/cluster/connection.ts';
import { createRequests, type Requests } from '#agent/cluster/requests.ts';
import { agentEnvironment, agentNodeFlags, bundleAgent } from '#infra/build/bundle-agent.ts';
import { startSandbox, type SandboxCluster } from '#localstack/cluster/sandbox.ts';
import { createSystemClock } from '#shared/adapters/embedded/system-clock.ts';
import type { KubeObject } from '#shared/domain/kube-object.ts';
import type { FakeHub } from './fake-hub.ts';

/** A sandbox Kubernetes for tests, with a client that is not the agent. */
export interface TestCluster {
  sandbox: SandboxCluster;
  /** Path → object; undefined when there is none. */
  get(path: string): Promise<KubeObject | undefined>;
  list(path: string): Promise<KubeObject[]>;
  /** Any request; throws unless the status is 2xx. */
  send(method: 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: unknown): Promise<KubeObject>;
  /** Requests that the API server got from the agent since `since` (ms since 1970), as `verb resource/name`; watches left out. */
  auditSince(since: number, verbs?: readonly string[]): Promise<AuditEntry[]>;
  stop(): Promise<void>;
}

export interface AuditEntry {
  verb: string;
  uri: string;
  dryRun: boolean;
  at: number;
}

/** Starts a cluster in a folder of its own. */
export async function startTestCluster(name: string): Promise<TestCluster> {
  const dataDir = await mkdtemp(join(tmpdir(), `hawser-${name}-`));
  const sandbox = await startSandbox({ name, dataDir, auditLog: true });
  const connection = openConnection({ kubeconfig: sandbox.kubeconfig });
  const requests = createRequests({ connection, clock: createSystemClock(), userAgent: 'hawser-test' });
  return {
    sandbox,
    get: (path) => getJson(requests, path),
    async list(path) {
      const answer = (await getJson(requests, path)) as unknown as { items: KubeObject[] } | undefined;
      return answer?.items ?? [];
    },
    async send(method, path, body) {
      const contentType = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
      const response = await requests.send({
        method,
        path,
        contentType,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      if (response.status >= 300) throw new Error(`${method} ${path}: ${response.status} ${response.text}`);
      return JSON.parse(response.text) as KubeObject;
    },
    auditSince: (since, verbs) => readAudit(sandbox.auditLog ?? '', since, verbs),
    async stop() {
      requests.close();
      await sandbox.stop();
      await rm(dataDir, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

async function getJson(requests: Requests, path: string): Promise<KubeObject | undefined> {
  const response = await requests.send({ method: 'GET', path });
  if (response.status === 404) return undefined;
  if (response.status !== 200) throw new Error(`GET ${path}: ${response.status} ${response.text}`);
  return JSON.parse(response.text) as KubeObject;
}

/** The test's own client is told apart by its user agent. */
async function readAudit(file: string, since: number, verbs?: readonly string[]): Promise<AuditEntry[]> {
  const entries: AuditEntry[] = [];
  for (const line of (await readFile(file, 'utf8')).split('\n')) {
    if (line === '') continue;
    const event = JSON.parse(line) as {
      stage: string;
      verb: string;
      requestURI: string;
      userAgent?: string;
      requestReceivedTimestamp: string;
    };
    const at = Date.parse(event.requestReceivedTimestamp);
    if (event.stage !== 'ResponseComplete' || at < since || event.verb === 'watch') continue;
    if (event.userAgent?.startsWith('hawser-agent') !== true) continue;
    if (verbs !== undefined && !verbs.includes(event.verb)) continue;
    entries.push({ verb: event.verb, uri: event.requestURI, dryRun: event.requestURI.includes('dryRun='), at });
  }
  return entries;
}

/** Verbs that change something. */
export const writeVerbs = ['create', 'update', 'patch', 'delete', 'deletecollection'];

export interface AgentProcess {
  pid: number;
  /** JSON log lines so far. */
  readonly log: string[];
  /** Ends it with a signal and waits until it is gone. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  exited: Promise<void>;
  residentBytes(): Promise<number>;
}

let bundle: Promise<string> | undefined;

/** Bundles the agent once for this process; the path of the file. */
export function agentBundle(): Promise<string> {
  bundle ??= mkdtemp(join(tmpdir(), 'hawser-agent-')).then(async (dir) => {
    const file = join(dir, 'agent.mjs');
    await bundleAgent(file);
    return file;
  });
  return bundle;
}

/** Starts the very bundle that ships, as a process of its own. */
export async function startAgent(
  cluster: { kubeconfig: string },
  hub: FakeHub,
  environment: Record<string, string> = {},
): Promise<AgentProcess> {
  const file = await agentBundle();
  const child: ChildProcess = spawn(process.execPath, [...agentNodeFlags, file], {
    stdio: ['pipe', 'inherit', 'pipe'],
    env: {
      ...agentEnvironment,
      PATH: process.env['PATH'],
      HAWSER_SERVER: hub.url,
      HAWSER_AGENT_TOKEN: hub.token,
      HAWSER_ORGANISATION: hub.organisation,
      HAWSER_CLUSTER: hub.cluster,
      HAWSER_ROOT_KEY: hub.rootKey,
      KUBECONFIG: cluster.kubeconfig,
      HAWSER_EXIT_WITH_PARENT: '1',
      HAWSER_LOG_LEVEL: 'debug',
      ...environment,
    },
  });
  const log: string[] = [];
  child.stderr
    ?.setEncoding('utf8')
    .on('data', (text: string) => log.push(...text.split('\n').filter((line) => line !== '')));
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const pid = child.pid ?? 0;
  return {
    pid,
    log,
    exited,
    async stop(signal = 'SIGTERM') {
      child.kill(signal);
      await exited;
    },
    async residentBytes() {
      const status = await readFile(`/proc/${pid}/status`, 'utf8');
      return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
    },
  };
}

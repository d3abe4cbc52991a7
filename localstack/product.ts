import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { HawserError } from '#shared/errors.ts';
import { sha256 } from '#shared/domain/digest.ts';
import { toId } from '#shared/domain/ids.ts';
import { createLog } from '#shared/adapters/observe/pino-log.ts';
import { organisationKey, sortKeys } from '#shared/state/keys.ts';
import { listRepositories, normaliseRepositoryUrl, webhookSecretName } from '#shared/state/registry.ts';
import { writeSettings } from '#shared/state/settings.ts';
import { compileAppProject } from '#shared/domain/compile/app-project.ts';
import { grantToken, newToken } from '#functions/api/auth.ts';
import { agentNodeFlags } from '#infra/build/bundle-agent.ts';
import { startAgent, type RunningAgent } from './agents.ts';
import { ensureAgentBundle, ensureDashboard } from './builds.ts';
import { ensureKustomize, ensureSandboxParts, startSandbox, type Progress } from './cluster/sandbox.ts';
import { startGitHost, type GitHost } from './git-host.ts';
import { writeContextKubeconfig } from './kube-context.ts';
import type { StartOptions } from './options.ts';
import { readMemory, removeRunFile, writeMemory, writeRunFile, type Memory, type RunFile } from './run-file.ts';
import { seedDemo } from './seed-demo.ts';
import { startService, type Service } from './service.ts';
import type { Terminal } from './terminal.ts';

/** The organisation of a service on one machine. */
export const organisation = 'local';

export interface Product {
  run: RunFile;
  service: Service;
  stop(): Promise<void>;
}

interface Target {
  name: string;
  kubeconfig: string;
  server: string;
}

type Closer = () => Promise<void> | void;

/**
 * Starts everything that `npm start` promises, saying what it is at. What was there before goes on: state, addresses,
 * tokens, clusters. Throws with what, where and what to do; whatever had been started by then is ended.
 */
export async function startProduct(options: StartOptions, terminal: Terminal, signal: AbortSignal): Promise<Product> {
  const closers: Closer[] = [];
  const stop = async () => {
    removeRunFile(options.dataDir);
    for (const close of closers.splice(0).reverse()) {
      try {
        await close();
      } catch (error) {
        terminal.line(`  ${String(error)}`);
      }
    }
  };
  try {
    return await start(options, terminal, signal, closers, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

async function start(
  options: StartOptions,
  terminal: Terminal,
  signal: AbortSignal,
  closers: Closer[],
  stop: () => Promise<void>,
): Promise<Product> {
  const { dataDir } = options;
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const memory = readMemory(dataDir);
  const log = createLog({ level: options.verbose ? 'debug' : 'warn', name: 'service', pretty: process.stderr.isTTY });

  terminal.step('Build page and agent');
  const [bundle, dashboard] = [await ensureAgentBundle(), await ensureDashboard()];
  terminal.done();
  const kustomize = await findKustomize(options, terminal, signal);

  terminal.step('Service');
  const webhookSecret = (memory.webhookSecret ??= randomBytes(32).toString('hex'));
  const service = await startService({
    dataDir,
    port: options.port ?? memory.port ?? 0,
    organisation,
    webhookSecret,
    cacheDir: cacheFolder(),
    ...(kustomize === undefined ? {} : { kustomize }),
    dashboard,
    loopbackSession: true,
    log,
  });
  closers.push(() => service.stop());
  memory.port = Number(new URL(service.url).port);
  terminal.done(service.url);

  terminal.step('Git host');
  const git = await startDemoHost(dataDir, memory, service, webhookSecret);
  closers.push(() => git.stop());
  memory.gitPort = Number(new URL(git.url).port);
  terminal.done(git.url);
  // Written as soon as addresses are known: a crash after this still finds the same ones.
  const token = (memory.token ??= newToken(organisation));
  writeMemory(dataDir, memory);
  await prepareOrganisation(service, token);

  const targets = await startClusters(options, terminal, signal, closers);
  const clusters = await startAgents({ options, terminal, service, memory, bundle, targets, closers });
  writeMemory(dataDir, memory);
  if (options.demo) await startDemo(terminal, service, git, token, targets[0]?.name ?? '');
  const run: RunFile = {
    url: service.url,
    token,
    git: git.url,
    kubeconfig: targets[0]?.kubeconfig ?? '',
    webhookSecret,
    pid: process.pid,
    clusters: clusters.map(({ target, agent }) => ({
      name: target.name,
      kubeconfig: target.kubeconfig,
      agentPid: agent.pid() ?? 0,
    })),
  };
  writeRunFile(dataDir, run);
  sayWhatToDo(terminal, options, run);
  return { run, service, stop };
}

/** Tools that are built or unpacked once per machine. */
export function cacheFolder(): string {
  return join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'hawser');
}

/** Kustomize's own binary renders four times as fast; with a cluster of the user's own nothing is built, kubectl's serves. */
async function findKustomize(
  options: StartOptions,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<string | undefined> {
  terminal.step(options.context === undefined ? 'Kubernetes sandbox: parts' : 'Kustomize');
  const progress = (at: Progress) => terminal.detail(describe(at));
  try {
    const path =
      options.context === undefined
        ? (await ensureSandboxParts({ progress, signal })).kustomize
        : await ensureKustomize({ progress, signal });
    terminal.done();
    return path;
  } catch (error) {
    if (options.context === undefined || signal.aborted) throw error;
    terminal.done("kubectl's serves");
    return undefined;
  }
}

async function startDemoHost(
  dataDir: string,
  memory: Memory,
  service: Service,
  webhookSecret: string,
): Promise<GitHost> {
  const root = join(dataDir, 'repositories');
  let git: GitHost | undefined;
  const host = await startGitHost({
    root,
    ...(memory.gitPort === undefined ? {} : { port: memory.gitPort }),
    async webhook(name) {
      const url = normaliseRepositoryUrl(`${git?.url ?? ''}/${name}.git`);
      const repository = (await listRepositories(service.api.store, organisation)).find(
        (one) => normaliseRepositoryUrl(one.url) === url,
      );
      if (repository === undefined) return undefined;
      const secret =
        (await service.api.secrets.get(webhookSecretName(organisation, repository.id)))?.value ?? webhookSecret;
      return { url: `${service.url}/webhooks/github/${repository.id}`, secret };
    },
  }).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    throw new HawserError('unavailable', `port ${memory.gitPort} of the Git host is taken by another program`, {
      hint: 'Repositories were handed out with this address: stop that program, or start with another --data folder.',
    });
  });
  git = host;
  return host;
}

/** The admin's token, and the project `default`, which permits everything as Argo CD's does. */
async function prepareOrganisation(service: Service, token: string): Promise<void> {
  const { store } = service.api;
  await grantToken(store, organisation, token, { user: 'admin', role: 'admin', createdAt: new Date().toISOString() });
  const project = compileAppProject({
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'AppProject',
    metadata: { name: 'default', namespace: 'argocd' },
    spec: {
      description: 'Permits everything, as the default project of Argo CD does; change it with `hawser apply`.',
      sourceRepos: ['*'],
      destinations: [{ server: '*', namespace: '*' }],
      clusterResourceWhitelist: [{ group: '*', kind: '*' }],
    },
  });
  await store.put(
    { partition: organisationKey(organisation), sort: sortKeys.project('default'), revision: 1, value: project },
    { absent: true },
  );
}

async function startClusters(
  options: StartOptions,
  terminal: Terminal,
  signal: AbortSignal,
  closers: Closer[],
): Promise<Target[]> {
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
      progress: (at) => terminal.detail(describe(at)),
    });
    closers.push(() => cluster.stop());
    terminal.done(cluster.server);
    targets.push({ name, kubeconfig: cluster.kubeconfig, server: cluster.server });
  }
  return targets;
}

interface AgentStart {
  options: StartOptions;
  terminal: Terminal;
  service: Service;
  memory: Memory;
  bundle: string;
  targets: Target[];
  closers: Closer[];
}

async function startAgents(from: AgentStart): Promise<{ target: Target; agent: RunningAgent }[]> {
  const { options, terminal, service, memory, targets } = from;
  terminal.step(targets.length === 1 ? 'Agent' : 'Agents');
  const rootKey = await service.api.signer.rootPublicKey(organisation);
  await writeSettings(service.api.store, organisation, { defaultCluster: targets[0]?.name ?? 'sandbox' });
  const started: { target: Target; agent: RunningAgent }[] = [];
  for (const target of targets) {
    const token = (memory.agentTokens[target.name] ??= newToken(organisation, target.name));
    await registerCluster(service, target, token);
    const agent = startAgent({
      bundle: from.bundle,
      nodeFlags: agentNodeFlags,
      server: service.url,
      organisation,
      cluster: target.name,
      token,
      rootKey,
      kubeconfig: target.kubeconfig,
      logFile: join(options.dataDir, 'logs', `agent-${target.name}.log`),
      logLevel: options.verbose ? 'debug' : 'info',
    });
    from.closers.push(() => agent.stop());
    started.push({ target, agent });
  }
  await untilConnected(service, targets);
  terminal.done(`log: ${join(options.dataDir, 'logs')}`);
  return started;
}

async function registerCluster(service: Service, target: Target, token: string): Promise<void> {
  const { store } = service.api;
  const partition = organisationKey(organisation);
  const before = await store.get<object>(partition, sortKeys.cluster(target.name));
  const value = {
    id: target.name,
    labels: {},
    registeredAt: new Date().toISOString(),
    ...before?.value,
    servers: [target.server],
    tokenDigest: sha256(token),
  };
  await store.putMany([
    { partition, sort: sortKeys.cluster(target.name), revision: (before?.revision ?? 0) + 1, value },
  ]);
}

/** An agent that does not get through in time is named, but does not keep the rest from starting. */
async function untilConnected(service: Service, targets: Target[]): Promise<void> {
  const until = Date.now() + 20_000;
  for (const target of targets) {
    for (;;) {
      const row = await service.api.store.get<{ at: string }>(`T#${organisation}#C#${target.name}`, sortKeys.seen);
      if (row !== undefined && Date.now() - Date.parse(row.value.at) < 30_000) break;
      if (Date.now() > until) return;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }
}

/** Seeds the demo repository and hands its root application in, as a user would with `hawser apply`. */
async function startDemo(
  terminal: Terminal,
  service: Service,
  git: GitHost,
  token: string,
  cluster: string,
): Promise<void> {
  terminal.step('Demo');
  const { created } = await seedDemo({ host: git, cluster });
  const text = readFileSync(join(import.meta.dirname, 'demo', 'bootstrap', 'root.yaml'), 'utf8').replaceAll(
    'GIT_URL',
    git.url,
  );
  const objects = parseAllDocuments(text).map((document) => document.toJS() as Record<string, unknown>);
  const response = await fetch(`${service.url}/api/v1/objects`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ objects }),
  });
  if (!response.ok) throw new HawserError('internal', `the demo could not be handed in: ${await response.text()}`);
  terminal.done(created ? `${git.url}/demo.git` : `${git.url}/demo.git goes on from where it was`);
}

function describe(at: Progress): string {
  const percent = at.fraction === undefined ? '' : ` ${Math.round(at.fraction * 100)} %`;
  return `${at.step}${at.detail === undefined ? '' : `: ${at.detail}`}${percent}`;
}

function sayWhatToDo(terminal: Terminal, options: StartOptions, run: RunFile): void {
  const kubeconfig = existsSync(run.kubeconfig) ? run.kubeconfig : '';
  terminal.line();
  terminal.line(`  Page          ${run.url}`);
  terminal.line(`  Kubernetes    export KUBECONFIG=${kubeconfig}`);
  terminal.line(`  Addresses     ${join(options.dataDir, 'run.json')}`);
  terminal.line();
  if (options.demo) {
    terminal.line('  Try:');
    terminal.line(`    git clone ${run.git}/demo.git && cd demo`);
    terminal.line("    sed -i 's/newTag: .*/newTag: 6.9.3/' podinfo/overlays/staging/kustomization.yaml");
    terminal.line("    git commit -am 'podinfo: 6.9.3 to staging' && git push");
    terminal.line('  and look at the page, or:  npx hawser get applications --watch');
  } else {
    terminal.line('  Hand in what you have:  npx hawser apply -f FILE');
  }
  terminal.line();
  terminal.line('  Ctrl-C ends everything; the next start goes on from here.');
}

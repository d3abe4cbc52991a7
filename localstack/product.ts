import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { HawserError } from '#shared/errors.ts';
import { createLog } from '#shared/adapters/observe/pino-log.ts';
import { listRepositories, normaliseRepositoryUrl, webhookSecretName } from '#shared/state/registry.ts';
import { ensureAgentBundle, ensureDashboard } from './builds.ts';
import { ensureKustomize, ensureSandboxParts, type Progress } from './cluster/sandbox.ts';
import { describeProgress, startAgents, startClusters, type Closer, type Target } from './clusters.ts';
import { startEmbeddedService } from './embedded-service.ts';
import { startGitHost, type GitHost } from './git-host.ts';
import type { StartOptions } from './options.ts';
import { readMemory, removeRunFile, writeMemory, writeRunFile, type Memory, type RunFile } from './run-file.ts';
import type { RunningService, StartService } from './running-service.ts';
import { seedDemo } from './seed-demo.ts';
import type { Terminal } from './terminal.ts';

/** The organisation of a service on one machine. */
export const organisation = 'local';

export interface Product {
  run: RunFile;
  service: RunningService;
  targets: Target[];
  stop(): Promise<void>;
}

/**
 * Starts everything that `npm start` promises, saying what it is at. What was there before goes on: state, addresses,
 * tokens, clusters, as far as the service keeps them. Throws with what, where and what to do; whatever had been started
 * by then is ended. `startService` chooses the adapters; everything around them is the same.
 */
export async function startProduct(
  options: StartOptions,
  terminal: Terminal,
  signal: AbortSignal,
  startService: StartService = startEmbeddedService,
): Promise<Product> {
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
    return await start({ options, terminal, signal, closers, stop, startService });
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Start {
  options: StartOptions;
  terminal: Terminal;
  signal: AbortSignal;
  closers: Closer[];
  stop: () => Promise<void>;
  startService: StartService;
}

async function start({ options, terminal, signal, closers, stop, startService }: Start): Promise<Product> {
  const { dataDir } = options;
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const memory = readMemory(dataDir);
  const log = createLog({ level: options.verbose ? 'debug' : 'warn', name: 'service', pretty: process.stderr.isTTY });

  terminal.step('Build page and agent');
  const [bundle, dashboard] = [await ensureAgentBundle(), await ensureDashboard()];
  terminal.done();
  const kustomize = await findKustomize(options, terminal, signal);

  const webhookSecret = (memory.webhookSecret ??= randomBytes(32).toString('hex'));
  const service = await startService({
    dataDir,
    port: options.port ?? memory.port ?? 0,
    organisation,
    webhookSecret,
    cacheDir: cacheFolder(),
    ...(kustomize === undefined ? {} : { kustomize }),
    dashboard,
    ...(options.emulators === undefined ? {} : { emulators: options.emulators }),
    verbose: options.verbose,
    log,
    terminal,
    signal,
  });
  closers.push(() => service.stop());
  memory.port = Number(new URL(service.url).port);

  terminal.step('Git host');
  const git = await startDemoHost(dataDir, memory, service, webhookSecret);
  closers.push(() => git.stop());
  memory.gitPort = Number(new URL(git.url).port);
  terminal.done(git.url);
  // Written as soon as addresses are known: a crash after this still finds the same ones.
  writeMemory(dataDir, memory);
  const token = (memory.token = await service.prepare(memory.token));
  writeMemory(dataDir, memory);

  const targets = await startClusters({ options, terminal, signal, closers });
  const clusters = await startAgents({ options, terminal, service, organisation, memory, bundle, targets, closers });
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
  sayWhatToDo(terminal, options, run, service);
  return { run, service, targets, stop };
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
  const progress = (at: Progress) => terminal.detail(describeProgress(at));
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
  service: RunningService,
  webhookSecret: string,
): Promise<GitHost> {
  const root = join(dataDir, 'repositories');
  let git: GitHost | undefined;
  const host = await startGitHost({
    root,
    ...(memory.gitPort === undefined ? {} : { port: memory.gitPort }),
    async webhook(name) {
      const url = normaliseRepositoryUrl(`${git?.url ?? ''}/${name}.git`);
      const repository = (await listRepositories(service.store, organisation)).find(
        (one) => normaliseRepositoryUrl(one.url) === url,
      );
      if (repository === undefined) return undefined;
      const secret =
        (await service.secrets.get(webhookSecretName(organisation, repository.id)))?.value ?? webhookSecret;
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

/** Seeds the demo repository and hands its root application in, as a user would with `hawser apply`. */
async function startDemo(
  terminal: Terminal,
  service: RunningService,
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

function sayWhatToDo(terminal: Terminal, options: StartOptions, run: RunFile, service: RunningService): void {
  const kubeconfig = existsSync(run.kubeconfig) ? run.kubeconfig : '';
  terminal.line();
  terminal.line(`  Page          ${run.url}`);
  if (service.signIn !== undefined) terminal.line(`                ${service.signIn}`);
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
  terminal.line(
    service.lasting
      ? '  Ctrl-C ends everything; the next start goes on from here.'
      : '  Ctrl-C ends everything; the next start begins anew, only Git repositories stay.',
  );
}

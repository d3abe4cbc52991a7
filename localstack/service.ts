import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { serve, type ServerType } from '@hono/node-server';
import { Hono } from 'hono';
import { HawserError, messageOf } from '#shared/errors.ts';
import * as flow from '#shared/flow.ts';
import { lockDataFolder } from '#shared/adapters/embedded/data-folder.ts';
import { openDatabase } from '#shared/adapters/embedded/database.ts';
import { createFileCipher } from '#shared/adapters/embedded/file-cipher.ts';
import { createFileSecretStore } from '#shared/adapters/embedded/file-secret-store.ts';
import { createFileSigner } from '#shared/adapters/embedded/file-signer.ts';
import { createBell } from '#shared/adapters/embedded/memory-bell.ts';
import { createChunkStore } from '#shared/adapters/embedded/sqlite-chunk-store.ts';
import { createQueues } from '#shared/adapters/embedded/sqlite-queues.ts';
import { createStateStore } from '#shared/adapters/embedded/sqlite-state-store.ts';
import { createSystemClock } from '#shared/adapters/embedded/system-clock.ts';
import { consume } from '#shared/adapters/embedded/worker.ts';
import { createGitSource } from '#shared/adapters/git/git-source.ts';
import { createHttpsJwks } from '#shared/adapters/identity/https-jwks.ts';
import { createMetrics } from '#shared/adapters/observe/prometheus-metrics.ts';
import { createRenderer } from '#shared/adapters/render/renderer.ts';
import type { Log } from '#shared/ports/log.ts';
import type { Queue, QueueSettings } from '#shared/ports/queue.ts';
import type { Hint } from '#shared/messages/hint.ts';
import { createInputChunks, createSnapshotChunks } from '#shared/state/chunks.ts';
import { getRepository } from '#shared/state/registry.ts';
import { readSettings } from '#shared/state/settings.ts';
import { readWebhookSecrets } from '#shared/state/webhook-secrets.ts';
import { createApiApp } from '#functions/api/app.ts';
import type { ApiDeps } from '#functions/api/context.ts';
import { createMailbox } from '#functions/api/mailbox.ts';
import { createPlanHandler } from '#functions/plan/handle-hint.ts';
import { createPublishHandler } from '#functions/publish/handle-publish-job.ts';
import { createRenderHandler } from '#functions/render/handle-render-job.ts';
import { createReportHandler } from '#functions/report/handle-report.ts';
import { sweep } from '#functions/sweep/sweep.ts';
import { createTokenApp } from '#functions/token/app.ts';
import { createWebhookApp } from '#functions/webhook/app.ts';
import { version } from './version.ts';

export interface ServiceOptions {
  /** State, keys and caches live here; one service at a time. */
  dataDir: string;
  /** 0 picks a free one. */
  port: number;
  organisation: string;
  /** Secret with which webhooks of newly registered repositories are signed. */
  webhookSecret: string;
  /** Where unpacked tools are kept between runs. */
  cacheDir: string;
  /** Kustomize's own binary, four times as fast as kubectl's; optional. */
  kustomize?: string;
  /** Folder of the built dashboard. */
  dashboard?: string;
  /** Give whoever opens the page on loopback a session. */
  loopbackSession?: boolean;
  /** Seconds between two polls of a repository. */
  pollSeconds?: number;
  log: Log;
}

/** The whole service in one process, on the embedded adapters. */
export interface Service {
  url: string;
  /** What the API is made of: for composing demos and tests on top. */
  api: ApiDeps;
  stop(): Promise<void>;
}

/** Sweeps run this often, as the timer does in the clouds. */
const sweepEveryMs = 60_000;

/**
 * Starts every stage of `shared/flow.ts` in this process: the same handlers that run as functions, bound to the embedded
 * adapters. Throws when the data folder is in use or the port is taken, naming who to ask.
 */
export async function startService(options: ServiceOptions): Promise<Service> {
  mkdirSync(options.dataDir, { recursive: true, mode: 0o700 });
  const lock = lockDataFolder(options.dataDir);
  const stopping = new AbortController();
  const closers: (() => Promise<void> | void)[] = [() => lock.release()];
  try {
    const parts = await assemble(options, closers);
    const workers = startWorkers(options, parts, stopping.signal);
    closers.push(async () => {
      stopping.abort();
      await workers;
    });
    closers.push(startSweeping(options, parts));
    const server = await listen(parts.http, options.port);
    closers.push(() => closeServer(server));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : options.port;
    return { url: `http://127.0.0.1:${port}`, api: parts.api, stop: () => closeAll(closers, options.log) };
  } catch (error) {
    await closeAll(closers, options.log);
    throw error;
  }
}

type Parts = Awaited<ReturnType<typeof assemble>>;

/** The embedded adapters: everything that is kept, in one file, and the keys beside it. */
function openAdapters({ dataDir, log }: ServiceOptions, closers: (() => Promise<void> | void)[]) {
  const clock = createSystemClock();
  const database = openDatabase({ path: join(dataDir, 'hawser.db'), clock });
  closers.push(() => database.close());
  const opened = createQueues(database, clock);
  const keys = join(dataDir, 'keys');
  mkdirSync(keys, { recursive: true, mode: 0o700 });
  return {
    clock,
    log,
    metrics: createMetrics({ process: true }),
    store: createStateStore(database),
    chunkStore: createChunkStore(database),
    queues: new Map<string, Queue>(flow.flow.map((queue) => [queue.name, opened.open(ownSettings(queue))])),
    secrets: createFileSecretStore({ dir: keys }),
    signer: createFileSigner({ dir: keys, clock }),
    cipher: createFileCipher({ dir: keys }),
    bell: createBell(),
  };
}

/** Nothing that one process needs is away for an hour, but a message may kill the process: that ends after its tries (NT-03), and no sweep sends it again. */
function ownSettings(queue: (typeof flow.flow)[number]): QueueSettings {
  return { ...queue, maxReceives: queue.tries ?? queue.maxReceives };
}

async function assemble(options: ServiceOptions, closers: (() => Promise<void> | void)[]) {
  const { dataDir, log } = options;
  const { chunkStore, queues, signer, cipher, metrics, ...adapters } = openAdapters(options, closers);
  const { clock, store, bell } = adapters;
  const queue = (name: string): Queue => queues.get(name) as Queue;
  const git = createGitSource({
    cacheDir: join(dataDir, 'git'),
    clock,
    log: log.child({ part: 'git' }),
    allowInsecureHttp: true,
  });
  const renderer = await createRenderer({
    cacheDir: options.cacheDir,
    log: log.child({ part: 'render' }),
    ...(options.kustomize === undefined ? {} : { kustomize: options.kustomize }),
  });
  closers.push(() => renderer.close());
  const inputs = createInputChunks(chunkStore, cipher);
  const snapshots = createSnapshotChunks(chunkStore, cipher);
  const defaultCluster = async (organisation: string) => (await readSettings(store, organisation)).defaultCluster;
  const shared = {
    ...adapters,
    metrics,
    hints: queue('hints'),
    publishJobs: queue('publish-jobs'),
    webhookSecret: options.webhookSecret,
  };
  const api: ApiDeps = {
    ...shared,
    snapshots,
    signer,
    reports: queue('reports'),
    queues,
    mailbox: createMailbox(bell),
    version,
    metricsText: async () => ({ text: await metrics.text(), contentType: metrics.contentType }),
    defaultCluster,
    ...(options.dashboard === undefined ? {} : { dashboard: options.dashboard }),
    ...(options.loopbackSession ? { loopbackSession: { organisation: options.organisation, user: 'admin' } } : {}),
  };
  const http = new Hono();
  http.route('/', webhookApp(options, shared));
  const issuerKeys = createHttpsJwks({ clock, log });
  http.route('/', createTokenApp({ ...shared, organisation: options.organisation, issuerKeys }));
  http.route('/', createApiApp(api));
  return { ...shared, chunkStore, snapshots, inputs, signer, git, renderer, api, http, queue, defaultCluster };
}

function webhookApp(
  options: ServiceOptions,
  deps: Pick<ApiDeps, 'store' | 'secrets' | 'hints' | 'clock' | 'log' | 'metrics'>,
): Hono {
  const { organisation } = options;
  return createWebhookApp({
    async findSecrets(id) {
      if ((await getRepository(deps.store, organisation, id)) === undefined) return undefined;
      return readWebhookSecrets(deps, organisation, id);
    },
    async enqueue({ repository, trace }) {
      const hint: Hint = {
        organisation,
        repository,
        reason: 'push',
        trace,
        at: new Date(deps.clock.now()).toISOString(),
      };
      await deps.hints.send([JSON.stringify(hint)], { group: organisation });
    },
    clock: deps.clock,
    log: deps.log,
    metrics: deps.metrics,
  });
}

/** One consumer per queue; resolves when all have finished what they were at. */
async function startWorkers(options: ServiceOptions, parts: Parts, signal: AbortSignal): Promise<void> {
  const { log, clock, metrics } = parts;
  // Ctrl-C is answered within seconds; what was under way is given back and comes again with the next start.
  const common = { log, clock, metrics, signal, stopSeconds: 3 };
  const toolVersions = await parts.renderer.versions();
  const plan = createPlanHandler({
    ...parts,
    chunks: parts.inputs,
    renderJobs: parts.queue('render-jobs'),
    toolVersions,
  });
  const render = createRenderHandler({
    chunks: parts.inputs,
    renderer: parts.renderer,
    publishJobs: parts.publishJobs,
    log,
    metrics,
    clock,
  });
  const publish = createPublishHandler(parts);
  const report = createReportHandler(parts);
  await Promise.all([
    // Plans mostly wait for Git hosts, and some of those never answer: others must not queue behind them (INV-39).
    consume({ ...common, queue: flow.hints, deliveries: parts.queue('hints'), handle: plan, concurrency: 32 }),
    consume({
      ...common,
      queue: flow.renderJobs,
      deliveries: parts.queue('render-jobs'),
      handle: render,
      concurrency: 4,
    }),
    consume({
      ...common,
      queue: flow.publishJobs,
      deliveries: parts.queue('publish-jobs'),
      handle: publish,
      concurrency: 8,
    }),
    consume({ ...common, queue: flow.reports, deliveries: parts.queue('reports'), handle: report, concurrency: 4 }),
  ]);
}

function startSweeping(options: ServiceOptions, parts: Parts): () => void {
  const run = () => {
    sweep({ ...parts, pollSeconds: options.pollSeconds ?? 180 }, options.organisation).catch((error: unknown) => {
      options.log.warn({ reason: messageOf(error) }, 'sweep failed, will be tried again');
    });
  };
  const timer = setInterval(run, Math.min(sweepEveryMs, (options.pollSeconds ?? 180) * 500));
  run();
  return () => clearInterval(timer);
}

async function listen(app: Hono, port: number): Promise<ServerType> {
  return new Promise((resolve, reject) => {
    const server = serve({ fetch: app.fetch, port, hostname: '127.0.0.1' }, () => resolve(server));
    server.on('error', (error: NodeJS.ErrnoException) => {
      const taken = error.code === 'EADDRINUSE';
      reject(
        new HawserError(
          'unavailable',
          taken
            ? `port ${port} on 127.0.0.1 is taken by another program`
            : `cannot listen on port ${port}: ${error.message}`,
          {
            hint: taken ? 'Stop that program, or choose another port with --port.' : 'Choose another port with --port.',
            cause: error,
          },
        ),
      );
    });
  });
}

function closeServer(server: ServerType): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    if ('closeAllConnections' in server) server.closeAllConnections();
  });
}

/** In reverse order; one that fails does not keep the others from closing. */
async function closeAll(closers: (() => Promise<void> | void)[], log: Log): Promise<void> {
  for (const close of closers.splice(0).reverse()) {
    try {
      await close();
    } catch (error) {
      log.warn({ reason: messageOf(error) }, 'a part did not close cleanly');
    }
  }
}

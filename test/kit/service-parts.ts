import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HawserError } from '#shared/errors.ts';
import * as flow from '#shared/flow.ts';
import { openDatabase } from '#shared/adapters/embedded/database.ts';
import { createFileCipher } from '#shared/adapters/embedded/file-cipher.ts';
import { createFileSecretStore } from '#shared/adapters/embedded/file-secret-store.ts';
import { createFileSigner } from '#shared/adapters/embedded/file-signer.ts';
import { createBell } from '#shared/adapters/embedded/memory-bell.ts';
import { createChunkStore } from '#shared/adapters/embedded/sqlite-chunk-store.ts';
import { createQueues } from '#shared/adapters/embedded/sqlite-queues.ts';
import { createStateStore } from '#shared/adapters/embedded/sqlite-state-store.ts';
import { createMetrics } from '#shared/adapters/observe/prometheus-metrics.ts';
import type { GitSource, GitTree } from '#shared/ports/git-source.ts';
import type { Log } from '#shared/ports/log.ts';
import type { Queue } from '#shared/ports/queue.ts';
import type { Renderer } from '#shared/ports/renderer.ts';
import { createInputChunks, createSnapshotChunks } from '#shared/state/chunks.ts';
import { readSettings, writeSettings } from '#shared/state/settings.ts';
import { putToken } from '#shared/state/tokens.ts';
import { createApiApp } from '#functions/api/app.ts';
import { newToken } from '#functions/api/auth.ts';
import type { ApiDeps } from '#functions/api/context.ts';
import { createMailbox } from '#functions/api/mailbox.ts';
import { addCluster } from '#functions/api/cluster-identity.ts';
import { createPlanHandler } from '#functions/plan/handle-hint.ts';
import { createPublishHandler } from '#functions/publish/handle-publish-job.ts';
import { createRenderHandler } from '#functions/render/handle-render-job.ts';
import { createReportHandler } from '#functions/report/handle-report.ts';
import { createFakeClock, type FakeClock } from './clock.ts';
import { memoryTree } from './memory-tree.ts';

export const organisation = 'acme';
export const cluster = 'home';

/** A log that says nothing. */
export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLog,
};

export type ServiceParts = ReturnType<typeof assemble> & ReturnType<typeof stagesOf>;

/**
 * The service's stages on the real embedded adapters, with a clock that stands still, a Git host in memory and a renderer
 * that reads JSON. One organisation with one cluster and the project `default`, which permits everything.
 */
export async function openServiceParts(options: { clock?: FakeClock } = {}): Promise<ServiceParts> {
  const parts = assemble(options.clock ?? createFakeClock());
  await seed(parts);
  return { ...parts, ...stagesOf(parts) };
}

function assemble(clock: FakeClock) {
  const folder = mkdtempSync(join(tmpdir(), 'hawser-parts-'));
  // Nothing here survives the test: no need to wait for the disk.
  const log = { sync: () => Promise.resolve(), close: () => undefined };
  const database = openDatabase({ path: join(folder, 'state.db'), clock, log });
  const store = createStateStore(database);
  const chunkStore = createChunkStore(database);
  const openQueues = createQueues(database, clock);
  const queues = new Map<string, Queue>(flow.flow.map((queue) => [queue.name, openQueues.open(queue)]));
  const queue = (name: string): Queue => queues.get(name) as Queue;
  const cipher = createFileCipher({ dir: folder });
  return {
    clock,
    store,
    chunkStore,
    queues,
    hints: queue('hints'),
    renderJobs: queue('render-jobs'),
    publishJobs: queue('publish-jobs'),
    reports: queue('reports'),
    secrets: createFileSecretStore({ dir: folder }),
    signer: createFileSigner({ dir: folder, clock }),
    inputs: createInputChunks(chunkStore, cipher),
    snapshots: createSnapshotChunks(chunkStore, cipher),
    bell: createBell(),
    log: silentLog,
    metrics: createMetrics({ process: false }),
    git: createMemoryGit(),
    renderer: createJsonRenderer(),
    toolVersions: { json: '1' },
    defaultCluster: async (id: string) => (await readSettings(store, id)).defaultCluster,
    close: async () => {
      await database.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function seed({ store, clock }: ReturnType<typeof assemble>): Promise<void> {
  await writeSettings(store, organisation, { defaultCluster: cluster });
  const registeredAt = new Date(clock.now()).toISOString();
  await store.putMany([
    {
      partition: `T#${organisation}`,
      sort: `CLUSTER#${cluster}`,
      revision: 1,
      value: { id: cluster, labels: {}, registeredAt, tokenDigest: '', servers: [] },
    },
    { partition: `T#${organisation}`, sort: 'PROJECT#default', revision: 1, value: openProject('default') },
  ]);
}

/** A project that permits everything. */
export function openProject(name: string) {
  return {
    name,
    description: '',
    sourceRepos: ['*'],
    destinations: [{ server: '*', namespace: '*' }],
    clusterResourceWhitelist: [{ group: '*', kind: '*' }],
    declared: {},
  };
}

/** The real handlers over some parts. */
export function stagesOf(parts: ReturnType<typeof assemble>) {
  return {
    plan: createPlanHandler({ ...parts, chunks: parts.inputs }),
    render: createRenderHandler({ ...parts, chunks: parts.inputs }),
    publish: createPublishHandler(parts),
    report: createReportHandler(parts),
  };
}

/** Handles what lies in the queues, and what that leads to, one message after another, until nothing is left. */
export async function drain(parts: ServiceParts): Promise<number> {
  const signal = new AbortController().signal;
  const stages = [
    [flow.hints, parts.hints, parts.plan],
    [flow.renderJobs, parts.renderJobs, (job: never) => parts.render(job, { signal })],
    [flow.publishJobs, parts.publishJobs, parts.publish],
    [flow.reports, parts.reports, parts.report],
  ] as const;
  let handled = 0;
  for (let idle = 0; idle < stages.length;) {
    idle = 0;
    for (const [settings, queue, handle] of stages) {
      const deliveries = await queue.receive({ max: 10, waitSeconds: 0, visibilitySeconds: 60 });
      if (deliveries.length === 0) idle += 1;
      for (const delivery of deliveries) {
        await handle(settings.message.parse(JSON.parse(delivery.body)) as never);
        await queue.done([delivery]);
        handled += 1;
      }
    }
  }
  return handled;
}

type Files = Record<string, string>;

/** A Git host in memory: one branch per repository, commits that are maps of files. */
export interface MemoryGit extends GitSource {
  /** A new commit on top of the branch; returns its id. */
  push(repository: string, files: Files): string;
  /** Moves the branch to an earlier commit, as a force push does. */
  reset(repository: string, commit: string): void;
  /** The branch's newest commit with its files; undefined before the first push. */
  tip(repository: string): { commit: string; files: Files } | undefined;
  /** Every later call fails with this until it is called with undefined. */
  fail(error: HawserError | undefined): void;
}

export function createMemoryGit(): MemoryGit {
  const commits = new Map<string, { files: Files; tree: GitTree }>();
  const tips = new Map<string, string>();
  let failure: HawserError | undefined;
  const check = () => {
    if (failure) throw failure;
  };
  return {
    push(repository, files) {
      const parent = tips.get(repository) ?? '';
      const commit = createHash('sha1')
        .update(JSON.stringify([parent, files]))
        .digest('hex');
      const tree = memoryTree(files);
      commits.set(commit, { files, tree: { ...tree, commit: { ...tree.commit, sha: commit } } });
      tips.set(repository, commit);
      return commit;
    },
    reset: (repository, commit) => void tips.set(repository, commit),
    tip(repository) {
      const commit = tips.get(repository);
      const found = commit === undefined ? undefined : commits.get(commit);
      return commit === undefined || found === undefined ? undefined : { commit, files: found.files };
    },
    fail: (error) => void (failure = error),
    async resolve({ repository }, revision) {
      check();
      const commit = commits.has(revision) ? revision : tips.get(repository);
      if (commit !== undefined && revision !== 'refs/heads/gone') return { commit, ref: 'refs/heads/main' };
      throw new HawserError('revision-not-found', `there is no ${revision} in ${repository}`);
    },
    async open(_access, commit) {
      check();
      const found = commits.get(commit);
      if (found) return found.tree;
      throw new HawserError('revision-not-found', `there is no commit ${commit}`);
    },
    async changedPaths(_access, from, to) {
      check();
      const before = commits.get(from)?.files;
      const after = commits.get(to.commit.sha)?.files ?? {};
      if (before === undefined) return undefined;
      return [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
        (path) => before[path] !== after[path],
      );
    },
    bytesFetched: () => 0,
  };
}

/** A renderer that gives every file but kustomizations as the object it holds; `broken` in one fails the render. */
export function createJsonRenderer(): Renderer & { renders: number } {
  const renderer = {
    renders: 0,
    async render({ files }: Parameters<Renderer['render']>[0]) {
      renderer.renders += 1;
      const texts = files
        .filter(({ path }) => !path.endsWith('kustomization.yaml'))
        .map(({ content }) => Buffer.from(content).toString());
      if (texts.some((text) => text.includes('broken')))
        throw new HawserError('render-failed', 'a file says that it is broken');
      // One file may hold several objects, a line each.
      return { objects: texts.flatMap((text) => text.split('\n').filter(Boolean)), warnings: [] };
    },
    versions: async () => ({ json: '1' }),
    close: async () => undefined,
  };
  return renderer;
}

/** The text of a ConfigMap with one value. */
export function configMap(name: string, value: string): string {
  return JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { value } });
}

/** The API over some parts, and tokens of everybody who may ask. */
export async function openApi(parts: ServiceParts, more: Partial<ApiDeps> = {}) {
  const app = createApiApp({
    ...parts,
    mailbox: createMailbox(parts.bell),
    version: '1.2.3',
    metricsText: async () => ({ text: await parts.metrics.text(), contentType: parts.metrics.contentType }),
    ...more,
  });
  const createdAt = new Date(parts.clock.now()).toISOString();
  const grant = async (to: string, role: 'admin' | 'viewer', expiresAt?: string) => {
    const token = newToken(to);
    const user = role === 'admin' ? 'ada' : 'vera';
    await putToken(parts.store, to, token, {
      user,
      role,
      createdAt,
      ...(expiresAt === undefined ? {} : { expiresAt }),
    });
    return token;
  };
  const agentOf = async (to: string, id: string) =>
    (await addCluster(parts, to, { id, labels: {}, servers: [], identity: 'static' })).token ?? '';
  await parts.store.remove(`T#${organisation}`, `CLUSTER#${cluster}`);
  const tokens = {
    admin: await grant(organisation, 'admin'),
    viewer: await grant(organisation, 'viewer'),
    expired: await grant(organisation, 'admin', new Date(parts.clock.now() - 1).toISOString()),
    agent: await agentOf(organisation, cluster),
    otherAgent: await agentOf(organisation, 'other'),
    rival: await grant('rival', 'admin'),
    rivalAgent: await agentOf('rival', cluster),
  };
  /** Asks as the owner of a token (or of none); objects become JSON bodies. */
  const ask = async (token: string | undefined, method: string, path: string, body?: unknown): Promise<Response> =>
    app.request(path, {
      method,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
  return { app, tokens, ask };
}

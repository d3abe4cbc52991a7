import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { createFileSigner } from '#shared/adapters/embedded/file-signer.ts';
import { createSystemClock } from '#shared/adapters/embedded/system-clock.ts';
import { defaultPolicy, type SyncPolicy } from '#shared/domain/application.ts';
import { sha256 } from '#shared/domain/digest.ts';
import { canonicalJson } from '#shared/domain/json.ts';
import type { KubeObject } from '#shared/domain/kube-object.ts';
import type { SnapshotRoot } from '#shared/domain/snapshot.ts';
import { ownerLabel, ownerMark } from '#shared/domain/tracking.ts';
import { AgentReport, type ApplicationReport } from '#shared/messages/agent-report.ts';
import { Answer, type ClusterCommand } from '#shared/messages/cluster-command.ts';
import type { Assignment, Hub, HubUpdate } from '#shared/ports/hub.ts';

export interface PublishInput {
  application: string;
  objects: KubeObject[];
  policy?: Partial<SyncPolicy>;
  destinationNamespace?: string;
  revision?: string;
  /** Merged into the root before it is signed. */
  root?: Partial<SnapshotRoot>;
  /** Objects per chunk; default 50. */
  chunkSize?: number;
  /** Leave objects as they are instead of marking them. */
  unmarked?: boolean;
}

/** The service as one agent sees it: really signed roots, nothing behind them. */
export interface FakeHub extends Hub {
  readonly organisation: string;
  readonly cluster: string;
  readonly rootKey: string;
  readonly token: string;
  /** Set once `listen` was called. */
  url: string;
  /** Signs and publishes the next generation of an application; returns that generation. */
  publish(input: PublishInput): Promise<number>;
  /** Hands out this assignment as it is: what an attacker or a broken service would send. */
  assign(assignment: Assignment): void;
  forget(application: string): void;
  command(command: ClusterCommand): void;
  /** The newest report of an application, with `resources` carried over from earlier ones. */
  reportOf(application: string): ApplicationReport | undefined;
  readonly reports: AgentReport[];
  readonly answers: Answer[];
  /** Waits until the newest report of an application satisfies the condition; throws with that report after the time. */
  until(
    application: string,
    condition: (report: ApplicationReport) => boolean,
    timeoutMs?: number,
  ): Promise<ApplicationReport>;
  /** Waits for any condition over the hub's state. */
  untilTrue(condition: () => boolean, what: string, timeoutMs?: number): Promise<void>;
  /** While false every call fails with 503. */
  setAvailable(available: boolean): void;
  /** How often chunks were asked for. */
  readonly chunkRequests: string[][];
  listen(): Promise<string>;
  close(): Promise<void>;
}

/** Creates a hub for one organisation and cluster; call `listen` to serve it over HTTP. */
export async function createFakeHub(options: { organisation?: string; cluster?: string } = {}): Promise<FakeHub> {
  const organisation = options.organisation ?? 'acme';
  const cluster = options.cluster ?? 'one';
  const token = 'token-of-one';
  const keys = await mkdtemp(join(tmpdir(), 'hawser-hub-'));
  const signer = createFileSigner({ dir: keys, clock: createSystemClock() });
  const rootKey = await signer.rootPublicKey(organisation);

  let version = 0;
  let generation = 0;
  let available = true;
  const assignments = new Map<string, Assignment & { changedAt: number }>();
  const chunkTexts = new Map<string, Uint8Array>();
  const chunkRequests: string[][] = [];
  const reports: AgentReport[] = [];
  const latest = new Map<string, ApplicationReport>();
  const answers: Answer[] = [];
  let commands: ClusterCommand[] = [];
  const waiters = new Set<() => void>();
  const changed = () => {
    for (const wake of waiters) wake();
  };

  function assign(assignment: Assignment): void {
    version += 1;
    assignments.set(assignment.application, { ...assignment, changedAt: version });
    changed();
  }

  async function publish(input: PublishInput): Promise<number> {
    generation += 1;
    const owner = ownerMark(input.application);
    const texts = input.objects.map((object) =>
      canonicalJson(input.unmarked === true ? object : withOwner(object, owner)),
    );
    const size = input.chunkSize ?? 50;
    const chunks: string[] = [];
    let totalBytes = 0;
    for (let at = 0; at < texts.length; at += size) {
      const text = Buffer.from(texts.slice(at, at + size).join('\n'));
      totalBytes += text.length;
      chunks.push(sha256(text));
      chunkTexts.set(sha256(text), text);
    }
    const root: SnapshotRoot = {
      format: 1,
      organisation,
      cluster,
      application: input.application,
      displayName: input.application,
      kind: 'Application',
      generation,
      revision: input.revision ?? `revision-${generation}`,
      inputDigest: sha256(texts.join('\n')),
      destinationNamespace: input.destinationNamespace ?? 'default',
      policy: { ...defaultPolicy, automated: true, prune: true, selfHeal: true, ...input.policy },
      chunks,
      objectCount: texts.length,
      totalBytes,
      flags: [],
      dependsOn: [],
      owner,
      ...input.root,
    };
    const text = JSON.stringify(root);
    assign({
      application: input.application,
      generation: root.generation,
      root: { root: text, ...(await signer.sign(organisation, text)) },
    });
    return root.generation;
  }

  function take(after: number): HubUpdate {
    const taken = commands;
    commands = [];
    const all = after === 0;
    const applications = [...assignments.values()]
      .filter(({ changedAt }) => all || changedAt > after)
      .map(({ changedAt: _, ...assignment }) => assignment);
    return { version, scope: all ? 'all' : 'changes', applications, commands: taken };
  }

  async function poll({ after, waitSeconds, signal }: Parameters<Hub['poll']>[0]): Promise<HubUpdate> {
    if (version <= after && commands.length === 0) await nextChange(waitSeconds * 1000, signal);
    return take(after);
  }

  function nextChange(timeoutMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        waiters.delete(done);
        resolve();
      };
      const timer = setTimeout(done, timeoutMs);
      waiters.add(done);
      signal?.addEventListener('abort', done, { once: true });
    });
  }

  function receive(report: AgentReport): void {
    reports.push(report);
    for (const application of report.applications) {
      const resources = application.resources ?? latest.get(application.application)?.resources;
      latest.set(application.application, { ...application, ...(resources === undefined ? {} : { resources }) });
    }
    changed();
  }

  async function untilTrue(condition: () => boolean, what: string, timeoutMs = 10_000): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    while (!condition()) {
      if (Date.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
      await nextChange(25);
    }
  }

  const hub: Hub = {
    poll,
    async chunks(digests) {
      chunkRequests.push([...digests]);
      return new Map(digests.flatMap((digest) => [[digest, chunkTexts.get(digest)] as const]).filter(isPresent));
    },
    async report(report) {
      receive(AgentReport.parse(report));
    },
    async answer(answer) {
      answers.push(Answer.parse(answer));
      changed();
    },
  };
  const server = createServer((request, response) => {
    void handle(hub, token, () => available, request, response);
  });

  const fake: FakeHub = {
    ...hub,
    organisation,
    cluster,
    rootKey,
    token,
    url: '',
    publish,
    assign,
    forget: (application) => void assignments.delete(application),
    command(command) {
      commands.push(command);
      changed();
    },
    reportOf: (application) => latest.get(application),
    reports,
    answers,
    async until(application, condition, timeoutMs = 10_000) {
      const holds = () => {
        const report = latest.get(application);
        return report !== undefined && condition(report);
      };
      await untilTrue(holds, `report of ${application}`, timeoutMs).catch((error: unknown) => {
        throw new Error(`${String(error)}; last: ${JSON.stringify(latest.get(application), null, 1)}`);
      });
      return latest.get(application) as ApplicationReport;
    },
    untilTrue,
    setAvailable: (now) => void (available = now),
    chunkRequests,
    async listen() {
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      fake.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      return fake.url;
    },
    async close() {
      changed();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(keys, { recursive: true, force: true });
    },
  };
  return fake;
}

/** The object with the owner mark that publishing puts on every object. */
function withOwner(object: KubeObject, owner: string): KubeObject {
  const labels = { ...object.metadata.labels, [ownerLabel]: owner };
  return { ...object, metadata: { ...object.metadata, labels } };
}

function isPresent(entry: readonly [string, Uint8Array | undefined]): entry is [string, Uint8Array] {
  return entry[1] !== undefined;
}

async function handle(
  hub: Hub,
  token: string,
  isAvailable: () => boolean,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const answer = (status: number, body?: unknown) => {
    response.writeHead(status, { 'Content-Type': 'application/json' });
    response.end(body === undefined ? '' : JSON.stringify(body));
  };
  try {
    if (!isAvailable()) return answer(503);
    if (request.headers.authorization !== `Bearer ${token}`) return answer(401);
    const url = new URL(request.url ?? '/', 'http://hub');
    if (url.pathname === '/api/v1/agent/poll') {
      const gone = new AbortController();
      response.on('close', () => gone.abort());
      const after = Number(url.searchParams.get('after'));
      const waitSeconds = Number(url.searchParams.get('wait'));
      return answer(200, await hub.poll({ after, waitSeconds, signal: gone.signal }));
    }
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const body = JSON.parse(Buffer.concat(parts).toString('utf8')) as never;
    if (url.pathname === '/api/v1/agent/chunks') {
      const texts = await hub.chunks((body as { digests: string[] }).digests);
      const chunks = [...texts].map(([digest, text]) => [digest, gzipSync(text).toString('base64')]);
      return answer(200, { chunks: Object.fromEntries(chunks) });
    }
    if (url.pathname === '/api/v1/agent/reports') {
      await hub.report(body);
      return answer(202, {});
    }
    if (url.pathname === '/api/v1/agent/answers') {
      await hub.answer(body);
      return answer(202, {});
    }
    return answer(404);
  } catch (error) {
    return answer(500, { detail: String(error) });
  }
}

import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { healthStatuses } from '#shared/domain/status.ts';
import {
  type ApplicationDetail,
  type ApplicationList,
  type ApplicationSummary,
  type Problem,
  type StreamEvent,
} from '#shared/messages/api.ts';
import { ConfirmBody, RollbackBody, SyncBody } from '#shared/messages/api-changes.ts';
import { createFixtureData, eventsOf, historyOf, manifestOf, resourceDetailOf, treeOf } from './fixture-data.ts';
import { createRegistry, type FixtureRegistry } from './fixture-registry.ts';

/** What the dashboard asked for that changes something. */
export interface SeenChange {
  method: string;
  path: string;
  query: Record<string, string>;
  body: unknown;
  header: string | undefined;
}

export interface FixtureApi {
  url: string;
  token: string;
  changes: SeenChange[];
  /** Requests of the API by path without query, newest last. */
  requests: string[];
  application: (id: string) => ApplicationDetail;
  /** Changes an application and tells the stream. */
  change: (id: string, patch: Partial<ApplicationDetail>) => void;
  /** Changes an application and says only that everything should be read anew. */
  reload: (id: string, patch: Partial<ApplicationDetail>) => void;
  remove: (id: string) => void;
  registry: FixtureRegistry;
  /** Answers requests whose `METHOD /path` matches with this problem until `heal`. */
  fail: (matching: RegExp, problem: Partial<Problem> & { status: number }) => void;
  /** Answers reads whose `METHOD /path` matches with this instead of the fixture's data until `heal`. */
  answer: (matching: RegExp, body: unknown) => void;
  /** Holds requests that match for so long. */
  slow: (matching: RegExp, ms: number) => void;
  heal: () => void;
  /** Everything as it was at the start: data, session, what was seen; what still runs is dropped. */
  reset: () => void;
  /** What an expiry does: every later request without a new login gets 401, and open streams end. */
  endSession: () => void;
  /** Ends all streams; while `refuse` new ones get 503. */
  dropStreams: (refuse: boolean) => void;
  openStreams: () => number;
  setRole: (role: 'admin' | 'viewer') => void;
  close: () => Promise<void>;
}

/** The policy under which the service serves the page; the page must work under it (NT-134). */
export const contentSecurityPolicy =
  "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'";

/**
 * The HTTP contract of `functions/api` in memory, with realistic data and changes, and the built dashboard at `/`.
 * `session: false` starts logged out. A sync runs for `syncMs` and then succeeds.
 */
export async function startFixtureApi(options: {
  dist: string;
  applications: number;
  session?: boolean;
  port?: number;
  syncMs?: number;
}): Promise<FixtureApi> {
  const data = createFixtureData(options.applications);
  const token = 'fixture-token';
  const state = {
    loggedIn: options.session ?? true,
    role: 'admin' as 'admin' | 'viewer',
    refuseStreams: false,
    ticket: 100_000,
  };
  const atFirst = new Map(data.details);
  const streams = new Set<ServerResponse>();
  const failures: { matching: RegExp; problem: Problem }[] = [];
  const answers: { matching: RegExp; body: unknown }[] = [];
  const delays: { matching: RegExp; ms: number }[] = [];
  const timers = new Set<NodeJS.Timeout>();
  const changes: SeenChange[] = [];
  const requests: string[] = [];

  function tell(event: StreamEvent): void {
    for (const stream of streams) stream.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
  }

  const registry = createRegistry(data, tell);

  function application(id: string): ApplicationDetail {
    const detail = data.details.get(id);
    if (detail === undefined) throw new Error(`the fixture has no application ${id}`);
    return detail;
  }

  function change(id: string, patch: Partial<ApplicationDetail>): void {
    const next = { ...application(id), updatedAt: new Date().toISOString(), ...patch };
    data.details.set(id, next);
    tell({ type: 'application', application: summaryOf(next) });
  }

  function reload(id: string, patch: Partial<ApplicationDetail>): void {
    data.details.set(id, { ...application(id), ...patch });
    tell({ type: 'reload' });
  }

  function later(ms: number, run: () => void): void {
    const timer = setTimeout(() => {
      timers.delete(timer);
      run();
    }, ms);
    timers.add(timer);
  }

  function startOperation(id: string, then: Partial<ApplicationDetail>): number {
    const detail = application(id);
    const generation = ++state.ticket;
    const startedAt = new Date().toISOString();
    const operation = {
      ...operationOf(detail),
      phase: 'Running' as const,
      generation,
      startedAt,
      finishedAt: undefined,
      initiatedBy: { username: 'mara' },
      message: 'applying',
    };
    later(80, () => change(id, { operation: 'Running', operationState: operation }));
    later(options.syncMs ?? 400, () => {
      const done = {
        ...operation,
        phase: 'Succeeded' as const,
        finishedAt: new Date().toISOString(),
        message: 'successfully synced',
      };
      change(id, { operation: 'Succeeded', operationState: done, ...then });
    });
    return generation;
  }

  function act(id: string, verb: string, body: Record<string, unknown>): { status: number; body: unknown } {
    const detail = application(id);
    const accepted = (generation?: number) => ({
      status: 202,
      body: { application: id, ...(generation === undefined ? {} : { generation }) },
    });
    const synced = {
      sync: 'Synced' as const,
      drifted: 0,
      drift: [],
      resources: detail.resources.map((resource) => ({ ...resource, status: 'Synced' as const })),
    };
    switch (verb) {
      case 'sync':
        return accepted(startOperation(id, body['dryRun'] === true ? {} : synced));
      case 'refresh':
        return accepted();
      case 'rollback':
        return accepted(startOperation(id, {}));
      case 'confirm':
        if (body['listDigest'] !== detail.hold?.listDigest) {
          return problem(
            409,
            'conflict',
            'The list of held prunes has changed since it was shown.',
            'Read the new list and confirm that one.',
          );
        }
        return accepted(startOperation(id, { ...synced, held: false, hold: undefined, conditions: [] }));
      case 'suspend':
      case 'resume':
        change(id, { suspended: verb === 'suspend' });
        return accepted();
      default:
        return problem(404, 'not-found', `There is no action ${verb}.`);
    }
  }

  function remove(id: string): void {
    data.details.delete(id);
    tell({ type: 'removed', id });
  }

  function read(path: string, query: URLSearchParams): { status: number; body: unknown } {
    const [, name, rawId = '', part = ''] = /^\/([a-z]+)(?:\/([^/]+))?(?:\/([a-z]+))?$/.exec(path) ?? [];
    if (name === 'clusters') return ok({ items: registry.clusters });
    if (name === 'repositories') return ok({ items: registry.repositories });
    if (name !== 'applications') return problem(404, 'not-found', `There is no ${path}.`);
    if (rawId === '') return ok(listOf([...data.details.values()].map(summaryOf), query));
    const id = decodeURIComponent(rawId);
    const detail = data.details.get(id);
    if (detail === undefined)
      return problem(404, 'not-found', `No application has the id ${id}.`, 'hawser get applications lists them.');
    switch (part) {
      case '':
        return ok(detail);
      case 'tree':
        return ok(
          detail.stale
            ? {
                resources: treeOf(detail).resources,
                nodes: [],
                live: false,
                error: `The agent of ${detail.cluster} did not answer within 5 s.`,
              }
            : treeOf(detail),
        );
      case 'resource': {
        const found = resourceDetailOf(detail, query.get('key') ?? '');
        return found === undefined ? problem(404, 'not-found', 'The application has no such resource.') : ok(found);
      }
      case 'manifests':
        return ok({
          generation: detail.desired?.generation ?? 0,
          objects: detail.resources.map((resource) => manifestOf(detail, resource)),
        });
      case 'events': {
        const from = Number(query.get('cursor') ?? 0);
        const events = eventsOf(detail);
        const to = from + Number(query.get('limit') ?? 100);
        return ok({ items: events.slice(from, to), ...(to < events.length ? { next: String(to) } : {}) });
      }
      case 'history':
        return ok({ items: historyOf(detail) });
      default:
        return problem(404, 'not-found', `There is no ${path}.`);
    }
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://fixture');
    if (!url.pathname.startsWith('/api/v1')) return serveStatic(options.dist, url.pathname, response);
    const path = url.pathname.slice('/api/v1'.length);
    const method = request.method ?? 'GET';
    const body = await readBody(request);
    requests.push(`${method} ${path}`);
    for (const delay of delays)
      if (delay.matching.test(`${method} ${path}`)) await new Promise((done) => setTimeout(done, delay.ms));
    const failure = failures.find((candidate) => candidate.matching.test(`${method} ${path}`));
    if (failure !== undefined) return send(response, failure.problem.status, failure.problem);
    if (path === '/session') return answerSession(method, body, response);
    if (!state.loggedIn)
      return sendResult(
        response,
        problem(401, 'unauthenticated', 'This request carries no session.', 'Log in with a token.'),
      );
    if (path === '/stream') return openStream(response);
    const answered = answers.find((candidate) => candidate.matching.test(`${method} ${path}`));
    if (answered !== undefined) return send(response, 200, answered.body);
    if (method === 'GET') return sendResult(response, read(path, url.searchParams));
    const header = request.headers['x-hawser-request'];
    const query = Object.fromEntries(url.searchParams);
    changes.push({ method, path, query, body, header: typeof header === 'string' ? header : undefined });
    if (header !== '1')
      return sendResult(response, problem(403, 'forbidden', 'The header X-Hawser-Request is missing.'));
    const registered = registry.change(method, path, body as Record<string, unknown>);
    if (registered !== undefined) return sendResult(response, registered);
    const [, id = '', verb = ''] = /^\/applications\/([^/]+)(?:\/([a-z]+))?$/.exec(path) ?? [];
    if (!data.details.has(id))
      return sendResult(response, problem(404, 'not-found', `No application has the id ${id}.`));
    const refused = refusalOf(verb, body);
    if (refused !== undefined) return sendResult(response, problem(400, 'invalid-input', refused));
    if (method === 'DELETE') {
      change(id, { deleting: true });
      later(options.syncMs ?? 400, () => remove(id));
      return send(response, 202, { application: id, generation: ++state.ticket });
    }
    return sendResult(response, act(id, verb, body as Record<string, unknown>));
  }

  function answerSession(method: string, body: unknown, response: ServerResponse): void {
    if (method === 'POST') {
      if ((body as { token?: string }).token !== token)
        return sendResult(
          response,
          problem(401, 'unauthenticated', 'The token is not known.', 'Ask an administrator for a new one.'),
        );
      state.loggedIn = true;
      return send(response, 204, undefined);
    }
    if (method === 'DELETE') {
      state.loggedIn = false;
      return send(response, 204, undefined);
    }
    if (!state.loggedIn) return sendResult(response, problem(401, 'unauthenticated', 'There is no session.'));
    send(response, 200, { organisation: 'example', user: 'mara', role: state.role, version: '0.1.0' });
  }

  function openStream(response: ServerResponse): void {
    if (state.refuseStreams) return sendResult(response, problem(503, 'unavailable', 'No stream now.'));
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    response.write(': hello\nretry: 300\n\n');
    streams.add(response);
    response.on('close', () => streams.delete(response));
  }

  function heal(): void {
    failures.length = 0;
    answers.length = 0;
    delays.length = 0;
    state.refuseStreams = false;
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => sendResult(response, problem(500, 'internal', String(error))));
  });
  await new Promise<void>((done) => {
    server.listen(options.port ?? 0, '127.0.0.1', done);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token,
    changes,
    requests,
    application,
    change,
    reload,
    remove,
    registry,
    fail: (matching, given) =>
      failures.push({
        matching,
        problem: { type: '/problems/internal', title: 'Failed', detail: 'It failed.', ...given },
      }),
    answer: (matching, body) => answers.push({ matching, body }),
    slow: (matching, ms) => delays.push({ matching, ms }),
    heal,
    reset() {
      heal();
      for (const timer of timers) clearTimeout(timer);
      timers.clear();
      data.details.clear();
      for (const [id, detail] of atFirst) data.details.set(id, detail);
      registry.reset();
      state.loggedIn = options.session ?? true;
      state.role = 'admin';
      changes.length = 0;
      requests.length = 0;
    },
    endSession() {
      state.loggedIn = false;
      for (const stream of streams) stream.destroy();
    },
    dropStreams(refuse) {
      state.refuseStreams = refuse;
      for (const stream of streams) stream.destroy();
    },
    openStreams: () => streams.size,
    setRole(role) {
      state.role = role;
    },
    async close() {
      for (const timer of timers) clearTimeout(timer);
      server.closeAllConnections();
      await new Promise((done) => {
        server.close(done);
      });
    },
  };
}

/** The list as the contract has it; each facet is counted without its own filter, so that several values can be chosen. */
export function listOf(all: ApplicationSummary[], query: URLSearchParams): ApplicationList {
  const search = (query.get('search') ?? '').toLowerCase();
  const filters = {
    health: query.getAll('health'),
    sync: query.getAll('sync'),
    cluster: query.getAll('cluster'),
    project: query.getAll('project'),
  };
  type Filter = keyof typeof filters;
  const passes = (app: ApplicationSummary, except?: Filter) =>
    app.name.includes(search) &&
    (Object.keys(filters) as Filter[]).every(
      (name) => name === except || filters[name].length === 0 || filters[name].includes(app[name]),
    );
  const countBy = (name: Filter) => {
    const counts: Record<string, number> = {};
    for (const app of all) if (passes(app, name)) counts[app[name]] = (counts[app[name]] ?? 0) + 1;
    return counts;
  };
  const sort = query.get('sort') ?? 'name';
  const factor = sort.startsWith('-') ? -1 : 1;
  const matching = all.filter((app) => passes(app)).sort((a, b) => factor * compare(a, b, sort.replace('-', '')));
  const from = Number(query.get('cursor') ?? 0);
  const to = from + Number(query.get('limit') ?? 200);
  return {
    items: matching.slice(from, to),
    ...(to < matching.length ? { next: String(to) } : {}),
    total: matching.length,
    counts: {
      health: countBy('health'),
      sync: countBy('sync'),
      clusters: countBy('cluster'),
      projects: countBy('project'),
    },
  };
}

function compare(a: ApplicationSummary, b: ApplicationSummary, field: string): number {
  const byName = a.name.localeCompare(b.name);
  if (field === 'health') return healthStatuses.indexOf(a.health) - healthStatuses.indexOf(b.health) || byName;
  if (field === 'sync') return a.sync.localeCompare(b.sync) || byName;
  if (field === 'updated') return a.updatedAt.localeCompare(b.updatedAt) || byName;
  return byName;
}

function summaryOf(detail: ApplicationDetail): ApplicationSummary {
  const {
    declared,
    resources,
    drift,
    conditions,
    operationState,
    hold,
    images,
    desired,
    dependsOn,
    children,
    reportedAt,
    ...summary
  } = detail;
  return summary;
}

/** Why the service would refuse a body, by the contract's own schemas. */
function refusalOf(verb: string, body: unknown): string | undefined {
  const schema = { sync: SyncBody, rollback: RollbackBody, confirm: ConfirmBody }[verb];
  const parsed = schema?.strict().safeParse(body);
  return parsed?.success === false ? parsed.error.message : undefined;
}

function operationOf(detail: ApplicationDetail): NonNullable<ApplicationDetail['operationState']> {
  if (detail.operationState === undefined) throw new Error(`${detail.id} has no operation`);
  return detail.operationState;
}

function ok(body: unknown): { status: number; body: unknown } {
  return { status: 200, body };
}

function problem(status: number, code: string, detail: string, hint?: string): { status: number; body: Problem } {
  return {
    status,
    body: { type: `/problems/${code}`, title: code, status, detail, ...(hint === undefined ? {} : { hint }) },
  };
}

function sendResult(response: ServerResponse, result: { status: number; body: unknown }): void {
  send(response, result.status, result.body);
}

function send(response: ServerResponse, status: number, body: unknown): void {
  if (response.headersSent) return;
  response.writeHead(status, {
    'content-type': status < 400 ? 'application/json' : 'application/problem+json',
    'cache-control': 'no-store',
  });
  response.end(body === undefined ? undefined : JSON.stringify(body));
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  const text = Buffer.concat(parts).toString();
  return text === '' ? {} : JSON.parse(text);
}

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};

async function serveStatic(dist: string, pathname: string, response: ServerResponse): Promise<void> {
  const wanted = join(dist, normalize(pathname));
  const isFile = await stat(wanted).then(
    (found) => found.isFile(),
    () => false,
  );
  const file = isFile ? wanted : join(dist, 'index.html');
  response.writeHead(200, {
    'content-type': types[extname(file)] ?? 'application/octet-stream',
    // As the service has it: what names its content in its name never changes.
    'cache-control': pathname.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
    'content-security-policy': contentSecurityPolicy,
    'x-content-type-options': 'nosniff',
  });
  createReadStream(file).pipe(response);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const api = await startFixtureApi({
    dist: process.argv[2] ?? fileURLToPath(new URL('../../dist/dashboard', import.meta.url)),
    applications: Number(process.argv[3] ?? 60),
    port: Number(process.argv[4] ?? 4173),
    syncMs: 3000,
  });
  process.stdout.write(`${api.url}/#token=${api.token}\n`);
}

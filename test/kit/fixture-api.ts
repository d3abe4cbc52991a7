import { serve } from '@hono/node-server';
import { Hono, type Context } from 'hono';
import { streamSSE } from 'hono/streaming';
import { problemOf } from '#shared/domain/problem.ts';
import { HawserError } from '#shared/errors.ts';
import type {
  ApplicationDetail,
  ApplicationSummary,
  ClusterInstall,
  ClusterView,
  EventView,
  StreamEvent,
  TreeView,
} from '#shared/messages/api.ts';
import type { TokenView } from '#shared/messages/api-tokens.ts';
import { fixtureData, type FixtureData } from './fixture-data.ts';

export interface FixtureApi extends AsyncDisposable {
  url: string;
  token: string;
  data: FixtureData;
  /** Tokens of people. */
  tokens: TokenView[];
  /** `METHOD path body` of every call that changes something. */
  changes: { method: string; path: string; body: unknown }[];
  /** Changes an application and tells the stream. */
  update(id: string, change: Partial<ApplicationDetail>): void;
  /** How many streams are open. */
  streams(): number;
  close(): Promise<void>;
}

/** How long the fixture's agent takes for an operation, milliseconds. */
const agentMs = 60;
const adminToken = 'fixture-admin-token';
const viewerToken = 'fixture-viewer-token';

/**
 * An in-memory service that keeps the contract of functions/api/README.md, with a small team's applications.
 * `unread`: nobody reads Git. `stream: false` has no live updates; `version` is what `/healthz` says; `metrics` the text of `/metrics`.
 */
export async function startFixtureApi(
  options: { stream?: boolean; version?: string; metrics?: string; stuck?: boolean; unread?: boolean } = {},
): Promise<FixtureApi> {
  const data = fixtureData();
  const tokens = fixtureTokens();
  const changes: FixtureApi['changes'] = [];
  const listeners = new Set<(event: StreamEvent) => void>();
  const timers = new Set<NodeJS.Timeout>();
  let generation = 100;
  const version = options.version ?? '0.1.0';
  const app = new Hono();

  app.onError((error, c) => {
    const problem = problemOf(error, c.req.path);
    return c.json(problem, problem.status as 400, { 'content-type': 'application/problem+json' });
  });
  app.get('/healthz', (c) => c.json({ status: 'ok', version }));
  app.use('*', async (c, next) => {
    const token = c.req.header('authorization')?.replace(/^Bearer /, '');
    if (token !== adminToken && token !== viewerToken)
      throw new HawserError('unauthenticated', 'this token is not valid');
    if (c.req.method !== 'GET') {
      if (token === viewerToken) throw new HawserError('forbidden', 'viewer may look but not change anything');
      const text = await c.req.raw.clone().text();
      const path = c.req.url.slice(new URL(c.req.url).origin.length);
      changes.push({ method: c.req.method, path, body: text === '' ? undefined : JSON.parse(text) });
    }
    await next();
  });
  app.get('/metrics', (c) => c.text(options.metrics ?? ''));
  app.get('/api/v1/session', (c) => c.json({ organisation: 'shop', user: 'mona', role: 'admin', version }));
  reading(app);
  changing(app);
  administering(app);
  if (options.stream !== false) app.get('/api/v1/stream', (c) => openStream(c));

  const server = await new Promise<ReturnType<typeof serve>>((resolve) => {
    const started = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, () => resolve(started));
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    token: adminToken,
    data,
    tokens,
    changes,
    update,
    streams: () => listeners.size,
    close,
    [Symbol.asyncDispose]: close,
  };

  function reading(api: Hono): void {
    api.get('/api/v1/applications', (c) => {
      const search = (c.req.query('search') ?? '').toLowerCase();
      const kinds = c.req.queries('kind');
      const found = data.applications
        .map(summaryOf)
        .filter(
          ({ id, name, namespace, kind }) =>
            `${id} ${name} ${namespace}`.includes(search) && (kinds?.includes(kind) ?? true),
        );
      const start = Number(c.req.query('cursor') ?? 0);
      const end = start + Math.min(Number(c.req.query('limit') ?? 200), 5);
      return c.json({
        items: found.slice(start, end),
        ...(end < found.length ? { next: String(end) } : {}),
        total: found.length,
        counts: { health: {}, sync: {}, clusters: {}, projects: {} },
      });
    });
    api.get('/api/v1/applications/:id', (c) => c.json(requireApplication(c)));
    api.get('/api/v1/applications/:id/tree', (c) =>
      c.json(data.trees[requireApplication(c).id] ?? flatTree(requireApplication(c))),
    );
    api.get('/api/v1/applications/:id/events', (c) => {
      const { id } = requireApplication(c);
      return c.json({
        items: newestFirst(
          data.events.filter(({ application }) => application === id),
          c,
        ),
      });
    });
    api.get('/api/v1/applications/:id/history', (c) =>
      c.json({ items: data.histories[requireApplication(c).id] ?? [] }),
    );
    api.get('/api/v1/applications/:id/resource', (c) => {
      const key = c.req.query('key') ?? '';
      requireApplication(c);
      const found = data.resources[key];
      if (found === undefined) throw new HawserError('not-found', `there is no object ${key}`);
      return c.json(found);
    });
    api.get('/api/v1/events', (c) => c.json({ items: newestFirst(data.events, c) }));
    api.get('/api/v1/objects/:kind', (c) => c.json({ items: objectsOf(c.req.param('kind')) }));
    api.get('/api/v1/objects/:kind/:namespace/:name', (c) => {
      const { kind, namespace, name } = c.req.param();
      const found = objectsOf(kind).find(
        ({ metadata }) => metadata.name === name && (namespace === '-' || metadata.namespace === namespace),
      );
      if (found === undefined) throw new HawserError('not-found', `there is no ${kind} ${namespace}/${name}`);
      return c.json(found);
    });
  }

  function changing(api: Hono): void {
    api.post('/api/v1/objects', async (c) => {
      const { objects } = (await c.req.json()) as {
        objects: { kind: string; metadata: { name: string; namespace?: string } }[];
      };
      const items = objects.map(({ kind, metadata }) => {
        const identity = { kind, namespace: metadata.namespace ?? '', name: metadata.name };
        if (kind === 'ApplicationSet')
          return { ...identity, action: 'refused', message: 'ApplicationSet is not supported yet' };
        const known = data.applications.find(({ name }) => name === metadata.name);
        return {
          ...identity,
          action: known === undefined ? 'created' : known.id === 'monitoring' ? 'unchanged' : 'configured',
          application: metadata.name,
        };
      });
      return c.json({ items });
    });
    api.post('/api/v1/applications/:id/sync', async (c) => {
      const application = requireApplication(c);
      if (application.deleting) throw new HawserError('conflict', `application ${application.id} is being deleted`);
      return c.json(operate(application), 202);
    });
    api.post('/api/v1/applications/:id/rollback', (c) => c.json(operate(requireApplication(c)), 202));
    api.post('/api/v1/applications/:id/confirm', async (c) => {
      const application = requireApplication(c);
      const { listDigest } = (await c.req.json()) as { listDigest: string };
      if (application.hold?.listDigest !== listDigest)
        throw new HawserError('conflict', 'the list of held prunes has changed');
      delete application.hold;
      application.held = false;
      return c.json(operate(application), 202);
    });
    api.post('/api/v1/applications/:id/refresh', (c) => {
      const { id } = requireApplication(c);
      const ticket = (generation += 1);
      if (options.unread !== true) later(() => update(id, { plannedTicket: ticket + 1 }));
      return c.json({ application: id, ticket }, 202);
    });
    for (const verb of ['suspend', 'resume']) {
      api.post(`/api/v1/applications/:id/${verb}`, (c) => {
        const { id } = requireApplication(c);
        update(id, { suspended: verb === 'suspend' });
        return c.json({ application: id }, 202);
      });
    }
    api.delete('/api/v1/applications/:id', (c) => {
      const { id } = requireApplication(c);
      update(id, { deleting: true });
      later(() => {
        data.applications = data.applications.filter((one) => one.id !== id);
        tell({ type: 'removed', id });
      });
      return c.json({ application: id, generation: (generation += 1) }, 202);
    });
  }

  function administering(api: Hono): void {
    api.get('/api/v1/clusters', (c) => c.json({ items: data.clusters }));
    api.post('/api/v1/clusters', async (c) => {
      const { name, labels } = (await c.req.json()) as { name: string; labels?: Record<string, string> };
      if (data.clusters.some(({ id }) => id === name))
        throw new HawserError('conflict', `cluster ${name} is registered already`);
      const added: ClusterView = {
        id: name,
        labels: labels ?? {},
        registeredAt: new Date().toISOString(),
        connected: false,
        applications: 0,
        objects: 0,
        isDefault: false,
        identity: 'service-account',
        registrationExpiresAt: new Date(Date.now() + 900_000).toISOString(),
      };
      data.clusters.push(added);
      // Somebody runs the command; nobody does so for the cluster `lonely`.
      if (name !== 'lonely') {
        later(() => {
          Object.assign(added, { connected: true, kubernetesVersion: 'v1.35.1', seenAt: new Date().toISOString() });
          tell({ type: 'cluster', cluster: added });
        });
      }
      return c.json(installOf(added), 201);
    });
    api.post('/api/v1/clusters/:id/registration', (c) => c.json(installOf(requireCluster(c))));
    api.post('/api/v1/clusters/:id/revoke', (c) => {
      const cluster = requireCluster(c);
      Object.assign(cluster, { revokedAt: new Date().toISOString(), connected: false });
      return c.json(cluster);
    });
    api.post('/api/v1/clusters/:id/restore', (c) => {
      const cluster = requireCluster(c);
      delete cluster.revokedAt;
      return c.json(cluster);
    });
    api.delete('/api/v1/clusters/:id', (c) => {
      if (c.req.param('id') === 'production')
        throw new HawserError('conflict', '4 applications still have cluster production as their destination');
      return c.body(null, 204);
    });
    api.get('/api/v1/repositories', (c) => c.json({ items: data.repositories }));
    api.get('/api/v1/repositories/templates', (c) =>
      c.json({ items: [{ id: 'argocd-shop', url: 'https://git.shop.example', kind: 'basic' }] }),
    );
    api.delete('/api/v1/repositories/templates/:id', (c) => c.body(null, 204));
    api.post('/api/v1/repositories', async (c) => {
      const { url, webhookSecret } = (await c.req.json()) as { url: string; webhookSecret?: string };
      const webhookUrls = {
        github: 'https://hawser.example/webhooks/github/new',
        gitlab: 'https://hawser.example/webhooks/gitlab/new',
      };
      return c.json(
        { repository: { id: 'new', url }, webhookSecret: webhookSecret ?? 'a'.repeat(64), webhookUrls },
        201,
      );
    });
    api.delete('/api/v1/repositories/:id', (c) => c.body(null, 204));
    api.post('/api/v1/repositories/:id/webhook-secret', (c) =>
      c.json({ webhookSecret: 'b'.repeat(64), previousUntil: '2026-01-02T00:00:00.000Z' }),
    );
    api.get('/api/v1/projects', (c) => c.json({ items: [] }));
    api.get('/api/v1/tokens', (c) => c.json({ items: tokens }));
    api.post('/api/v1/tokens', async (c) => {
      const { user, role } = (await c.req.json()) as Pick<TokenView, 'user' | 'role'>;
      const createdAt = new Date().toISOString();
      const expiresAt = '2027-01-31T00:00:00.000Z';
      const added = { id: 'd'.repeat(16), user, role, createdAt, expiresAt, grantedBy: 'mona', isCurrent: false };
      return c.json({ ...added, secret: `hawser_shop_${'s'.repeat(43)}` }, 201);
    });
    api.delete('/api/v1/tokens/:id', (c) => {
      if (tokens.some(({ id, isCurrent }) => isCurrent && id === c.req.param('id')))
        throw new HawserError('conflict', 'there is no other token of an admin that never expires', {
          hint: 'Grant one first.',
        });
      return c.body(null, 204);
    });
    api.get('/api/v1/queues', (c) => c.json({ items: data.queues }));
    api.get('/api/v1/queues/:name/dead-letters', (c) => c.json({ items: data.deadLetters[c.req.param('name')] ?? [] }));
    api.post('/api/v1/queues/:name/redrive', (c) =>
      c.json({ redriven: data.deadLetters[c.req.param('name')]?.length ?? 0 }),
    );
  }

  function openStream(c: Context): Response {
    return streamSSE(c, async (stream) => {
      const ended = Promise.withResolvers<void>();
      const listener = (event: StreamEvent): void => {
        void stream.writeSSE({ event: event.type, data: JSON.stringify(event) });
      };
      listeners.add(listener);
      stream.onAbort(() => {
        listeners.delete(listener);
        ended.resolve();
      });
      await stream.write(': connected\n\n');
      await ended.promise;
    });
  }

  /** An operation as the agent reports it: running, then over; `redis` fails, and `stuck` never ends. */
  function operate(application: ApplicationDetail): { application: string; generation: number } {
    generation += 1;
    const startedAt = new Date().toISOString();
    const running = {
      phase: 'Running' as const,
      message: 'waiting for healthy state of apps/Deployment/shop/web',
      generation,
      revision: application.desired?.revision ?? '',
      startedAt,
      initiatedBy: { username: 'mona' },
      retryCount: 0,
      resources: [],
    };
    const accepted = { application: application.id, generation };
    if (options.stuck === true) return accepted;
    later(() => {
      update(application.id, { operationState: running, operation: 'Running', health: 'Progressing' });
      later(() => finish(application.id, running));
    });
    return accepted;
  }

  function finish(id: string, running: NonNullable<ApplicationDetail['operationState']>): void {
    const finishedAt = new Date().toISOString();
    if (id !== 'redis') {
      update(id, {
        operationState: { ...running, phase: 'Succeeded', message: 'successfully synced (all tasks run)', finishedAt },
        operation: 'Succeeded',
        sync: 'Synced',
        health: 'Healthy',
      });
      return;
    }
    const broken = { group: 'apps', version: 'v1', kind: 'StatefulSet', namespace: 'redis', name: 'redis' };
    update(id, {
      operationState: {
        ...running,
        phase: 'Failed',
        message: 'one or more objects failed to apply',
        finishedAt,
        resources: [
          {
            ...broken,
            status: 'SyncFailed',
            message: 'spec.serviceName: field is immutable',
            action: 'failed',
            phase: 'Sync',
          },
        ],
      },
      operation: 'Failed',
      health: 'Degraded',
    });
  }

  function update(id: string, change: Partial<ApplicationDetail>): void {
    const application = data.applications.find((one) => one.id === id);
    if (application === undefined) return;
    Object.assign(application, change, { updatedAt: new Date().toISOString() });
    tell({ type: 'application', application: summaryOf(application) });
  }

  function tell(event: StreamEvent): void {
    for (const listener of listeners) listener(event);
  }

  function later(work: () => void): void {
    const timer = setTimeout(() => {
      timers.delete(timer);
      work();
    }, agentMs);
    timers.add(timer);
  }

  function requireCluster(c: Context): ClusterView {
    const found = data.clusters.find((one) => one.id === c.req.param('id'));
    if (found !== undefined) return found;
    throw new HawserError('not-found', `cluster ${c.req.param('id')} is not registered`);
  }

  function installOf(cluster: ClusterView): ClusterInstall {
    const token = `hawser-register_shop_${cluster.id}_${'s'.repeat(43)}`;
    const values = {
      server: 'https://hawser.example',
      organisation: 'shop',
      cluster: cluster.id,
      registration: { token },
    };
    const install = `helm upgrade --install hawser-agent agent/chart \\\n  --set-json 'registration=${JSON.stringify({ token })}'`;
    return { cluster, registration: { token, expiresAt: cluster.registrationExpiresAt ?? '' }, install, values };
  }

  function requireApplication(c: Context): ApplicationDetail {
    const id = c.req.param('id');
    const found = data.applications.find((one) => one.id === id);
    if (found !== undefined) return found;
    throw new HawserError('not-found', `there is no application ${JSON.stringify(id)}`, {
      hint: 'See `hawser get applications`.',
    });
  }

  function objectsOf(kind: string): { kind: string; metadata: { name: string; namespace?: string } }[] {
    const declared = [...data.applications.map((one) => one.declared), ...data.otherObjects];
    return declared.filter((object) => object['kind'] === kind) as {
      kind: string;
      metadata: { name: string; namespace?: string };
    }[];
  }

  async function close(): Promise<void> {
    for (const timer of timers) clearTimeout(timer);
    const closed = new Promise((resolve) => server.close(resolve));
    if ('closeAllConnections' in server) server.closeAllConnections();
    await closed;
  }
}

/** An admin's, which is in use; one that it granted; a viewer's. */
function fixtureTokens(): TokenView[] {
  const createdAt = new Date(Date.now() - 3 * 24 * 3600_000).toISOString();
  const expiresAt = new Date(Date.now() + 90 * 24 * 3600_000 + 60_000).toISOString();
  const [mona, bob, vera] = ['a', 'b', 'c'].map((letter) => letter.repeat(16)) as [string, string, string];
  const by = { grantedBy: 'mona', grantedWith: mona };
  return [
    { id: bob, user: 'bob', role: 'admin', createdAt, ...by, isCurrent: false },
    { id: mona, user: 'mona', role: 'admin', createdAt, isCurrent: true },
    {
      id: vera,
      user: 'vera',
      role: 'viewer',
      createdAt,
      expiresAt,
      grantedBy: 'bob',
      grantedWith: bob,
      isCurrent: false,
    },
  ];
}

/** The summary of an application: its page without what only the page has. */
export function summaryOf(application: ApplicationDetail): ApplicationSummary {
  const {
    declared: _declared,
    resources: _resources,
    drift: _drift,
    conditions: _conditions,
    operationState: _operation,
    hold: _hold,
    images: _images,
    desired: _desired,
    dependsOn: _dependsOn,
    children: _children,
    reportedAt: _reportedAt,
    ...summary
  } = application;
  return summary;
}

function flatTree({ resources }: ApplicationDetail): TreeView {
  return { resources, nodes: [], live: false, error: 'the agent of cluster production did not answer in time' };
}

function newestFirst(events: readonly EventView[], c: Context): EventView[] {
  return events.toSorted((a, b) => (a.at < b.at ? 1 : -1)).slice(0, Number(c.req.query('limit') ?? 100));
}

import { Hono } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { openAPIRouteHandler } from 'hono-openapi';
import { HawserError, messageOf } from '#shared/errors.ts';
import { problemOf } from '#shared/domain/problem.ts';
import { requirePrincipal } from './auth.ts';
import { requireUser, type ApiDeps, type ApiEnv } from './context.ts';
import { checkBody } from './request-body.ts';
import { agentRoutes } from './routes/agent.ts';
import { applicationRoutes } from './routes/applications.ts';
import { changeRoutes } from './routes/changes.ts';
import { clusterRoutes } from './routes/clusters.ts';
import { eventRoutes } from './routes/events.ts';
import { objectRoutes } from './routes/objects.ts';
import { pageRoutes } from './routes/page.ts';
import { projectRoutes } from './routes/projects.ts';
import { queueRoutes } from './routes/queues.ts';
import { repositoryRoutes } from './routes/repositories.ts';
import { sessionRoutes } from './routes/session.ts';
import { streamRoutes } from './routes/stream.ts';
import { tokenRoutes } from './routes/tokens.ts';

/** Largest bodies: of a login, and of anything else (a report of ten thousand objects has 4 MiB). */
const sessionBytes = 16 * 1024;
const bodyBytes = 16 * 1024 * 1024;

/** Everything that is asked over HTTP, but for webhooks: `Request` in, `Response` out, whatever the platform. */
export function createApiApp(deps: ApiDeps): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  app.use('*', securityHeaders());
  app.onError((thrown, c) => {
    const error = asHawserError(thrown);
    const problem = problemOf(error, c.req.path);
    const hint = error instanceof HawserError ? error.hint : undefined;
    if (problem.status >= 500) deps.log.error({ path: c.req.path, reason: messageOf(error), hint }, 'request failed');
    return c.json(problem, problem.status as 400, { 'content-type': 'application/problem+json' });
  });
  app.notFound((c) => {
    const error = new HawserError('not-found', `there is nothing at ${c.req.method} ${c.req.path}`, {
      hint: 'See /api/v1/openapi.json.',
    });
    return c.json(problemOf(error, c.req.path), 404, { 'content-type': 'application/problem+json' });
  });
  app.get('/healthz', (c) => c.json({ status: 'ok', version: deps.version }));
  app.get('/metrics', requirePrincipal(deps), async (c) => {
    requireUser(c);
    const { text, contentType } = await deps.metricsText();
    return c.text(text, 200, { 'content-type': contentType });
  });
  app.get('/api/v1/openapi.json', openAPIRouteHandler(app, { documentation: documentation(deps.version) }));
  app.use('/api/v1/session', checkBody(sessionBytes));
  app.route('/api/v1/session', sessionRoutes(deps));
  const api = new Hono<ApiEnv>();
  api.use('*', requirePrincipal(deps));
  // After the token was checked: nobody else gets this much of our memory.
  api.use('*', checkBody(bodyBytes));
  api.route('/agent', agentRoutes(deps));
  api.route('/applications', applicationRoutes(deps));
  api.route('/applications', changeRoutes(deps));
  api.route('/objects', objectRoutes(deps));
  api.route('/events', eventRoutes(deps));
  api.route('/clusters', clusterRoutes(deps));
  api.route('/repositories', repositoryRoutes(deps));
  api.route('/projects', projectRoutes(deps));
  api.route('/queues', queueRoutes(deps));
  api.route('/tokens', tokenRoutes(deps));
  api.route('/stream', streamRoutes(deps));
  app.route('/api/v1', api);
  app.route('/', pageRoutes(deps));
  return app;
}

function documentation(version: string) {
  return {
    info: {
      title: 'Hawser',
      version,
      description: 'The API that the dashboard, the CLI and the agents use.',
      license: { name: 'Apache-2.0' },
    },
    components: { securitySchemes: { token: { type: 'http' as const, scheme: 'bearer' } } },
    security: [{ token: [] }],
  };
}

/** What the framework refuses, in our words: a body that is no JSON is the sender's mistake. */
function asHawserError(error: Error): Error {
  if (!(error instanceof HTTPException) || error.status >= 500) return error;
  return new HawserError('invalid-input', 'the body is not JSON', {
    hint: 'See /api/v1/openapi.json for what this route takes.',
    cause: error,
  });
}

/** Nothing from elsewhere runs in the page, nothing frames it, nothing is guessed (NT-134). */
function securityHeaders() {
  return async (c: { header(name: string, value: string): void }, next: () => Promise<void>) => {
    await next();
    c.header('x-content-type-options', 'nosniff');
    c.header('referrer-policy', 'same-origin');
    c.header('x-frame-options', 'DENY');
    c.header(
      'content-security-policy',
      "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    );
  };
}

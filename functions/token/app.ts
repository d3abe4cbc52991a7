import { Hono, type Context } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { z } from 'zod';
import { HawserError, messageOf } from '#shared/errors.ts';
import { problemOf } from '#shared/domain/problem.ts';
import { RegisterRequest, TokenRequest } from '#shared/messages/agent-identity.ts';
import { exchange } from './exchange.ts';
import type { TokenDeps } from './issue.ts';
import { register } from './register.ts';

/** A key set of twenty keys and a token (LIM-15). */
const bodyBytes = 64 * 1024;

/**
 * `POST /api/v1/agent/register` and `POST /api/v1/agent/token`: the only two things that an agent may ask before it has
 * an access token. Mount it before the API.
 */
export function createTokenApp(deps: TokenDeps): Hono {
  const app = new Hono();
  const limit = bodyLimit({
    maxSize: bodyBytes,
    onError: () => {
      throw new HawserError('too-large', `the body has more than ${bodyBytes} bytes`);
    },
  });
  app.onError((error, c) => {
    const problem = problemOf(error, c.req.path);
    if (problem.status >= 500) deps.log.error({ path: c.req.path, reason: messageOf(error) }, 'request failed');
    else deps.log.info({ path: c.req.path, status: problem.status, reason: messageOf(error) }, 'an agent was refused');
    const wait = error instanceof HawserError ? error.data['retryAfterSeconds'] : undefined;
    if (typeof wait === 'number') c.header('retry-after', String(wait));
    return c.json(problem, problem.status as 400, {
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
    });
  });
  app.post('/api/v1/agent/register', limit, async (c) => {
    const request = await bodyOf(c, RegisterRequest);
    const bearer = /^Bearer (\S+)$/.exec(c.req.header('authorization') ?? '')?.[1] ?? '';
    return answer(c, await register(deps, bearer, request, sourceOf(c.env)));
  });
  app.post('/api/v1/agent/token', limit, async (c) => {
    const request = await bodyOf(c, TokenRequest);
    return answer(c, await exchange(deps, request, sourceOf(c.env)));
  });
  return app;
}

/**
 * Address of whoever sent the request, as the platform says it (API Gateway's event, Node's socket): headers are the
 * sender's own words. undefined where it does not say.
 */
export function sourceOf(env: unknown): string | undefined {
  const { event, incoming } = (env ?? {}) as {
    event?: { requestContext?: { http?: { sourceIp?: unknown } } };
    incoming?: { socket?: { remoteAddress?: unknown } };
  };
  const source = event?.requestContext?.http?.sourceIp ?? incoming?.socket?.remoteAddress;
  return typeof source === 'string' ? source : undefined;
}

function answer(c: Context, body: object): Response {
  return c.json(body, 200, { 'cache-control': 'no-store' });
}

async function bodyOf<T>(c: Context, schema: z.ZodType<T>): Promise<T> {
  if (!/^application\/json\s*(;|$)/i.test(c.req.header('content-type') ?? '')) {
    throw new HawserError('unsupported-media-type', 'the body must be JSON', {
      hint: 'Send it with Content-Type: application/json.',
    });
  }
  const parsed = schema.safeParse(parseJson(await c.req.text()));
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues
    .slice(0, 10)
    .map(({ path, message }) => `${path.join('.') || 'body'}: ${message}`);
  throw new HawserError('invalid-input', problems.join('; '));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new HawserError('invalid-input', 'the body is not JSON');
  }
}

import { Hono } from 'hono';
import { z } from 'zod';
import { HawserError } from '#shared/errors.ts';
import { authenticate, closeSession, openSession, requirePrincipal } from '../auth.ts';
import { requireUser, type ApiDeps, type ApiEnv } from '../context.ts';
import { checked, describe } from '../openapi.ts';

/** Log in with a token, say who is logged in, log out. */
export function sessionRoutes(deps: ApiDeps): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  app.post(
    '/',
    describe('exchange a token for a session'),
    checked('json', z.object({ token: z.string().min(1).max(8192) })),
    async (c) => {
      const principal = await authenticate(deps, c.req.valid('json').token.trim());
      if (principal?.kind !== 'user') {
        throw new HawserError('unauthenticated', 'this token is not valid', {
          hint: 'Copy it again; `npm start` writes it to .hawser/run.json.',
        });
      }
      await openSession(deps, c, principal.organisation, principal);
      return c.json({
        organisation: principal.organisation,
        user: principal.user,
        role: principal.role,
        version: deps.version,
      });
    },
  );
  app.get('/', describe('who is logged in'), requirePrincipal(deps), (c) => {
    const { organisation, user, role } = requireUser(c);
    return c.json({ organisation, user, role, version: deps.version });
  });
  app.delete('/', describe('log out'), async (c) => {
    await closeSession(deps, c);
    return c.body(null, 204);
  });
  return app;
}

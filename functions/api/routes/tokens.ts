import { Hono } from 'hono';
import { z } from 'zod';
import { GrantedToken, NewToken, TokenView } from '#shared/messages/api-tokens.ts';
import { requireAdmin, type ApiDeps, type ApiEnv } from '../context.ts';
import { checked, describe } from '../openapi.ts';
import { grantPersonToken, readTokens, revokeToken } from '../tokens.ts';

/** Tokens of people: list, grant, revoke. A secret is answered once, and kept as a digest. */
export function tokenRoutes(deps: ApiDeps): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  app.get('/', describe('tokens of people', z.object({ items: z.array(TokenView) })), async (c) =>
    c.json({ items: await readTokens(deps, requireAdmin(c)) }),
  );
  app.post('/', describe('grant somebody a token', GrantedToken, 201), checked('json', NewToken), async (c) =>
    c.json(await grantPersonToken(deps, requireAdmin(c), c.req.valid('json')), 201),
  );
  app.delete('/:id', describe('revoke a token, and end its sessions'), async (c) => {
    await revokeToken(deps, requireAdmin(c), c.req.param('id'));
    return c.body(null, 204);
  });
  return app;
}

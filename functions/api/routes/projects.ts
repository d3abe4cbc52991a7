import { Hono } from 'hono';
import { z } from 'zod';
import { ProjectView } from '#shared/messages/api.ts';
import { listProjects } from '#shared/state/registry.ts';
import { requireUser, type ApiDeps, type ApiEnv } from '../context.ts';
import { describe } from '../openapi.ts';

/** The fences inside the organisation, as declared. */
export function projectRoutes(deps: ApiDeps): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  app.get('/', describe('projects', z.object({ items: z.array(ProjectView) })), async (c) => {
    const { organisation } = requireUser(c);
    const projects = await listProjects(deps.store, organisation);
    return c.json({ items: projects.map(({ name, declared }) => ({ name, declared })) });
  });
  return app;
}

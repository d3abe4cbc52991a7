import { Hono } from 'hono';
import type { ApplicationEvent } from '#shared/domain/status.ts';
import { EventList, type EventView } from '#shared/messages/api.ts';
import { organisationKey } from '#shared/state/keys.ts';
import { requireUser, type ApiDeps, type ApiEnv } from '../context.ts';
import { describe } from '../openapi.ts';

/** Events of the whole organisation. */
export function eventRoutes(deps: ApiDeps): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  app.get('/', describe('events of all applications, newest first', EventList), async (c) => {
    const { organisation } = requireUser(c);
    return c.json(
      await readEvents(deps, organisationKey(organisation), {
        limit: c.req.query('limit'),
        cursor: c.req.query('cursor'),
      }),
    );
  });
  return app;
}

/** One page of events, newest first. `application` names the log's owner where its rows do not. */
export async function readEvents(
  deps: ApiDeps,
  partition: string,
  page: { limit: string | undefined; cursor: string | undefined },
  application?: string,
): Promise<{ items: EventView[]; next?: string }> {
  const limit = Math.min(500, Math.max(1, Number(page.limit ?? 100) || 100));
  const { rows, next } = await deps.store.query<ApplicationEvent & { application?: string }>(partition, {
    prefix: 'EVENT#',
    descending: true,
    limit,
    ...(page.cursor === undefined ? {} : { after: page.cursor }),
  });
  const items = rows.map(({ value }) => ({ ...value, application: value.application ?? application ?? '' }));
  return { items, ...(next === undefined ? {} : { next }) };
}

import { Hono } from 'hono';
import { z } from 'zod';
import { HawserError } from '#shared/errors.ts';
import { QueueView } from '#shared/messages/api.ts';
import type { Queue } from '#shared/ports/queue.ts';
import { requireAdmin, requireUser, type ApiDeps, type ApiEnv } from '../context.ts';
import { describe } from '../openapi.ts';

/** The flow's queues: how full, what died and why, send the dead again. */
export function queueRoutes(deps: ApiDeps): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  app.get('/', describe('queues with their counts', z.object({ items: z.array(QueueView) })), async (c) => {
    requireUser(c);
    return c.json({
      items: await Promise.all([...deps.queues].map(async ([name, queue]) => ({ name, ...(await queue.counts()) }))),
    });
  });
  app.get('/:name/dead-letters', describe('messages that could not be handled, and why'), async (c) => {
    requireAdmin(c);
    return c.json({ items: await requireQueue(deps, c.req.param('name')).deadLetters(100) });
  });
  app.post('/:name/redrive', describe('send dead letters again', z.object({ redriven: z.number() })), async (c) => {
    requireAdmin(c);
    return c.json({ redriven: await requireQueue(deps, c.req.param('name')).redrive() });
  });
  return app;
}

function requireQueue(deps: ApiDeps, name: string): Queue {
  const queue = deps.queues.get(name);
  if (queue) return queue;
  throw new HawserError('not-found', `there is no queue ${JSON.stringify(name.slice(0, 60))}`, {
    hint: `Queues: ${[...deps.queues.keys()].join(', ')}.`,
  });
}

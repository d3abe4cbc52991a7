import { Hono } from 'hono';
import { streamSSE } from 'hono/streaming';
import type { StreamEvent } from '#shared/messages/api.ts';
import { readPageChanges } from '#shared/state/page-changes.ts';
import { isStillValid } from '../auth.ts';
import { requireUser, type ApiContext, type ApiDeps, type ApiEnv } from '../context.ts';
import { describe } from '../openapi.ts';
import { readSummariesOf } from '../views.ts';
import { readClusters } from './clusters.ts';

/** Changes are gathered for so long, so that a thousand at once are a few messages. */
const gatherMs = 100;
const keepAliveMs = 15_000;

/** When a page comes again whose stream cannot be held open. */
const againMs = 3000;

/** Live updates as server-sent events, for as long as the caller's token holds (NT-110). Whoever reconnects reads the list again: events are not replayed. */
export function streamRoutes(deps: ApiDeps): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  app.get('/', describe('live updates (server-sent events)'), (c) => {
    const { organisation } = requireUser(c);
    if (deps.holdsRequests === false) return answerAtOnce(deps, c, organisation);
    c.header('x-accel-buffering', 'no');
    return streamSSE(c, async (stream) => {
      const changed = new Set<string>();
      let wake: (() => void) | undefined;
      const stop = deps.bell.listen(`organisation:${organisation}`, (payload) => {
        changed.add(payload ?? '');
        wake?.();
      });
      stream.onAbort(() => {
        stop();
        wake?.();
      });
      try {
        await stream.write(': connected\n\n');
        let checkedAt = deps.clock.monotonic();
        while (!stream.aborted) {
          if (changed.size === 0) {
            await new Promise<void>((resolve) => {
              wake = resolve;
              setTimeout(resolve, keepAliveMs).unref();
            });
          }
          if (deps.clock.monotonic() - checkedAt >= keepAliveMs) {
            if (!(await isStillValid(deps, c))) break;
            checkedAt = deps.clock.monotonic();
          }
          if (changed.size === 0) {
            if (!stream.aborted) await stream.write(': still here\n\n');
            continue;
          }
          const batch = [...changed];
          changed.clear();
          for (const event of await eventsFor(deps, organisation, batch)) {
            await stream.writeSSE({ event: event.type, data: JSON.stringify(event) });
          }
          await stream.sleep(gatherMs);
        }
      } finally {
        stop();
      }
    });
  });
  return app;
}

/**
 * What has changed since the event that the browser names (`Last-Event-ID`), and `pause`: the answer ends here by intent,
 * and nothing is lost until the browser is back. `reload` where what has changed is not known any more.
 */
async function answerAtOnce(deps: ApiDeps, c: ApiContext, organisation: string): Promise<Response> {
  const last = c.req.header('last-event-id') ?? '';
  const { at, changed } = await readPageChanges(
    deps.store,
    organisation,
    /^\d{1,15}$/.test(last) ? Number(last) : undefined,
  );
  const news: StreamEvent[] =
    changed === 'unknown' ? [{ type: 'reload' }] : await eventsFor(deps, organisation, changed);
  const texts = [...news, { type: 'pause' as const }].map(
    (event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`,
  );
  return c.body(`retry: ${againMs}\nid: ${at}\n${texts.join('')}`, 200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
  });
}

async function eventsFor(deps: ApiDeps, organisation: string, changed: string[]): Promise<StreamEvent[]> {
  const clusterIds = new Set(
    changed.filter((id) => id.startsWith('cluster:')).map((id) => id.slice('cluster:'.length)),
  );
  const ids = changed.filter((id) => !/^(?:$|cluster:|source:)/.test(id));
  const summaries = await readSummariesOf(deps, organisation, ids);
  const found = new Set(summaries.map((summary) => summary.id));
  const clusters =
    clusterIds.size === 0
      ? []
      : (await readClusters(deps, organisation)).filter((cluster) => clusterIds.has(cluster.id));
  // Which applications read a source is not known here, and there is no word for a cluster that is gone.
  const isUnclear = changed.some((id) => id.startsWith('source:')) || clusters.length < clusterIds.size;
  return [
    ...(isUnclear ? [{ type: 'reload' as const }] : []),
    ...summaries.map((application) => ({ type: 'application' as const, application })),
    ...ids.filter((id) => !found.has(id)).map((id) => ({ type: 'removed' as const, id })),
    ...clusters.map((cluster) => ({ type: 'cluster' as const, cluster })),
  ];
}

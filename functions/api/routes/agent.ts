import { gzip } from 'node:zlib';
import { promisify } from 'node:util';
import { Hono } from 'hono';
import { z } from 'zod';
import { HawserError } from '#shared/errors.ts';
import type { Assignment, HubUpdate } from '#shared/ports/hub.ts';
import { AgentReport, type OpenedReport, type ReceivedReport } from '#shared/messages/agent-report.ts';
import { Answer, type ClusterCommand } from '#shared/messages/cluster-command.ts';
import { keepAnswer } from '#shared/state/answers.ts';
import { holePatienceMs, readChanges, type Head } from '#shared/state/heads.ts';
import { isStillValid } from '../auth.ts';
import { isoNow, requireAgent, type ApiContext, type ApiDeps, type ApiEnv } from '../context.ts';
import { checked, describe } from '../openapi.ts';

const compress = promisify(gzip);
/** Longest that one poll is held open. */
const longestWaitSeconds = 55;
/** When an agent asks again whose poll cannot be held. */
const nextPollSeconds = 10;
/** Bytes of chunks in one answer: a function's answer holds 6 MB. */
const chunksBytes = 4 * 1024 * 1024;
/** LIM-16. */
const messageBytes = 200 * 1024;
const PollQuery = z.object({
  after: z.coerce.number().int().min(0).default(0),
  wait: z.coerce.number().min(0).max(longestWaitSeconds).default(0),
});
const ChunksBody = z.object({ digests: z.array(z.string().regex(/^[0-9a-f]{64}$/)).max(64) });

/** What agents ask and say. Organisation and cluster come from the token, never from a body (INV-34). */
export function agentRoutes(deps: ApiDeps): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  app.get('/poll', describe('what an agent has to take in'), checked('query', PollQuery), async (c) =>
    c.json(await poll(deps, c, c.req.valid('query'))),
  );
  app.post('/chunks', describe('chunks by digest, as base64 of gzip'), checked('json', ChunksBody), async (c) =>
    c.json(await readChunks(deps, c, c.req.valid('json').digests)),
  );
  app.post('/reports', describe('take in a report', undefined, 202), checked('json', AgentReport), async (c) => {
    const { organisation, cluster } = requireAgent(c);
    const received = { organisation, cluster, receivedAt: isoNow(deps), report: c.req.valid('json') };
    await deps.reports.send([await messageOf(deps, received)], { group: organisation });
    return c.json({}, 202);
  });
  app.post('/answers', describe('take in an answer', undefined, 202), checked('json', Answer), async (c) => {
    const { organisation, cluster } = requireAgent(c);
    await keepAnswer(deps, organisation, cluster, c.req.valid('json'));
    return c.json({}, 202);
  });
  return app;
}

/** Chunks as far as one answer holds them; `left` is what to ask for next. One that is missing is in neither. */
async function readChunks(
  deps: ApiDeps,
  c: ApiContext,
  digests: readonly string[],
): Promise<{ chunks: Record<string, string>; left: string[] }> {
  const { organisation, cluster } = requireAgent(c);
  const chunks: Record<string, string> = {};
  let size = 0;
  for (const [index, digest] of digests.entries()) {
    const text = await deps.snapshots.read(organisation, cluster, digest);
    if (text === undefined) continue;
    const packed = (await compress(text, { level: 1 })).toString('base64');
    if (size > 0 && size + packed.length > chunksBytes) return { chunks, left: digests.slice(index) };
    size += packed.length;
    chunks[digest] = packed;
  }
  return { chunks, left: [] };
}

/** The message for the queue; a report that is too large for one goes beside it (LIM-16). */
async function messageOf(deps: ApiDeps, received: OpenedReport): Promise<string> {
  const message = JSON.stringify(received satisfies ReceivedReport);
  if (Buffer.byteLength(message) <= messageBytes) return message;
  const { report, ...sender } = received;
  const text = Buffer.from(JSON.stringify(report));
  const stored = await deps.snapshots.write(received.organisation, received.cluster, text);
  return JSON.stringify({ ...sender, stored } satisfies ReceivedReport);
}

/** Answers as soon as HEAD is past `after` or a command is there; with nothing to say once the wait is over. */
async function poll(deps: ApiDeps, c: ApiContext, query: { after: number; wait: number }): Promise<HubUpdate> {
  const { organisation, cluster } = requireAgent(c);
  const until = deps.clock.monotonic() + (deps.holdsRequests === false ? 0 : query.wait * 1000);
  for (;;) {
    const left = until - deps.clock.monotonic();
    const ended = new AbortController();
    // Listening starts before reading: what changes in between still ends the wait.
    const rung =
      left <= 0
        ? undefined
        : deps.mailbox.wait(organisation, cluster, left, AbortSignal.any([c.req.raw.signal, ended.signal]));
    const { changes, commands } = await look(deps, organisation, cluster, query.after);
    const nothing = changes.version === query.after && changes.scope === 'changes' && commands.length === 0;
    if (!nothing || rung === undefined || c.req.raw.signal.aborted) {
      ended.abort();
      return {
        version: changes.version,
        scope: changes.scope,
        applications: changes.heads.map(assignmentOf),
        commands,
        ...(deps.holdsRequests === false ? { nextPollSeconds } : {}),
      };
    }
    // A publisher between its two writes rings when it is done; one that has died does not.
    const again = changes.unfinished ? setTimeout(() => ended.abort(), holePatienceMs + 100) : undefined;
    await rung;
    clearTimeout(again);
    // Who was revoked meanwhile gets nothing more (NT-110).
    if (!(await isStillValid(deps, c))) throw new HawserError('unauthenticated', 'the token is not valid any more');
  }
}

async function look(deps: ApiDeps, organisation: string, cluster: string, after: number) {
  const [changes, posted] = await Promise.all([
    readChanges(deps, organisation, cluster, after),
    deps.mailbox.take(organisation, cluster),
  ]);
  const resend: ClusterCommand[] = changes.resend ? [{ type: 'resend' }] : [];
  return { changes, commands: [...resend, ...posted] };
}

/** What is there: only publish signs. An agent that finds the certificate ended names the application in its report's `renew`. */
function assignmentOf({ application, generation, root }: Head): Assignment {
  return { application, generation, root };
}

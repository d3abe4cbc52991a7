import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { z } from 'zod';
import { HawserError, messageOf } from '#shared/errors.ts';
import type { Hub, HubUpdate } from '#shared/ports/hub.ts';
import type { Credentials } from '../identity/credentials.ts';
import { Assignment, knownCommand } from './handed-out.ts';
import { errorOf, parseAs } from './http-answer.ts';
import type { HttpJson } from './http-json.ts';

const Update = z.object({
  version: z.number().int().nonnegative(),
  scope: z.enum(['all', 'changes']),
  applications: z.array(Assignment),
  // A command that this version does not know is no reason to miss the rest (INV-45).
  commands: z.array(z.unknown()),
  nextPollSeconds: z.number().nonnegative().optional(),
});

/** `left`: did not fit into the answer, to be asked for again. */
const Chunks = z.object({ chunks: z.record(z.string(), z.string()), left: z.array(z.string()).default([]) });

const unzip = promisify(gunzip);
/** A chunk that unpacks to more is refused before it fills the memory (FT-51). */
const largestChunk = 64 * 1024 * 1024;
const requestTimeout = 30_000;
/** On top of the time that the hub may hold a poll; then the connection counts as half-open. */
const pollGrace = 10_000;

export interface HttpHubDeps {
  http: HttpJson;
  credentials: Credentials;
}

/**
 * The Hub port over HTTP. Every call is one attempt, or two where the first was refused and other credentials are to be had;
 * the caller decides about retries.
 * Errors: `unavailable` (retry later; `data.retryAfterMs` where the service said when), `unauthenticated`, `forbidden`.
 */
export function createHttpHub({ http, credentials }: HttpHubDeps): Hub {
  async function call<T>(schema: z.ZodType<T>, request: Parameters<typeof http.send>[0]): Promise<T> {
    const bearer = await credentials.bearer();
    let answer = await http.send({ ...request, bearer });
    if (answer.status === 401) {
      const other = await credentials.renewed(bearer);
      if (other !== undefined) answer = await http.send({ ...request, bearer: other });
    }
    if (answer.status < 200 || answer.status > 299) throw errorOf(answer, request.path);
    return parseAs(schema, answer, request.path);
  }

  return {
    async poll({ after, waitSeconds, signal }) {
      const path = `/api/v1/agent/poll?after=${after}&wait=${waitSeconds}`;
      const timeoutMs = waitSeconds * 1000 + pollGrace;
      const update = await call(Update, { method: 'GET', path, timeoutMs, ...(signal ? { signal } : {}) });
      const { nextPollSeconds, ...rest } = update;
      return {
        ...rest,
        commands: update.commands.flatMap(knownCommand),
        ...(nextPollSeconds === undefined ? {} : { nextPollSeconds }),
      } satisfies HubUpdate;
    },
    async chunks(digests) {
      const texts = new Map<string, Uint8Array>();
      for (let wanted = [...digests]; wanted.length > 0;) {
        const body = JSON.stringify({ digests: wanted });
        const request = { method: 'POST' as const, path: '/api/v1/agent/chunks', body, timeoutMs: 60_000 };
        const { chunks, left } = await call(Chunks, request);
        for (const [digest, packed] of Object.entries(chunks)) texts.set(digest, await unpack(packed, digest));
        // Each answer gets further, or there is no next.
        wanted = left.length < wanted.length ? left : [];
      }
      return texts;
    },
    async report(report) {
      const body = JSON.stringify(report);
      await call(z.unknown(), { method: 'POST', path: '/api/v1/agent/reports', body, timeoutMs: requestTimeout });
    },
    async answer(answer) {
      const body = JSON.stringify(answer);
      await call(z.unknown(), { method: 'POST', path: '/api/v1/agent/answers', body, timeoutMs: requestTimeout });
    },
  };
}

async function unpack(packed: string, digest: string): Promise<Uint8Array> {
  try {
    return await unzip(Buffer.from(packed, 'base64'), { maxOutputLength: largestChunk });
  } catch (error) {
    throw new HawserError('snapshot-invalid', `chunk ${digest} does not unpack: ${messageOf(error)}`, {
      retry: 'later',
    });
  }
}

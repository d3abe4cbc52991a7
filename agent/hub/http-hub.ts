import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { z } from 'zod';
import { HawserError, messageOf } from '#shared/errors.ts';
import { ClusterCommand } from '#shared/messages/cluster-command.ts';
import type { Hub, HubUpdate } from '#shared/ports/hub.ts';
import { createHttpJson, type HttpAnswer } from './http-json.ts';

const SignedRoot = z.object({
  root: z.string(),
  signature: z.string(),
  certificate: z.object({
    organisation: z.string(),
    publicKey: z.string(),
    notBefore: z.string(),
    notAfter: z.string(),
    signature: z.string(),
  }),
});

const Update = z.object({
  version: z.number().int().nonnegative(),
  scope: z.enum(['all', 'changes']),
  applications: z.array(z.object({ application: z.string(), generation: z.number().int(), root: SignedRoot })),
  // A command that this version does not know is no reason to miss the rest (INV-45).
  commands: z.array(z.unknown()),
});

const Chunks = z.object({ chunks: z.record(z.string(), z.string()) });

const unzip = promisify(gunzip);
/** A chunk that unpacks to more is refused before it fills the memory (FT-51). */
const largestChunk = 64 * 1024 * 1024;
const requestTimeout = 30_000;
/** On top of the time that the hub may hold a poll; then the connection counts as half-open. */
const pollGrace = 10_000;

export interface HttpHubSettings {
  server: string;
  token: () => string;
}

/**
 * The Hub port over HTTP. Every call is one attempt; the caller decides about retries.
 * Errors: `unavailable` (retry later; `data.retryAfterMs` where the service said when), `unauthenticated`, `forbidden`.
 */
export function createHttpHub(settings: HttpHubSettings): Hub {
  const http = createHttpJson({ base: new URL(settings.server), token: settings.token });

  async function call<T>(schema: z.ZodType<T>, request: Parameters<typeof http.send>[0]): Promise<T> {
    const answer = await http.send(request);
    if (answer.status < 200 || answer.status > 299) throw errorOf(answer, request.path);
    return parseAs(schema, answer, request.path);
  }

  return {
    async poll({ after, waitSeconds, signal }) {
      const path = `/api/v1/agent/poll?after=${after}&wait=${waitSeconds}`;
      const timeoutMs = waitSeconds * 1000 + pollGrace;
      const update = await call(Update, { method: 'GET', path, timeoutMs, ...(signal ? { signal } : {}) });
      return { ...update, commands: update.commands.flatMap(knownCommand) } satisfies HubUpdate;
    },
    async chunks(digests) {
      const body = JSON.stringify({ digests });
      const { chunks } = await call(Chunks, { method: 'POST', path: '/api/v1/agent/chunks', body, timeoutMs: 60_000 });
      const texts = new Map<string, Uint8Array>();
      for (const [digest, packed] of Object.entries(chunks)) texts.set(digest, await unpack(packed, digest));
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

function knownCommand(command: unknown): ClusterCommand[] {
  const parsed = ClusterCommand.safeParse(command);
  return parsed.success ? [parsed.data] : [];
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

function errorOf(answer: HttpAnswer, path: string): HawserError {
  const what = `${path.split('?')[0]} answered ${answer.status}`;
  if (answer.status === 401) return new HawserError('unauthenticated', what, { hint: 'Register the cluster again.' });
  if (answer.status === 403) return new HawserError('forbidden', what);
  if (answer.status === 413) return new HawserError('too-large', what);
  if (answer.status === 400 || answer.status === 422) {
    return new HawserError('invalid-input', `${what}: ${answer.text.slice(0, 500)}`);
  }
  const data = {
    notDelivered: true,
    ...(answer.retryAfterMs === undefined ? {} : { retryAfterMs: answer.retryAfterMs }),
  };
  return new HawserError('unavailable', what, { retry: 'later', data });
}

/** A 200 with something else in it (a proxy's page, a cut-off body) is an outage, not data (INV-26). */
function parseAs<T>(schema: z.ZodType<T>, answer: HttpAnswer, path: string): T {
  try {
    return schema.parse(answer.text === '' ? undefined : JSON.parse(answer.text));
  } catch (error) {
    throw new HawserError(
      'unavailable',
      `${path.split('?')[0]} answered something else: ${messageOf(error).slice(0, 300)}`,
      {
        retry: 'later',
      },
    );
  }
}

import { join } from 'node:path';
import { z } from 'zod';
import { HawserError, messageOf } from '#shared/errors.ts';
import { sha256 } from '#shared/domain/digest.ts';
import { lockDataFolder } from '#shared/adapters/embedded/data-folder.ts';
import type { RunningEmulators } from './emulators.ts';

/** How people start them with Docker. */
const startThem = 'docker compose -f localstack/compose.yaml up --detach';
/** The init hook without which LocalStack lacks what we need. */
const lesson = 'teach_aws.py';
const timeoutMs = 5_000;
/** Containers that were started just now take a while. */
const patienceMs = 30_000;
const askAgainMs = 500;

const Hooks = z.object({ scripts: z.array(z.object({ name: z.string(), state: z.string() })) });

/**
 * Uses emulators that run already, such as those of `compose.yaml`, instead of starting any. `stop` leaves them running.
 * Waits for them half a minute, or `patience` ms. Throws `unavailable` where one does not answer or is not one, `conflict`
 * where another process of this machine uses them. `folder`: where it is noted who uses which.
 */
export async function attachEmulators(
  endpoints: RunningEmulators['endpoints'],
  folder: string,
  { patience = patienceMs, signal }: { patience?: number; signal?: AbortSignal } = {},
): Promise<RunningEmulators> {
  const until = performance.now() + patience;
  const [dynamodb, localstack] = await Promise.all([
    ask('DynamoDB Local', new URL('/', endpoints.dynamodb), { until, signal }),
    ask('LocalStack', new URL('/_localstack/init/start', endpoints.localstack), { until, signal }),
  ]);
  requireDynamodb(dynamodb);
  requireTaught(localstack);
  const locks: { release(): void }[] = [];
  const release = () => {
    for (const held of locks.splice(0)) held.release();
  };
  try {
    for (const endpoint of Object.values(endpoints)) locks.push(lock(endpoint, folder));
  } catch (error) {
    release();
    throw error;
  }
  return { endpoints, stop: async () => release() };
}

/** Two starts would take each other's table and queues away. */
function lock(endpoint: string, folder: string): { release(): void } {
  try {
    return lockDataFolder(join(folder, sha256(endpoint).slice(0, 16)));
  } catch (error) {
    if (!(error instanceof HawserError) || error.code !== 'conflict') throw error;
    throw new HawserError('conflict', `the emulator at ${endpoint} is in use by process ${String(error.data['pid'])}`, {
      hint: 'Stop that process, or leave --emulators out: then this start has emulators of its own.',
      cause: error,
    });
  }
}

interface Answer {
  endpoint: string;
  status: number;
  text: string;
}

/** Whoever shows no credentials is told so in DynamoDB's words. */
function requireDynamodb({ endpoint, status, text }: Answer): void {
  if (status === 400 && text.includes('MissingAuthenticationToken')) return;
  throw notOne('DynamoDB Local', endpoint);
}

/** A LocalStack that nobody taught makes no Ed25519 keys and does not say who sent a message. */
function requireTaught({ endpoint, status, text }: Answer): void {
  const hooks = status === 200 ? Hooks.safeParse(parseJson(text)) : undefined;
  if (hooks?.success !== true) throw notOne('LocalStack', endpoint);
  const found = hooks.data.scripts.find(({ name }) => name === lesson);
  if (found?.state === 'SUCCESSFUL') return;
  throw new HawserError(
    'unavailable',
    `LocalStack at ${endpoint} ${found === undefined ? 'has no' : 'failed at its'} init hook ${lesson}: it knows no Ed25519 keys`,
    { hint: `Mount localstack/init/start.d as its /etc/localstack/init/start.d, as this does: ${startThem}` },
  );
}

/** Asks until there is an answer, whatever it is. */
async function ask(
  name: string,
  url: URL,
  { until, signal }: { until: number; signal: AbortSignal | undefined },
): Promise<Answer> {
  for (;;) {
    signal?.throwIfAborted();
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
      return { endpoint: url.origin, status: response.status, text: await response.text() };
    } catch (error) {
      if (performance.now() < until) {
        await new Promise((resolve) => setTimeout(resolve, askAgainMs));
        continue;
      }
      const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
      throw new HawserError('unavailable', `${name} does not answer at ${url.origin}: ${messageOf(cause)}`, {
        hint: `Start it: ${startThem}`,
        cause: error,
      });
    }
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function notOne(name: string, endpoint: string): HawserError {
  return new HawserError('unavailable', `what answers at ${endpoint} is not ${name}`, {
    hint: `--emulators takes DynamoDB Local's address first, then LocalStack's. To start both: ${startThem}`,
  });
}

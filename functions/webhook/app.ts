import { Hono } from 'hono';
import { isId } from '#shared/domain/ids.ts';
import { problemOf } from '#shared/domain/problem.ts';
import { HawserError, messageOf } from '#shared/errors.ts';
import type { Clock } from '#shared/ports/clock.ts';
import type { Log } from '#shared/ports/log.ts';
import type { Metrics } from '#shared/ports/metrics.ts';
import { noSecretsNow, problemResponse, unknownProvider, unknownRepository, unsigned, wrongSecret } from './answers.ts';
import { createHintSender } from './hint-sender.ts';
import { inTime } from './in-time.ts';
import { parseBody } from './parse-body.ts';
import { createBodyBudget, readBody } from './read-body.ts';
import { isProven, needsBody } from './verify.ts';
import { webhookProviders } from './webhook-providers.ts';

export interface WebhookLimits {
  /** LIM-01. */
  maxBodyBytes: number;
  /** How long a sender may take for its body. */
  bodyMilliseconds: number;
  /** Bytes of bodies under way for one repository: twice the largest body (NT-01). */
  bytesPerEndpoint: number;
  /** LIM-02: hints per second and repository; more deliveries than that share a hint, none is refused. */
  perEndpointPerSecond: number;
  burst: number;
  /** Secrets not read by then: 503, before the Git host gives up waiting (10 s). */
  secretsMilliseconds: number;
  /** Not durable by then: 503 (FT-04). */
  enqueueMilliseconds: number;
}

export interface WebhookDeps {
  /** The current secret, and the old one while it is being rotated; undefined: no such repository. */
  findSecrets: (repository: string) => Promise<string[] | undefined>;
  /** The same for who was refused, where `findSecrets` may answer what was true a while ago. */
  findSecretsAgain?: (repository: string) => Promise<string[] | undefined>;
  /** Durable when resolved. */
  enqueue(hint: { repository: string; trace: string }): Promise<void>;
  /** Durable when resolved; what is marked is found by the sweep. Used where `enqueue` fails (FT-04). */
  markDirty?(hint: { repository: string; trace: string }): Promise<void>;
  limits?: Partial<WebhookLimits>;
  clock: Clock;
  log: Log;
  metrics: Metrics;
  /** A new correlation id; random when absent. */
  newTrace?: () => string;
}

export const defaultWebhookLimits: WebhookLimits = {
  maxBodyBytes: 5 * 1024 * 1024,
  bodyMilliseconds: 10_000,
  bytesPerEndpoint: 10 * 1024 * 1024,
  perEndpointPerSecond: 20,
  burst: 100,
  secretsMilliseconds: 3_000,
  enqueueMilliseconds: 1_800,
};

/** What became of a delivery; the answer's body. `trace` is the correlation id of the hint. */
type Outcome = { result: 'hint'; trace: string } | { result: 'ping' | 'ignored' };

/**
 * `POST /webhooks/{provider}/{repository id}`: verifies a delivery and says that the repository may have moved.
 * 202 once that is durable, 200 for a ping, 202 for what does not concern us (NT-09); refusals are problem documents.
 */
export function createWebhookApp(deps: WebhookDeps): Hono {
  const receive = createReceiver(deps);
  const app = new Hono();

  app.post('/webhooks/:provider/:repository', async (context) => {
    const started = deps.clock.monotonic();
    const { provider: segment, repository } = context.req.param();
    const provider = webhookProviders.has(segment) ? segment : 'unknown';
    const measure = (outcome: string): void => {
      deps.metrics.count('webhook_deliveries_total', { provider, outcome });
      deps.metrics.observe('webhook_seconds', (deps.clock.monotonic() - started) / 1000, { provider });
    };
    try {
      const outcome = await receive(context.req.raw, provider, repository);
      measure(outcome.result);
      return context.json(outcome, outcome.result === 'ping' ? 200 : 202);
    } catch (error) {
      const problem = problemOf(error, context.req.path);
      measure(String(problem.status));
      logRefusal(deps.log, { provider, repository, status: problem.status, error });
      return problemResponse(problem);
    }
  });
  return app;
}

/** The steps of one delivery, in the order that NT-01, NT-02 and NT-12 ask for: nothing is parsed before it is proven. */
function createReceiver(
  deps: WebhookDeps,
): (request: Request, provider: string, repository: string) => Promise<Outcome> {
  const limits = { ...defaultWebhookLimits, ...deps.limits };
  const budget = createBodyBudget(limits.bytesPerEndpoint);
  const newTrace = deps.newTrace ?? (() => crypto.randomUUID());
  const hints = createHintSender({ ...deps, limits, newTrace });

  return async function receive(request, providerName, repository) {
    const provider = webhookProviders.get(providerName);
    if (provider === undefined) throw unknownProvider([...webhookProviders.keys()]);
    let secrets = isId(repository) ? await secretsFrom(deps.findSecrets, repository) : undefined;
    if (secrets === undefined) throw unknownRepository();

    const proofs = provider.proofsIn(request.headers);
    if (proofs.length === 0) throw unsigned(provider);
    const requireProof = async (body: Uint8Array) => {
      if (secrets !== undefined && isProven(proofs, secrets, body)) return;
      const newer = deps.findSecretsAgain && (await secretsFrom(deps.findSecretsAgain, repository));
      if (newer === undefined || !isProven(proofs, newer, body)) throw wrongSecret(provider);
      secrets = newer;
    };
    if (!needsBody(proofs)) await requireProof(new Uint8Array());

    const body = await readBody(request.body, { endpoint: repository, limits, budget, clock: deps.clock });
    try {
      await requireProof(body);
      const event = provider.eventOf(request.headers, parseBody(request.headers, body));
      if (event === 'ping') return { result: 'ping' };
      if (event === 'other') return { result: 'ignored' };
    } finally {
      budget.give(repository, body.byteLength);
    }
    return { result: 'hint', trace: await hints.send(repository) };
  };

  async function secretsFrom(find: WebhookDeps['findSecrets'], repository: string): Promise<string[] | undefined> {
    try {
      return await inTime(deps.clock, limits.secretsMilliseconds, find(repository));
    } catch (error) {
      throw noSecretsNow(error);
    }
  }
}

function logRefusal(log: Log, refusal: { provider: string; repository: string; status: number; error: unknown }): void {
  const { provider, status, error } = refusal;
  // What came in the path is not worth a log line of any length (NT-135).
  const fields = { provider, repository: refusal.repository.slice(0, 63), status, reason: messageOf(error) };
  if (status < 500) log.info(fields, 'webhook delivery refused');
  else {
    const cause = (error as Error).cause ?? error;
    const hint = cause instanceof HawserError ? cause.hint : undefined;
    log.error({ ...fields, cause: messageOf(cause), hint }, 'webhook delivery failed');
  }
}

import { createHmac } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createWebhookApp, type WebhookDeps, type WebhookLimits } from '#functions/webhook/app.ts';
import type { Json } from '#shared/domain/json.ts';
import type { Log } from '#shared/ports/log.ts';
import { createFakeClock, type FakeClock } from '#test/kit/clock.ts';

export const secret = '0123456789abcdef0123456789abcdef-s3cret';
export const repository = 'shop-gitops';

/** What a Git host sends, without its signature. */
export interface Fixture {
  name: string;
  provider: string;
  event: 'push' | 'ping' | 'other';
  headers: Record<string, string>;
  body: Json;
}

const folder = new URL('../../../fixtures/webhooks/', import.meta.url);

export const fixtures: Fixture[] = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .map((name) => ({
    name: name.replace('.json', ''),
    ...(JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as Omit<Fixture, 'name'>),
  }));

export function fixture(name: string): Fixture {
  const found = fixtures.find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(`no fixture ${name}`);
  return found;
}

/** The headers that prove knowledge of `key`, as the provider's Git host would send them. */
export function signature(provider: string, body: Uint8Array | string, key: string = secret): Record<string, string> {
  const mac = createHmac('sha256', key).update(body).digest('hex');
  const byProvider: Record<string, Record<string, string>> = {
    github: {
      'x-hub-signature-256': `sha256=${mac}`,
      'x-hub-signature': 'sha1=7d38cdd689735b008b3c702edd92eea23791c5f6',
    },
    gitlab: { 'x-gitlab-token': key },
    bitbucket: { 'x-hub-signature': `sha256=${mac}`, 'x-hub-signature-256': `sha256=${mac}` },
    'bitbucket-server': { 'x-hub-signature': `sha256=${mac}` },
    'azure-devops': { authorization: `Basic ${Buffer.from(`hawser:${key}`).toString('base64')}` },
    gitea: { 'x-gitea-signature': mac, 'x-hub-signature-256': `sha256=${mac}` },
    generic: { 'x-hawser-signature': `sha256=${mac}` },
  };
  const headers = byProvider[provider];
  if (headers === undefined) throw new Error(`no signature for ${provider}`);
  return headers;
}

export interface Endpoint {
  hints: { repository: string; trace: string }[];
  logged: Record<string, unknown>[];
  clock: FakeClock;
  deliver(request: {
    provider: string;
    body?: string | Uint8Array | ReadableStream<Uint8Array>;
    headers?: Record<string, string>;
    repository?: string;
    method?: string;
  }): Promise<Response>;
}

/** The webhook app with one known repository; the parts that a test is about can be replaced. */
export function anEndpoint(
  options: { secrets?: string[]; limits?: Partial<WebhookLimits> } & Partial<WebhookDeps> = {},
): Endpoint {
  const hints: Endpoint['hints'] = [];
  const logged: Record<string, unknown>[] = [];
  const clock = createFakeClock();
  let traces = 0;
  const app = createWebhookApp({
    findSecrets: async (id) => (id === repository ? (options.secrets ?? [secret]) : undefined),
    enqueue: async (hint) => {
      hints.push(hint);
    },
    clock,
    log: collectingLog(logged),
    metrics: { count: () => undefined, observe: () => undefined, gauge: () => undefined },
    newTrace: () => `trace-${(traces += 1)}`,
    ...options,
  });
  return {
    hints,
    logged,
    clock,
    async deliver({ provider, body = '', headers = {}, repository: id = repository, method = 'POST' }) {
      return app.request(`/webhooks/${provider}/${id}`, {
        method,
        headers,
        // As bytes: a text would bring a content type of its own.
        ...(method === 'GET' ? {} : { body: typeof body === 'string' ? Buffer.from(body) : body, duplex: 'half' }),
      } as RequestInit);
    },
  };
}

function collectingLog(entries: Record<string, unknown>[]): Log {
  const write =
    (level: string) =>
    (fields: Record<string, unknown>, message: string): void => {
      entries.push({ level, message, ...fields });
    };
  const log: Log = {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: () => log,
  };
  return log;
}

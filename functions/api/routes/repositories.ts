import { Hono } from 'hono';
import { randomBytes, randomUUID } from 'node:crypto';
import { z } from 'zod';
import { HawserError } from '#shared/errors.ts';
import { RepositoryCredentials, type StoredAccess } from '#shared/domain/repository-credentials.ts';
import { isRepositoryUrl } from '#shared/domain/repository-url.ts';
import { RepositoryView } from '#shared/messages/api.ts';
import { sendRefresh } from '#shared/state/hints.ts';
import { organisationKey, repositoryKey } from '#shared/state/keys.ts';
import {
  ensureRepository,
  getRepository,
  listRepositories,
  normaliseRepositoryUrl,
  removeRepository,
  webhookSecretName,
} from '#shared/state/registry.ts';
import {
  listTemplates,
  putCredentials,
  refuseMisfit,
  removeTemplate,
  templateFor,
} from '#shared/state/repository-access.ts';
import { rotateWebhookSecret } from '#shared/state/webhook-secrets.ts';
import type { StoredSummary } from '#shared/state/status.ts';
import { eachRow } from '#shared/state/update.ts';
import { originOf, requireAdmin, requireUser, type ApiDeps, type ApiEnv } from '../context.ts';
import { checked, describe } from '../openapi.ts';

const providers = ['github', 'gitlab', 'bitbucket', 'bitbucket-server', 'azure-devops', 'gitea', 'generic'];

const NewRepository = z.object({
  url: z.string().refine(isRepositoryUrl, 'is no address of a repository: https://host/path.git or git@host:path.git'),
  name: z.string().optional(),
  username: z.string().optional(),
  password: z.string().optional(),
  /** Any other way to log in; username and password are the short way to write `basic`. */
  credentials: RepositoryCredentials.optional(),
  /** Certificate authorities of the host, as PEM. */
  ca: z
    .string()
    .max(65_536)
    .regex(/-----BEGIN CERTIFICATE-----/, 'is not a certificate in PEM form')
    .optional(),
  /** At least 32 bytes (NT-05); made up when absent. */
  webhookSecret: z.string().min(32).optional(),
});

const Rotation = z.object({
  /** At least 32 bytes (NT-05); made up when absent. */
  webhookSecret: z.string().min(32).optional(),
  /** For how long the one before stays valid; 0 where it was stolen. */
  overlapHours: z.number().min(0).max(168).default(24),
});

const Template = z.object({ id: z.string(), url: z.string(), kind: z.string().optional() });

/** Repositories that applications read: list, add with credentials, remove. Secrets go in and never come out (NT-94). */
export function repositoryRoutes(deps: ApiDeps): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  app.get('/', describe('registered repositories', z.object({ items: z.array(RepositoryView) })), async (c) => {
    const { organisation } = requireUser(c);
    return c.json({ items: await readRepositories(deps, organisation) });
  });
  app.post('/', describe('register a repository', undefined, 201), checked('json', NewRepository), async (c) => {
    const { organisation } = requireAdmin(c);
    const body = c.req.valid('json');
    const stored = storedOf(body);
    refuseMisfit(body.url, stored?.credentials);
    const repository = await ensureRepository(deps, organisation, body.url);
    if (stored !== undefined) {
      await putCredentials(deps, organisation, { id: repository.id, url: body.url }, stored);
      await sendRefresh(deps, { organisation, trace: randomUUID() }, [repository.id]);
    }
    const name = webhookSecretName(organisation, repository.id);
    // Added once more, for other credentials: the secret stays, or the host's webhooks would stop.
    const known = (await deps.secrets.get(name))?.value;
    const webhookSecret = body.webhookSecret ?? known ?? randomBytes(32).toString('hex');
    if (webhookSecret !== known) await rotateWebhookSecret(deps, organisation, repository.id, { webhookSecret });
    const origin = originOf(deps, c);
    const webhookUrls = Object.fromEntries(
      providers.map((provider) => [provider, `${origin}/webhooks/${provider}/${repository.id}`]),
    );
    return c.json({ repository: { id: repository.id, url: repository.url }, webhookSecret, webhookUrls }, 201);
  });
  rotationRoute(deps, app);
  const templates = z.object({ items: z.array(Template) });
  app.get('/templates', describe('credentials for all repositories below a URL', templates), async (c) => {
    const { organisation } = requireUser(c);
    const items = await listTemplates(deps.store, organisation);
    return c.json({ items: items.map(({ id, url, kind }) => ({ id, url, ...(kind === undefined ? {} : { kind }) })) });
  });
  app.delete('/templates/:id', describe('forget credentials for all repositories below a URL'), async (c) => {
    const { organisation } = requireAdmin(c);
    const id = c.req.param('id');
    if (!(await removeTemplate(deps, organisation, id))) {
      throw new HawserError('not-found', `there is no template of credentials ${JSON.stringify(id.slice(0, 80))}`);
    }
    return c.body(null, 204);
  });
  app.delete('/:id', describe('forget a repository'), async (c) => {
    const { organisation } = requireAdmin(c);
    const id = c.req.param('id');
    const repository = await getRepository(deps.store, organisation, id);
    if (repository === undefined) throw new HawserError('not-found', `repository ${id} is not registered`);
    const used = (await readRepositories(deps, organisation)).find((one) => one.id === id)?.applications ?? 0;
    if (used > 0)
      throw new HawserError('conflict', `${used} applications still read repository ${id}`, {
        hint: 'Delete them or change their source first.',
      });
    await removeRepository(deps, organisation, repository);
    return c.body(null, 204);
  });
  return app;
}

/** Another secret for a repository's webhooks (FT-07). */
function rotationRoute(deps: ApiDeps, app: Hono<ApiEnv>): void {
  const rotated = z.object({ webhookSecret: z.string(), previousUntil: z.string() });
  app.post(
    '/:id/webhook-secret',
    describe('sign webhooks with another secret; the one before stays valid for a while', rotated),
    checked('json', Rotation),
    async (c) => {
      const { organisation } = requireAdmin(c);
      const id = c.req.param('id');
      if ((await getRepository(deps.store, organisation, id)) === undefined)
        throw new HawserError('not-found', `repository ${id} is not registered`);
      const { webhookSecret = randomBytes(32).toString('hex'), overlapHours } = c.req.valid('json');
      return c.json(await rotateWebhookSecret(deps, organisation, id, { webhookSecret, overlapHours }));
    },
  );
}

function storedOf(body: z.infer<typeof NewRepository>): StoredAccess | undefined {
  const { username, password, ca } = body;
  if (username !== undefined && password === undefined && body.credentials === undefined) {
    throw new HawserError('invalid-input', 'username: a password or token is missing', {
      hint: 'Hosts take a token as password.',
    });
  }
  const short =
    password === undefined ? undefined : { kind: 'basic' as const, password, ...(username ? { username } : {}) };
  const credentials = body.credentials ?? short;
  if (credentials === undefined && ca === undefined) return undefined;
  return { ...(credentials === undefined ? {} : { credentials }), ...(ca === undefined ? {} : { ca }) };
}

async function readRepositories(deps: ApiDeps, organisation: string): Promise<RepositoryView[]> {
  const counts = new Map<string, number>();
  const templates = await listTemplates(deps.store, organisation);
  for await (const row of eachRow<StoredSummary>(deps.store, organisationKey(organisation), 'APP#')) {
    if (row.value.repository === '') continue;
    const url = normaliseRepositoryUrl(row.value.repository);
    counts.set(url, (counts.get(url) ?? 0) + 1);
  }
  return Promise.all(
    (await listRepositories(deps.store, organisation)).map(async (repository) => {
      const { rows } = await deps.store.query<{
        commit: string;
        seenAt: string;
        error?: { code: string; message: string; since: string };
      }>(repositoryKey(organisation, repository.id), { prefix: 'HEADREF#', limit: 100 });
      const poll = await deps.store.get<{ at?: number }>(repositoryKey(organisation, repository.id), 'POLL');
      const newest = rows.toSorted((a, b) => (a.value.seenAt < b.value.seenAt ? 1 : -1))[0]?.value;
      const error = rows.find((row) => row.value.error !== undefined)?.value.error;
      return {
        id: repository.id,
        url: repository.url,
        applications: counts.get(normaliseRepositoryUrl(repository.url)) ?? 0,
        ...(newest === undefined || newest.commit === ''
          ? {}
          : { lastRevision: newest.commit, lastSeenAt: newest.seenAt }),
        ...(poll?.value.at === undefined ? {} : { lastPolledAt: new Date(poll.value.at).toISOString() }),
        ...(error === undefined ? {} : { error: error.message, errorCode: error.code, errorSince: error.since }),
        hasCredentials: repository.hasCredentials || templateFor(templates, repository.url) !== undefined,
        webhookPath: `/webhooks/github/${repository.id}`,
      };
    }),
  );
}

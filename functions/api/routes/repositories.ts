import { Hono } from 'hono';
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { HawserError } from '#shared/errors.ts';
import { RepositoryView } from '#shared/messages/api.ts';
import { organisationKey, repositoryKey } from '#shared/state/keys.ts';
import {
  ensureRepository,
  getRepository,
  listRepositories,
  normaliseRepositoryUrl,
  putCredentials,
  removeRepository,
  webhookSecretName,
} from '#shared/state/registry.ts';
import type { StoredSummary } from '#shared/state/status.ts';
import { eachRow } from '#shared/state/update.ts';
import { requireAdmin, requireUser, type ApiDeps, type ApiEnv } from '../context.ts';
import { checked, describe } from '../openapi.ts';

const providers = ['github', 'gitlab', 'bitbucket', 'bitbucket-server', 'azure-devops', 'gitea', 'generic'];

const NewRepository = z.object({
  url: z.url({ protocol: /^https?$/ }),
  name: z.string().optional(),
  username: z.string().optional(),
  password: z.string().optional(),
  /** At least 32 bytes (NT-05); made up when absent. */
  webhookSecret: z.string().min(32).optional(),
});

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
    const repository = await ensureRepository(deps, organisation, body.url);
    if (body.password !== undefined || body.username !== undefined) {
      const credentials = {
        ...(body.username === undefined ? {} : { username: body.username }),
        ...(body.password === undefined ? {} : { password: body.password }),
      };
      await putCredentials(deps, organisation, repository, credentials);
    }
    const name = webhookSecretName(organisation, repository.id);
    // Added once more, for other credentials: the secret stays, or the host's webhooks would stop.
    const known = (await deps.secrets.get(name))?.value;
    const webhookSecret = body.webhookSecret ?? known ?? randomBytes(32).toString('hex');
    if (webhookSecret !== known) await deps.secrets.put(name, webhookSecret);
    const origin = new URL(c.req.url).origin;
    const webhookUrls = Object.fromEntries(
      providers.map((provider) => [provider, `${origin}/webhooks/${provider}/${repository.id}`]),
    );
    return c.json({ repository: { id: repository.id, url: repository.url }, webhookSecret, webhookUrls }, 201);
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

async function readRepositories(deps: ApiDeps, organisation: string): Promise<RepositoryView[]> {
  const counts = new Map<string, number>();
  for await (const row of eachRow<StoredSummary>(deps.store, organisationKey(organisation), 'APP#')) {
    if (row.value.repository === '') continue;
    const url = normaliseRepositoryUrl(row.value.repository);
    counts.set(url, (counts.get(url) ?? 0) + 1);
  }
  return Promise.all(
    (await listRepositories(deps.store, organisation)).map(async (repository) => {
      const { rows } = await deps.store.query<{ commit: string; seenAt: string; error?: { message: string } }>(
        repositoryKey(organisation, repository.id),
        { prefix: 'HEADREF#', limit: 100 },
      );
      const newest = rows.toSorted((a, b) => (a.value.seenAt < b.value.seenAt ? 1 : -1))[0]?.value;
      const error = rows.find((row) => row.value.error !== undefined)?.value.error?.message;
      return {
        id: repository.id,
        url: repository.url,
        applications: counts.get(normaliseRepositoryUrl(repository.url)) ?? 0,
        ...(newest === undefined || newest.commit === ''
          ? {}
          : { lastRevision: newest.commit, lastSeenAt: newest.seenAt }),
        ...(error === undefined ? {} : { error }),
        hasCredentials: repository.hasCredentials,
        webhookPath: `/webhooks/github/${repository.id}`,
      };
    }),
  );
}

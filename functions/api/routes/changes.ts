import { randomUUID } from 'node:crypto';
import { Hono } from 'hono';
import { z } from 'zod';
import { HawserError } from '#shared/errors.ts';
import type { Application } from '#shared/domain/application.ts';
import type { SyncRequest } from '#shared/domain/snapshot.ts';
import { Accepted, ConfirmBody, RollbackBody, SyncBody } from '#shared/messages/api-changes.ts';
import type { PublishJob } from '#shared/messages/publish-job.ts';
import { bringBack } from '#shared/state/bring-back.ts';
import { forgetApplication, orderDeletion } from '#shared/state/delete-application.ts';
import { readHead, takeTicket } from '#shared/state/heads.ts';
import { sendHints } from '#shared/state/hints.ts';
import { applicationKey, sortKeys } from '#shared/state/keys.ts';
import { readStatus, updateStatus } from '#shared/state/status.ts';
import { updateRow } from '#shared/state/update.ts';
import { isoNow, requireAdmin, requireApplication, type ApiDeps, type ApiEnv } from '../context.ts';
import { checked, describe } from '../openapi.ts';

type User = ReturnType<typeof requireAdmin>;

/** A confirmation of prunes ends after a day (G-13). */
const confirmationMs = 24 * 3600_000;

/** What people do to an application. Everything an agent acts on becomes a new signed generation; the answer names it. */
export function changeRoutes(deps: ApiDeps): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  app.post('/:id/sync', describe('sync now', Accepted, 202), checked('json', SyncBody), async (c) => {
    const { organisation, user } = requireAdmin(c);
    const application = await requireApplication(deps, organisation, c.req.param('id'));
    refuseWhileDeleting(application);
    await requireSnapshot(deps, organisation, application);
    const sync = { ...definedOnly(c.req.valid('json')), id: randomUUID(), by: user, at: isoNow(deps) } as SyncRequest;
    return c.json(await repeat(deps, organisation, application, user, { sync }), 202);
  });
  app.post('/:id/refresh', describe('read the repository again', Accepted, 202), async (c) => {
    const { organisation } = requireAdmin(c);
    const application = await requireApplication(deps, organisation, c.req.param('id'));
    refuseWhileDeleting(application);
    refuseInvalid(application);
    const ticket = await takeTicket(deps.store, organisation);
    const repositories = new Map(application.sources.map((source) => [source.repository, new Set([application.id])]));
    await sendHints(deps, { organisation, trace: randomUUID() }, repositories, 'refresh');
    return c.json({ application: application.id, ticket }, 202);
  });
  app.post(
    '/:id/rollback',
    describe('bring back an older generation', Accepted, 202),
    checked('json', RollbackBody),
    async (c) => c.json(await rollBack(deps, requireAdmin(c), c.req.param('id'), c.req.valid('json').generation), 202),
  );
  app.post(
    '/:id/confirm',
    describe('let exactly the held prunes go', Accepted, 202),
    checked('json', ConfirmBody),
    async (c) => c.json(await confirm(deps, requireAdmin(c), c.req.param('id'), c.req.valid('json').listDigest), 202),
  );
  for (const verb of ['suspend', 'resume'] as const) {
    app.post(`/:id/${verb}`, describe(`${verb} an application`, Accepted, 202), async (c) =>
      c.json(await setSuspended(deps, requireAdmin(c), c.req.param('id'), verb === 'suspend'), 202),
    );
  }
  app.delete('/:id', describe('delete an application', Accepted, 202), async (c) =>
    c.json(await remove(deps, requireAdmin(c), c.req.param('id'), c.req.query('cascade')), 202),
  );
  return app;
}

async function rollBack(
  deps: ApiDeps,
  { organisation, user }: User,
  id: string,
  generation: number,
): Promise<Accepted> {
  const application = await requireApplication(deps, organisation, id);
  refuseWhileDeleting(application);
  const row = await deps.store.get(applicationKey(organisation, application.id), sortKeys.history(generation));
  if (row === undefined) {
    throw new HawserError('not-found', `application ${id} has no generation ${generation} in its history`, {
      hint: 'See `hawser history`.',
    });
  }
  // Somebody asked for it: where nothing is automated, it must be applied as well, not only published.
  const sync: SyncRequest = { id: randomUUID(), by: user, at: isoNow(deps) };
  return repeat(deps, organisation, application, user, { of: generation, sync });
}

async function confirm(deps: ApiDeps, { organisation, user }: User, id: string, listDigest: string): Promise<Accepted> {
  const application = await requireApplication(deps, organisation, id);
  const hold = (await readStatus(deps.store, organisation, application.id))?.hold;
  if (hold === undefined) throw new HawserError('conflict', `application ${application.id} holds no prunes back`);
  if (hold.listDigest !== listDigest) {
    throw new HawserError('conflict', 'the list of held prunes has changed since you looked at it', {
      hint: 'Look at it again and confirm the new list.',
    });
  }
  const until = new Date(deps.clock.now() + confirmationMs).toISOString();
  const confirmedPrunes = { listDigest, until };
  const sync: SyncRequest = { id: randomUUID(), by: user, at: isoNow(deps), prune: true, confirmedPrunes };
  return repeat(deps, organisation, application, user, { sync });
}

async function setSuspended(deps: ApiDeps, { organisation, user }: User, id: string, on: boolean): Promise<Accepted> {
  const application = await requireApplication(deps, organisation, id);
  refuseWhileDeleting(application);
  const changed = await suspend(deps, organisation, application, on);
  const head = await readHead(deps.store, organisation, application.cluster, application.id);
  return head === undefined ? { application: application.id } : repeat(deps, organisation, changed, user, {});
}

async function remove(
  deps: ApiDeps,
  { organisation, user }: User,
  id: string,
  wanted: string | undefined,
): Promise<Accepted> {
  const application = await requireApplication(deps, organisation, id);
  const parsed = z.enum(['orphan', 'foreground', 'background']).safeParse(wanted ?? 'orphan');
  if (!parsed.success) throw new HawserError('invalid-input', 'cascade is one of orphan, foreground, background');
  const cascade = parsed.data;
  if ((await readHead(deps.store, organisation, application.cluster, application.id)) === undefined) {
    // Nothing was ever published: there is nothing in the cluster to order about.
    await forgetApplication(deps, organisation, application);
    await bringBack(deps, organisation, application, { message: `it was deleted by ${user}`, trace: randomUUID() });
    return { application: application.id };
  }
  const generation = await orderDeletion(deps, organisation, application, { by: user, trace: randomUUID(), cascade });
  const deleting = { ...application, deleting: { cascade, by: user, at: isoNow(deps) } };
  await updateStatus(deps, organisation, deleting, isoNow(deps), (status) => status);
  return { application: application.id, generation };
}

/** Publishes the application once more: same or older content, other request or policy. The ticket is the answer's generation. */
async function repeat(
  deps: ApiDeps,
  organisation: string,
  application: Application,
  by: string,
  what: { of?: number; sync?: SyncRequest },
): Promise<Accepted> {
  const generation = await takeTicket(deps.store, organisation);
  const job: PublishJob = {
    organisation,
    application: application.id,
    generation,
    inputDigest: '',
    intent: { revision: '', dependsOn: [], initiatedBy: by, renderDigest: '' },
    result: { status: 'repeat', ...what },
    trace: randomUUID(),
    at: isoNow(deps),
  };
  await deps.publishJobs.send([JSON.stringify(job)], { group: organisation });
  return { application: application.id, generation };
}

async function suspend(
  deps: ApiDeps,
  organisation: string,
  application: Application,
  on: boolean,
): Promise<Application> {
  const row = await updateRow<Application>(
    deps.store,
    applicationKey(organisation, application.id),
    sortKeys.spec,
    (value) => {
      if (value === undefined) return undefined;
      const { suspendedByHand: _before, ...rest } = value;
      return { ...rest, ...(on ? { suspendedByHand: true } : {}), policy: { ...value.policy, suspended: on } };
    },
  );
  if (row === undefined) throw new HawserError('not-found', `application ${application.id} is gone`);
  await updateStatus(deps, organisation, row.value, isoNow(deps), (status) => status);
  return row.value;
}

async function requireSnapshot(deps: ApiDeps, organisation: string, application: Application): Promise<void> {
  if ((await readHead(deps.store, organisation, application.cluster, application.id)) !== undefined) return;
  throw new HawserError(
    'conflict',
    `application ${application.id} has no snapshot yet: its source could not be read or rendered`,
    {
      hint: `See \`hawser get application ${application.id}\`.`,
    },
  );
}

function refuseWhileDeleting(application: Application): void {
  if (application.deleting === undefined) return;
  throw new HawserError('conflict', `application ${application.id} is being deleted since ${application.deleting.at}`);
}

function refuseInvalid(application: Application): void {
  if (application.invalid === undefined) return;
  throw new HawserError('conflict', `application ${application.id} cannot be read: ${application.invalid}`, {
    hint: 'Mend its declaration.',
  });
}

function definedOnly<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

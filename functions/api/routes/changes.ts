import { randomUUID } from 'node:crypto';
import { Hono } from 'hono';
import { z } from 'zod';
import { HawserError } from '#shared/errors.ts';
import type { Application } from '#shared/domain/application.ts';
import type { SyncRequest } from '#shared/domain/snapshot.ts';
import { Accepted, ConfirmBody, RollbackBody, SyncBody } from '#shared/messages/api.ts';
import type { PublishJob } from '#shared/messages/publish-job.ts';
import { forgetApplication, orderDeletion } from '#shared/state/delete-application.ts';
import { readHead, takeTicket } from '#shared/state/heads.ts';
import { sendHints } from '#shared/state/hints.ts';
import { applicationKey, sortKeys } from '#shared/state/keys.ts';
import { readStatus, updateStatus } from '#shared/state/status.ts';
import { updateRow } from '#shared/state/update.ts';
import { isoNow, requireAdmin, requireApplication, type ApiDeps, type ApiEnv } from '../context.ts';
import { checked, describe } from '../openapi.ts';

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
    const repositories = new Map(application.sources.map((source) => [source.repository, new Set([application.id])]));
    await sendHints(deps, { organisation, trace: randomUUID() }, repositories, 'refresh');
    return c.json({ application: application.id }, 202);
  });
  app.post(
    '/:id/rollback',
    describe('bring back an older generation', Accepted, 202),
    checked('json', RollbackBody),
    async (c) => {
      const { organisation, user } = requireAdmin(c);
      const application = await requireApplication(deps, organisation, c.req.param('id'));
      refuseWhileDeleting(application);
      const { generation } = c.req.valid('json');
      const row = await deps.store.get(applicationKey(organisation, application.id), sortKeys.history(generation));
      if (row === undefined) {
        throw new HawserError(
          'not-found',
          `application ${application.id} has no generation ${generation} in its history`,
          { hint: 'See `hawser history`.' },
        );
      }
      return c.json(await repeat(deps, organisation, application, user, { of: generation }), 202);
    },
  );
  app.post(
    '/:id/confirm',
    describe('let exactly the held prunes go', Accepted, 202),
    checked('json', ConfirmBody),
    async (c) => {
      const { organisation, user } = requireAdmin(c);
      const application = await requireApplication(deps, organisation, c.req.param('id'));
      const hold = (await readStatus(deps.store, organisation, application.id))?.hold;
      const { listDigest } = c.req.valid('json');
      if (hold === undefined) throw new HawserError('conflict', `application ${application.id} holds no prunes back`);
      if (hold.listDigest !== listDigest) {
        throw new HawserError('conflict', 'the list of held prunes has changed since you looked at it', {
          hint: 'Look at it again and confirm the new list.',
        });
      }
      const until = new Date(deps.clock.now() + confirmationMs).toISOString();
      const sync: SyncRequest = {
        id: randomUUID(),
        by: user,
        at: isoNow(deps),
        prune: true,
        confirmedPrunes: { listDigest, until },
      };
      return c.json(await repeat(deps, organisation, application, user, { sync }), 202);
    },
  );
  for (const verb of ['suspend', 'resume'] as const) {
    app.post(`/:id/${verb}`, describe(`${verb} an application`, Accepted, 202), async (c) => {
      const { organisation, user } = requireAdmin(c);
      const application = await requireApplication(deps, organisation, c.req.param('id'));
      refuseWhileDeleting(application);
      const changed = await suspend(deps, organisation, application, verb === 'suspend');
      const head = await readHead(deps.store, organisation, application.cluster, application.id);
      return c.json(
        head === undefined ? { application: application.id } : await repeat(deps, organisation, changed, user, {}),
        202,
      );
    });
  }
  app.delete('/:id', describe('delete an application', Accepted, 202), async (c) => {
    const { organisation, user } = requireAdmin(c);
    const application = await requireApplication(deps, organisation, c.req.param('id'));
    const cascade = z.enum(['orphan', 'foreground', 'background']).safeParse(c.req.query('cascade') ?? 'orphan');
    if (!cascade.success) throw new HawserError('invalid-input', 'cascade is one of orphan, foreground, background');
    if ((await readHead(deps.store, organisation, application.cluster, application.id)) === undefined) {
      // Nothing was ever published: there is nothing in the cluster to order about.
      await forgetApplication(deps, organisation, application);
      return c.json({ application: application.id }, 202);
    }
    const generation = await orderDeletion(deps, organisation, application, {
      by: user,
      trace: randomUUID(),
      cascade: cascade.data,
    });
    await updateStatus(
      deps,
      organisation,
      { ...application, deleting: { cascade: cascade.data, by: user, at: isoNow(deps) } },
      isoNow(deps),
      (status) => status,
    );
    return c.json({ application: application.id, generation }, 202);
  });
  return app;
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

function definedOnly<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

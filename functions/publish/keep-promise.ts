import type { Application } from '#shared/domain/application.ts';
import { HawserError } from '#shared/errors.ts';
import type { PublishJob } from '#shared/messages/publish-job.ts';
import type { Row } from '#shared/ports/state-store.ts';
import { decisionOf, moveHead, readHead, rootOf, takeTicket, type Head } from '#shared/state/heads.ts';
import { updateStatus } from '#shared/state/status.ts';
import type { PublishDeps } from './handle-publish-job.ts';

/** How often the head may change under a publisher before the job is given back to the queue. */
const attempts = 8;

/**
 * The applications that depend on this one were told to wait for the generation `owed`, and nothing new came of it: the
 * head held the content already, or a later plan went back to that. What is desired is published once more, as it is, so
 * that nobody waits for ever. Does nothing where a generation as late is there (INV-04), or where none ever was.
 */
export async function keepPromise(
  deps: PublishDeps,
  organisation: string,
  application: Application,
  owed: number,
): Promise<void> {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const head = await readHead(deps.store, organisation, application.cluster, application.id);
    if (head === undefined) return;
    if (head.value.generation >= owed || (await renumber(deps, organisation, head))) {
      await showHead(deps, organisation, application);
      return;
    }
  }
  throw new HawserError('conflict', `application ${application.id} is being published by too many at once`, {
    retry: 'later',
  });
}

/** Moves a head to itself under a new generation; false when it is another by now. */
async function renumber(deps: PublishDeps, organisation: string, head: Row<Head>): Promise<boolean> {
  const { request } = head.value;
  const decision = { ...decisionOf(head.value), ...(request === undefined ? {} : { request }) };
  const generation = await takeTicket(deps.store, organisation);
  return moveHead(deps, { ...rootOf(head.value), generation }, decision, head);
}

/** Remembers a promise that cannot be kept now: the next plan that finds nothing to do has it kept. */
export async function rememberPromise(deps: PublishDeps, job: PublishJob, application: Application): Promise<void> {
  if (job.intent.awaited !== true) return;
  const now = new Date(deps.clock.now()).toISOString();
  await updateStatus(deps, job.organisation, application, now, (status) =>
    (status.owed ?? 0) >= job.generation ? undefined : { ...status, owed: job.generation },
  );
}

/** The status with the generation that the head has: whoever moved it for a promise may have died before saying so. */
export async function showHead(deps: PublishDeps, organisation: string, application: Application): Promise<void> {
  const head = await readHead(deps.store, organisation, application.cluster, application.id);
  if (head === undefined) return;
  const { generation, revision, inputDigest, objectCount, commit } = rootOf(head.value);
  const now = new Date(deps.clock.now()).toISOString();
  await updateStatus(deps, organisation, application, now, (status) => {
    const { desired } = status;
    if ((desired?.generation ?? 0) >= generation) return undefined;
    const publishedAt = desired?.inputDigest === inputDigest ? desired.publishedAt : now;
    const next = { generation, revision, inputDigest, objectCount, publishedAt };
    return { ...status, desired: { ...next, ...(commit === undefined ? {} : { commit }) } };
  });
}

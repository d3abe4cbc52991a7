import { HawserError } from '#shared/errors.ts';
import type { Application } from '#shared/domain/application.ts';
import type { SnapshotRoot } from '#shared/domain/snapshot.ts';
import type { PublishJob } from '#shared/messages/publish-job.ts';
import type { Row } from '#shared/ports/state-store.ts';
import { moveHead, readHead, rootOf, takeTicket, type Head } from '#shared/state/heads.ts';
import { applicationKey, sortKeys } from '#shared/state/keys.ts';
import { buildRoot, type RootContent } from './build-root.ts';
import type { Published, PublishDeps, StoredHistory } from './handle-publish-job.ts';

/** How often somebody's wish may be overtaken by plans before it is given back to the queue. */
const attempts = 8;

/**
 * Publishes what is desired now once more (a sync, another policy, a deletion order), or an older generation (a
 * rollback). A wish of a person is not lost to a plan that happened to come in between: it takes a new ticket and is
 * built again on what is the head by then. Delivered twice, its own generation is found and announced again.
 */
export async function publishRepeat(
  deps: PublishDeps,
  job: PublishJob,
  application: Application,
): Promise<Published | undefined> {
  let generation = job.generation;
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const head = await readHead(deps.store, job.organisation, application.cluster, application.id);
    const mine = head?.value.generation === job.generation;
    if (!mine && head !== undefined && head.revision >= generation) {
      generation = await takeTicket(deps.store, job.organisation);
      continue;
    }
    const { content, dependsOn } = await repeatedContent(deps, job, application, head);
    const root = mine ? rootOf(head.value) : buildRoot(application, job, content, { generation, dependsOn });
    const expected = mine || head === undefined ? {} : { expected: head };
    if (await moveHead(deps, root, expected)) return { root, content, warnings: [] };
  }
  throw new HawserError('conflict', `application ${application.id} is being published again and again`, {
    retry: 'later',
  });
}

async function repeatedContent(
  deps: PublishDeps,
  job: PublishJob,
  application: Application,
  head: Row<Head> | undefined,
): Promise<{ content: RootContent; dependsOn: SnapshotRoot['dependsOn'] }> {
  const repeat: Partial<Extract<PublishJob['result'], { status: 'repeat' }>> =
    job.result.status === 'repeat' ? job.result : {};
  const current = head === undefined ? undefined : rootOf(head.value);
  const dependsOn = current?.dependsOn ?? [];
  if (repeat.of !== undefined) {
    const partition = applicationKey(job.organisation, application.id);
    const row = await deps.store.get<StoredHistory>(partition, sortKeys.history(repeat.of));
    if (row !== undefined) return { content: row.value.content, dependsOn };
    throw new HawserError('not-found', `application ${application.id} has no generation ${repeat.of} in its history`, {
      hint: 'See `hawser history`.',
    });
  }
  if (current !== undefined) return { content: current, dependsOn };
  // Nothing was ever published: a deletion order still needs a root that names the application.
  if (repeat.deletion !== undefined) {
    const content = { chunks: [], objectCount: 0, totalBytes: 0, flags: [], inputDigest: '', revision: '' };
    return { content, dependsOn };
  }
  throw new HawserError(
    'conflict',
    `application ${application.id} has no snapshot yet: its source could not be read or rendered`,
    { hint: 'See its conditions with `hawser get application`.' },
  );
}

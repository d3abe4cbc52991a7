import { HawserError } from '#shared/errors.ts';
import type { Application } from '#shared/domain/application.ts';
import type { SnapshotRoot } from '#shared/domain/snapshot.ts';
import type { PublishJob } from '#shared/messages/publish-job.ts';
import type { Row } from '#shared/ports/state-store.ts';
import {
  announceHead,
  decisionOf,
  moveHead,
  readHead,
  rootOf,
  takeTicket,
  type Decision,
  type Head,
  givenByGit,
} from '#shared/state/heads.ts';
import { applicationKey, sortKeys } from '#shared/state/keys.ts';
import { getApplication } from '#shared/state/registry.ts';
import { buildRoot, type RootContent } from './build-root.ts';
import type { Published, PublishDeps, StoredHistory } from './handle-publish-job.ts';
import { splitLines } from './publish-render.ts';

type Repeat = Extract<PublishJob['result'], { status: 'repeat' }>;

/** How often somebody's wish may be overtaken before it is given back to the queue. */
const attempts = 8;
/** So many requests are known again when they are delivered again; older ones count as served. */
const servedKept = 50;

/**
 * Publishes what is desired now once more (a sync, another policy, a deletion order), or an older generation (a
 * rollback). A request is not lost to a plan that came in between: it takes a new ticket and is built again on what is
 * the head by then. A rollback decides what the content is, and there the later ticket counts, as between plans.
 * Delivered again, it finds that it has been served (INV-04).
 */
export async function publishRepeat(
  deps: PublishDeps,
  job: PublishJob,
  repeat: Repeat,
): Promise<Published | undefined> {
  let generation = job.generation;
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const application = await getApplication(deps.store, job.organisation, job.application);
    if (application === undefined || isVoid(application, repeat)) return undefined;
    const head = await readHead(deps.store, job.organisation, application.cluster, application.id);
    if (head !== undefined && wasServed(head.value, job.generation)) return recall(deps, job, head.value);
    if (head !== undefined && repeat.of !== undefined && head.value.decided > job.generation) return undefined;
    if (head !== undefined && head.revision >= generation) {
      generation = await takeTicket(deps.store, job.organisation);
      continue;
    }
    const { content, decision } = await repeatedContent(deps, job, repeat, application, head);
    const dependsOn = head === undefined ? [] : rootOf(head.value).dependsOn;
    const root = buildRoot(application, job, content, { generation, dependsOn });
    const served = [...(head?.value.served ?? []), job.generation].slice(-servedKept);
    const about = { contentOf: generation, decided: job.generation, ...decision, served, request: job.generation };
    if (!(await moveHead(deps, root, about, head))) continue;
    return { root, content, decision, warnings: [], declared: await declaredIn(deps, root, about) };
  }
  throw new HawserError('conflict', `application ${job.application} is being published again and again`, {
    retry: 'later',
  });
}

/** A deletion that somebody took back by declaring the application again, or anything else while it is being deleted. */
function isVoid(application: Application, repeat: Repeat): boolean {
  return (application.deleting !== undefined) !== (repeat.deletion !== undefined);
}

function wasServed(head: Head, ticket: number): boolean {
  const oldest = head.served.length === servedKept ? (head.served[0] ?? 0) : 0;
  return head.served.includes(ticket) || ticket < oldest;
}

/** Delivered again, by who may have died after moving the head: as long as nothing came after, the rest is done again. */
async function recall(deps: PublishDeps, job: PublishJob, head: Head): Promise<Published | undefined> {
  if (head.request !== job.generation) return undefined;
  const root = rootOf(head);
  await announceHead(deps, root);
  return {
    root,
    content: root,
    decision: decisionOf(head),
    warnings: [],
    declared: await declaredIn(deps, root, head),
  };
}

async function repeatedContent(
  deps: PublishDeps,
  job: PublishJob,
  repeat: Repeat,
  application: Application,
  head: Row<Head> | undefined,
): Promise<{ content: RootContent; decision: Partial<Decision> }> {
  if (repeat.of !== undefined) {
    const { content, decision } = await contentOfHistory(deps, job, application, repeat.of);
    const git = head === undefined ? content.inputDigest : givenByGit(head.value);
    return { content, decision: git === content.inputDigest ? decision : { ...decision, rolledBackFrom: git } };
  }
  if (head !== undefined) {
    const current = rootOf(head.value);
    // No plan may find what is being deleted to be as it should be: declared again, it has to be published again.
    const content = repeat.deletion === undefined ? current : { ...current, inputDigest: '' };
    return { content, decision: decisionOf(head.value) };
  }
  // Nothing was ever published: a deletion order still needs a root that names the application.
  if (repeat.deletion !== undefined) {
    const content = { chunks: [], objectCount: 0, totalBytes: 0, flags: [], inputDigest: '', revision: '' };
    return { content, decision: {} };
  }
  throw new HawserError(
    'conflict',
    `application ${application.id} has no snapshot yet: its source could not be read or rendered`,
    { hint: 'See its conditions with `hawser get application`.' },
  );
}

/**
 * Content of an older generation. Its chunks are written again: that proves that they are there (INV-10), keeps
 * retention from taking them meanwhile (INV-14), and brings them to the cluster where the application is by now.
 */
async function contentOfHistory(deps: PublishDeps, job: PublishJob, application: Application, of: number) {
  const { organisation } = job;
  const row = await deps.store.get<StoredHistory>(applicationKey(organisation, application.id), sortKeys.history(of));
  const gone = (what: string) =>
    new HawserError('not-found', `application ${application.id} has no ${what} in its history`, {
      hint: 'See `hawser history`.',
    });
  if (row === undefined) throw gone(`generation ${of}`);
  const { content, cluster, declared, guessed } = row.value;
  for (const digest of [...content.chunks, ...(declared === undefined ? [] : [declared])]) {
    const text = await deps.snapshots.read(organisation, cluster, digest);
    if (text === undefined) throw gone(`content of generation ${of}`);
    await deps.snapshots.write(organisation, application.cluster, text);
  }
  const decision = {
    ...(declared === undefined ? {} : { declared }),
    ...(guessed === undefined ? {} : { guessed }),
  };
  return { content, decision };
}

async function declaredIn(
  deps: PublishDeps,
  root: SnapshotRoot,
  { declared }: Pick<Decision, 'declared'>,
): Promise<string[]> {
  const text =
    declared === undefined ? undefined : await deps.snapshots.read(root.organisation, root.cluster, declared);
  return text === undefined ? [] : splitLines(text);
}

import type { ApplicationDetail, ApplicationSummary } from '#shared/messages/api.ts';
import type { Accepted } from '#shared/messages/api-changes.ts';
import type { Client } from './client.ts';
import type { Context } from './context.ts';
import { exitCode, Failure } from './failure.ts';
import { readApplication } from './find-application.ts';
import { span } from './output/age.ts';
import { oneLine } from './output/escape.ts';
import { createProgress } from './output/progress.ts';

/** Between two looks: at first, and at most. */
const firstMs = 100;
const mostMs = 2000;

/**
 * Has the repositories of applications read, and waits until what lies in Git now is published. Throws where one cannot be
 * read or rendered, or not in time. Answers what the service accepted.
 */
export async function readAnew(
  client: Client,
  context: Context,
  applications: readonly ApplicationSummary[],
  timeoutMs: number,
): Promise<Accepted[]> {
  const accepted = await Promise.all(
    applications.map(({ id }) => client.post<Accepted>(`/api/v1/applications/${id}/refresh`)),
  );
  const open = new Map(
    applications.map((application, at) => [application.id, { application, ticket: accepted[at]?.ticket }]),
  );
  const end = context.now() + timeoutMs;
  const progress = createProgress(context.err);
  try {
    for (let delay = firstMs; open.size > 0; delay = Math.min(delay * 1.5, mostMs)) {
      for (const { application, ticket } of open.values()) {
        if (isRead(await readApplication(client, application.id), ticket)) open.delete(application.id);
      }
      if (open.size === 0) break;
      const names = [...open.values()].map(({ application }) => oneLine(application.name));
      if (context.now() >= end) throw notInTime(open, timeoutMs, false);
      progress.show(names.map((name) => `${name}  reading what Git says`));
      await context.sleep(Math.max(0, Math.min(delay, end - context.now())), context.signal);
      if (context.signal.aborted) throw notInTime(open, timeoutMs, true);
    }
  } finally {
    progress.clear();
  }
  return accepted;
}

/** A plan that began after we asked has come to an end; one that failed throws. A service of an older version does not tell. */
function isRead(application: ApplicationDetail | undefined, ticket: number | undefined): boolean {
  if (application === undefined || ticket === undefined) return true;
  const { name, conditions, plannedTicket = 0 } = application;
  if (plannedTicket <= ticket) return false;
  const failure = conditions.find(({ type }) => failures.has(type));
  if (failure === undefined) return true;
  throw new Failure(
    exitCode.refused,
    `${oneLine(name)}: what Git says cannot be published: ${oneLine(failure.message)}`,
    `Mend it and try again. What was published last is brought back by \`hawser sync ${oneLine(application.id)} --published\`.`,
  );
}

const failures: ReadonlySet<string> = new Set(['ComparisonError', 'InvalidSpecError', 'SourceMissing']);

function notInTime(
  open: ReadonlyMap<string, { application: ApplicationSummary }>,
  timeoutMs: number,
  isAborted: boolean,
): Failure {
  const applications = [...open.values()].map(({ application }) => application);
  const names = applications.map(({ name }) => oneLine(name)).join(', ');
  const repositories = [...new Set(applications.map(({ repository }) => oneLine(repository)))].join(', ');
  const what = isAborted ? 'stopped waiting' : `not within ${span(timeoutMs)}`;
  return new Failure(
    isAborted ? exitCode.interrupted : exitCode.differs,
    `${names}: ${what}: Git is being read: ${repositories}`,
    'See `hawser doctor` and `hawser queues list`. `hawser sync --published` does without Git.',
  );
}

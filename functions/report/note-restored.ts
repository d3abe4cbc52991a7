import type { Application } from '#shared/domain/application.ts';
import { inParallel } from '#shared/domain/parallel.ts';
import type { OpenedReport } from '#shared/messages/agent-report.ts';
import { writeEvents } from '#shared/state/events.ts';
import { askForAll, readHead } from '#shared/state/heads.ts';
import { sendHints } from '#shared/state/hints.ts';
import { clusterKey, organisationKey, sortKeys } from '#shared/state/keys.ts';
import { updateStatus } from '#shared/state/status.ts';
import type { ReportDeps } from './handle-report.ts';

/** An application of which an agent has a newer generation than its status tells of. */
export interface Ahead {
  application: Application;
  generation: number;
}

/** An agent's word moves the tickets of its whole organisation: no restore loses more of them than this. */
const mostTickets = 1_000_000;

/**
 * Agents have newer generations than the store: it went back in time, as when it is restored, and they would refuse whatever
 * comes (INV-15). Tickets go on above what they have, Git is read again, and each of these applications is published above it:
 * with what lies in Git by now, or as it is if that is the same (FT-49). Desired state is left to the plan (INV-33).
 */
export async function noteRestored(deps: ReportDeps, received: OpenedReport, candidates: Ahead[]): Promise<void> {
  const { organisation, cluster, report } = received;
  const ahead: Ahead[] = [];
  // A head moves before its status does: mostly it is only that.
  await inParallel(candidates, 16, async (one) => {
    const head = await readHead(deps.store, organisation, cluster, one.application.id);
    if ((head?.value.generation ?? 0) < one.generation) ahead.push(one);
  });
  if (ahead.length === 0) return;
  const highest = Math.max(...ahead.map(({ generation }) => generation));
  if (!(await raiseTickets(deps, received, highest))) return;
  let news = false;
  await inParallel(ahead, 16, async (one) => {
    if (await remember(deps, received, one)) news = true;
  });
  const toPlan = new Map<string, Set<string>>();
  for (const { application } of ahead) {
    for (const { repository } of application.sources)
      toPlan.set(repository, (toPlan.get(repository) ?? new Set()).add(application.id));
  }
  await sendHints(deps, { organisation, trace: `restored-${report.epoch}` }, toPlan, 'refresh');
  if (!news) return;
  // A version without a change, so that the agent reads everything; and it is to tell of everything that it has.
  await deps.store.increment(clusterKey(organisation, cluster), sortKeys.head);
  await askForAll(deps, organisation, cluster);
}

/** False for a generation that no restore explains. */
async function raiseTickets(deps: ReportDeps, { organisation, cluster }: OpenedReport, to: number): Promise<boolean> {
  const key = { partition: organisationKey(organisation), sort: sortKeys.ticket };
  const counter = (await deps.store.get(key.partition, key.sort))?.revision ?? 0;
  if (to > counter + mostTickets) {
    deps.log.error(
      { organisation, cluster, generation: to, ticket: counter },
      'an agent reports an impossible generation',
    );
    return false;
  }
  await deps.store.put({ ...key, revision: to, value: {} }, { revisionBelow: to });
  return true;
}

/** Keeps it for the plan; says so once. False where it was known. */
async function remember(
  deps: ReportDeps,
  received: OpenedReport,
  { application, generation }: Ahead,
): Promise<boolean> {
  const { organisation, cluster, receivedAt } = received;
  let isNew = false;
  await updateStatus(deps, organisation, application, receivedAt, (status) => {
    isNew = (status.owed ?? 0) < generation;
    return isNew ? { ...status, owed: generation } : undefined;
  });
  if (!isNew) return false;
  deps.log.warn({ organisation, cluster, application: application.id, generation }, 'the store went back in time');
  const message = `the agent has generation ${generation}, newer than what is stored, as after a restore: Git is read again, and what lies there is published above it`;
  await writeEvents(deps.store, organisation, application.id, [
    { at: receivedAt, type: 'Warning', reason: 'StoreRestored', message, generation },
  ]);
  return true;
}

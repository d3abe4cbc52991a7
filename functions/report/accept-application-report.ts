import type { Application } from '#shared/domain/application.ts';
import type {
  ApplicationEvent,
  ApplicationStatus,
  Condition,
  Drift,
  Health,
  HistoryEntry,
  Operation,
  ResourceStatus,
} from '#shared/domain/status.ts';
import type { ApplicationReport, OpenedReport } from '#shared/messages/agent-report.ts';
import { bringBack, byParent } from '#shared/state/bring-back.ts';
import { forgetApplication } from '#shared/state/delete-application.ts';
import { writeEvents } from '#shared/state/events.ts';
import { dropHead, readHead, rootOf } from '#shared/state/heads.ts';
import { applicationKey, sortKeys } from '#shared/state/keys.ts';
import { updateStatus } from '#shared/state/status.ts';
import { updateRow } from '#shared/state/update.ts';
import type { ReportDeps } from './handle-report.ts';

/** How many corrected drifts are remembered for people; open ones always are. */
const driftsKept = 50;

/**
 * One application's part of a report becomes its status, unless a newer report has been accepted (INV-31). Then only what is
 * said once is taken from it, for queues change the order: events, corrected drift, and the list of resources. `isAhead`: the
 * agent has a newer generation than the status knows.
 */
export async function acceptApplicationReport(
  deps: ReportDeps,
  received: OpenedReport,
  application: Application,
  report: ApplicationReport,
): Promise<{ isAhead: boolean }> {
  const { organisation, receivedAt } = received;
  const { epoch, sequence } = received.report;
  if (report.deleted === true) {
    if (application.deleting !== undefined && (await isCarriedOut(deps, organisation, application.cluster, report)))
      await forget(deps, organisation, application, application.deleting.by);
    return { isAhead: false };
  }
  let isAhead = false;
  let accepted = false;
  let deployed: Operation | undefined;
  await updateStatus(deps, organisation, application, receivedAt, (status) => {
    const last = status.report;
    isAhead = report.generation > (status.desired?.generation ?? 0);
    // The same one again: whoever took it in may have died before all was written.
    accepted = last === undefined || epoch > last.epoch || (epoch === last.epoch && sequence >= last.sequence);
    if (!accepted) return overtaken(status, received, report);
    const operation = report.operation as Operation | undefined;
    const isTold = status.operation?.finishedAt === operation?.finishedAt && sequence !== last?.sequence;
    deployed = operation?.phase === 'Succeeded' && !isTold ? operation : undefined;
    const sameHealth = status.health.status === report.health.status;
    const { hold: _hold, ...rest } = status;
    return {
      ...rest,
      sync: definedOnly(report.sync) as ApplicationStatus['sync'],
      health: { ...(definedOnly(report.health) as Health), since: sameHealth ? status.health.since : receivedAt },
      ...(operation === undefined ? {} : { operation: definedOnly(operation) }),
      drift: mergeDrift(status.drift, report.drift as Drift[]),
      conditions: report.conditions as Condition[],
      ...(report.hold === undefined ? {} : { hold: report.hold }),
      images: report.images ?? status.images,
      report: {
        epoch,
        sequence,
        at: receivedAt,
        resources: report.resources === undefined && last?.epoch === epoch ? (last.resources ?? 0) : sequence,
      },
      ...(report.resources === undefined ? {} : { resources: report.resources as ResourceStatus[] }),
    };
  });
  await Promise.all([
    writeEvents(deps.store, organisation, application.id, report.events as ApplicationEvent[]),
    deployed === undefined ? Promise.resolve() : noteDeployed(deps, organisation, application, deployed, receivedAt),
  ]);
  return { isAhead };
}

/** The status with what an overtaken report brings and no later one repeats; undefined where that is nothing new. Pure. */
function overtaken(
  status: Omit<ApplicationStatus, 'resources'>,
  received: OpenedReport,
  report: ApplicationReport,
): (Omit<ApplicationStatus, 'resources'> & { resources?: ResourceStatus[] }) | undefined {
  const { epoch, sequence } = received.report;
  const last = status.report;
  const corrected = (report.drift as Drift[]).filter((one) => one.correctedAt !== undefined);
  const drift = mergeDrift(corrected, status.drift);
  const bringsList = report.resources !== undefined && last?.epoch === epoch && sequence > (last.resources ?? 0);
  if (drift.length === status.drift.length && !bringsList) return undefined;
  return {
    ...status,
    drift,
    ...(bringsList && last !== undefined
      ? { report: { ...last, resources: sequence }, resources: report.resources as ResourceStatus[] }
      : {}),
  };
}

/** Forgets what is deleted; where somebody else than its parent had it deleted, the parent may declare it again. */
async function forget(deps: ReportDeps, organisation: string, application: Application, by: string): Promise<void> {
  await forgetApplication(deps, organisation, application);
  if (application.parent === undefined || by === byParent(application.parent)) return;
  const trace = `deleted-${application.id}-${deps.clock.now()}`;
  await bringBack(deps, organisation, application, { message: `it was deleted by ${by}`, trace });
}

/** The agent of a cluster where an application was has let go of it: the cluster's list need not name it any more. */
export async function acceptDeparture(
  deps: ReportDeps,
  { organisation, cluster }: OpenedReport,
  application: Application,
  report: ApplicationReport,
): Promise<void> {
  if (report.deleted !== true || application.formerClusters?.includes(cluster) !== true) return;
  if (!(await isCarriedOut(deps, organisation, cluster, report))) return;
  await dropHead(deps.store, organisation, cluster, application.id);
  await updateRow<Application>(deps.store, applicationKey(organisation, application.id), sortKeys.spec, (spec) => {
    if (spec === undefined) return undefined;
    const { formerClusters = [], ...rest } = spec;
    const left = formerClusters.filter((one) => one !== cluster);
    return { ...rest, ...(left.length === 0 ? {} : { formerClusters: left }) };
  });
}

/** It speaks of the order that holds now, not of an earlier one of an application of the same name (G-10). */
async function isCarriedOut(
  deps: ReportDeps,
  organisation: string,
  cluster: string,
  report: ApplicationReport,
): Promise<boolean> {
  const head = await readHead(deps.store, organisation, cluster, report.application);
  // Without a head it has been forgotten in part: whoever did so died before the rest.
  if (head === undefined) return true;
  return rootOf(head.value).deletion !== undefined && report.generation >= head.value.generation;
}

/** The newest word on each object's drift, open ones first, a bounded tail of corrected ones. Pure. */
export function mergeDrift(before: readonly Drift[], reported: readonly Drift[]): Drift[] {
  const keyOf = (drift: Drift) => `${drift.group}/${drift.kind}/${drift.namespace}/${drift.name} ${drift.seenAt}`;
  const merged = new Map<string, Drift>();
  for (const drift of before) if (drift.correctedAt !== undefined) merged.set(keyOf(drift), drift);
  for (const drift of reported) merged.set(keyOf(drift), drift);
  const all = [...merged.values()].sort((a, b) => (a.seenAt < b.seenAt ? 1 : -1));
  return [
    ...all.filter((drift) => drift.correctedAt === undefined),
    ...all.filter((drift) => drift.correctedAt !== undefined).slice(0, driftsKept),
  ];
}

/** The generation of an operation may be a request's: what was deployed is the newest content before it. */
async function noteDeployed(
  deps: ReportDeps,
  organisation: string,
  application: Application,
  operation: Operation,
  at: string,
): Promise<void> {
  const partition = applicationKey(organisation, application.id);
  const { rows } = await deps.store.query<HistoryEntry>(partition, {
    prefix: 'HISTORY#',
    after: sortKeys.history(operation.generation + 1),
    descending: true,
    limit: 1,
  });
  const [entry] = rows;
  if (entry === undefined || entry.value.deployedAt !== undefined || entry.value.revision !== operation.revision)
    return;
  await updateRow<HistoryEntry>(deps.store, partition, entry.sort, (value) =>
    value === undefined || value.deployedAt !== undefined
      ? undefined
      : { ...value, deployedAt: operation.finishedAt ?? at },
  );
}

/** zod's optional members may be there as undefined; rows hold only what is there. */
function definedOnly<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

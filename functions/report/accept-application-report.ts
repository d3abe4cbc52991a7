import type { Application } from '#shared/domain/application.ts';
import type {
  ApplicationEvent,
  ApplicationStatus,
  Condition,
  Drift,
  Health,
  Operation,
  ResourceStatus,
} from '#shared/domain/status.ts';
import type { ApplicationReport, ReceivedReport } from '#shared/messages/agent-report.ts';
import { forgetApplication } from '#shared/state/delete-application.ts';
import { writeEvents } from '#shared/state/events.ts';
import { applicationKey, sortKeys } from '#shared/state/keys.ts';
import { updateStatus } from '#shared/state/status.ts';
import { updateRow } from '#shared/state/update.ts';
import type { ReportDeps } from './handle-report.ts';

/** How many corrected drifts are remembered for people; open ones always are. */
const driftsKept = 50;

/** One application's part of a report becomes its status, unless a newer report has been accepted (INV-31). */
export async function acceptApplicationReport(
  deps: ReportDeps,
  received: ReceivedReport,
  application: Application,
  report: ApplicationReport,
): Promise<void> {
  const { organisation, receivedAt } = received;
  const { epoch, sequence } = received.report;
  if (report.deleted === true) {
    if (application.deleting !== undefined) await forgetApplication(deps, organisation, application);
    return;
  }
  let accepted = false;
  let deployed: Operation | undefined;
  await updateStatus(deps, organisation, application, receivedAt, (status) => {
    const last = status.report;
    accepted = last === undefined || epoch > last.epoch || (epoch === last.epoch && sequence > last.sequence);
    if (!accepted) return undefined;
    const operation = report.operation as Operation | undefined;
    deployed =
      operation?.phase === 'Succeeded' && status.operation?.finishedAt !== operation.finishedAt ? operation : undefined;
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
      report: { epoch, sequence, at: receivedAt },
      ...(report.resources === undefined ? {} : { resources: report.resources as ResourceStatus[] }),
    };
  });
  if (!accepted) return;
  await Promise.all([
    writeEvents(deps.store, organisation, application.id, report.events as ApplicationEvent[]),
    deployed === undefined ? Promise.resolve() : noteDeployed(deps, organisation, application, deployed, receivedAt),
  ]);
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

async function noteDeployed(
  deps: ReportDeps,
  organisation: string,
  application: Application,
  operation: Operation,
  at: string,
): Promise<void> {
  const partition = applicationKey(organisation, application.id);
  await updateRow<{ deployedAt?: string }>(deps.store, partition, sortKeys.history(operation.generation), (value) =>
    value === undefined || value.deployedAt !== undefined
      ? undefined
      : { ...value, deployedAt: operation.finishedAt ?? at },
  );
}

/** zod's optional members may be there as undefined; rows hold only what is there. */
function definedOnly<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

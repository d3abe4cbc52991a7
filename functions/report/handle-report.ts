import type { Cluster, ClusterSeen } from '#shared/domain/cluster.ts';
import { canonicalJson } from '#shared/domain/json.ts';
import { inParallel } from '#shared/domain/parallel.ts';
import type { Application } from '#shared/domain/application.ts';
import { AgentReport, type OpenedReport, type ReceivedReport } from '#shared/messages/agent-report.ts';
import type { Bell } from '#shared/ports/bell.ts';
import type { Clock } from '#shared/ports/clock.ts';
import type { Log } from '#shared/ports/log.ts';
import type { Metrics } from '#shared/ports/metrics.ts';
import type { Queue } from '#shared/ports/queue.ts';
import type { StateStore } from '#shared/ports/state-store.ts';
import { clusterKey, organisationKey, sortKeys } from '#shared/state/keys.ts';
import { isAnyLearned } from '#shared/domain/scope.ts';
import type { SnapshotChunks } from '#shared/state/chunks.ts';
import { askForAll, type Head } from '#shared/state/heads.ts';
import { getApplications } from '#shared/state/registry.ts';
import { sendHints } from '#shared/state/hints.ts';
import { eachRow, updateRow } from '#shared/state/update.ts';
import type { StoredSummary } from '#shared/state/status.ts';
import { acceptApplicationReport, acceptDeparture } from './accept-application-report.ts';
import { askForRenewals } from './ask-for-renewals.ts';
import { noteRestored, type Ahead } from './note-restored.ts';

export interface ReportDeps {
  store: StateStore;
  /** Where reports lie that are too large for a message. */
  snapshots: Pick<SnapshotChunks, 'read'>;
  hints: Queue;
  publishJobs: Pick<Queue, 'send'>;
  bell: Bell;
  clock: Clock;
  log: Log;
  metrics: Metrics;
}

/** The row `SEEN` of a cluster, with which sequence numbers of the epoch have not come yet. */
export interface StoredSeen extends ClusterSeen {
  missing: number[];
  /** Missing numbers that were missing at the last heartbeat already: those are lost. */
  overdue: number[];
}

/**
 * Takes in what an agent says: statuses, events, heartbeat, capabilities. Reports may come twice, late or in any order:
 * each application keeps the newest by (epoch, sequence) (INV-31), and a number that stays away makes the service ask
 * for everything again (INV-32). Nothing here changes desired state (INV-33): new capabilities, and generations that are newer
 * than what is stored, only ask for a new plan.
 */
export function createReportHandler(deps: ReportDeps): (received: ReceivedReport) => Promise<void> {
  return async function handleReport(message) {
    const received = await openReport(deps, message);
    if (received === undefined) return;
    const { organisation, cluster, report } = received;
    const ids = report.applications.map((application) => application.application);
    const applications = new Map(
      (await getApplications(deps.store, organisation, ids)).map((application) => [application.id, application]),
    );
    const ahead: Ahead[] = [];
    await inParallel(report.applications, 16, async (one) => {
      const application = applications.get(one.application);
      // An agent speaks only for applications of its own cluster (INV-34), or says that it let go of one that has moved.
      if (application === undefined) return;
      if (application.cluster !== cluster) return acceptDeparture(deps, received, application, one);
      const { isAhead } = await acceptApplicationReport(deps, received, application, one);
      if (isAhead) ahead.push({ application, generation: one.generation });
    });
    if (ahead.length > 0) await noteRestored(deps, received, ahead);
    await noteHeartbeat(deps, received);
    await askForRenewals(deps, received);
    if (report.capabilities !== undefined) await noteCapabilities(deps, received, report.capabilities);
    deps.metrics.count('reports_total');
  };
}

/** The report with its content; undefined where that is gone: the agent will be asked for everything again (INV-32). */
async function openReport(deps: ReportDeps, message: ReceivedReport): Promise<OpenedReport | undefined> {
  if ('report' in message) return message;
  const { stored, ...sender } = message;
  const text = await deps.snapshots.read(sender.organisation, sender.cluster, stored);
  if (text === undefined) return undefined;
  return { ...sender, report: AgentReport.parse(JSON.parse(Buffer.from(text).toString())) };
}

async function noteHeartbeat(deps: ReportDeps, received: OpenedReport): Promise<void> {
  const { organisation, cluster, report, receivedAt } = received;
  const partition = clusterKey(organisation, cluster);
  let lost: number[] = [];
  await updateRow<StoredSeen>(deps.store, partition, sortKeys.seen, (before) => {
    const next = nextSeen(before, report, receivedAt);
    lost = next?.overdue ?? [];
    return next;
  });
  if (lost.length > 0) {
    deps.log.warn({ organisation, cluster, lost: lost.length }, 'reports were lost: asking for all again');
    await askForAll(deps, organisation, cluster);
    // Only now, so that who dies in between asks again.
    await updateRow<StoredSeen>(deps.store, partition, sortKeys.seen, (seen) =>
      seen === undefined
        ? undefined
        : { ...seen, missing: seen.missing.filter((number) => !lost.includes(number)), overdue: [] },
    );
  }
  deps.bell.ring(`organisation:${organisation}`, `cluster:${cluster}`);
}

/** The heartbeat row after one more report; undefined for reports of an epoch that is over. Pure. */
export function nextSeen(
  before: StoredSeen | undefined,
  report: AgentReport,
  receivedAt: string,
): StoredSeen | undefined {
  if (before !== undefined && report.epoch < before.epoch) return undefined;
  const same = before !== undefined && before.epoch === report.epoch;
  // Agents count from 1: the first of an epoch that comes may not be the first that was sent.
  const highest = same ? before.sequence : 0;
  const skipped = [];
  for (let number = report.sequence - 1; number > highest && skipped.length < 100; number -= 1) skipped.push(number);
  const missing = [...(same ? before.missing : []), ...skipped].filter((number) => number !== report.sequence);
  const isHeartbeat = report.applications.length === 0;
  const newer = report.sequence > highest;
  const latest =
    newer || before === undefined
      ? {
          agentVersion: report.agentVersion,
          version: report.version,
          applications: report.heartbeat.applications,
          objects: report.heartbeat.objects,
          memoryBytes: report.heartbeat.memoryBytes,
        }
      : {
          agentVersion: before.agentVersion,
          version: before.version,
          applications: before.applications,
          objects: before.objects,
          memoryBytes: before.memoryBytes,
        };
  return {
    at: receivedAt,
    epoch: report.epoch,
    sequence: Math.max(highest, report.sequence),
    ...latest,
    missing,
    overdue: isHeartbeat && same ? before.missing.filter((number) => missing.includes(number)) : [],
  };
}

/** What a cluster serves has changed: charts of its applications may render differently (NT-162). */
async function noteCapabilities(
  deps: ReportDeps,
  received: OpenedReport,
  capabilities: NonNullable<Cluster['capabilities']>,
): Promise<void> {
  const { organisation, cluster } = received;
  let changed = false;
  await updateRow<Cluster>(deps.store, organisationKey(organisation), sortKeys.cluster(cluster), (value) => {
    if (value === undefined) return undefined;
    changed = canonicalJson(value.capabilities ?? null) !== canonicalJson(capabilities);
    return changed ? { ...value, capabilities } : undefined;
  });
  if (!changed) return;
  deps.log.info(
    { organisation, cluster, kubernetes: capabilities.kubernetesVersion, kinds: capabilities.kinds.length },
    'cluster capabilities changed',
  );
  const guessing = await applicationsGuessing(deps, organisation, cluster, capabilities);
  const toPlan = new Map<string, Set<string>>();
  const ids: string[] = [];
  for await (const row of eachRow<StoredSummary>(deps.store, organisationKey(organisation), 'APP#')) {
    if (row.value.cluster === cluster) ids.push(row.value.id);
  }
  for (const application of await getApplications(deps.store, organisation, ids)) {
    if (!guessing.has(application.id) && !mayUseCapabilities(application)) continue;
    for (const source of application.sources) {
      toPlan.set(source.repository, (toPlan.get(source.repository) ?? new Set()).add(application.id));
    }
  }
  await sendHints(deps, { organisation, trace: `capabilities-${received.report.epoch}` }, toPlan, 'refresh');
}

/** Applications with objects of which by now is known what was guessed when they were bound: whether they have a namespace. */
async function applicationsGuessing(
  deps: ReportDeps,
  organisation: string,
  cluster: string,
  capabilities: NonNullable<Cluster['capabilities']>,
): Promise<Set<string>> {
  const found = new Set<string>();
  for await (const { value } of eachRow<Head>(deps.store, clusterKey(organisation, cluster), 'APP#')) {
    if (isAnyLearned(value.guessed, capabilities)) found.add(value.application);
  }
  return found;
}

/** Only charts look at what a cluster offers; and `auto` may turn out to be a chart. */
function mayUseCapabilities(application: Application): boolean {
  return application.sources.some((source) => source.render.tool === 'helm' || source.render.tool === 'auto');
}

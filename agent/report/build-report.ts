import { aggregateHealth } from '#shared/domain/health.ts';
import { parseKey } from '#shared/domain/kube-object.ts';
import type { Drift, Health, Operation, ResourceResult, ResourceStatus, SyncStatus } from '#shared/domain/status.ts';
import type { ApplicationReport } from '#shared/messages/agent-report.ts';
import type { OperationProgress } from '../state/record.ts';
import { standingOf, type Standing } from '../reconcile/compare-state.ts';
import type { DesiredObject, Facts } from '../reconcile/model.ts';
import type { AppRuntime } from '../reconcile/runtime.ts';
import { resourceName } from '../reconcile/tasks.ts';

const resourcesShown = 10_000;
const unchangedShown = 500;
const driftsShown = 200;

/** The whole state of one application as the agent sees it now. */
export function buildReport(app: AppRuntime, facts: Facts): ApplicationReport {
  const { record, root } = app;
  const resources: ResourceStatus[] = [];
  const healths: (Health | undefined)[] = [];
  let live = 0;
  let wanted = 0;
  let sync: SyncStatus = 'Synced';
  for (const object of app.desired.objects.values()) {
    const standing = standingOf(facts, object);
    const health = healthOf(app, object, standing);
    resources.push(resourceOf(object, standing, health));
    if (object.hook !== undefined) continue;
    wanted += 1;
    if (health?.status !== 'Missing') live += 1;
    // An object that is missing alone does not make the application Missing (argo-cd.md §2.8).
    if (object.options?.ignoreHealth !== true && health?.status !== 'Missing') healths.push(health);
    sync = worse(sync, statusOf(standing));
  }
  for (const [key, entry] of record.inventory) {
    if (entry.hook === true || app.desired.objects.has(key)) continue;
    const health = app.observed.get(key)?.health;
    resources.push({
      ...parseKey(key),
      version: entry.version,
      status: 'OutOfSync',
      requiresPruning: true,
      ...(health === undefined ? {} : { health }),
    });
    sync = worse(sync, 'OutOfSync');
  }
  if (app.conditions.has('ComparisonError')) sync = 'Unknown';
  const applied = sync === 'Synced' ? { generation: root.generation, revision: root.revision } : record.applied;
  const missing: Health = { status: 'Missing', message: 'none of its objects is in the cluster' };
  return {
    application: app.id,
    generation: root.generation,
    sync: {
      status: sync,
      ...(applied === undefined ? {} : { revision: applied.revision, generation: applied.generation }),
    },
    health: cut(wanted > 0 && live === 0 ? missing : aggregateHealth(healths)),
    ...(record.operation === undefined ? {} : { operation: operationOf(app, record.operation) }),
    resources: resources.slice(0, resourcesShown),
    drift: driftOf(app),
    conditions: [...app.conditions.values()],
    ...(record.hold === undefined ? {} : { hold: record.hold }),
    images: app.desired.images.slice(0, 500),
    events: [...app.events],
    ...(app.deleted ? { deleted: true } : {}),
  };
}

function healthOf(app: AppRuntime, object: DesiredObject, standing: Standing): Health | undefined {
  const seen = app.observed.get(object.key);
  if (seen !== undefined) return seen.health;
  const comparison = app.comparisons.get(object.key);
  if (comparison !== undefined && comparison.state !== 'missing') return comparison.health;
  if (object.hook !== undefined || app.shared.has(object.key)) return undefined;
  return standing === 'unknown' ? { status: 'Unknown', message: 'not observed yet' } : { status: 'Missing' };
}

function resourceOf(object: DesiredObject, standing: Standing, health: Health | undefined): ResourceStatus {
  return {
    ...object.id,
    status: object.hook === undefined ? statusOf(standing) : 'Synced',
    ...(health === undefined ? {} : { health: cut(health) }),
    ...(object.hook === undefined ? {} : { hook: object.hook.phases.join(',') }),
    ...(object.wave === 0 ? {} : { syncWave: object.wave }),
  };
}

function statusOf(standing: Standing): SyncStatus {
  if (standing === 'same' || standing === 'suspect') return 'Synced';
  return standing === 'unknown' ? 'Unknown' : 'OutOfSync';
}

function worse(a: SyncStatus, b: SyncStatus): SyncStatus {
  if (a === 'OutOfSync' || b === 'OutOfSync') return 'OutOfSync';
  return a === 'Unknown' || b === 'Unknown' ? 'Unknown' : 'Synced';
}

function cut(health: Health): Health {
  return health.message === undefined ? health : { ...health, message: health.message.slice(0, 4000) };
}

function operationOf(app: AppRuntime, progress: OperationProgress): Operation {
  const { phase, message, generation, revision, startedAt, finishedAt, initiatedBy, retryCount } = progress;
  const results = Object.values(progress.results);
  return {
    phase,
    message: message.slice(0, 8000),
    generation,
    revision,
    startedAt,
    ...(finishedAt === undefined ? {} : { finishedAt }),
    initiatedBy,
    retryCount,
    resources: [...results, ...unchanged(app, progress, results.length)].slice(0, resourcesShown),
  };
}

/** What the operation found as it should be: not stored, but people expect to see it. */
function unchanged(app: AppRuntime, progress: OperationProgress, changed: number): ResourceResult[] {
  if (progress.phase !== 'Succeeded' || progress.generation !== app.root.generation) return [];
  const selected = progress.selected === undefined ? undefined : new Set(progress.selected);
  const results: ResourceResult[] = [];
  for (const object of app.desired.objects.values()) {
    if (results.length + changed >= unchangedShown) break;
    if (object.hook !== undefined || progress.results[object.key] !== undefined) continue;
    if (selected !== undefined && !selected.has(object.key)) continue;
    const message = `${resourceName(object.id)} unchanged`;
    results.push({ ...object.id, status: 'Synced', action: 'unchanged', message, phase: 'Sync' });
  }
  return results;
}

/** Open drift first; for what nobody may apply yet, what a sync would change. */
function driftOf(app: AppRuntime): Drift[] {
  const drifts = [...app.drifts.values()].sort(
    (a, b) => Number(a.correctedAt !== undefined) - Number(b.correctedAt !== undefined),
  );
  for (const [key, comparison] of app.comparisons) {
    const object = app.desired.objects.get(key);
    if (object === undefined || comparison.state !== 'different' || app.drifts.has(key)) continue;
    drifts.push({
      ...object.id,
      change: 'modified',
      fields: comparison.fields,
      seenAt: comparison.at,
      note: 'waiting for a sync',
    });
  }
  return drifts.slice(0, driftsShown);
}

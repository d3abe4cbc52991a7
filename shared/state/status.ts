import type { Application } from '../domain/application.ts';
import type { ApplicationStatus, Condition, ResourceStatus } from '../domain/status.ts';
import type { ApplicationSummary } from '../messages/api.ts';
import type { Bell } from '../ports/bell.ts';
import type { StateStore } from '../ports/state-store.ts';
import { gunzipSync, gzipSync } from 'node:zlib';
import { applicationKey, organisationKey, sortKeys } from './keys.ts';
import { updateRow } from './update.ts';

/** A status without its `resources`: they lie beside it in a row of their own, because they can be many. */
type StoredStatus = Omit<ApplicationStatus, 'resources'>;

/** What `STATUS` holds: as it is while it is small, else compressed, but for what every plan looks at. */
type StatusRow = StoredStatus | (StatusForPlans & { packed: string });

/** What can be read of it without unpacking. */
export type StatusForPlans = Pick<StoredStatus, 'sourceConditions' | 'owed'>;

/** A status of this size is compressed. */
const plainBytes = 64 * 1024;
/** Most that one row's packed text may have; a row holds 300 KiB (LIM-17). */
const packedBytes = 280 * 1024;

/** The row `APP#…` of the organisation: a summary without what is computed when it is read (`stale`). */
export type StoredSummary = Omit<ApplicationSummary, 'stale'>;

/** A status before anything was planned or reported. */
export function initialStatus(now: string): ApplicationStatus {
  return {
    sourceConditions: [],
    sync: { status: 'Unknown' },
    health: { status: 'Unknown', since: now },
    resources: [],
    drift: [],
    conditions: [],
    images: [],
  };
}

/** The whole status; undefined when the application has none yet. */
export async function readStatus(
  store: StateStore,
  organisation: string,
  application: string,
): Promise<ApplicationStatus | undefined> {
  const partition = applicationKey(organisation, application);
  const rows = await store.getMany<StatusRow | { packed: string }>([
    { partition, sort: sortKeys.status },
    { partition, sort: sortKeys.resources },
  ]);
  const status = rows.find((row) => row.sort === sortKeys.status);
  if (status === undefined) return undefined;
  const resources = rows.find((row) => row.sort === sortKeys.resources)?.value as { packed: string } | undefined;
  return {
    ...statusOf(status.value as StatusRow),
    resources: resources === undefined ? [] : (unpack(resources.packed) as ResourceStatus[]),
  };
}

/**
 * Changes an application's status, then its summary in the organisation's list, then tells who listens.
 * The summary carries the status's revision, so that of two racing writers the later one's summary stays.
 * `change` returns undefined to leave things as they are. A `resources` of undefined in the result leaves the list alone.
 */
export async function updateStatus(
  deps: { store: StateStore; bell: Bell },
  organisation: string,
  application: Application,
  now: string,
  change: (status: StoredStatus) => (StoredStatus & { resources?: ResourceStatus[] | undefined }) | undefined,
): Promise<void> {
  const partition = applicationKey(organisation, application.id);
  let resources: ResourceStatus[] | undefined;
  let status: StoredStatus | undefined;
  const row = await updateRow<StatusRow>(deps.store, partition, sortKeys.status, (value) => {
    const { resources: none, ...initial } = initialStatus(now);
    const before = value === undefined ? initial : statusOf(value);
    const next = change(before);
    status = next;
    if (next === undefined) return value === undefined ? initial : undefined;
    const { resources: list, ...stored } = next;
    resources = list ?? (value === undefined ? none : undefined);
    status = stored;
    return rowOf(stored);
  });
  if (row === undefined || status === undefined) return;
  const writes = [];
  if (resources !== undefined) {
    const packed = packWithin(resources, (list) => list.slice(0, list.length / 2));
    writes.push({ partition, sort: sortKeys.resources, revision: row.revision, value: { packed } });
  }
  await Promise.all([
    deps.store.putMany(writes),
    writeSummary(deps, organisation, application, status, row.revision, now, resources?.length),
  ]);
}

function statusOf(value: StatusRow): StoredStatus {
  return 'packed' in value ? (unpack(value.packed) as StoredStatus) : value;
}

function rowOf(status: StoredStatus): StatusRow {
  if (JSON.stringify(status).length <= plainBytes) return status;
  const { sourceConditions, owed } = status;
  return { packed: packWithin(status, shortened), sourceConditions, ...(owed === undefined ? {} : { owed }) };
}

/** Half of what can be long. What is cut off was said in events, or the agent says it again when asked. */
function shortened(status: StoredStatus): StoredStatus {
  const half = <T>(list: readonly T[]) => list.slice(0, list.length / 2);
  const { operation, hold } = status;
  return {
    ...status,
    drift: half(status.drift),
    conditions: half(status.conditions),
    images: half(status.images),
    ...(operation === undefined ? {} : { operation: { ...operation, resources: half(operation.resources) } }),
    ...(hold === undefined ? {} : { hold: { ...hold, objects: half(hold.objects) } }),
  };
}

async function writeSummary(
  deps: { store: StateStore; bell: Bell },
  organisation: string,
  application: Application,
  status: StoredStatus,
  revision: number,
  now: string,
  objects: number | undefined,
): Promise<void> {
  const partition = organisationKey(organisation);
  const sort = sortKeys.summary(application.id);
  const before = objects === undefined ? await deps.store.get<StoredSummary>(partition, sort) : undefined;
  const summary = summarise(application, status, now, objects ?? before?.value.objects ?? 0);
  await deps.store.put({ partition, sort, revision, value: summary }, { revisionBelow: revision });
  deps.bell.ring(`organisation:${organisation}`, application.id);
}

/** The line of a list: derived from the spec and the status, never the other way round. */
export function summarise(application: Application, status: StoredStatus, now: string, objects: number): StoredSummary {
  const source = application.sources[0];
  const message = mainMessage(application, status);
  const revision = status.sync.revision ?? status.desired?.revision;
  return {
    id: application.id,
    kind: application.kind,
    name: application.name,
    namespace: application.namespace,
    project: application.project,
    cluster: application.cluster,
    destinationNamespace: application.destinationNamespace,
    repository: source?.url ?? '',
    path: source?.path ?? '',
    targetRevision: source?.revision ?? '',
    sync: syncStatusOf(application, status),
    health: status.health.status,
    ...(status.health.message === undefined ? {} : { healthMessage: status.health.message }),
    ...(revision === undefined ? {} : { revision }),
    ...(status.desired === undefined ? {} : { generation: status.desired.generation }),
    ...(status.desired?.commit === undefined ? {} : { commit: status.desired.commit }),
    ...(message === undefined ? {} : { message }),
    ...(status.operation === undefined ? {} : { operation: status.operation.phase }),
    suspended: application.policy.suspended,
    automated: application.policy.automated,
    objects,
    drifted: status.drift.filter((drift) => drift.correctedAt === undefined).length,
    held: status.hold !== undefined,
    ...(application.parent === undefined ? {} : { parent: application.parent }),
    updatedAt: now,
    deleting: application.deleting !== undefined,
    ...(application.invalid === undefined ? {} : { invalid: true }),
  };
}

/**
 * Synced means: what is desired now is applied. A newer published generation that the agent has not reported yet is
 * OutOfSync; trouble with the source is Unknown, as in Argo CD (argo-cd.md §2.5).
 */
export function syncStatusOf(application: Application, status: StoredStatus): 'Synced' | 'OutOfSync' | 'Unknown' {
  if (application.invalid !== undefined || status.sourceConditions.some((condition) => isSourceFailure(condition)))
    return 'Unknown';
  if (status.desired === undefined) return 'Unknown';
  if (status.sync.generation !== undefined && status.sync.generation < status.desired.generation) return 'OutOfSync';
  return status.sync.status;
}

/** True for trouble of the source or the declaration, which the next plan that finds all well takes away. */
export function isSourceFailure(condition: Pick<Condition, 'type'>): boolean {
  return (
    condition.type === 'ComparisonError' || condition.type === 'InvalidSpecError' || condition.type === 'UnknownError'
  );
}

function mainMessage(application: Application, status: StoredStatus): string | undefined {
  if (application.invalid !== undefined) return application.invalid;
  const conditions = [...status.sourceConditions, ...status.conditions];
  const worst = conditions.find((condition) => condition.type.endsWith('Error')) ?? conditions[0];
  if (worst) return worst.message.split('\n')[0]?.slice(0, 400);
  if (status.hold) return status.hold.reason;
  const { operation } = status;
  if (operation === undefined) return undefined;
  // `waiting: ` begins what the agent says of objects that cannot be applied yet: a kind that is missing, a namespace.
  const isHeldUp =
    operation.phase === 'Running' && (operation.retryCount > 0 || operation.message.startsWith('waiting: '));
  if (isHeldUp || operation.phase === 'Failed' || operation.phase === 'Error') return operation.message.slice(0, 400);
  return undefined;
}

/** Compressed text of a value that fits into a row; too much is cut down by `shorten` until it does. */
function packWithin<T>(value: T, shorten: (value: T) => T): string {
  for (let rest = value; ; rest = shorten(rest)) {
    const packed = gzipSync(JSON.stringify(rest)).toString('base64');
    if (packed.length <= packedBytes) return packed;
  }
}

function unpack(packed: string): unknown {
  return JSON.parse(gunzipSync(Buffer.from(packed, 'base64')).toString());
}

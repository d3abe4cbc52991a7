import type { VersionedObjectId } from './kube-object.ts';

/** Argo CD's health words, best to worst as it aggregates them (argo-cd.md §2.8). */
export const healthStatuses = ['Healthy', 'Suspended', 'Progressing', 'Missing', 'Degraded', 'Unknown'] as const;
export type HealthStatus = (typeof healthStatuses)[number];
export type SyncStatus = 'Synced' | 'OutOfSync' | 'Unknown';
export type OperationPhase = 'Running' | 'Terminating' | 'Failed' | 'Error' | 'Succeeded';

export interface Health {
  status: HealthStatus;
  message?: string;
}

/** Who made a revision, for people. Times are ISO 8601. */
export interface CommitInfo {
  sha: string;
  author: string;
  email: string;
  message: string;
  time: string;
}

/** One object of an application as the agent sees it. */
export interface ResourceStatus extends VersionedObjectId {
  status: SyncStatus;
  health?: Health;
  /** Set where the object is in the cluster but no longer desired. */
  requiresPruning?: boolean;
  hook?: string;
  syncWave?: number;
}

/** What one operation did with one object (Argo CD's result codes). */
export interface ResourceResult extends VersionedObjectId {
  status: 'Synced' | 'SyncFailed' | 'Pruned' | 'PruneSkipped';
  message: string;
  /** What happened in the cluster. */
  action: 'created' | 'configured' | 'unchanged' | 'deleted' | 'skipped' | 'failed';
  phase: 'PreSync' | 'Sync' | 'PostSync' | 'SyncFail' | 'PostDelete';
  hookType?: string;
}

export interface Operation {
  phase: OperationPhase;
  message: string;
  generation: number;
  revision: string;
  startedAt: string;
  finishedAt?: string;
  initiatedBy: { username?: string; automated?: boolean };
  retryCount: number;
  resources: ResourceResult[];
}

/** One field that differs; values are JSON text, already redacted, cut at 1 KiB. */
export interface FieldDifference {
  path: string;
  desired?: string;
  live?: string;
}

/** Drift that was seen on one object, and whether it has been corrected. Times are ISO 8601. */
export interface Drift extends VersionedObjectId {
  kind: string;
  change: 'modified' | 'deleted';
  fields: FieldDifference[];
  seenAt: string;
  correctedAt?: string;
  /** Why it is not being corrected: `self-heal is off`, `fight`, an error. */
  note?: string;
}

/** Argo CD's condition types plus those of the prune guards. */
export type ConditionType =
  | 'ComparisonError'
  | 'InvalidSpecError'
  | 'SyncError'
  | 'DeletionError'
  | 'UnknownError'
  | 'SharedResourceWarning'
  | 'RepeatedResourceWarning'
  | 'ExcludedResourceWarning'
  | 'OrphanedResourceWarning'
  | 'DependencyNotReady'
  | 'NeedsConfirmation'
  | 'SourceMissing'
  | 'Fight';

export interface Condition {
  type: ConditionType;
  message: string;
  lastTransitionTime: string;
}

/** Prunes that the guards hold back until somebody confirms exactly this list (G-13). */
export interface PruneHold {
  /** The guard ids that hold, e.g. `G-03`. */
  guards: string[];
  /** Digest over the sorted keys; the confirmation names it. */
  listDigest: string;
  objects: string[];
  reason: string;
}

/** Everything the service knows of one application's state: the row `STATUS`. */
export interface ApplicationStatus {
  desired?: {
    generation: number;
    revision: string;
    inputDigest: string;
    commit?: CommitInfo;
    publishedAt: string;
    objectCount: number;
  };
  /** From the service's side: what kept a revision from becoming a snapshot. Replaced as a whole by each plan. */
  sourceConditions: Condition[];
  /** Ticket of the plan that wrote `sourceConditions`: an older one's word does not count any more. */
  sourceTicket?: number;
  /** A generation that others were told to wait for and that could not be published; kept once the head is as late. */
  owed?: number;
  sync: { status: SyncStatus; revision?: string; generation?: number };
  health: Health & { since: string };
  operation?: Operation;
  resources: ResourceStatus[];
  drift: Drift[];
  /** From the agent's side. */
  conditions: Condition[];
  hold?: PruneHold;
  images: string[];
  /** (epoch, sequence) of the newest accepted report (INV-31); `resources`: sequence of the one that brought their list. */
  report?: { epoch: string; sequence: number; at: string; resources?: number };
}

/** One line of an application's event log: the row `EVENT#…`. */
export interface ApplicationEvent {
  at: string;
  type: 'Normal' | 'Warning';
  reason: string;
  message: string;
  generation?: number;
  revision?: string;
  object?: string;
  by?: string;
}

/** One entry of an application's history: the row `HISTORY#generation`. */
export interface HistoryEntry {
  id: number;
  generation: number;
  revision: string;
  commit?: CommitInfo;
  publishedAt: string;
  deployedAt?: string;
  initiatedBy: string;
  inputDigest: string;
  objectCount: number;
  /** Set where this generation brought back an older one. */
  rollbackOf?: number;
}

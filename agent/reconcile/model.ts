import type { HookSpec, Phase } from '#shared/domain/hooks.ts';
import type { VersionedObjectId } from '#shared/domain/kube-object.ts';
import type { ObjectOptions } from '#shared/domain/object-options.ts';
import type { SnapshotRoot } from '#shared/domain/snapshot.ts';
import type { FieldDifference, Health } from '#shared/domain/status.ts';
import type { AppRecord, OperationProgress } from '../state/record.ts';

export type { HookSpec, ObjectOptions, Phase };

/** One object of a snapshot; its text lies in a chunk and is parsed when needed. */
export interface DesiredObject {
  id: VersionedObjectId;
  key: string;
  /** Of the object's text. */
  digest: string;
  /** Index of the chunk and of the line in it. */
  chunk: number;
  line: number;
  wave: number;
  hook?: HookSpec;
  options?: ObjectOptions;
}

/** One object at one place of the order. A hook may run in several phases. */
export interface Task {
  object: DesiredObject;
  phase: Phase;
  wave: number;
}

/** Tasks that may run together: one phase and wave, in kind order. */
export interface Step {
  phase: Phase;
  wave: number;
  tasks: Task[];
}

/** What one snapshot wants, indexed. */
export interface Desired {
  objects: Map<string, DesiredObject>;
  /** PreSync, Sync, PostSync; without hooks where they do not run. */
  steps(withHooks: boolean): Step[];
  /** What runs after a failure. */
  failSteps(): Step[];
  /** What runs before a deletion order deletes anything. */
  preDeleteSteps(): Step[];
  /** What runs once everything is deleted. */
  postDeleteSteps(): Step[];
  /** Keys of what the snapshot holds and nobody applies (skipped hooks). */
  skipped: string[];
  images: string[];
}

/** What the agent knows of one live object; the object itself is not kept. */
export interface Observation {
  uid: string;
  resourceVersion: string;
  /** Absent for kinds without a health check. */
  health?: Health;
  /** Hash over everything but status and bookkeeping: an event with the same hash cannot be drift. */
  shape: string;
  /** `suspect`: a local check found a difference that a dry run has to confirm. */
  drift: 'none' | 'suspect' | 'confirmed';
  terminating?: boolean;
}

/** How an object that has not been applied compares with the live one: the answer of a dry run. */
export interface Comparison {
  /** Digest of the desired text that was compared. */
  digest: string;
  state: 'same' | 'different' | 'missing';
  fields: FieldDifference[];
  health?: Health;
  /** ISO 8601. */
  at: string;
}

/** Everything that one decision looks at. Deciding reads nothing else (no clock, no cluster). */
export interface Facts {
  now: number;
  root: SnapshotRoot;
  desired: Desired;
  record: AppRecord;
  /** The record holds this root and is persisted. */
  saved: boolean;
  observed: ReadonlyMap<string, Observation>;
  comparisons: ReadonlyMap<string, Comparison>;
  /** True when every watch that these objects need has listed: only then does «not observed» mean «not there» (INV-30). */
  complete: boolean;
  /** Until then (ms since 1970) incomplete watches are waited for; later they count as refused for good. */
  patientUntil: number;
  /** Why applications that this one depends on are not ready; empty when they are. */
  unmet: readonly string[];
  /** Not before this time may this object be corrected (fights, failed corrections); Infinity: not at all. */
  correctAt: (key: string) => number;
}

/** What to do next. The loop carries it out and decides again, until it is `wait`. */
export type Decision =
  /** `problem`: it will not go on by itself. */
  | { do: 'wait'; until?: number; message?: string; problem?: true }
  /** Persist this record, then go on. */
  | { do: 'save'; record: AppRecord; event?: 'started' | 'finished' | 'failed' }
  /** Take the record over without persisting it: the next save carries it. */
  | { do: 'keep'; record: AppRecord }
  | { do: 'apply'; operation: OperationProgress; tasks: Task[] }
  | { do: 'delete-hooks'; keys: string[] }
  | { do: 'prune'; operation: OperationProgress; keys: string[] }
  | { do: 'verify'; keys: string[] }
  | { do: 'correct'; keys: string[] }
  | { do: 'compare'; keys: string[] }
  | { do: 'delete'; keys: string[] }
  /** Ask whether these, whose deletion was accepted, are gone. */
  | { do: 'confirm-gone'; keys: string[] }
  | { do: 'forget' };

import type { FightState } from '#shared/domain/fight.ts';
import type { KubeObject } from '#shared/domain/kube-object.ts';
import type { SnapshotRoot } from '#shared/domain/snapshot.ts';
import type { Condition, ConditionType, Drift } from '#shared/domain/status.ts';
import type { ApplicationReport } from '#shared/messages/agent-report.ts';
import type { VerifiedSnapshot } from './accept-root.ts';
import type { AppRecord } from '../state/record.ts';
import type { StoredVersion } from '../state/state-store.ts';
import type { Comparison, Desired, Observation } from './model.ts';

/** What happened to corrections of one object lately. */
export interface CorrectionState {
  fight: FightState;
  /** Corrections that were refused in a row. */
  failures: number;
  /** Ms since 1970. */
  notBefore: number;
}

/** One application in memory. All of it can be built again from the cluster: `record`, root and chunks are stored, the rest is observed. */
export interface AppRuntime {
  readonly id: string;
  root: SnapshotRoot;
  /** Packed JSON of the signed root, as it is stored. */
  packedRoot: Buffer;
  /** Gzipped chunk texts by digest. */
  chunks: Map<string, Buffer>;
  desired: Desired;
  record: AppRecord;
  version: StoredVersion | undefined;
  /** The record with this root is persisted. */
  saved: boolean;
  observed: Map<string, Observation>;
  /** Live objects of suspects, until they are verified. */
  suspects: Map<string, KubeObject>;
  comparisons: Map<string, Comparison>;
  /** Open drift and drift corrected since the last acknowledged report, by key. */
  drifts: Map<string, Drift>;
  /**
   * Objects that are being asked about by a request whose answer will be taken in, by key: the version at which a watch has
   * said meanwhile that the object is gone, -Infinity where none has. Holds what is under way and nothing else.
   */
  asking: Map<string, number>;
  corrections: Map<string, CorrectionState>;
  conditions: Map<ConditionType, Condition>;
  events: ApplicationReport['events'];
  /** Keys that belong to other applications: reported, not touched (FT-91). */
  shared: Set<string>;
  /** Tries in a row that the cluster could not be reached or did not know a kind. */
  transient: number;
  transientSince: number | undefined;
  /** Generation for which the destination namespace was seen or made. */
  namespaceReady?: number;
  /** A newer generation that waits for the action under way to end. */
  incoming?: VerifiedSnapshot;
  /** A correction recreated something: its new uid is not persisted yet. */
  uidsChanged?: boolean;
  /** Set once a deletion order was carried out and the state dropped. */
  deleted: boolean;
}

/** Sets or clears a condition; the time moves only when the message changes. True when something changed. */
export function setCondition(app: AppRuntime, type: ConditionType, message: string | undefined, now: number): boolean {
  const before = app.conditions.get(type);
  if (message === undefined) return app.conditions.delete(type);
  if (before?.message === message) return false;
  app.conditions.set(type, { type, message: message.slice(0, 8000), lastTransitionTime: new Date(now).toISOString() });
  return true;
}

const eventsKept = 200;

/** Notes an event for the next report; the oldest go first when nobody takes them (FT-105). */
export function addEvent(
  app: AppRuntime,
  now: number,
  event: { type?: 'Normal' | 'Warning'; reason: string; message: string; object?: string },
): void {
  app.events.push({
    at: new Date(now).toISOString(),
    generation: app.root.generation,
    ...event,
    type: event.type ?? 'Normal',
    message: event.message.slice(0, 4000),
  });
  if (app.events.length > eventsKept) app.events.splice(0, app.events.length - eventsKept);
}

/** The newest generation that this agent knows of, taken in or waiting. */
export function newestGeneration(app: AppRuntime): number {
  return Math.max(app.record.generation, app.incoming?.root.generation ?? 0);
}

import type { Operation, PruneHold, ResourceResult } from '#shared/domain/status.ts';

/** One object that this application owns or is about to own. */
export interface InventoryEntry {
  /** '' until the API server has said it: then only the intent is recorded (INV-17). */
  uid: string;
  /** API version it was last written in. */
  version: string;
  /** Digest of the text that was last applied; '' where nothing has been applied yet. */
  digest: string;
  /** Set for hook objects: they are neither compared nor pruned. */
  hook?: boolean;
  /** Wave it was applied in; absent for 0. */
  wave?: number;
  /** Since when (ms since 1970) and since which generation it is no longer desired (G-07). */
  tombstone?: { since: number; generation: number };
  /** Its deletion was accepted; it stays here until it is confirmed gone (INV-25). When that was last asked, ms since 1970. */
  deleting?: number;
}

/** How far one operation has come. Steps are the desired set's; a new generation starts a new operation. */
export interface OperationProgress extends Omit<Operation, 'resources'> {
  /** Id of the sync request that asked for it; absent for automated ones. */
  sync?: string;
  prune: boolean;
  force: boolean;
  dryRun: boolean;
  /** Only these keys; hooks do not run then. */
  selected?: string[];
  /** Index of the step that is being worked on; the number of steps once all are done. */
  step: number;
  /** When this step began to wait for health, ms since 1970. */
  waitingSince?: number;
  /** Not before this time, ms since 1970 (after a failed try). */
  retryAt?: number;
  /** A counted retry: what failed is tried anew once `retryAt` has come. Until then its results are shown. */
  again?: boolean;
  /** Objects that were Degraded when pruning began: more of them stop it (G-08). */
  degraded?: number;
  /** The failure that SyncFail hooks are running for. */
  failure?: string;
  /** Hooks that have completed, by result key: what happens to their objects afterwards does not count. */
  completed?: string[];
  /** What was done with each object, by key; unchanged ones are left out. */
  results: Record<string, ResourceResult>;
}

/** What the agent persists of one application: enough to go on after any crash, without the cloud. */
export interface AppRecord {
  application: string;
  /** Of the root that is held: the newest that was ever accepted (INV-13). */
  generation: number;
  /** SHA-256 of the root's text. */
  rootDigest: string;
  /** What is fully applied. */
  applied?: { generation: number; revision: string; at: string };
  inventory: Map<string, InventoryEntry>;
  operation?: OperationProgress;
  /** The last sync request that was taken up. */
  handledSync?: string;
  /** Prunes that wait for somebody's confirmation. */
  hold?: PruneHold;
  /** How far a deletion order has come; `kept` are keys that were left in place on purpose. */
  deletion?: { state: 'running' | 'done'; kept?: string[] };
}

/** A record with the snapshot that it belongs to: the packed JSON of the signed root, and packed chunks by digest. */
export interface AppState {
  record: AppRecord;
  packedRoot: Buffer;
  chunks: Map<string, Buffer>;
}

interface StoredRecord extends Omit<AppRecord, 'inventory'> {
  format: 1;
  /** [key, uid, version, digest, flags and times that are set] */
  inventory: [string, string, string, string, Partial<InventoryEntry>?][];
}

/** The record as JSON text. */
export function encodeRecord(record: AppRecord): string {
  const inventory = [...record.inventory].map(([key, entry]): StoredRecord['inventory'][number] => {
    const { uid, version, digest, ...rest } = entry;
    return Object.keys(rest).length === 0 ? [key, uid, version, digest] : [key, uid, version, digest, rest];
  });
  return JSON.stringify({ format: 1, ...record, inventory } satisfies StoredRecord);
}

/** The inverse of `encodeRecord`; throws on anything else. */
export function decodeRecord(text: string): AppRecord {
  const { format, inventory, ...record } = JSON.parse(text) as StoredRecord;
  if (format !== 1) throw new TypeError(`unknown format ${String(format)}`);
  const entries = inventory.map(([key, uid, version, digest, rest]): [string, InventoryEntry] => [
    key,
    { uid, version, digest, ...rest },
  ]);
  return { ...record, inventory: new Map(entries) };
}

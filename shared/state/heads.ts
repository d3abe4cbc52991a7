import type { SignedRoot, SnapshotRoot } from '../domain/snapshot.ts';
import type { Bell } from '../ports/bell.ts';
import type { Clock } from '../ports/clock.ts';
import type { Signer } from '../ports/signer.ts';
import type { Row, StateStore } from '../ports/state-store.ts';
import { clusterKey, organisationKey, sortKeys } from './keys.ts';
import { eachRow } from './update.ts';

/**
 * The head of an application: the row `APP#…` of its cluster. The row's revision is the fence: the newest ticket that
 * decided about it. It is the snapshot's generation, or higher where a later job found that nothing had changed.
 */
export interface Head {
  application: string;
  generation: number;
  inputDigest: string;
  root: SignedRoot;
}

interface Change {
  application: string;
  at: number;
}

/** Changes are kept this long; an agent that was away for longer reads everything. */
const changeRetentionSeconds = 24 * 3600;

/** Takes a ticket (INV-05): call it before reading refs and configuration. */
export async function takeTicket(store: StateStore, organisation: string): Promise<number> {
  return store.increment(organisationKey(organisation), sortKeys.ticket);
}

export async function readHead(
  store: StateStore,
  organisation: string,
  cluster: string,
  application: string,
): Promise<Row<Head> | undefined> {
  return store.get<Head>(clusterKey(organisation, cluster), sortKeys.assignment(application));
}

/**
 * Signs a root and moves the head to it, if no later ticket has decided about the application (INV-05, INV-06).
 * All chunks must be durable before (INV-10). Returns false when superseded, which is success, not an error (FT-41).
 * With `expected` the head must still be exactly that row: for roots whose content was taken from it.
 */
export async function moveHead(
  deps: { store: StateStore; signer: Signer; bell: Bell; clock: Clock },
  root: SnapshotRoot,
  options: { expected?: Row<Head> | undefined } = {},
): Promise<boolean> {
  const text = JSON.stringify(root);
  const { signature, certificate } = await deps.signer.sign(root.organisation, text);
  const partition = clusterKey(root.organisation, root.cluster);
  const sort = sortKeys.assignment(root.application);
  const value: Head = {
    application: root.application,
    generation: root.generation,
    inputDigest: root.inputDigest,
    root: { root: text, signature, certificate },
  };
  const condition =
    options.expected === undefined ? { revisionBelow: root.generation } : { revision: options.expected.revision };
  const moved = await deps.store.put({ partition, sort, revision: root.generation, value }, condition);
  if (!moved) {
    // A retry after a write whose answer was lost finds its own generation: that is success, and the change still has to be announced.
    const row = await deps.store.get<Head>(partition, sort);
    if (row?.value.generation !== root.generation) return false;
  }
  await announce(deps, root.organisation, root.cluster, root.application);
  return true;
}

/** Raises the cluster's HEAD, writes the change, wakes the agent: in this order. */
async function announce(
  deps: { store: StateStore; bell: Bell; clock: Clock },
  organisation: string,
  cluster: string,
  application: string,
): Promise<void> {
  const partition = clusterKey(organisation, cluster);
  const version = await deps.store.increment(partition, sortKeys.head);
  const now = deps.clock.now();
  const change: Change = { application, at: now };
  await deps.store.put({
    partition,
    sort: sortKeys.change(version),
    revision: version,
    value: change,
    expiresAt: Math.floor(now / 1000) + changeRetentionSeconds,
  });
  deps.bell.ring(`cluster:${organisation}/${cluster}`, JSON.stringify({ type: 'wake', version }));
}

/** Removes an application from its cluster's list. The agent does nothing about that (INV-26). */
export async function dropHead(
  store: StateStore,
  organisation: string,
  cluster: string,
  application: string,
): Promise<void> {
  await store.remove(clusterKey(organisation, cluster), sortKeys.assignment(application));
}

export async function readVersion(store: StateStore, organisation: string, cluster: string): Promise<number> {
  return (await store.get(clusterKey(organisation, cluster), sortKeys.head))?.revision ?? 0;
}

/** How long a version without its change row may stay a hole before its publisher counts as dead. */
const holePatienceMs = 2000;

/**
 * What changed in a cluster after version `after`: the heads, and the version they bring the reader to.
 * Reads the change rows that follow without a gap. A gap (expired, or a publisher between its two writes) ends the
 * answer there; one that does not close makes the answer complete (`scope: 'all'`).
 */
export async function readChanges(
  deps: { store: StateStore; clock: Clock },
  organisation: string,
  cluster: string,
  after: number,
): Promise<{ version: number; scope: 'all' | 'changes'; heads: Head[] }> {
  const version = await readVersion(deps.store, organisation, cluster);
  if (after === 0 || after > version) return readAll(deps.store, organisation, cluster, version);
  if (after === version) return { version, scope: 'changes', heads: [] };
  const partition = clusterKey(organisation, cluster);
  const { rows } = await deps.store.query<Change>(partition, {
    prefix: 'CHANGE#',
    after: sortKeys.change(after),
    limit: 1000,
  });
  const applications = new Set<string>();
  let reached = after;
  for (const row of rows) {
    if (row.revision !== reached + 1) break;
    reached = row.revision;
    applications.add(row.value.application);
  }
  if (reached === after) {
    const following = rows[0];
    const holeIsOld = following !== undefined && deps.clock.now() - following.value.at > holePatienceMs;
    if (holeIsOld || (following === undefined && version - after > 1))
      return readAll(deps.store, organisation, cluster, version);
    return { version: after, scope: 'changes', heads: [] };
  }
  const found = await deps.store.getMany<Head>(
    [...applications].map((application) => ({ partition, sort: sortKeys.assignment(application) })),
  );
  return { version: reached, scope: 'changes', heads: found.map((row) => row.value) };
}

async function readAll(store: StateStore, organisation: string, cluster: string, version: number) {
  const heads: Head[] = [];
  for await (const row of eachRow<Head>(store, clusterKey(organisation, cluster), 'APP#')) heads.push(row.value);
  return { version, scope: 'all' as const, heads };
}

/** The root inside a head, parsed: the service wrote it, so it is trusted here. */
export function rootOf(head: Head): SnapshotRoot {
  return JSON.parse(head.root.root) as SnapshotRoot;
}

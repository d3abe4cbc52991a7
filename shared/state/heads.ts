import type { SignedRoot, SnapshotRoot } from '../domain/snapshot.ts';
import type { Bell } from '../ports/bell.ts';
import type { Clock } from '../ports/clock.ts';
import type { Signer } from '../ports/signer.ts';
import type { Row, StateStore } from '../ports/state-store.ts';
import { clusterKey, organisationKey, sortKeys } from './keys.ts';
import { eachRow } from './update.ts';

/**
 * The head of an application: the row `APP#…` of its cluster. The row's revision is the fence: the newest ticket that
 * decided about it. It is the snapshot's generation, or higher where a later plan found that nothing had changed.
 */
export interface Head extends Decision {
  application: string;
  generation: number;
  inputDigest: string;
  root: SignedRoot;
}

/** What the service remembers about how a head came about; agents have no use for it. */
export interface Decision {
  /** Generation that published this content first; a request (sync, suspend) takes it over as it is. */
  contentOf: number;
  /** Newest ticket that decided what the content is: of a plan or a rollback. Requests decide nothing about it. */
  decided: number;
  /** Ticket of the request that made this generation; absent where a plan did. */
  request?: number;
  /** Tickets of people's requests that have become generations: a second delivery finds itself here. Newest last. */
  served: number[];
  /** Digest of the chunk that holds the objects which the service registers instead of sending them (app of apps). */
  declared?: string;
  /** After a rollback: the input digest of what Git gave. The rollback stays until Git gives something else. */
  rolledBackFrom?: string;
  /** Kinds (`group/Kind`) of which nobody knew whether they live in namespaces. */
  guessed?: string[];
}

/** What happened in a cluster at one version: an application's head moved, or its agent is to say everything again. */
interface Change {
  application?: string;
  resend?: true;
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
  const { partition, sort } = headKey(organisation, cluster, application);
  return store.get<Head>(partition, sort);
}

/** What moving a head needs. */
export interface HeadDeps {
  store: StateStore;
  signer: Signer;
  bell: Bell;
  clock: Clock;
}

/**
 * Signs a root and moves the head to it, if the head still is the row `expected` (undefined: there is none) that the
 * caller decided upon (INV-05, INV-06). All chunks must be durable before (INV-10). False when it is another by now.
 */
export async function moveHead(
  deps: HeadDeps,
  root: SnapshotRoot,
  decision: Decision,
  expected: Row<Head> | undefined,
): Promise<boolean> {
  const text = JSON.stringify(root);
  const { signature, certificate } = await deps.signer.sign(root.organisation, text);
  const { organisation, cluster, application, generation, inputDigest } = root;
  const value: Head = {
    application,
    generation,
    inputDigest,
    ...decision,
    root: { root: text, signature, certificate },
  };
  const row = { ...headKey(organisation, cluster, application), revision: generation, value };
  const condition = expected === undefined ? ({ absent: true } as const) : { revision: expected.revision };
  if (!(await deps.store.put(row, condition))) return false;
  await announce(deps, organisation, cluster, { application });
  return true;
}

/** What a request takes over from the head that it repeats. */
export function decisionOf({ contentOf, decided, served, declared, guessed, rolledBackFrom }: Head): Decision {
  return {
    contentOf,
    decided,
    served,
    ...(declared === undefined ? {} : { declared }),
    ...(guessed === undefined ? {} : { guessed }),
    ...(rolledBackFrom === undefined ? {} : { rolledBackFrom }),
  };
}

/** The input digest of what Git gave when this head was decided; a rollback holds other content than that. */
export function givenByGit(head: Head): string {
  return head.rolledBackFrom ?? head.inputDigest;
}

/** Says again that a head moved: whoever moved it may have died before it could. */
export async function announceHead(deps: HeadDeps, root: SnapshotRoot): Promise<void> {
  await announce(deps, root.organisation, root.cluster, { application: root.application });
}

/**
 * A plan or a publisher with this ticket finds the head as it should be; false when it is another by now.
 * The fence must rise: to the ticket itself, or to a later one where a request's has passed it.
 */
export async function confirmHead(
  store: StateStore,
  head: Row<Head>,
  ticket: number,
  fence: number = ticket,
): Promise<boolean> {
  const value: Head = { ...head.value, decided: ticket };
  return store.put({ ...head, revision: fence, value }, { revision: head.revision });
}

/** What a certificate must still have left: an agent needs time to take the root in. */
const freshMs = 3600_000;

/**
 * Signs a head's root again, as it is, where its certificate has ended or is about to: a new agent must be able to take in
 * what was published long ago. Nothing else changes, the fence included. False when the head is another by now.
 */
export async function renewHead(deps: HeadDeps, organisation: string, head: Row<Head>): Promise<boolean> {
  const { root, certificate } = head.value.root;
  if (Date.parse(certificate.notAfter) > deps.clock.now() + freshMs) return true;
  const value: Head = { ...head.value, root: { root, ...(await deps.signer.sign(organisation, root)) } };
  if (!(await deps.store.put({ ...head, value }, { revision: head.revision }))) return false;
  await announceHead(deps, rootOf(value));
  return true;
}

/** Asks a cluster's agent to report everything again: durable, and seen with the next poll (INV-32). */
export async function askForAll(
  deps: Pick<HeadDeps, 'store' | 'bell' | 'clock'>,
  organisation: string,
  cluster: string,
): Promise<void> {
  await announce(deps, organisation, cluster, { resend: true });
}

/** Raises the cluster's HEAD, writes the change, wakes the agent: in this order. */
async function announce(
  deps: Pick<HeadDeps, 'store' | 'bell' | 'clock'>,
  organisation: string,
  cluster: string,
  what: Omit<Change, 'at'>,
): Promise<void> {
  const partition = clusterKey(organisation, cluster);
  const version = await deps.store.increment(partition, sortKeys.head);
  const now = deps.clock.now();
  const change: Change = { ...what, at: now };
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
export const holePatienceMs = 2000;

/** What an agent that knows a cluster up to some version has to take in. */
export interface Changes {
  version: number;
  scope: 'all' | 'changes';
  heads: Head[];
  /** The agent is to report everything again. */
  resend: boolean;
  /** There is more, which a publisher is just writing: look again soon. */
  unfinished: boolean;
}

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
): Promise<Changes> {
  const version = await readVersion(deps.store, organisation, cluster);
  const everything = (resend: boolean) => readAll(deps.store, organisation, cluster, version, resend);
  // A reader from the future: the store went back in time, and what was reported since is lost with it (FT-49).
  // A reader from 0 has just started, and says everything by itself: wishes in the rows were for the process before it.
  // (One that nobody reads is lost only where an agent's reports arrive and its polls do not, from its start on.)
  if (after === 0 || after > version) return everything(after > version);
  const nothing: Changes = { version: after, scope: 'changes', heads: [], resend: false, unfinished: false };
  if (after === version) return nothing;
  const partition = clusterKey(organisation, cluster);
  const { rows } = await deps.store.query<Change>(partition, {
    prefix: 'CHANGE#',
    after: sortKeys.change(after),
    limit: 1000,
  });
  const applications = new Set<string>();
  let resend = false;
  let reached = after;
  for (const row of rows) {
    if (row.revision !== reached + 1) break;
    reached = row.revision;
    if (row.value.application !== undefined) applications.add(row.value.application);
    resend ||= row.value.resend === true;
  }
  if (reached === after) {
    const following = rows[0];
    // Rows vanish in order: where none follows and the reader's own is gone, it was away for longer than they are kept.
    const isOld =
      following === undefined
        ? (await deps.store.get(partition, sortKeys.change(after))) === undefined
        : deps.clock.now() - following.value.at > holePatienceMs;
    // The hole may have held the wish to hear everything again.
    return isOld ? everything(true) : { ...nothing, unfinished: true };
  }
  const found = await deps.store.getMany<Head>(
    [...applications].map((application) => headKey(organisation, cluster, application)),
  );
  const heads = found.map((row) => row.value);
  return { version: reached, scope: 'changes', heads, resend, unfinished: reached < version };
}

async function readAll(
  store: StateStore,
  organisation: string,
  cluster: string,
  version: number,
  resend: boolean,
): Promise<Changes> {
  const heads: Head[] = [];
  for await (const row of eachRow<Head>(store, clusterKey(organisation, cluster), 'APP#')) heads.push(row.value);
  return { version, scope: 'all', heads, resend, unfinished: false };
}

function headKey(organisation: string, cluster: string, application: string): { partition: string; sort: string } {
  return { partition: clusterKey(organisation, cluster), sort: sortKeys.assignment(application) };
}

/** The root inside a head, parsed: the service wrote it, so it is trusted here. */
export function rootOf(head: Head): SnapshotRoot {
  return JSON.parse(head.root.root) as SnapshotRoot;
}

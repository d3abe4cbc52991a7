import { HawserError } from '../../errors.ts';
import { parseCommit, parseTree } from './git-object.ts';
import type { ObjectStore } from './object-store.ts';
import { readPack } from './pack-reader.ts';
import type { PackReport, PackedObject } from './pack-reader.ts';
import { requestPack } from './pack-request.ts';
import type { PackAnswer, PackRequest } from './pack-request.ts';
import type { Remote, RemoteContext } from './remote.ts';

/** What fetching needs to know. */
export interface FetchContext extends RemoteContext {
  store: ObjectStore;
  folder: string;
}

export interface CommitFetch {
  commit: string;
  /** Commits whose trees are at hand. */
  haves: readonly string[];
  /** Ask for small changed files along with the trees. */
  eager: boolean;
}

const REPAIRS = 3;
const REPAIR_WANTS = 2000;

/**
 * Brings a commit with all its trees into the store, by what is new since commits at hand.
 *
 * The first request claims the whole history of what is at hand, so that the host sends what differs and no old history,
 * which a shallow client gets with every merge. Where that hides a tree (one that only an older commit had: a revert),
 * the missing trees are asked for by id. A response that grows past a limit is dropped for one that is bounded by the
 * difference alone. Resolves to whether the eager request was worth it.
 */
export async function fetchCommit(
  context: FetchContext,
  remote: Remote,
  fetch: CommitFetch,
): Promise<{ overflow: boolean }> {
  const filter = fetch.eager ? `blob:limit=${context.limits.eagerBlobBytes}` : 'blob:none';
  const wants = [fetch.commit];
  let overflow = false;
  if (fetch.haves.length > 0) {
    const first = { wants, haves: fetch.haves, thin: true, filter };
    overflow = (await tryFetch(context, remote, fetch.commit, first, context.limits.eagerResponseBytes)) === 'overflow';
    const second = { wants, haves: fetch.haves, thin: true, shallow: true, filter: 'blob:none' };
    if (overflow) await tryFetch(context, remote, fetch.commit, second);
    if (context.store.has(fetch.commit)) return { overflow };
  }
  await tryFetch(context, remote, fetch.commit, { wants, shallow: true, filter: 'blob:none' });
  if (context.store.has(fetch.commit)) return { overflow };
  throw new HawserError('repository-unreachable', `The Git host did not send all of commit ${fetch.commit}`, {
    retry: 'later',
  });
}

/** Brings files into the store by their ids; which of them came is seen in the store. */
export async function fetchBlobs(context: FetchContext, remote: Remote, oids: readonly string[]): Promise<PackReport> {
  const pack = await requestPack(context, remote, { wants: oids }, { folder: context.folder });
  const writer = context.store.writer();
  try {
    const report = await receive(context, pack, (object) => writer.add(object));
    writer.commit();
    return report;
  } catch (error) {
    writer.discard();
    throw error;
  }
}

/** Stores what came only where it makes the commit whole. */
async function tryFetch(
  context: FetchContext,
  remote: Remote,
  commit: string,
  request: PackRequest,
  maxBytes?: number,
): Promise<'overflow' | 'done'> {
  const { store, folder } = context;
  const pack = await requestPack(context, remote, request, { folder, ...(maxBytes === undefined ? {} : { maxBytes }) });
  if (pack === 'overflow') return 'overflow';
  // A shallow answer holds this commit alone and may be large; others bring commits in between, whose trees need not be whole.
  const staging = createStaging(store, { holdBack: request.shallow !== true });
  let isDone = false;
  try {
    await receive(context, pack, staging.add);
    let missing = staging.missing(commit);
    // Without the commit itself (it is older than what is at hand) there is nothing to mend: by its id it came with its history.
    for (let round = 0; staging.has(commit) && missing.length > 0 && canRepair(remote, missing, round); round += 1) {
      const more = await requestPack(context, remote, { wants: missing, filter: 'blob:none' }, { folder });
      await receive(context, more, staging.add);
      missing = staging.missing(commit);
    }
    isDone = missing.length === 0;
    return 'done';
  } finally {
    if (isDone) staging.commit();
    else staging.discard();
  }
}

async function receive(
  { store, limits }: FetchContext,
  pack: PackAnswer,
  visit: (object: PackedObject) => void,
): Promise<PackReport> {
  if (pack === 'overflow') throw new Error('unreachable: no limit below LIM-03 was asked for');
  try {
    return await readPack(pack, { limits, base: (oid) => store.read(oid), visit });
  } finally {
    pack.dispose();
  }
}

function canRepair(remote: Remote, missing: readonly string[], round: number): boolean {
  return remote.anyObject && round < REPAIRS && missing.length <= REPAIR_WANTS;
}

/** Objects that have come but are not stored yet, and what is below each commit and tree among them. */
function createStaging(store: ObjectStore, { holdBack }: { holdBack: boolean }) {
  const writer = store.writer();
  const held: PackedObject[] = [];
  const below = new Map<string, string[]>();
  let reachable = new Set<string>();
  return {
    add(object: PackedObject): void {
      const { oid, type, content } = object;
      if (type === 'commit') below.set(oid, [parseCommit(oid, content).tree]);
      if (type === 'tree')
        below.set(
          oid,
          parseTree(content).flatMap((entry) => (entry.type === 'tree' ? [entry.oid] : [])),
        );
      if (holdBack) held.push(object);
      else writer.add(object);
    },
    has: (oid: string): boolean => below.has(oid) || store.has(oid),
    /** Ids below the commit that are neither here nor stored. */
    missing(commit: string): string[] {
      const missing: string[] = [];
      const pending = [commit];
      reachable = new Set(pending);
      for (let oid = pending.pop(); oid !== undefined; oid = pending.pop()) {
        const children = below.get(oid);
        if (children === undefined && !store.has(oid)) missing.push(oid);
        for (const child of children ?? []) {
          if (reachable.has(child)) continue;
          reachable.add(child);
          pending.push(child);
        }
      }
      return missing;
    },
    commit(): void {
      for (const object of held) if (object.type === 'blob' || reachable.has(object.oid)) writer.add(object);
      writer.commit();
    },
    discard: () => writer.discard(),
  };
}

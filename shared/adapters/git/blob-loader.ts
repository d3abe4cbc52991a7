import { HawserError, isRetryable } from '../../errors.ts';
import type { RepositoryAccess } from '../../ports/git-source.ts';
import { fetchBlobs } from './commit-fetch.ts';
import type { FetchContext } from './commit-fetch.ts';
import type { GitLimits } from './limits.ts';
import type { ObjectStore } from './object-store.ts';
import type { Remote, RemoteContext } from './remote.ts';

/** What the loader works with. */
export interface BlobLoaderOptions {
  store: ObjectStore;
  limits: GitLimits;
  contextOf: (access: RepositoryAccess) => FetchContext;
  withRemote: <T>(context: RemoteContext, use: (remote: Remote) => Promise<T>) => Promise<T>;
  inSequence: <T>(task: () => Promise<T>) => Promise<T>;
  /** undefined where absent or damaged. */
  tryRead: (oid: string) => Uint8Array | undefined;
  forget: () => void;
}

/** Files by id. `refetch` is how to get all files of the commit from a host that serves no object by id. */
export type LoadBlobs = (
  access: RepositoryAccess,
  oids: readonly string[],
  refetch: () => Promise<void>,
) => Promise<Map<string, Uint8Array>>;

interface Batch {
  oids: Set<string>;
  done: Promise<Loaded>;
  callers: number;
}

interface Loaded {
  /** False where the host serves no object by id. */
  served: boolean;
  /** Files past LIM-06 that came, and were left out. */
  oversized: number;
}

const WANTS = 4000;

/**
 * Loads files in few requests: what many callers ask for while a request runs goes into the next one.
 * A batch that fails for good is tried again by each of its callers alone, so that one bad file hurts its own
 * application only.
 */
export function createBlobLoader(options: BlobLoaderOptions): LoadBlobs {
  const { store, inSequence } = options;
  let next: Batch | undefined;

  async function load(access: RepositoryAccess, oids: readonly string[]): Promise<Loaded> {
    const context = options.contextOf(access);
    const loaded = { served: true, oversized: 0 };
    const absent = oids.filter((oid) => !store.has(oid));
    for (let at = 0; at < absent.length && loaded.served; at += WANTS) {
      const wants = absent.slice(at, at + WANTS);
      await options.withRemote(context, async (remote) => {
        loaded.served = remote.anyObject;
        if (remote.anyObject) loaded.oversized += (await fetchBlobs(context, remote, wants)).oversized;
      });
    }
    return loaded;
  }

  /** Joins the batch that has not started yet. */
  function join(access: RepositoryAccess, oids: readonly string[]): Batch {
    if (next === undefined) {
      const batch: Batch = { oids: new Set(), done: Promise.resolve({ served: true, oversized: 0 }), callers: 0 };
      next = batch;
      batch.done = inSequence(async () => {
        // Whoever runs in this turn of the event loop can still join.
        await new Promise((resolve) => setImmediate(resolve));
        if (next === batch) next = undefined;
        return load(access, [...batch.oids]);
      });
    }
    for (const oid of oids) next.oids.add(oid);
    next.callers += 1;
    return next;
  }

  async function loadShared(access: RepositoryAccess, oids: readonly string[]): Promise<Loaded> {
    const batch = join(access, oids);
    try {
      return await batch.done;
    } catch (error) {
      if (batch.callers === 1 || isRetryable(error)) throw error;
      return inSequence(() => load(access, oids));
    }
  }

  return async function loadBlobs(access, oids, refetch) {
    const contents = new Map<string, Uint8Array>();
    let missing = [...new Set(oids)];
    // The first round reads what is at hand, the second what was loaded, the third is for a cache that was damaged.
    for (let round = 0; missing.length > 0; round += 1) {
      const loaded = round === 0 ? undefined : await loadShared(access, missing);
      if (loaded?.served === false) await refetch();
      missing = missing.filter((oid) => !keep(contents, oid));
      const isDamaged = missing.some((oid) => store.has(oid));
      if (isDamaged) options.forget();
      if (loaded !== undefined && missing.length > 0 && (!isDamaged || round > 1))
        throw absentError(options, loaded, missing);
    }
    return contents;
  };

  function keep(contents: Map<string, Uint8Array>, oid: string): boolean {
    const content = store.has(oid) ? options.tryRead(oid) : undefined;
    if (content !== undefined) contents.set(oid, content);
    return content !== undefined;
  }
}

function absentError(
  { limits }: BlobLoaderOptions,
  { served, oversized }: Loaded,
  oids: readonly string[],
): HawserError {
  if (served && oversized === 0) {
    return new HawserError('repository-unreachable', `The Git host did not send ${oids.length} files`, {
      retry: 'later',
    });
  }
  return new HawserError('source-too-large', `A file is larger than ${limits.blobBytes} bytes (LIM-06)`, {
    data: { limit: 'LIM-06', bytes: limits.blobBytes, oids: oids.slice(0, 10) },
  });
}

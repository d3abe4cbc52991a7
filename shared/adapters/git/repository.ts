import { HawserError, messageOf } from '../../errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { GitTree, RepositoryAccess, ResolvedRevision } from '../../ports/git-source.ts';
import type { Log } from '../../ports/log.ts';
import { createBlobLoader } from './blob-loader.ts';
import { fetchCommit } from './commit-fetch.ts';
import type { FetchContext } from './commit-fetch.ts';
import { consolidate } from './consolidate.ts';
import { parseCommit, parseTree } from './git-object.ts';
import type { Commit } from './git-object.ts';
import type { GitLimits } from './limits.ts';
import { openObjectStore, readOpenedCommits, writeOpenedCommits } from './object-store.ts';
import { createNextRun, createSequence } from './one-at-a-time.ts';
import { discover, listRefs } from './remote.ts';
import type { Connection, Remote, RemoteContext } from './remote.ts';
import { allRefPrefixes, notFound, queryOf } from './revision.ts';
import type { NamedTree, TreeCache } from './tree-cache.ts';
import { compareTrees, findEntry, listEntries } from './tree-walk.ts';

/** One remote repository and what of it is at hand. */
export interface Repository {
  resolve(access: RepositoryAccess, revision: string): Promise<ResolvedRevision>;
  open(access: RepositoryAccess, commit: string): Promise<GitTree>;
  changedPaths(access: RepositoryAccess, from: string, to: GitTree): Promise<string[] | undefined>;
}

export interface RepositoryOptions {
  folder: string;
  connect: (access: RepositoryAccess) => Connection;
  /** Bytes received from remotes since the start. */
  received: () => number;
  trees: TreeCache;
  limits: GitLimits;
  clock: Clock;
  log: Log;
}

/** How long a host's capabilities are believed, and how long a repository whose changes are large is not asked for files. */
const REMEMBER_MS = 10 * 60 * 1000;
const hostErrors = new Set(['repository-unreachable', 'repository-auth-failed', 'unsupported']);

/** Everything that is known of one repository; fetches run one at a time. */
export async function createRepository(options: RepositoryOptions): Promise<Repository> {
  const { folder, received, trees, limits, clock, log } = options;
  const store = await openObjectStore(folder, log);
  const inSequence = createSequence();
  const shareNext = createNextRun<ResolvedRevision>();
  const opening = new Map<string, Promise<void>>();
  let opened = readOpenedCommits(folder).filter((oid) => store.has(oid));
  let known: { remote: Remote; at: number } | undefined;
  let eagerFrom = 0;

  function contextOf(access: RepositoryAccess): FetchContext {
    return { connection: options.connect(access), limits, access, store, folder };
  }

  /** The host's capabilities; asked again after a while, and after any failure that a change of host could explain. */
  async function withRemote<T>(
    context: RemoteContext,
    use: (remote: Remote) => Promise<T>,
    refresh = false,
  ): Promise<T> {
    try {
      const isFresh = known !== undefined && clock.monotonic() - known.at < REMEMBER_MS;
      // Protocol 0 gives the refs with its greeting: what was read before is old.
      if (known === undefined || !isFresh || (refresh && known.remote.version === 0)) {
        known = { remote: await discover(context), at: clock.monotonic() };
      }
      return await use(known.remote);
    } catch (error) {
      if (error instanceof HawserError && hostErrors.has(error.code)) known = undefined;
      throw error;
    }
  }

  async function resolveNow(access: RepositoryAccess, revision: string): Promise<ResolvedRevision> {
    const context = contextOf(access);
    const query = queryOf(revision);
    if (query.kind === 'commit') return { commit: query.commit, ref: query.commit };
    return withRemote(
      context,
      async (remote) => {
        const found = query.pick(await listRefs(context, remote, query.prefixes));
        if (found !== undefined) return found;
        const all = await listRefs(context, remote, allRefPrefixes);
        const commit = commitLike(
          revision,
          all.map(({ peeled, oid }) => peeled ?? oid),
        );
        if (commit !== undefined) return { commit, ref: commit };
        throw notFound(revision, all);
      },
      true,
    );
  }

  /** A short id of a commit that is at hand or that a ref names; `undefined` where it is none, or two. */
  function commitLike(revision: string, named: readonly string[]): string | undefined {
    if (!/^[0-9a-f]{4,39}$/.test(revision)) return undefined;
    const matches = new Set([...store.commitsLike(revision), ...named.filter((oid) => oid.startsWith(revision))]);
    return matches.size === 1 ? [...matches][0] : undefined;
  }

  /** Makes sure that the commit is at hand; callers for the same commit share one fetch (FT-26). */
  function ensure(access: RepositoryAccess, commit: string): Promise<void> {
    if (opened.includes(commit) && store.has(commit)) return Promise.resolve();
    const shared = opening.get(commit);
    if (shared !== undefined) return shared;
    const run = inSequence(() => fetch(access, commit)).finally(() => opening.delete(commit));
    opening.set(commit, run);
    return run;
  }

  async function fetch(access: RepositoryAccess, commit: string): Promise<void> {
    const context = contextOf(access);
    const haves = opened.filter((oid) => store.has(oid));
    const eager = clock.monotonic() >= eagerFrom;
    const started = clock.monotonic();
    const before = received();
    const { overflow } = await withRemote(context, (remote) => fetchCommit(context, remote, { commit, haves, eager }));
    if (overflow) eagerFrom = clock.monotonic() + REMEMBER_MS;
    remember(commit);
    const milliseconds = Math.round(clock.monotonic() - started);
    log.debug({ commit, bytes: received() - before, milliseconds, haves: haves.length }, 'fetched a commit');
  }

  function touch(commit: string): void {
    if (opened[0] !== commit) opened = [commit, ...opened.filter((oid) => oid !== commit)].slice(0, limits.keptCommits);
  }

  function remember(commit: string): void {
    touch(commit);
    const noted = opened;
    void store.settled().then(() => writeOpenedCommits(folder, noted));
    if (store.packCount() > limits.storedPacks) void inSequence(tidy);
  }

  async function tidy(): Promise<void> {
    try {
      await consolidate(store, { commits: opened, limits });
    } catch (error) {
      log.warn({ folder, error: messageOf(error) }, 'Git cache is thrown away: it cannot be tidied');
      forget();
    }
  }

  function forget(): void {
    store.clear();
    opened = [];
  }

  /** Reads an object that must be at hand but is damaged or gone: the cache is thrown away and the commit fetched again. */
  async function recover(access: RepositoryAccess, commit: string, oid: string): Promise<Buffer> {
    log.warn({ folder, oid }, 'Git cache lacks an object and is thrown away');
    // Others may have found it out before, and wait for the fetch already.
    if (!opening.has(commit) && opened.includes(commit)) forget();
    await ensure(access, commit);
    const found = tryRead(oid);
    if (found !== undefined) return found;
    throw new HawserError('repository-unreachable', `Object ${oid} of commit ${commit} cannot be had`, {
      retry: 'later',
    });
  }

  function tryRead(oid: string): Buffer | undefined {
    try {
      return store.read(oid)?.content;
    } catch (error) {
      log.warn({ folder, oid, error: messageOf(error) }, 'Git cache holds a damaged object');
      return undefined;
    }
  }

  /** Nothing is awaited between a miss and its mend, so that many walkers parse a tree once. */
  async function readTree(access: RepositoryAccess, commit: string, oid: string): Promise<NamedTree> {
    const cached = trees.get(oid);
    if (cached !== undefined) return cached;
    return trees.set(oid, parseTree(tryRead(oid) ?? (await recover(access, commit, oid))));
  }

  async function readCommit(access: RepositoryAccess, commit: string): Promise<Commit> {
    return parseCommit(commit, tryRead(commit) ?? (await recover(access, commit, commit)));
  }

  const loadBlobs = createBlobLoader({ store, limits, contextOf, withRemote, inSequence, tryRead, forget });

  return {
    resolve(access, revision) {
      return shareNext(revision, () => resolveNow(access, revision));
    },
    async open(access, commit) {
      await ensure(access, commit);
      const { tree, info } = await readCommit(access, commit);
      touch(commit);
      const read = (oid: string): Promise<NamedTree> => readTree(access, commit, oid);
      return {
        commit: info,
        rootOid: tree,
        entry: (path) => findEntry(tree, path, read),
        list: (path) => listEntries(tree, path, read),
        blobs: (oids) => loadBlobs(access, oids, () => refetch(access, commit)),
      };
    },
    async changedPaths(access, from, to) {
      if (!opened.includes(from) || !store.has(from)) return undefined;
      const { tree } = await readCommit(access, from);
      return compareTrees(tree, to.rootOid, (oid) => readTree(access, to.commit.sha, oid), limits);
    },
  };

  /** For hosts that serve no object by its id: the commit again, with all of its files. */
  async function refetch(access: RepositoryAccess, commit: string): Promise<void> {
    forget();
    await ensure(access, commit);
  }
}

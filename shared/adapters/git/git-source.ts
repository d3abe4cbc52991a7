import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { sha256 } from '../../domain/digest.ts';
import { requireId } from '../../domain/ids.ts';
import type { Clock } from '../../ports/clock.ts';
import type { GitSource, RepositoryAccess } from '../../ports/git-source.ts';
import type { Log } from '../../ports/log.ts';
import { repositoryUrl } from './address.ts';
import { createAuthoriser } from './authorise.ts';
import type { CodeCommitLogin } from './authorise.ts';
import { createAppTokens } from './github-app.ts';
import { createHttpConnection } from './http-connection.ts';
import { createTransport } from './http-transport.ts';
import { defaultGitLimits } from './limits.ts';
import type { GitLimits } from './limits.ts';
import { createRepository } from './repository.ts';
import type { Repository } from './repository.ts';
import { createSshHosts } from './ssh-connection.ts';
import { createTreeCache } from './tree-cache.ts';

/** What a Git source needs. */
export interface GitSourceOptions {
  /** A folder of this process alone; everything in it may be lost at any time. */
  cacheDir: string;
  clock: Clock;
  log: Log;
  limits?: Partial<GitLimits>;
  /** Plain http beyond loopback. Default: false. */
  allowInsecureHttp?: boolean;
  /** Refuse repositories in private networks (NT-80). Default: false. */
  denyPrivateAddresses?: boolean;
  /** How repositories of CodeCommit are read with the role that this runs as; absent: they are not. */
  codecommit?: CodeCommitLogin;
}

/**
 * Reads Git over smart HTTP(S) and ssh: protocol 2 with partial fetches, protocol 0 and hosts without filters by shallow ones.
 * What was fetched stays under `cacheDir/<organisation>/<repository>/`, bound to the URL it came from.
 */
export function createGitSource(options: GitSourceOptions): GitSource {
  const limits = { ...defaultGitLimits, ...options.limits };
  const rules = {
    allowInsecureHttp: options.allowInsecureHttp ?? false,
    denyPrivateAddresses: options.denyPrivateAddresses ?? false,
  };
  const { clock, log } = options;
  const transport = createTransport({ clock, limits, denyPrivateAddresses: rules.denyPrivateAddresses });
  const authoriser = createAuthoriser({
    appTokens: createAppTokens({ transport, clock, rules }),
    ...(options.codecommit === undefined ? {} : { codecommit: options.codecommit }),
  });
  const ssh = createSshHosts({ clock, limits, denyPrivateAddresses: rules.denyPrivateAddresses });
  const received = (): number => transport.received() + ssh.received();
  const trees = createTreeCache(limits.treeCacheBytes);
  const repositories = new Map<string, Promise<Repository>>();

  /** Validates the access anew on every call; the folder follows from ids and the URL's digest, never from remote text. */
  async function repositoryOf(access: RepositoryAccess): Promise<Repository> {
    const url = repositoryUrl(access.url, rules);
    const parent = join(
      options.cacheDir,
      requireId(access.organisation, 'organisation'),
      requireId(access.repository, 'repository'),
    );
    const name = sha256(url.href).slice(0, 16);
    const folder = join(parent, name);
    const existing = repositories.get(folder);
    if (existing !== undefined) return existing;
    // What another URL gave must not be served under this one.
    for (const [other] of repositories) if (other.startsWith(join(parent, '/'))) repositories.delete(other);
    removeOthers(parent, name);
    const opened = createRepository({
      folder,
      connect: (current) =>
        url.protocol === 'ssh:'
          ? ssh.connect(current, url)
          : createHttpConnection({ transport, authoriser, access: current, url }),
      received,
      trees,
      limits,
      clock,
      log: log.child({ organisation: access.organisation, repository: access.repository }),
    });
    repositories.set(folder, opened);
    return opened;
  }

  return {
    resolve: async (access, revision) => (await repositoryOf(access)).resolve(access, revision),
    open: async (access, commit) => (await repositoryOf(access)).open(access, commit),
    changedPaths: async (access, from, to) => (await repositoryOf(access)).changedPaths(access, from, to),
    bytesFetched: received,
  };
}

function removeOthers(parent: string, kept: string): void {
  try {
    for (const name of readdirSync(parent))
      if (name !== kept) rmSync(join(parent, name), { recursive: true, force: true });
  } catch {
    // The folder does not exist yet.
  }
}

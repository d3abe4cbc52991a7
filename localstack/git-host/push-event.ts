import { createHash } from 'node:crypto';

import { openLooseObjects } from './loose-objects.ts';
import type { Commit, Person } from './loose-objects.ts';
import { pushedCommits } from './pushed-commits.ts';
import type { RefCommand } from './receive-log.ts';
import { defaultBranch } from './repositories.ts';

const COMMIT_LIMIT = 20;
// Reading is synchronous and comes before the webhook: this keeps it under a few milliseconds.
const READ_LIMIT = 100;

/** The body of a `push` webhook, in GitHub's shape, for one ref that has moved. */
export function pushEvent(push: { url: string; repository: string; path: string; command: RefCommand }): object {
  const { url, repository, path, command } = push;
  const { ref, before, after } = command;
  const created = isZero(before);
  const deleted = isZero(after);
  const htmlUrl = `${url}/${repository}`;
  const isTag = ref.startsWith('refs/tags/');
  const objects = openLooseObjects(path, READ_LIMIT);
  const head = isTag && !deleted ? objects.peel(after) : after;
  // A tag moves no branch: it brings no commits of its own.
  const { commits, forced } =
    deleted || isTag
      ? { commits: [], forced: false }
      : pushedCommits(objects, created ? undefined : before, head, COMMIT_LIMIT);
  const described = commits.map(({ oid, commit, paths }) => ({ ...describe(oid, commit, htmlUrl), ...paths }));
  const headCommit = deleted ? undefined : (commits.at(-1)?.commit ?? objects.commit(head));
  const owner = repository.includes('/') ? (repository.split('/')[0] ?? '') : 'demo';
  return {
    ref,
    before,
    after,
    created,
    deleted,
    forced,
    base_ref: null,
    compare: `${htmlUrl}/compare/${before.slice(0, 12)}...${after.slice(0, 12)}`,
    repository: {
      id: createHash('sha256').update(repository).digest().readUInt32BE(0),
      name: repository.split('/').at(-1),
      full_name: repository,
      owner: { name: owner, login: owner },
      clone_url: `${htmlUrl}.git`,
      html_url: htmlUrl,
      url: htmlUrl,
      default_branch: defaultBranch(path),
    },
    pusher: { name: headCommit?.committer.name ?? 'anonymous' },
    head_commit: deleted ? null : (described.at(-1) ?? describe(head, headCommit, htmlUrl)),
    commits: described,
  };
}

/** Whether an object id stands for "none". */
export function isZero(oid: string): boolean {
  return /^0+$/.test(oid);
}

/** A commit that could not be read cheaply keeps its id and address. */
function describe(oid: string, commit: Commit | undefined, htmlUrl: string): object {
  const url = `${htmlUrl}/commit/${oid}`;
  if (commit === undefined) return { id: oid, url };
  return {
    id: oid,
    tree_id: commit.tree,
    message: commit.message,
    timestamp: isoTime(commit.author),
    url,
    author: { name: commit.author.name, email: commit.author.email },
    committer: { name: commit.committer.name, email: commit.committer.email },
  };
}

/** In the author's own time zone, as GitHub writes it. */
function isoTime({ date, zone }: Person): string {
  const sign = zone.startsWith('-') ? -1 : 1;
  const minutes = sign * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(3, 5)));
  const local = new Date((date + minutes * 60) * 1000).toISOString().slice(0, 19);
  return `${local}${zone.slice(0, 3)}:${zone.slice(3)}`;
}

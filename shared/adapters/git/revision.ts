import { maxSatisfying, parse, validRange } from 'semver';

import { HawserError } from '../../errors.ts';
import type { ResolvedRevision } from '../../ports/git-source.ts';
import { commitOf, isOid } from './ref.ts';
import type { RemoteRef } from './ref.ts';

/** How a revision is to be looked up. */
export type RevisionQuery =
  | { kind: 'commit'; commit: string }
  | { kind: 'refs'; prefixes: string[]; pick(refs: readonly RemoteRef[]): ResolvedRevision | undefined };

const NAME_LENGTH = 256;
/** Every ref that a person would name; for messages and short ids. */
export const allRefPrefixes = ['HEAD', 'refs/heads/', 'refs/tags/'];

/**
 * Reads a revision: HEAD or '', a full ref name, a branch, a tag, a full commit id, or a semver range over tags.
 * A branch and a tag of the same name: the branch wins; a full ref name says which one is meant (NT-11).
 * `invalid-input` for what can be no revision (NT-25).
 */
export function queryOf(revision: string): RevisionQuery {
  if (revision.length > NAME_LENGTH || revision.startsWith('-') || /[\p{Cc}\p{Cf}\\]/u.test(revision)) {
    throw new HawserError(
      'invalid-input',
      `The revision ${JSON.stringify(revision.slice(0, 80))} is no name that Git knows`,
    );
  }
  if (isOid(revision)) return { kind: 'commit', commit: revision };
  if (revision === '' || revision === 'HEAD') return { kind: 'refs', prefixes: ['HEAD'], pick: pickHead };
  if (revision.startsWith('refs/'))
    return { kind: 'refs', prefixes: [revision], pick: (refs) => pickNamed(refs, [revision]) };
  const names = [`refs/heads/${revision}`, `refs/tags/${revision}`, `refs/${revision}`];
  // A version without its `v` means that tag too, as it would as a range.
  if (/^\d+\.\d+\.\d+/.test(revision)) names.push(`refs/tags/v${revision}`);
  const range = rangeOf(revision);
  if (range === undefined) return { kind: 'refs', prefixes: names, pick: (refs) => pickNamed(refs, names) };
  return {
    kind: 'refs',
    prefixes: [`refs/heads/${revision}`, 'refs/tags/'],
    pick: (refs) => pickNamed(refs, names) ?? pickHighest(refs, range),
  };
}

/** `revision-not-found` with the names that come nearest, or `repository-empty`. */
export function notFound(revision: string, refs: readonly RemoteRef[]): HawserError {
  const names = refs
    .filter(({ name }) => name !== 'HEAD')
    .map(({ name }) => name.replace(/^refs\/(?:heads|tags)\//, ''));
  if (names.length === 0) {
    return new HawserError('repository-empty', 'The repository has no commits yet', { hint: 'Push a first commit.' });
  }
  const nearest = nearestNames(revision, names);
  const sentence =
    rangeOf(revision) === undefined ? `The repository has no ref ${revision || 'HEAD'}` : `No tag matches ${revision}`;
  return new HawserError('revision-not-found', sentence, {
    data: { revision, nearest },
    hint: /^[0-9a-f]{4,39}$/.test(revision)
      ? 'Short commit ids are known only once the commit has been fetched: give all 40 digits.'
      : `The nearest names are ${nearest.join(', ')}.`,
  });
}

/** The 5 names with the fewest edits to `wanted`. */
export function nearestNames(wanted: string, names: Iterable<string>): string[] {
  const unique = [...new Set(names)].slice(0, 2000);
  const scored = unique.map((name) => ({ name, distance: distance(wanted.slice(0, 64), name.slice(0, 64)) }));
  return scored
    .sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
    .slice(0, 5)
    .map(({ name }) => name);
}

function pickHead(refs: readonly RemoteRef[]): ResolvedRevision | undefined {
  const head = refs.find(({ name }) => name === 'HEAD');
  return head === undefined ? undefined : { commit: commitOf(head), ref: head.target ?? 'HEAD' };
}

function pickNamed(refs: readonly RemoteRef[], names: readonly string[]): ResolvedRevision | undefined {
  for (const wanted of names) {
    const ref = refs.find(({ name }) => name === wanted);
    if (ref !== undefined) return { commit: commitOf(ref), ref: ref.name };
  }
  return undefined;
}

/** Highest match, as Argo CD and Flux choose: pre-releases only where the range names one, a leading `v` ignored. */
function pickHighest(refs: readonly RemoteRef[], range: string): ResolvedRevision | undefined {
  const byVersion = new Map<string, RemoteRef>();
  for (const ref of refs) {
    if (!ref.name.startsWith('refs/tags/')) continue;
    const version = versionOf(ref.name.slice('refs/tags/'.length));
    if (version !== undefined) byVersion.set(version, ref);
  }
  const highest = byVersion.get(maxSatisfying([...byVersion.keys()], range) ?? '');
  return highest === undefined ? undefined : { commit: commitOf(highest), ref: highest.name };
}

/** `v1.2` counts as 1.2.0, as in the library that the peers use. */
function versionOf(tag: string): string | undefined {
  const [, major, minor = '0'] = /^v?(\d{1,9})(?:\.(\d{1,9}))?$/.exec(tag) ?? [];
  const full = major === undefined ? tag : `${Number(major)}.${Number(minor)}.0`;
  return parse(full)?.version;
}

/** A range has an operator, a wildcard or two bounds; a plain version is the name of a tag. Commas mean «and». */
function rangeOf(revision: string): string | undefined {
  if (!/[*^~<>=|,]|\s|(?:^|\.)[xX](?:$|\.)/.test(revision)) return undefined;
  const range = revision.replaceAll(/,\s*/g, ' ').trim();
  return range !== '' && validRange(range) !== null ? range : undefined;
}

function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

import { isIP } from 'node:net';
import { HawserError } from '#shared/errors.ts';
import { sha256 } from '#shared/domain/digest.ts';
import type { Clock } from '#shared/ports/clock.ts';
import type { StateStore } from '#shared/ports/state-store.ts';
import { organisationKey, sortKeys } from '#shared/state/keys.ts';
import { updateRow } from '#shared/state/update.ts';

/** Failures that are forgiven within the window: of one source for one cluster, and of one source for all. */
const forgiven = { perCluster: 20, perSource: 200 };
const windowSeconds = 600;

/** The row `ATTEMPTS#digest`. */
interface Attempts {
  failures: number;
  /** Start of the window, ms since 1970. */
  since: number;
}

/** Who tries to be whom. */
export interface Attempt {
  organisation: string;
  cluster: string;
  /** Address of the sender; undefined where the platform does not say. */
  source: string | undefined;
}

type Deps = { organisation: string; store: StateStore; clock: Clock };

/**
 * Throws `rate-limited` for a source that has failed too often lately. What counts lies in the store, so neither a restart
 * nor a flood of other names resets it (NT-121); a source is limited for what it did itself, so that nobody can lock a
 * cluster out from elsewhere.
 */
export async function requireFewFailures(deps: Deps, attempt: Attempt): Promise<void> {
  const [cluster, source] = await Promise.all(sortsOf(attempt).map((sort) => read(deps, sort)));
  const full = [
    isFull(cluster, forgiven.perCluster, deps.clock.now()),
    isFull(source, forgiven.perSource, deps.clock.now()),
  ];
  if (full.includes(true)) throw tooMany();
}

/** Counts a failure; true for the first of its window from this source for this cluster. */
export async function countFailure(deps: Deps, attempt: Attempt): Promise<boolean> {
  const now = deps.clock.now();
  const [first] = await Promise.all(
    sortsOf(attempt).map(async (sort) => {
      const row = await updateRow<Attempts>(
        deps.store,
        organisationKey(deps.organisation),
        sort,
        (before) =>
          before === undefined || isOver(before, now)
            ? { failures: 1, since: now }
            : { ...before, failures: before.failures + 1 },
        { expiresAt: Math.ceil(now / 1000) + windowSeconds },
      ).catch((error: unknown) => {
        // So many at once that counting fails: that is an answer, too.
        if (error instanceof HawserError && error.code === 'conflict') throw tooMany();
        throw error;
      });
      return row?.value.failures === 1;
    }),
  );
  return first ?? false;
}

async function read(deps: Deps, sort: string): Promise<Attempts | undefined> {
  return (await deps.store.get<Attempts>(organisationKey(deps.organisation), sort))?.value;
}

function isFull(attempts: Attempts | undefined, limit: number, now: number): boolean {
  return attempts !== undefined && !isOver(attempts, now) && attempts.failures >= limit;
}

function isOver({ since }: Attempts, now: number): boolean {
  return now - since >= windowSeconds * 1000;
}

function sortsOf({ organisation, cluster, source }: Attempt): [string, string] {
  const from = networkOf(source);
  return [
    sortKeys.attempts(sha256(`${from} ${organisation}/${cluster}`).slice(0, 32)),
    sortKeys.attempts(sha256(from).slice(0, 32)),
  ];
}

/** Whoever has one IPv6 address has the 2^64 of its network. */
export function networkOf(source: string | undefined): string {
  if (source === undefined || isIP(source) === 0) return 'unknown';
  const [address = ''] = source.split('%');
  if (isIP(address) === 4) return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  const [head = '', tail] = address.toLowerCase().split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups =
    tail === undefined ? left : [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right];
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`;
}

function tooMany(): HawserError {
  return new HawserError('rate-limited', 'too many attempts from here have failed', {
    retry: 'later',
    hint: `Wait ${windowSeconds / 60} minutes, and see in the log of the agent why they fail.`,
    data: { retryAfterSeconds: windowSeconds },
  });
}

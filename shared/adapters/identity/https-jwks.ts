import { cloudIssuer, type CloudIssuer } from '../../domain/cloud-issuer.ts';
import { readKeySet, type PublicKey } from '../../domain/public-keys.ts';
import { HawserError, messageOf } from '../../errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { IssuerKeys } from '../../ports/issuer-keys.ts';
import type { Log } from '../../ports/log.ts';

export interface HttpsJwksDeps {
  clock: Clock;
  log: Log;
  /** Default: the global one. */
  fetch?: (url: string, init: RequestInit) => Promise<Response>;
}

interface Known {
  keys: PublicKey[];
  readAt: number;
}

/** What was read is good for a day, and for longer while the issuer does not answer (FT-109). */
const freshMs = 24 * 3600_000;
/** An issuer is asked at most this often, whatever kids are asked for. */
const pauseMs = 60_000;
const timeoutMs = 5_000;
const mostBytes = 64 * 1024;
/** Issuers kept at hand; only those of registered clusters are ever asked for. */
const mostIssuers = 1000;

/**
 * Reads the keys that EKS and AKS publish for their clusters, over HTTPS, from exactly their hosts (NT-82): no redirect is
 * followed, answers are bounded in size and time. What was read is kept in this process.
 */
export function createHttpsJwks(deps: HttpsJwksDeps): IssuerKeys {
  const known = new Map<string, Known>();
  const askedAt = new Map<string, number>();
  const running = new Map<string, Promise<PublicKey[]>>();

  return {
    async read(issuer, kid) {
      const cloud = cloudIssuer(issuer);
      if (cloud === undefined) return undefined;
      const cached = known.get(issuer);
      const now = deps.clock.monotonic();
      const isGood = cached !== undefined && now - cached.readAt < freshMs && has(cached.keys, kid);
      const asked = askedAt.get(issuer);
      if (isGood || (cached !== undefined && asked !== undefined && now - asked < pauseMs)) return cached.keys;
      if (asked !== undefined && now - asked < pauseMs && !running.has(issuer)) throw notNow(issuer);
      try {
        return await readOnce(issuer, cloud, now);
      } catch (error) {
        deps.log.warn({ issuer, reason: messageOf(error) }, 'keys of an issuer cannot be read now');
        // Old keys still verify old tokens; a key that nobody knows has to wait.
        if (cached !== undefined && has(cached.keys, kid)) return cached.keys;
        throw notNow(issuer, error);
      }
    },
  };

  /** However many ask at once, the issuer is asked once. */
  function readOnce(issuer: string, cloud: CloudIssuer, now: number): Promise<PublicKey[]> {
    const before = running.get(issuer);
    if (before !== undefined) return before;
    remember(askedAt, issuer, now);
    const reading = readKeys(deps.fetch ?? fetch, cloud)
      .then((keys) => {
        remember(known, issuer, { keys, readAt: now });
        return keys;
      })
      .finally(() => running.delete(issuer));
    running.set(issuer, reading);
    return reading;
  }
}

async function readKeys(ask: NonNullable<HttpsJwksDeps['fetch']>, cloud: CloudIssuer): Promise<PublicKey[]> {
  const signal = AbortSignal.timeout(timeoutMs);
  const address = 'keys' in cloud ? cloud.keys : await discover(ask, cloud, signal);
  const set = readKeySet(await readJson(ask, address, signal));
  if ('keys' in set) return set.keys;
  throw new HawserError('unavailable', `${address}: ${set.problem}`, { retry: 'later' });
}

/** Where the discovery document says that the keys are: below the issuer, or nowhere. */
async function discover(
  ask: NonNullable<HttpsJwksDeps['fetch']>,
  { discovery, below }: Extract<CloudIssuer, { discovery: string }>,
  signal: AbortSignal,
): Promise<string> {
  const document = (await readJson(ask, discovery, signal)) as { issuer?: unknown; jwks_uri?: unknown } | null;
  const uri = document?.jwks_uri;
  const isBelow = typeof uri === 'string' && URL.canParse(uri) && new URL(uri).href === uri && uri.startsWith(below);
  if (document?.issuer === below && isBelow) return uri;
  throw new HawserError('unavailable', `${discovery} names another issuer, or keys that are not its own`, {
    retry: 'later',
  });
}

async function readJson(
  ask: NonNullable<HttpsJwksDeps['fetch']>,
  address: string,
  signal: AbortSignal,
): Promise<unknown> {
  const response = await ask(address, { redirect: 'error', signal, headers: { accept: 'application/json' } });
  if (response.status !== 200 || response.body === null) {
    await response.body?.cancel();
    throw new HawserError('unavailable', `${address} answers ${response.status}`, { retry: 'later' });
  }
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of response.body) {
    bytes += piece.byteLength;
    if (bytes > mostBytes)
      throw new HawserError('unavailable', `${address} answers more than ${mostBytes} bytes`, { retry: 'later' });
    pieces.push(piece);
  }
  return JSON.parse(Buffer.concat(pieces).toString()) as unknown;
}

function has(keys: readonly PublicKey[], kid: string): boolean {
  return keys.some((key) => key.kid === kid);
}

/** Keeps the newest. */
function remember<T>(map: Map<string, T>, issuer: string, value: T): void {
  map.delete(issuer);
  map.set(issuer, value);
  const [oldest] = map.keys();
  if (map.size > mostIssuers && oldest !== undefined) map.delete(oldest);
}

function notNow(issuer: string, cause?: unknown): HawserError {
  return new HawserError('unavailable', `the keys of ${issuer} cannot be read now`, {
    retry: 'later',
    hint: 'Nothing to do: the agent goes on with what it has, and asks again.',
    ...(cause === undefined ? {} : { cause }),
  });
}

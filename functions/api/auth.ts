import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import { getCookie, setCookie } from 'hono/cookie';
import { HawserError } from '#shared/errors.ts';
import { sha256 } from '#shared/domain/digest.ts';
import { isId } from '#shared/domain/ids.ts';
import { organisationKey, sortKeys } from '#shared/state/keys.ts';
import { getCluster, getToken, type Token } from '#shared/state/registry.ts';
import type { StateStore } from '#shared/ports/state-store.ts';
import type { ApiContext, ApiDeps, ApiEnv, Principal } from './context.ts';

const sessionCookie = 'hawser_session';
const sessionSeconds = 12 * 3600;
/** Longest bearer token that is looked at (LIM-15). */
const longestToken = 8192;

/** A token for people (`hawser_<organisation>_…`) or for a cluster's agent (`hawser-agent_<organisation>_<cluster>_…`). */
export function newToken(organisation: string, cluster?: string): string {
  const secret = randomBytes(32).toString('base64url').replaceAll('_', '-');
  return cluster === undefined
    ? `hawser_${organisation}_${secret}`
    : `hawser-agent_${organisation}_${cluster}_${secret}`;
}

/** Stores a person's token (its digest only). */
export async function grantToken(store: StateStore, organisation: string, token: string, grant: Token): Promise<void> {
  const expires = grant.expiresAt === undefined ? {} : { expiresAt: Math.ceil(Date.parse(grant.expiresAt) / 1000) };
  await store.putMany([
    {
      partition: organisationKey(organisation),
      sort: sortKeys.token(sha256(token)),
      revision: 1,
      value: grant,
      ...expires,
    },
  ]);
}

/** Who a token belongs to; undefined for anything that is not a valid one. */
export async function authenticate(
  deps: Pick<ApiDeps, 'store' | 'clock'>,
  token: string,
): Promise<Principal | undefined> {
  if (token.length > longestToken) return undefined;
  const [type, organisation = '', cluster = '', secret] = token.split('_');
  if (!isId(organisation)) return undefined;
  if (type === 'hawser-agent' && secret !== undefined && isId(cluster)) {
    const row = await getCluster(deps.store, organisation, cluster);
    if (row === undefined || !sameText(row.tokenDigest, sha256(token))) return undefined;
    return { kind: 'agent', organisation, cluster };
  }
  if (type !== 'hawser') return undefined;
  const grant = await getToken(deps.store, organisation, token, deps.clock.now());
  if (grant === undefined) return undefined;
  return { kind: 'user', organisation, user: grant.user, role: grant.role, viaCookie: false };
}

/**
 * Lets in who shows a valid bearer token or session cookie. A cookie alone changes nothing: such requests also need the
 * header that no foreign page can set (NT-132).
 */
export function requirePrincipal(deps: ApiDeps): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const header = c.req.header('authorization');
    const bearer = header?.startsWith('Bearer ') ? header.slice(7) : undefined;
    const cookie = getCookie(c, sessionCookie);
    const principal = await authenticate(deps, bearer ?? cookie ?? '');
    if (principal === undefined) {
      throw new HawserError(
        'unauthenticated',
        header === undefined && cookie === undefined ? 'no token was given' : 'the token is not valid (any more)',
        {
          hint: 'Run `hawser login`, or send Authorization: Bearer TOKEN.',
        },
      );
    }
    const viaCookie = bearer === undefined;
    if (viaCookie && c.req.method !== 'GET' && c.req.header('x-hawser-request') !== '1') {
      throw new HawserError('forbidden', 'a change that comes with a cookie needs the header X-Hawser-Request: 1');
    }
    c.set('principal', principal.kind === 'user' ? { ...principal, viaCookie } : principal);
    await next();
  };
}

/** Exchanges a token for a session: the cookie holds a token of its own that ends after half a day. */
export async function openSession(
  deps: ApiDeps,
  c: ApiContext,
  organisation: string,
  grant: Pick<Token, 'user' | 'role'>,
): Promise<void> {
  const token = newToken(organisation);
  const now = deps.clock.now();
  await grantToken(deps.store, organisation, token, {
    user: grant.user,
    role: grant.role,
    createdAt: new Date(now).toISOString(),
    expiresAt: new Date(now + sessionSeconds * 1000).toISOString(),
  });
  setCookie(c, sessionCookie, token, {
    httpOnly: true,
    sameSite: 'Strict',
    path: '/',
    secure: new URL(c.req.url).protocol === 'https:',
    maxAge: sessionSeconds,
  });
}

/** Ends the session of the cookie, on the server too. */
export async function closeSession(deps: ApiDeps, c: ApiContext): Promise<void> {
  const token = getCookie(c, sessionCookie);
  const organisation = token?.split('_')[1] ?? '';
  if (token !== undefined && isId(organisation)) {
    await deps.store.remove(organisationKey(organisation), sortKeys.token(sha256(token)));
  }
  setCookie(c, sessionCookie, '', { httpOnly: true, sameSite: 'Strict', path: '/', maxAge: 0 });
}

/** True when the request carries a session that still holds. */
export async function hasSession(deps: ApiDeps, c: ApiContext): Promise<boolean> {
  const token = getCookie(c, sessionCookie);
  return token !== undefined && (await authenticate(deps, token)) !== undefined;
}

function sameText(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}

import type { MiddlewareHandler } from 'hono';
import { getCookie, setCookie } from 'hono/cookie';
import { HawserError } from '#shared/errors.ts';
import { sha256 } from '#shared/domain/digest.ts';
import { isId } from '#shared/domain/ids.ts';
import { organisationKey, sortKeys } from '#shared/state/keys.ts';
import { findAgent, newAgentToken, newSecret } from '#shared/state/agent-tokens.ts';
import { getSession, getToken, putSession, type Token } from '#shared/state/tokens.ts';
import type { ApiContext, ApiDeps, ApiEnv, Principal } from './context.ts';

/** With TLS under the name that browsers accept from this very host alone (NT-132); loopback has none. */
const sessionCookies = { secure: '__Host-hawser_session', plain: 'hawser_session' } as const;
const sessionSeconds = 12 * 3600;
/** What a session's token starts with. */
const sessionType = 'hawser-session';
/** Longest bearer token that is looked at (LIM-15). */
const longestToken = 8192;

/** A token for people (`hawser_<organisation>_…`) or for a cluster's agent (`hawser-agent_<organisation>_<cluster>_…`). */
export function newToken(organisation: string, cluster?: string): string {
  return cluster === undefined ? `hawser_${organisation}_${newSecret()}` : newAgentToken(organisation, cluster);
}

/**
 * Who a token or a session belongs to; undefined for anything that is not a valid one. Nothing is cached: what was revoked
 * is refused from the next request on (NT-110).
 */
export async function authenticate(
  deps: Pick<ApiDeps, 'store' | 'clock'>,
  token: string,
): Promise<Principal | undefined> {
  if (token.length > longestToken) return undefined;
  const [type, organisation = ''] = token.split('_');
  if (!isId(organisation)) return undefined;
  if (type === 'hawser-agent') {
    const agent = await findAgent(deps.store, token, deps.clock.now());
    return agent === undefined ? undefined : { kind: 'agent', ...agent };
  }
  const digest = sha256(token);
  const now = deps.clock.now();
  const person = { kind: 'user', organisation, viaCookie: false } as const;
  if (type === sessionType) {
    const session = await getSession(deps.store, organisation, digest, now);
    if (session === undefined) return undefined;
    const { user, role, openedWith } = session;
    return { ...person, user, role, ...(openedWith === undefined ? {} : { tokenDigest: openedWith }) };
  }
  const grant = type === 'hawser' ? await getToken(deps.store, organisation, digest, now) : undefined;
  return grant === undefined ? undefined : { ...person, user: grant.user, role: grant.role, tokenDigest: digest };
}

/**
 * Lets in who shows a valid bearer token or session cookie. A cookie alone changes nothing: such requests also need the
 * header that no foreign page can set (NT-132).
 */
export function requirePrincipal(deps: ApiDeps): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const { token, viaCookie } = credentialsOf(c);
    const principal = await authenticate(deps, token ?? '');
    if (principal === undefined) {
      throw new HawserError(
        'unauthenticated',
        token === undefined ? 'no token was given' : 'the token is not valid (any more)',
        {
          hint: 'Run `hawser login`, or send Authorization: Bearer TOKEN.',
        },
      );
    }
    if (viaCookie) requireOwnPage(c);
    c.set('principal', principal.kind === 'user' ? { ...principal, viaCookie } : principal);
    await next();
  };
}

/** True as long as the credentials of a request that is still open hold (NT-110). */
export async function isStillValid(deps: Pick<ApiDeps, 'store' | 'clock'>, c: ApiContext): Promise<boolean> {
  return (await authenticate(deps, credentialsOf(c).token ?? '')) !== undefined;
}

function credentialsOf(c: ApiContext): { token: string | undefined; viaCookie: boolean } {
  const header = c.req.header('authorization');
  if (header !== undefined) return { token: header.startsWith('Bearer ') ? header.slice(7) : '', viaCookie: false };
  return { token: sessionTokenOf(c), viaCookie: true };
}

function sessionTokenOf(c: ApiContext): string | undefined {
  return getCookie(c, isSecure(c) ? sessionCookies.secure : sessionCookies.plain);
}

function isSecure(c: ApiContext): boolean {
  return new URL(c.req.url).protocol === 'https:';
}

function requireOwnPage(c: ApiContext): void {
  if (c.req.method === 'GET' || c.req.header('x-hawser-request') === '1') return;
  throw new HawserError('forbidden', 'a change that comes with a cookie needs the header X-Hawser-Request: 1');
}

/** Opens a session, which ends after half a day, and with the token that opened it. */
export async function openSession(
  deps: ApiDeps,
  c: ApiContext,
  organisation: string,
  { user, role, tokenDigest }: Pick<Token, 'user' | 'role'> & { tokenDigest?: string },
): Promise<void> {
  const token = `${sessionType}_${organisation}_${newSecret()}`;
  const now = deps.clock.now();
  await putSession(deps.store, organisation, token, {
    user,
    role,
    createdAt: new Date(now).toISOString(),
    expiresAt: new Date(now + sessionSeconds * 1000).toISOString(),
    ...(tokenDigest === undefined ? {} : { openedWith: tokenDigest }),
  });
  writeCookie(c, token, sessionSeconds);
}

/** Ends the session of the cookie, on the server too. */
export async function closeSession(deps: ApiDeps, c: ApiContext): Promise<void> {
  requireOwnPage(c);
  const token = sessionTokenOf(c);
  const organisation = token?.split('_')[1] ?? '';
  if (token !== undefined && isId(organisation)) {
    await deps.store.remove(organisationKey(organisation), sortKeys.session(sha256(token)));
  }
  writeCookie(c, '', 0);
}

function writeCookie(c: ApiContext, value: string, maxAge: number): void {
  const secure = isSecure(c);
  const name = secure ? sessionCookies.secure : sessionCookies.plain;
  setCookie(c, name, value, { httpOnly: true, sameSite: 'Strict', path: '/', secure, maxAge });
}

/** True when the request carries a session that still holds. */
export async function hasSession(deps: ApiDeps, c: ApiContext): Promise<boolean> {
  const token = sessionTokenOf(c);
  return token !== undefined && (await authenticate(deps, token)) !== undefined;
}

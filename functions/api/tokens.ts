import { HawserError } from '#shared/errors.ts';
import { parseExpiry } from '#shared/domain/expiry.ts';
import type { GrantedToken, NewToken, TokenView } from '#shared/messages/api-tokens.ts';
import { writeOrganisationEvent } from '#shared/state/events.ts';
import { organisationKey, sortKeys } from '#shared/state/keys.ts';
import { findToken, listTokens, putToken, tokenIdOf, type StoredToken, type Token } from '#shared/state/tokens.ts';
import { newToken } from './auth.ts';
import type { ApiDeps, User } from './context.ts';

type Deps = Pick<ApiDeps, 'store' | 'clock'>;

/**
 * Revokes a token: it and the sessions that it opened are refused from the next request on, and streams that are open end
 * with their next look at it (NT-110). Tokens that were granted with it stay; `grantedWith` names them.
 * Throws `not-found`, for other organisations' tokens as for none at all (NT-100), and `conflict` where the caller would
 * lock out the organisation: with the very token that they use, while no other admin's never expires. Two admins who do
 * so at the same moment are not kept from it; whoever installed the service can always grant another.
 */
export async function revokeToken(deps: Deps, by: User, id: string): Promise<void> {
  const { organisation } = by;
  const found = await findToken(deps.store, organisation, id, deps.clock.now());
  if (found === undefined) {
    throw new HawserError('not-found', `there is no token ${JSON.stringify(id.slice(0, 80))}`, {
      hint: 'See `hawser token list`.',
    });
  }
  if (found.digest === by.tokenDigest) await refuseLast(deps, by, id);
  await deps.store.remove(organisationKey(organisation), sortKeys.token(found.digest));
  await tell(deps, by, id, 'TokenRevoked', `a token of ${found.user} (${found.role}) was revoked`);
}

/** Grants a token; the answer is the only place where its secret ever is. */
export async function grantPersonToken(deps: Deps, by: User, asked: NewToken): Promise<GrantedToken> {
  const now = deps.clock.now();
  const { user, role, expires } = asked;
  const grant: Token = {
    user,
    role,
    createdAt: new Date(now).toISOString(),
    ...(expires === undefined ? {} : { expiresAt: new Date(parseExpiry(expires, now)).toISOString() }),
    grantedBy: by.user,
    ...(by.tokenDigest === undefined ? {} : { grantedWith: tokenIdOf(by.tokenDigest) }),
  };
  const secret = newToken(by.organisation);
  const view = viewOf({ ...grant, digest: await putToken(deps.store, by.organisation, secret, grant) }, by);
  const until = grant.expiresAt === undefined ? '' : ` until ${grant.expiresAt}`;
  await tell(deps, by, view.id, 'TokenGranted', `a token was granted to ${user} (${role})${until}`);
  return { ...view, secret };
}

/** Every token of the organisation's people that holds; sessions of browsers and agents' tokens are none. */
export async function readTokens(deps: Deps, by: User): Promise<TokenView[]> {
  return (await listTokens(deps.store, by.organisation, deps.clock.now())).map((token) => viewOf(token, by));
}

async function refuseLast(deps: Deps, { organisation, tokenDigest }: User, id: string): Promise<void> {
  const all = await listTokens(deps.store, organisation, deps.clock.now());
  const staysOpen = all.some(
    ({ digest, role, expiresAt }) => digest !== tokenDigest && role === 'admin' && expiresAt === undefined,
  );
  if (staysOpen) return;
  throw new HawserError(
    'conflict',
    `you use token ${id} now, and there is no other token of an admin that never expires`,
    {
      hint: 'Grant one with `hawser token add NAME --role admin`, log in with it, then revoke this one.',
    },
  );
}

/** Nothing but what is named here comes out (NT-94). */
function viewOf(
  { digest, user, role, createdAt, expiresAt, grantedBy, grantedWith }: StoredToken,
  by: User,
): TokenView {
  return {
    id: tokenIdOf(digest),
    user,
    role,
    createdAt,
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(grantedBy === undefined ? {} : { grantedBy }),
    ...(grantedWith === undefined ? {} : { grantedWith }),
    isCurrent: digest === by.tokenDigest,
  };
}

async function tell(deps: Deps, by: User, id: string, reason: string, message: string): Promise<void> {
  const at = new Date(deps.clock.now()).toISOString();
  const event = { at, type: 'Normal' as const, reason, message, by: by.user, object: `token/${id}` };
  await writeOrganisationEvent(deps.store, by.organisation, event);
}

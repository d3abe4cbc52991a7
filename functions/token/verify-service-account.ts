import { decodeJwt, decodeProtectedHeader, errors, importJWK, jwtVerify, type JWTPayload } from 'jose';
import { HawserError } from '#shared/errors.ts';
import type { PublicKey } from '#shared/domain/public-keys.ts';
import { agentAudience } from '#shared/messages/agent-identity.ts';

/** What a ServiceAccount token says of itself before anything is proved: good for choosing a key, for nothing else. */
export interface TokenClaim {
  kid: string;
  issuer: string;
}

/** What a verified token proves. */
export interface VerifiedToken {
  kid: string;
  issuer: string;
  /** `system:serviceaccount:NAMESPACE:NAME`. */
  subject: string;
}

/** Clocks of clusters may be off by so much; five minutes is too far (NT-120). */
const clockToleranceSeconds = 60;
/** Longest life of a token: projected ones have an hour or less, and whoever steals one has no longer. */
const longestLifeSeconds = 2 * 3600;
const subjectPattern =
  /^system:serviceaccount:[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?:[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
const kidPattern = /^[\w.\-~+=]{1,256}$/;
/** Members of a header that would bring keys, or a meaning of their own. */
const foreignMembers = ['jku', 'jwk', 'x5u', 'x5c', 'x5t', 'x5t#S256', 'crit', 'b64', 'zip', 'enc', 'cty'];

/** Reads which key a token names; throws `unauthenticated` for what cannot be a ServiceAccount token (NT-120). */
export function inspectToken(token: string): TokenClaim {
  const header = decoded(() => decodeProtectedHeader(token));
  const { iss } = decoded(() => decodeJwt(token));
  const found = foreignMembers.find((name) => name in header);
  if (found !== undefined) throw refused(`its header has the member ${found}`);
  if (header.alg !== 'RS256' && header.alg !== 'ES256') throw refused('its algorithm is neither RS256 nor ES256');
  if (header.typ !== undefined && header.typ !== 'JWT') throw refused('it is not of the type JWT');
  if (typeof header.kid !== 'string' || !kidPattern.test(header.kid)) throw refused('its header names no usable kid');
  if (typeof iss !== 'string' || iss === '' || iss.length > 512 || !/^[\x21-\x7e]+$/.test(iss))
    throw refused('it names no usable issuer');
  return { kid: header.kid, issuer: iss };
}

/**
 * Verifies a token with one of these keys: signature, audience, issuer, subject, and a life that is short and not over.
 * `now`: ms since 1970. `expected`: what is pinned. undefined where the signature, the issuer or the subject is not what
 * it must be, which says nothing to whoever guesses; throws `unauthenticated` with the reason for a signed token that is
 * not valid now or was not made for us.
 */
export async function verifyServiceAccount(
  token: string,
  keys: readonly PublicKey[],
  { now, expected }: { now: number; expected?: { issuer: string; subject: string } },
): Promise<VerifiedToken | undefined> {
  const { kid, issuer } = inspectToken(token);
  const key = keys.find((one) => one.kid === kid);
  if (key === undefined || (expected !== undefined && expected.issuer !== issuer)) return undefined;
  const payload = await verifySignature(token, key, now);
  if (payload === undefined) return undefined;
  const subject = payload.sub ?? '';
  requireOurs(payload, subject);
  if (expected !== undefined && expected.subject !== subject) return undefined;
  return { kid, issuer, subject };
}

/** The claims of a token that this key signed and that holds now; undefined where another key signed it. */
async function verifySignature(token: string, key: PublicKey, now: number): Promise<JWTPayload | undefined> {
  try {
    const { kid: _kid, ...jwk } = key;
    const imported = await importJWK(jwk, key.alg);
    const { payload } = await jwtVerify(token, imported, {
      algorithms: [key.alg],
      audience: agentAudience,
      requiredClaims: ['iss', 'sub', 'aud', 'exp', 'iat'],
      clockTolerance: clockToleranceSeconds,
      currentDate: new Date(now),
    });
    if ((payload.iat ?? 0) > now / 1000 + clockToleranceSeconds) throw refused('it was issued in the future');
    return payload;
  } catch (error) {
    if (error instanceof HawserError) throw error;
    if (error instanceof errors.JWTExpired) throw refused('it has expired');
    if (error instanceof errors.JWTClaimValidationFailed) throw refused(`its claim ${error.claim} ${whyOf(error)}`);
    if (error instanceof errors.JOSEError || error instanceof DOMException || error instanceof TypeError)
      return undefined;
    throw error;
  }
}

function whyOf({ claim, reason }: errors.JWTClaimValidationFailed): string {
  if (reason === 'missing') return 'is missing';
  if (claim === 'nbf') return 'is in the future';
  return claim === 'aud' ? `is not ${agentAudience}` : 'is wrong';
}

function requireOurs(payload: JWTPayload, subject: string): void {
  const { aud, exp = 0, iat = 0 } = payload;
  // A token that the cluster's own API server takes as well must not leave the cluster.
  if (Array.isArray(aud) && aud.length !== 1) throw refused('it has other audiences besides ours');
  if (payload['azp'] !== undefined && payload['azp'] !== agentAudience) throw refused('its claim azp is wrong');
  if (exp <= iat || exp - iat > longestLifeSeconds)
    throw refused(`it lives longer than ${longestLifeSeconds / 3600} hours`);
  if (!subjectPattern.test(subject)) throw refused('its subject is no ServiceAccount');
  const bound = payload['kubernetes.io'] as { namespace?: unknown; serviceaccount?: { name?: unknown } } | undefined;
  if (bound === undefined) return;
  if (subject !== `system:serviceaccount:${String(bound.namespace)}:${String(bound.serviceaccount?.name)}`)
    throw refused('its subject is not the ServiceAccount that it is bound to');
}

function decoded<T>(decode: () => T): T {
  try {
    return decode();
  } catch {
    throw refused('it is not a JSON Web Token');
  }
}

function refused(why: string): HawserError {
  return new HawserError('unauthenticated', `the ServiceAccount token is refused: ${why}`, {
    hint: `Send the agent's projected ServiceAccount token with the audience ${agentAudience} and at most an hour to live.`,
  });
}

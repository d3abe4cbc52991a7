/** A key that may verify ServiceAccount tokens, without anything that is not needed for that. */
export interface PublicKey {
  kid: string;
  kty: 'RSA' | 'EC';
  /** The only algorithm that this key verifies: a token does not choose (NT-120). */
  alg: 'RS256' | 'ES256';
  n?: string;
  e?: string;
  crv?: 'P-256';
  x?: string;
  y?: string;
}

/** More keys than any issuer has while it rotates them. */
const mostKeys = 20;
/** What a kid may be: it is only ever compared, but it is shown, too. */
const kidPattern = /^[\w.\-~+=]{1,256}$/;
const base64url = /^[\w-]+$/;
/** Bits of an RSA modulus: fewer are breakable, more cost us time for nothing. */
const modulusBits = { least: 2048, most: 8192 };

/**
 * The usable keys of a JSON Web Key Set (RFC 7517), or what is wrong with it. Keys of kinds that we do not verify with are
 * left out; a set with a private or symmetric key, a key without kid, or two keys of one kid is refused as a whole (NT-120).
 */
export function readKeySet(set: unknown): { keys: PublicKey[] } | { problem: string } {
  const list = (set as { keys?: unknown } | null)?.keys;
  if (!Array.isArray(list)) return { problem: 'a key set has the member keys, a list' };
  if (list.length > mostKeys) return { problem: `a key set has at most ${mostKeys} keys` };
  const keys: PublicKey[] = [];
  const kids = new Set<string>();
  for (const entry of list as unknown[]) {
    const jwk = (typeof entry === 'object' && entry !== null ? entry : {}) as Record<string, unknown>;
    const { kid } = jwk;
    if (typeof kid !== 'string' || !kidPattern.test(kid)) return { problem: 'a key of the set has no usable kid' };
    if (kids.has(kid)) return { problem: `two keys of the set have the kid ${kid}` };
    kids.add(kid);
    if (jwk['kty'] === 'oct' || ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k', 'oth'].some((name) => name in jwk))
      return { problem: `the key ${kid} is not a public key` };
    if (jwk['use'] !== undefined && jwk['use'] !== 'sig') continue;
    const key = readRsa(kid, jwk) ?? readEc(kid, jwk);
    if (key !== undefined) keys.push(key);
  }
  return keys.length === 0 ? { problem: 'the set has no key for RS256 or ES256' } : { keys };
}

/** True when both are the same key under the same kid. */
export function sameKey(a: PublicKey, b: PublicKey): boolean {
  return a.kid === b.kid && a.kty === b.kty && a.n === b.n && a.e === b.e && a.x === b.x && a.y === b.y;
}

function readRsa(kid: string, jwk: Record<string, unknown>): PublicKey | undefined {
  const { kty, alg, n, e } = jwk;
  if (kty !== 'RSA' || (alg !== undefined && alg !== 'RS256')) return undefined;
  if (!isNumber(n) || !isNumber(e) || e.length > 8) return undefined;
  const bits = Buffer.from(n, 'base64url').length * 8;
  if (bits < modulusBits.least || bits > modulusBits.most) return undefined;
  return { kid, kty, alg: 'RS256', n, e };
}

function readEc(kid: string, jwk: Record<string, unknown>): PublicKey | undefined {
  const { kty, alg, crv, x, y } = jwk;
  if (kty !== 'EC' || crv !== 'P-256' || (alg !== undefined && alg !== 'ES256')) return undefined;
  if (!isNumber(x) || !isNumber(y) || x.length !== 43 || y.length !== 43) return undefined;
  return { kid, kty, alg: 'ES256', crv, x, y };
}

function isNumber(value: unknown): value is string {
  return typeof value === 'string' && value.length <= 2048 && base64url.test(value);
}

import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';

/** A token issuer as a cluster has one: keys of its own, and ServiceAccount tokens signed with them. */
export interface TestIssuer {
  issuer: string;
  jwks: { keys: JWK[] };
  /** A token as the kubelet projects it; `claims` and `header` replace what is usual, undefined leaves it out. */
  token(more?: TokenChanges): Promise<string>;
}

export interface TokenChanges {
  claims?: Record<string, unknown>;
  header?: Record<string, unknown>;
  /** Seconds before now at which it was issued. */
  age?: number;
  lifetime?: number;
}

export interface TestKey {
  kid: string;
  alg: 'RS256' | 'ES256';
  privateKey: CryptoKey;
  jwk: JWK;
}

export const agentSubject = 'system:serviceaccount:hawser-system:hawser-agent';

/** A key pair with its public JWK. */
export async function createKey(kid: string, alg: 'RS256' | 'ES256' = 'ES256'): Promise<TestKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

/** Signs anything with a key, whatever sense it makes. */
export async function signToken(key: TestKey, claims: object, header: Record<string, unknown> = {}): Promise<string> {
  return new SignJWT({ ...claims }).setProtectedHeader({ alg: key.alg, kid: key.kid, ...header }).sign(key.privateKey);
}

/** An issuer that signs with the first of its keys and publishes all of them; `now`: ms since 1970. */
export function createIssuer(issuer: string, keys: readonly TestKey[], now: () => number): TestIssuer {
  const [key] = keys;
  if (key === undefined) throw new Error('an issuer has a key');
  return {
    issuer,
    jwks: { keys: keys.map(({ jwk }) => jwk) },
    async token({ claims = {}, header = {}, age = 0, lifetime = 3600 } = {}) {
      const iat = Math.floor(now() / 1000) - age;
      const usual = {
        iss: issuer,
        sub: agentSubject,
        aud: ['hawser'],
        iat,
        nbf: iat,
        exp: iat + lifetime,
        'kubernetes.io': {
          namespace: 'hawser-system',
          serviceaccount: { name: 'hawser-agent', uid: '0b5ac0b4-0000-4000-8000-000000000001' },
        },
      };
      const wanted = Object.entries({ ...usual, ...claims }).filter(([, value]) => value !== undefined);
      return signToken(key, Object.fromEntries(wanted), header);
    },
  };
}

import type { PublicKey } from '../domain/public-keys.ts';

/** The keys that the clouds publish for their clusters' issuers. */
export interface IssuerKeys {
  /**
   * The keys of an issuer, from a cache (at least 24 h, longer while the issuer does not answer, FT-109); asked for anew,
   * within limits, where the cache lacks `kid`. undefined for an issuer that is none of the clouds' (NT-82): nothing is
   * fetched. Throws `unavailable` where nothing is known and the issuer does not answer.
   */
  read(issuer: string, kid: string): Promise<PublicKey[] | undefined>;
}

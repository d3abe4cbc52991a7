import type { Json } from '#shared/domain/json.ts';

/** What a delivery is about, as far as the service cares: `push` may have moved the repository, `ping` asks whether we are there. */
export type WebhookEvent = 'push' | 'ping' | 'other';

/**
 * What a sender presents to prove that it knows the secret.
 * `secret`: the secret itself, so nothing of the body is needed.
 * `mac`: an HMAC-SHA256 over `prefix` and the raw body, under what `keyOf` makes of the secret (undefined: this secret is no key here).
 */
export type Proof =
  | { kind: 'secret'; value: string }
  | { kind: 'mac'; mac: Uint8Array; prefix: string; keyOf(secret: string): Uint8Array | undefined };

/** One Git host's way to sign and to name its events. Every provider file has the same two functions in the same order. */
export interface Provider {
  /** The well-formed proofs that the headers carry; none: refused before the body is read (NT-02, NT-05). One that holds is enough. */
  proofsIn(headers: Headers): Proof[];
  /** Called with a verified body only. Nothing of the body but the kind of event may be looked at (NT-04, NT-13). */
  eventOf(headers: Headers, body: Json): WebhookEvent;
  /** For whoever set the webhook up and got a 401. */
  hint: string;
}

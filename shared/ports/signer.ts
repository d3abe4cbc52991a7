import type { SigningCertificate } from '../domain/snapshot.ts';

/** Signs snapshot roots with an Ed25519 day key that the organisation's root key certifies. */
export interface Signer {
  sign(organisation: string, text: string): Promise<{ signature: string; certificate: SigningCertificate }>;
  /** SPKI DER, base64: what agents pin at registration. */
  rootPublicKey(organisation: string): Promise<string>;
}

/** Envelope encryption bound to a context (organisation, cluster): what was sealed for one cannot be opened for another. */
export interface Cipher {
  seal(context: string, plain: Uint8Array): Promise<Uint8Array>;
  open(context: string, sealed: Uint8Array): Promise<Uint8Array>;
}

import type { Json } from '#shared/domain/json.ts';
import type { Proof } from './provider.ts';

const sha256Hex = /^[0-9a-f]{64}$/i;

/**
 * The proof in a header that holds an HMAC-SHA256 of the body in hex, after `prefix` (`sha256=`, or '' for bare hex).
 * Anything else, also the same header twice, is no proof (NT-05).
 */
export function macHeader(headers: Headers, name: string, prefix: 'sha256=' | ''): Proof[] {
  const value = headers.get(name)?.trim() ?? '';
  if (!value.toLowerCase().startsWith(prefix)) return [];
  const hex = value.slice(prefix.length);
  if (!sha256Hex.test(hex)) return [];
  return [{ kind: 'mac', mac: Buffer.from(hex, 'hex'), prefix: '', keyOf: (secret) => Buffer.from(secret) }];
}

/** A text field of a JSON object; '' where there is none. */
export function textField(body: Json, name: string): string {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return '';
  // Own fields only: a body may not reach what every object inherits.
  const value = Object.hasOwn(body, name) ? body[name] : undefined;
  return typeof value === 'string' ? value : '';
}

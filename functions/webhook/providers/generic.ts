import { macHeader } from './mac-header.ts';
import type { Provider } from './provider.ts';

/** Anything that can compute an HMAC: `X-Hawser-Signature: sha256=…`, or `X-Signature` as Flux's generic-hmac receiver has it. */
export const generic: Provider = {
  proofsIn(headers) {
    const name = headers.has('x-hawser-signature') ? 'x-hawser-signature' : 'x-signature';
    return macHeader(headers, name, 'sha256=');
  },

  // Whoever calls this endpoint means a push, unless the call says that it only tests the connection.
  eventOf: (headers) => (headers.get('x-hawser-event') === 'ping' ? 'ping' : 'push'),

  hint: 'Send X-Hawser-Signature: sha256=HEX, where HEX is the HMAC-SHA256 of the body under the webhook secret of this repository.',
};

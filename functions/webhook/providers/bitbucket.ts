import { macHeader } from './mac-header.ts';
import type { Provider } from './provider.ts';

/** Bitbucket Cloud: `X-Hub-Signature: sha256=…` (its name for what GitHub calls X-Hub-Signature-256). */
export const bitbucket: Provider = {
  proofsIn: (headers) => macHeader(headers, 'x-hub-signature', 'sha256='),

  eventOf(headers) {
    const event = headers.get('x-event-key') ?? '';
    if (event === 'diagnostics:ping') return 'ping';
    return event === 'repo:push' ? 'push' : 'other';
  },

  hint: 'In the webhook settings of Bitbucket, set "Secret" to the webhook secret of this repository; Bitbucket then sends X-Hub-Signature.',
};

import { macHeader } from './mac-header.ts';
import type { Provider } from './provider.ts';

const pushes = new Set(['repo:refs_changed', 'mirror:repo_synchronized']);

/** Bitbucket Server and Data Center: `X-Hub-Signature: sha256=…`. Its connection test is signed like everything else. */
export const bitbucketServer: Provider = {
  proofsIn: (headers) => macHeader(headers, 'x-hub-signature', 'sha256='),

  eventOf(headers) {
    const event = headers.get('x-event-key') ?? '';
    if (event === 'diagnostics:ping') return 'ping';
    return pushes.has(event) ? 'push' : 'other';
  },

  hint: 'In the webhook settings of Bitbucket, set "Secret" to the webhook secret of this repository; Bitbucket then sends X-Hub-Signature.',
};

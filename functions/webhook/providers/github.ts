import { macHeader } from './mac-header.ts';
import type { Provider } from './provider.ts';

/** GitHub and GitHub Enterprise: `X-Hub-Signature-256`; the older SHA-1 header alone proves nothing. */
export const github: Provider = {
  proofsIn: (headers) => macHeader(headers, 'x-hub-signature-256', 'sha256='),

  eventOf(headers) {
    const event = headers.get('x-github-event') ?? '';
    if (event === 'ping') return 'ping';
    // A branch or tag that comes or goes is announced by push as well, but not where more than three tags move at once.
    return ['push', 'create', 'delete'].includes(event) ? 'push' : 'other';
  },

  hint: 'In the webhook settings of GitHub, set "Secret" to the webhook secret of this repository; GitHub then sends X-Hub-Signature-256.',
};

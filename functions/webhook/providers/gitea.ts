import { macHeader } from './mac-header.ts';
import type { Provider } from './provider.ts';

const signatureHeaders = ['x-forgejo-signature', 'x-gitea-signature', 'x-gogs-signature'];
const eventHeaders = ['x-forgejo-event', 'x-gitea-event', 'x-gogs-event', 'x-github-event'];

/** Gitea, Forgejo and Gogs: the bare hex HMAC under their own names, and GitHub's header in newer versions. */
export const gitea: Provider = {
  proofsIn(headers) {
    // The first that is there counts: a wrong one is not rescued by a right one under another name.
    const name = signatureHeaders.find((header) => headers.has(header));
    return name === undefined ? macHeader(headers, 'x-hub-signature-256', 'sha256=') : macHeader(headers, name, '');
  },

  eventOf(headers) {
    const event = eventHeaders.map((name) => headers.get(name)).find((value) => value !== null) ?? '';
    return ['push', 'create', 'delete'].includes(event) ? 'push' : 'other';
  },

  hint: 'In the webhook settings of Gitea or Forgejo, set "Secret" to the webhook secret of this repository.',
};

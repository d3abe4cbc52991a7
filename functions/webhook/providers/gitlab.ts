import { textField } from './mac-header.ts';
import type { Proof, Provider } from './provider.ts';

const keyPrefix = 'whsec_';
const pushes = new Set(['push', 'tag_push', 'repository_update']);

/**
 * GitLab: the secret token in `X-Gitlab-Token`, or a signing token (GitLab 19), which signs `id.timestamp.body`
 * as standardwebhooks.com says. A signing token looks like `whsec_` and the key in base64.
 */
export const gitlab: Provider = {
  proofsIn(headers) {
    const token = headers.get('x-gitlab-token');
    return [...signatures(headers), ...(token === null ? [] : [{ kind: 'secret', value: token } as const])];
  },

  eventOf(headers, body) {
    const event = headers.get('x-gitlab-event') ?? '';
    if (event === 'Push Hook' || event === 'Tag Push Hook') return 'push';
    // System hooks share one header value; the body says which event it is.
    if (event !== '' && event !== 'System Hook') return 'other';
    return pushes.has(textField(body, 'object_kind')) || pushes.has(textField(body, 'event_name')) ? 'push' : 'other';
  },

  hint: 'In the webhook settings of GitLab, set "Secret token" to the webhook secret of this repository, or use its signing token (whsec_…) as the webhook secret here.',
};

/** The signed form. The timestamp is signed but not judged: a replayed hint does no harm, a wrong clock must not either (FT-06). */
function signatures(headers: Headers): Proof[] {
  const id = headers.get('webhook-id');
  const timestamp = headers.get('webhook-timestamp');
  if (id === null || timestamp === null) return [];
  const list = (headers.get('webhook-signature') ?? '').split(' ').filter((entry) => entry.startsWith('v1,'));
  return list.slice(0, 5).flatMap((entry): Proof[] => {
    const mac = Buffer.from(entry.slice(3), 'base64');
    return mac.length === 32 ? [{ kind: 'mac', mac, prefix: `${id}.${timestamp}.`, keyOf: signingKey }] : [];
  });
}

function signingKey(secret: string): Uint8Array | undefined {
  if (!secret.startsWith(keyPrefix)) return undefined;
  const key = Buffer.from(secret.slice(keyPrefix.length), 'base64');
  return key.length >= 24 ? key : undefined;
}

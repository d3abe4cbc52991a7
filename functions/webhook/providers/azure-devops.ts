import { textField } from './mac-header.ts';
import type { Provider } from './provider.ts';

/** Azure DevOps signs nothing: the secret is the password of its basic authentication (any user name). */
export const azureDevops: Provider = {
  proofsIn(headers) {
    const [scheme = '', credentials = ''] = (headers.get('authorization') ?? '').split(' ');
    if (scheme.toLowerCase() !== 'basic') return [];
    const text = Buffer.from(credentials, 'base64').toString('utf8');
    const colon = text.indexOf(':');
    return colon < 0 ? [] : [{ kind: 'secret', value: text.slice(colon + 1) }];
  },

  eventOf: (_headers, body) => (textField(body, 'eventType') === 'git.push' ? 'push' : 'other'),

  hint: 'In the service hook of Azure DevOps ("Web Hooks", "Code pushed"), set "Basic authentication password" to the webhook secret of this repository; the user name does not matter.',
};

import { HawserError } from '#shared/errors.ts';
import { RegisterRequest } from '#shared/messages/agent-identity.ts';
import type { Requests } from './requests.ts';

/** UID of the namespace kube-system: which cluster this really is (NT-153). Throws `cluster-unreachable`, later. */
export async function readClusterUid(requests: Requests): Promise<string> {
  const { status, text } = await requests.send({ method: 'GET', path: '/api/v1/namespaces/kube-system' });
  const uid = status === 200 ? (JSON.parse(text) as { metadata?: { uid?: string } }).metadata?.uid : undefined;
  if (uid !== undefined && uid !== '') return uid;
  throw refused('the namespace kube-system', status, 'Let the agent get the namespace kube-system; its chart does.');
}

/**
 * Public keys of the issuer of ServiceAccount tokens. The API server gives them to every ServiceAccount, also where the
 * issuer's own address cannot be reached from inside. Throws `cluster-unreachable`, later.
 */
export async function readTokenKeys(requests: Requests): Promise<RegisterRequest['jwks']> {
  const accept = 'application/jwk-set+json, application/json';
  const { status, text } = await requests.send({ method: 'GET', path: '/openid/v1/jwks', accept });
  const keys = status === 200 ? RegisterRequest.shape.jwks.safeParse(JSON.parse(text)) : undefined;
  if (keys?.success === true) return keys.data;
  throw refused('/openid/v1/jwks', status, 'Let the agent get the nonResourceURL /openid/v1/jwks; its chart does.');
}

function refused(what: string, status: number, hint: string): HawserError {
  return new HawserError('cluster-unreachable', `${what} was answered with ${status}`, { retry: 'later', hint });
}

import { HawserError, messageOf } from '#shared/errors.ts';
import { TokenAnswer, type RegisterRequest, type TokenRequest } from '#shared/messages/agent-identity.ts';
import type { Clock } from '#shared/ports/clock.ts';
import type { Log } from '#shared/ports/log.ts';
import { errorOf, parseAs } from '../hub/http-answer.ts';
import type { HttpJson } from '../hub/http-json.ts';

/** Which cluster this is, as its own API server says. */
export interface ClusterIdentity {
  /** UID of the namespace kube-system. */
  uid(): Promise<string>;
  /** Public keys of the ServiceAccount token issuer. */
  tokenKeys(): Promise<RegisterRequest['jwks']>;
}

export interface ExchangeDeps {
  organisation: string;
  cluster: string;
  http: HttpJson;
  identity: ClusterIdentity;
  /** The projected ServiceAccount token; read anew for each exchange, because the kubelet renews it. */
  serviceAccountToken(): string;
  /** Lets an unregistered cluster in, once; undefined where nobody gave one. */
  registrationToken(): string | undefined;
  clock: Clock;
  log: Log;
}

const timeoutMs = 15_000;
/** Issuers rotate their keys over days (EKS: a week) and publish the next one long before they use it. */
const keysEveryMs = 6 * 3600_000;
/** What the service answers where it does not know the cluster; 403 is for one that it knows and does not let in. */
const notLetIn = 401;

/**
 * The exchange of the ServiceAccount token for a session. Always tries that first: an earlier registration may have been
 * taken in although its answer never came, and then the registration token is used up but the cluster is known.
 * Only who is not let in, and has a registration token, registers.
 */
export function createExchange(deps: ExchangeDeps): () => Promise<TokenAnswer> {
  let uid: string | undefined;
  let keysSentAt = -Infinity;

  async function exchange(withKeys: boolean): Promise<TokenAnswer> {
    uid ??= await deps.identity.uid();
    const { organisation, cluster } = deps;
    const jwks = withKeys ? await keysIfAny() : undefined;
    const body: TokenRequest = {
      organisation,
      cluster,
      clusterUid: uid,
      serviceAccountToken: deps.serviceAccountToken(),
      ...(jwks === undefined ? {} : { jwks }),
    };
    const answer = await post(deps, '/api/v1/agent/token', body);
    if (jwks !== undefined) keysSentAt = deps.clock.monotonic();
    return answer;
  }

  /** Without them the exchange works as long as the keys that the service knows are in use. */
  async function keysIfAny(): Promise<RegisterRequest['jwks'] | undefined> {
    return deps.identity.tokenKeys().catch((error: unknown) => {
      deps.log.warn({ reason: messageOf(error) }, "the issuer's keys cannot be read");
      return undefined;
    });
  }

  async function register(token: string): Promise<TokenAnswer> {
    uid ??= await deps.identity.uid();
    const body: RegisterRequest = {
      clusterUid: uid,
      jwks: await deps.identity.tokenKeys(),
      serviceAccountToken: deps.serviceAccountToken(),
    };
    const answer = await post(deps, '/api/v1/agent/register', body, token);
    deps.log.info({ clusterUid: uid }, 'the cluster is registered');
    return answer;
  }

  return async function obtain() {
    const withKeys = deps.clock.monotonic() - keysSentAt > keysEveryMs;
    try {
      return await exchange(withKeys);
    } catch (error) {
      const token = isNotLetIn(error) ? deps.registrationToken() : undefined;
      if (token === undefined) throw error;
      return await register(token).catch((refusal: unknown) => {
        throw bothRefused(error, refusal);
      });
    }
  };
}

async function post(deps: ExchangeDeps, path: string, body: unknown, bearer?: string): Promise<TokenAnswer> {
  const request = { method: 'POST' as const, path, body: JSON.stringify(body), timeoutMs };
  const answer = await deps.http.send({ ...request, ...(bearer === undefined ? {} : { bearer }) });
  if (answer.status < 200 || answer.status > 299) throw errorOf(answer, path);
  const session = parseAs(TokenAnswer, answer, path);
  // Credentials of somebody else would write into somebody else's cluster (NT-111).
  if (session.organisation !== deps.organisation || session.cluster !== deps.cluster) {
    throw new HawserError(
      'unauthenticated',
      `${path} answered for cluster ${session.organisation}/${session.cluster}, this is ${deps.organisation}/${deps.cluster}`,
      { hint: 'The registration token belongs to another cluster: see HAWSER_ORGANISATION and HAWSER_CLUSTER.' },
    );
  }
  return session;
}

function isNotLetIn(error: unknown): boolean {
  return error instanceof HawserError && error.data['status'] === notLetIn;
}

/** What the registration was refused for says more; where it could not be tried, that passes. */
function bothRefused(first: unknown, second: unknown): unknown {
  if (!(second instanceof HawserError) || !isNotLetIn(second)) return second;
  return new HawserError(second.code, `${messageOf(second)}; before that: ${messageOf(first)}`, {
    retry: 'later',
    data: second.data,
    hint: 'Registration tokens hold for minutes, and once: ask the service for another one.',
  });
}

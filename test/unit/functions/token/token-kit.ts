import { createBell } from '#shared/adapters/embedded/memory-bell.ts';
import { createTokenApp } from '#functions/token/app.ts';
import type { TokenDeps } from '#functions/token/issue.ts';
import { addCluster } from '#functions/api/cluster-identity.ts';
import type { Cluster } from '#shared/domain/cluster.ts';
import { getCluster } from '#shared/state/registry.ts';
import { TokenAnswer } from '#shared/messages/agent-identity.ts';
import { createFakeClock } from '#test/kit/clock.ts';
import { createIssuer, createKey, type TestIssuer } from '#test/kit/service-account.ts';
import { silentLog } from '#test/kit/service-parts.ts';
import { openMemoryStore } from '#test/kit/store.ts';

export const organisation = 'acme';
export const uid = '5d2c1a7e-0000-4000-8000-00000000000a';

/** What was counted, as `name{label}`. */
export type Counts = Map<string, number>;

/** The token function on the real store, with a cluster `home` that may register. */
export async function openToken(more: Partial<TokenDeps> = {}) {
  const clock = createFakeClock();
  const store = openMemoryStore(clock);
  const counts: Counts = new Map();
  const metrics: TokenDeps['metrics'] = {
    count: (name, labels = {}, by = 1) => {
      const key = `${name}{${Object.values(labels).join()}}`;
      counts.set(key, (counts.get(key) ?? 0) + by);
    },
    observe: () => undefined,
    gauge: () => undefined,
  };
  const deps: TokenDeps = {
    organisation,
    store,
    clock,
    metrics,
    log: silentLog,
    issuerKeys: { read: async () => undefined },
    ...more,
  };
  const app = createTokenApp(deps);
  const post = async (path: string, body: unknown, { bearer, source = '192.0.2.1' }: Sender = {}) =>
    app.request(
      `/api/v1/agent/${path}`,
      {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
        },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      },
      { event: { requestContext: { http: { sourceIp: source } } } },
    );
  const add = async (id: string) => {
    const draft = { id, labels: {}, servers: [], identity: 'service-account' as const };
    return (await addCluster({ store, clock, bell: createBell() }, organisation, draft)).token ?? '';
  };
  const key = await createKey('first', 'RS256');
  const issuer = createIssuer('https://kubernetes.default.svc.cluster.local', [key], () => clock.now());
  return {
    app,
    clock,
    store,
    counts,
    deps,
    post,
    add,
    key,
    issuer,
    registration: await add('home'),
    async register(bearer: string, from: TestIssuer = issuer, clusterUid = uid) {
      const body = { clusterUid, jwks: from.jwks, serviceAccountToken: await from.token() };
      return post('register', body, { bearer });
    },
    async exchange(from: { token: string } | TestIssuer = issuer, rest: object = {}, sender: Sender = {}) {
      const serviceAccountToken = typeof from.token === 'string' ? from.token : await from.token();
      return post('token', { organisation, cluster: 'home', clusterUid: uid, serviceAccountToken, ...rest }, sender);
    },
    cluster: async (id = 'home'): Promise<Cluster> => {
      const row = await getCluster(store, organisation, id);
      if (row === undefined) throw new Error(`no cluster ${id}`);
      return row;
    },
    async events() {
      const { rows } = await store.query<{ reason: string; type: string; message: string; object: string }>(
        `T#${organisation}`,
        { prefix: 'EVENT#' },
      );
      return rows.map(({ value }) => value);
    },
  };
}

interface Sender {
  bearer?: string;
  source?: string;
}

/** Status and detail of a refusal. */
export async function problemIn(response: Response): Promise<{ status: number; detail: string; type: string }> {
  const { detail, type } = (await response.json()) as { detail: string; type: string };
  return { status: response.status, detail, type };
}

/** The body of a success; throws what it says otherwise. */
export async function answerIn(response: Response): Promise<TokenAnswer> {
  const body: unknown = await response.json();
  if (response.status !== 200) throw new Error(`${response.status} ${JSON.stringify(body)}`);
  return TokenAnswer.parse(body);
}

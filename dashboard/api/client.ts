import type {
  ApplicationDetail,
  ApplicationList,
  ClusterInstall,
  ClusterView,
  Problem,
  ResourceDetail,
  TreeView,
} from '#shared/messages/api.ts';
import type { Accepted } from '#shared/messages/api-changes.ts';
import type {
  AddedRepository,
  Cascade,
  ClusterItems,
  EventPage,
  HistoryItems,
  Manifests,
  NewCluster,
  NewRepository,
  RepositoryItems,
  RotatedSecret,
  Session,
} from './types.ts';

/** Body of a sync: keys of resources, or all of them where absent. */
export interface SyncRequest {
  prune?: boolean;
  force?: boolean;
  dryRun?: boolean;
  resources?: string[];
}

export type Api = ReturnType<typeof createApi>;

/**
 * The calls that the dashboard makes of `/api/v1`.
 * All reject with `ApiError`; `timeoutMs` bounds each call.
 */
export function createApi(deps: { fetch: typeof fetch; timeoutMs?: number }) {
  const call = createCall(deps.fetch, deps.timeoutMs ?? 30_000);
  const get = <T>(path: string, signal?: AbortSignal) => call<T>('GET', path, undefined, signal);
  const post = <T>(path: string, body: unknown = {}) => call<T>('POST', path, body);

  return {
    session: (signal?: AbortSignal) => get<Session>('/session', signal),
    login: (token: string) => post<unknown>('/session', { token }),
    logout: () => call<unknown>('DELETE', '/session'),
    applications: (query: string, signal?: AbortSignal) => get<ApplicationList>(`/applications?${query}`, signal),
    application: (id: string, signal?: AbortSignal) => get<ApplicationDetail>(at(id), signal),
    tree: (id: string, signal?: AbortSignal) => get<TreeView>(at(id, 'tree'), signal),
    resource: (id: string, key: string, signal?: AbortSignal) =>
      get<ResourceDetail>(`${at(id, 'resource')}?key=${encodeURIComponent(key)}`, signal),
    manifests: (id: string, signal?: AbortSignal) => get<Manifests>(at(id, 'manifests'), signal),
    events: (id: string, cursor: string | undefined, signal?: AbortSignal) =>
      get<EventPage>(`${at(id, 'events')}?limit=100${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`, signal),
    history: (id: string, signal?: AbortSignal) => get<HistoryItems>(at(id, 'history'), signal),
    sync: (id: string, body: SyncRequest) => post<Accepted>(at(id, 'sync'), body),
    refresh: (id: string) => post<Accepted>(at(id, 'refresh')),
    rollback: (id: string, generation: number) => post<Accepted>(at(id, 'rollback'), { generation }),
    confirm: (id: string, listDigest: string) => post<Accepted>(at(id, 'confirm'), { listDigest }),
    suspend: (id: string) => post<Accepted>(at(id, 'suspend')),
    resume: (id: string) => post<Accepted>(at(id, 'resume')),
    remove: (id: string, cascade: Cascade) => call<Accepted>('DELETE', `${at(id)}?cascade=${cascade}`),
    clusters: (signal?: AbortSignal) => get<ClusterItems>('/clusters', signal),
    addCluster: (body: NewCluster) => post<ClusterInstall>('/clusters', body),
    renewCluster: (id: string) => post<ClusterInstall>(`${clusterAt(id)}/registration`),
    revokeCluster: (id: string) => post<ClusterView>(`${clusterAt(id)}/revoke`),
    restoreCluster: (id: string) => post<ClusterView>(`${clusterAt(id)}/restore`),
    removeCluster: (id: string) => call<unknown>('DELETE', clusterAt(id)),
    repositories: (signal?: AbortSignal) => get<RepositoryItems>('/repositories', signal),
    addRepository: (body: NewRepository) => post<AddedRepository>('/repositories', body),
    rotateSecret: (id: string, body: { overlapHours?: number }) =>
      post<RotatedSecret>(`${repositoryAt(id)}/webhook-secret`, body),
    removeRepository: (id: string) => call<unknown>('DELETE', repositoryAt(id)),
  };
}

/** What a call failed with: the service's problem document, or one that says why there is none. */
export class ApiError extends Error {
  /** 0 where no answer came. */
  readonly status: number;
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail);
    this.name = 'ApiError';
    this.status = problem.status;
    this.problem = problem;
  }
}

/** The problem of anything thrown, for showing. */
export function problemOf(error: unknown): Problem {
  if (error instanceof ApiError) return error.problem;
  const detail = error instanceof Error ? error.message : String(error);
  return { type: '/problems/internal', title: 'The page failed', status: 0, detail, hint: 'Reload the page.' };
}

/** True where the same call may succeed later without anybody doing anything. */
export function isTransient(error: unknown): boolean {
  return error instanceof ApiError && [0, 429, 502, 503, 504].includes(error.status);
}

function at(id: string, part = ''): string {
  return `/applications/${encodeURIComponent(id)}${part === '' ? '' : `/${part}`}`;
}

function clusterAt(id: string): string {
  return `/clusters/${encodeURIComponent(id)}`;
}

function repositoryAt(id: string): string {
  return `/repositories/${encodeURIComponent(id)}`;
}

function createCall(doFetch: typeof fetch, timeoutMs: number) {
  return async function call<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
    const timeout = AbortSignal.timeout(timeoutMs);
    let response: Response;
    let text: string;
    try {
      response = await doFetch(`/api/v1${path}`, {
        method,
        credentials: 'same-origin',
        headers: headersFor(method, body),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      });
      text = await response.text();
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new ApiError(timeout.aborted ? slowProblem(timeoutMs) : unreachableProblem);
    }
    if (!response.ok) throw new ApiError(readProblem(response.status, text));
    return (text === '' ? undefined : parse(response.status, text)) as T;
  };
}

/** The header proves that the request was made by a page of the same origin (NT-132). */
function headersFor(method: string, body: unknown): Record<string, string> {
  return {
    accept: 'application/json',
    ...(method === 'GET' ? {} : { 'x-hawser-request': '1' }),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
  };
}

const unreachableProblem: Problem = {
  type: '/problems/unavailable',
  title: 'Service unreachable',
  status: 0,
  detail: 'The service did not answer.',
  hint: 'Check the network and that the service is running; the page tries again by itself.',
};

function slowProblem(timeoutMs: number): Problem {
  return {
    ...unreachableProblem,
    type: '/problems/timeout',
    title: 'No answer in time',
    detail: `The service did not answer within ${Math.round(timeoutMs / 1000)} s.`,
  };
}

function parse(status: number, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ApiError(notOurs(status));
  }
}

function readProblem(status: number, text: string): Problem {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && 'detail' in value && typeof value.detail === 'string') {
      const problem = value as Partial<Problem> & { detail: string };
      return { ...problem, type: problem.type ?? 'about:blank', title: problem.title ?? `Error ${status}`, status };
    }
  } catch {
    // Not a problem document: a proxy in between answered.
  }
  return notOurs(status);
}

function notOurs(status: number): Problem {
  return {
    type: 'about:blank',
    title: `Error ${status}`,
    status,
    detail: `Something between this page and the service answered with status ${status}.`,
    hint: 'Check proxies and load balancers on the way to the service.',
  };
}

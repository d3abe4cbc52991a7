import { HawserError } from '#shared/errors.ts';
import type { ClusterKind } from '#shared/domain/cluster.ts';
import type { KubeObject, ObjectId } from '#shared/domain/kube-object.ts';
import { collectionPath, objectPath, queryOf } from './paths.ts';
import { refusalOf } from './refusal.ts';
import type { KubeResponse, Requests } from './requests.ts';

export interface ListRequest {
  namespace?: string;
  labelSelector?: string;
  /** Objects per page; default 250. */
  limit?: number;
  /** Called once with the list's resource version, with the last page. */
  onVersion?: (resourceVersion: string) => void;
  signal?: AbortSignal;
}

interface ListAnswer {
  metadata: { resourceVersion: string; continue?: string };
  items: KubeObject[];
}

const pageSize = 250;

/** One object, undefined when there is none. Throws `forbidden` or `internal` on any other refusal. */
export async function getObject(requests: Requests, kind: ClusterKind, id: ObjectId): Promise<KubeObject | undefined> {
  const response = await requests.send({ method: 'GET', path: objectPath(kind, id.namespace, id.name) });
  if (response.status === 200) return JSON.parse(response.text) as KubeObject;
  if (response.status === 404) return undefined;
  throw readError(response, `get ${kind.plural} ${id.namespace}/${id.name}`);
}

/** All objects of a kind, 250 at a time. Throws when a page cannot be had: a partial list is never taken for a whole one. */
export async function* listPages(
  requests: Requests,
  kind: ClusterKind,
  request: ListRequest,
): AsyncGenerator<KubeObject[]> {
  let next: string | undefined;
  do {
    const query = queryOf({ limit: request.limit ?? pageSize, labelSelector: request.labelSelector, continue: next });
    const path = collectionPath(kind, request.namespace ?? '') + query;
    const response = await requests.send({ method: 'GET', path, timeoutMs: 60_000, signal: request.signal });
    if (response.status !== 200) throw readError(response, `list ${kind.plural}`);
    const answer = JSON.parse(response.text) as ListAnswer;
    const apiVersion = kind.group === '' ? kind.version : `${kind.group}/${kind.version}`;
    // Items of a list carry neither kind nor apiVersion.
    for (const item of answer.items) Object.assign(item, { apiVersion, kind: kind.kind });
    next = answer.metadata.continue === '' ? undefined : answer.metadata.continue;
    if (next === undefined) request.onVersion?.(answer.metadata.resourceVersion);
    yield answer.items;
  } while (next !== undefined);
}

function readError(response: KubeResponse, what: string): HawserError {
  const refused = refusalOf(response);
  const code = response.status === 403 ? 'forbidden' : response.status === 404 ? 'not-found' : 'internal';
  return new HawserError(code, `${what}: ${refused.message}`, { retry: 'later', data: { status: response.status } });
}

import type { ClusterKind } from '#shared/domain/cluster.ts';
import { objectPath } from './paths.ts';
import { refusalOf, type Refused } from './refusal.ts';
import type { Requests } from './requests.ts';

export interface DeleteRequest {
  kind: ClusterKind;
  namespace: string;
  name: string;
  /** Deletes only the very object that was seen (INV-24). */
  uid: string;
  /** And only as it was seen; absent where the caller accepts later changes (recreating by force). */
  resourceVersion?: string;
  propagation: 'foreground' | 'background' | 'orphan';
}

/** `accepted`: finalizers may still hold it; `gone`: it is not there, or another object bears its name. */
export type Deleted = { ok: true; state: 'accepted' | 'gone' } | Refused;

const propagationPolicy = { foreground: 'Foreground', background: 'Background', orphan: 'Orphan' } as const;

/** Deletes one object with preconditions. A conflict (it changed meanwhile) is a refusal with the reason `conflict`. */
export async function deleteObject(requests: Requests, request: DeleteRequest): Promise<Deleted> {
  const preconditions = {
    uid: request.uid,
    ...(request.resourceVersion === undefined ? {} : { resourceVersion: request.resourceVersion }),
  };
  const response = await requests.send({
    method: 'DELETE',
    path: objectPath(request.kind, request.namespace, request.name),
    body: JSON.stringify({
      kind: 'DeleteOptions',
      apiVersion: 'v1',
      preconditions,
      propagationPolicy: propagationPolicy[request.propagation],
    }),
  });
  if (response.status === 200 || response.status === 202) return { ok: true, state: 'accepted' };
  if (response.status === 404) return { ok: true, state: 'gone' };
  const refused = refusalOf(response);
  if (refused.reason === 'conflict' && /UID in (the )?precondition/.test(refused.message))
    return { ok: true, state: 'gone' };
  return refused;
}

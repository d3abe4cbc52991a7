import type { ClusterKind } from '#shared/domain/cluster.ts';
import type { KubeObject } from '#shared/domain/kube-object.ts';
import { losslessText, parseLossless } from '#shared/domain/lossless.ts';
import { collectionPath, objectPath, queryOf } from './paths.ts';
import { refusalOf, type Refused } from './refusal.ts';
import type { Requests } from './requests.ts';

export interface ApplyRequest {
  kind: ClusterKind;
  namespace: string;
  name: string;
  /** The object as JSON; goes out as it is. */
  text: string;
  fieldManager: string;
  /** Take fields over from other managers. */
  force: boolean;
  dryRun?: boolean;
}

/** What a write made of the object. */
export type Written = { ok: true; object: KubeObject; created: boolean } | Refused;

/** Server-side apply. JSON is YAML, so the text is sent untouched. Repeating it after an unknown outcome is harmless. */
export async function applyObject(requests: Requests, request: ApplyRequest): Promise<Written> {
  const query = queryOf({
    fieldManager: request.fieldManager,
    force: request.force,
    dryRun: request.dryRun === true ? 'All' : undefined,
  });
  const response = await requests.send({
    method: 'PATCH',
    path: objectPath(request.kind, request.namespace, request.name) + query,
    body: request.text,
    contentType: 'application/apply-patch+yaml',
  });
  if (response.status !== 200 && response.status !== 201) return refusalOf(response);
  return { ok: true, object: JSON.parse(response.text) as KubeObject, created: response.status === 201 };
}

/** Creates the object, or replaces the one that is there (Argo CD's `Replace=true`: fields that are not named are dropped). */
export async function createObject(requests: Requests, request: ApplyRequest): Promise<Written> {
  const query = queryOf({ fieldManager: request.fieldManager, dryRun: request.dryRun === true ? 'All' : undefined });
  const path = objectPath(request.kind, request.namespace, request.name);
  const found = await requests.send({ method: 'GET', path });
  if (found.status === 404) {
    const collection = collectionPath(request.kind, request.namespace);
    const created = await requests.send({ method: 'POST', path: collection + query, body: request.text });
    if (created.status === 201) return { ok: true, object: JSON.parse(created.text) as KubeObject, created: true };
    return refusalOf(created);
  }
  if (found.status !== 200) return refusalOf(found);
  const live = JSON.parse(found.text) as KubeObject;
  const desired = parseLossless(request.text) as KubeObject;
  // Custom resources cannot be replaced without naming the version that is replaced.
  const body = losslessText({
    ...desired,
    metadata: { ...desired.metadata, resourceVersion: live.metadata.resourceVersion },
  });
  const replaced = await requests.send({ method: 'PUT', path: path + query, body });
  if (replaced.status !== 200 && replaced.status !== 201) return refusalOf(replaced);
  return { ok: true, object: JSON.parse(replaced.text) as KubeObject, created: false };
}

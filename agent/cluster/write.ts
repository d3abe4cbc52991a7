import type { ClusterKind } from '#shared/domain/cluster.ts';
import type { JsonObject } from '#shared/domain/json.ts';
import type { KubeObject } from '#shared/domain/kube-object.ts';
import { collectionPath, objectPath } from './paths.ts';
import { refusalOf } from './refusal.ts';
import type { Requests } from './requests.ts';
import type { Written } from './apply.ts';

/** Plain creation of one of the agent's own objects; `conflict` when it exists. */
export async function createOwn(requests: Requests, kind: ClusterKind, object: KubeObject): Promise<Written> {
  const path = collectionPath(kind, object.metadata.namespace ?? '');
  const response = await requests.send({ method: 'POST', path, body: JSON.stringify(object) });
  if (response.status !== 201) return refusalOf(response);
  return { ok: true, object: JSON.parse(response.text) as KubeObject, created: true };
}

/**
 * JSON merge patch of one of the agent's own objects: only what changed travels. With `metadata.resourceVersion` in
 * the patch, somebody else's write in between makes it a `conflict`.
 */
export async function patchOwn(
  requests: Requests,
  kind: ClusterKind,
  at: { namespace: string; name: string },
  patch: JsonObject,
): Promise<Written> {
  const response = await requests.send({
    method: 'PATCH',
    path: objectPath(kind, at.namespace, at.name),
    body: JSON.stringify(patch),
    contentType: 'application/merge-patch+json',
  });
  if (response.status !== 200) return refusalOf(response);
  return { ok: true, object: JSON.parse(response.text) as KubeObject, created: false };
}

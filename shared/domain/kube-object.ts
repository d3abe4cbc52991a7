import type { Json, JsonObject } from './json.ts';

/** A Kubernetes object as far as every object is alike. */
export interface KubeObject extends JsonObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
}

export interface ObjectMeta extends JsonObject {
  name: string;
  namespace?: string;
  generateName?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  labels?: { [key: string]: string };
  annotations?: { [key: string]: string };
  deletionTimestamp?: string;
}

/** Which object: the identity that survives a change of version. `group` is '' for core, `namespace` '' for cluster scope. */
export interface ObjectId {
  group: string;
  kind: string;
  namespace: string;
  name: string;
}

/** An ObjectId and the version it was read or written in. */
export interface VersionedObjectId extends ObjectId {
  version: string;
}

/** Splits `apps/v1` into group and version; `v1` has the group ''. */
export function splitApiVersion(apiVersion: string): { group: string; version: string } {
  const slash = apiVersion.indexOf('/');
  return slash < 0
    ? { group: '', version: apiVersion }
    : { group: apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1) };
}

/** The identity of an object. */
export function idOf(object: KubeObject): VersionedObjectId {
  const { group, version } = splitApiVersion(object.apiVersion);
  return { group, version, kind: object.kind, namespace: object.metadata.namespace ?? '', name: object.metadata.name };
}

/** The key form of an identity: `group/kind/namespace/name`. Stable: inventories hold it. */
export function keyOf(id: ObjectId): string {
  return `${id.group}/${id.kind}/${id.namespace}/${id.name}`;
}

/** The inverse of `keyOf`. Names never hold a slash (RBAC names may hold colons). */
export function parseKey(key: string): ObjectId {
  const [group = '', kind = '', namespace = '', ...name] = key.split('/');
  return { group, kind, namespace, name: name.join('/') };
}

/** How people write an object: `Deployment shop/web`, `Namespace shop`, `apps/Deployment` only where the kind is not enough. */
export function describeId(id: ObjectId): string {
  return `${id.kind} ${id.namespace === '' ? '' : `${id.namespace}/`}${id.name}`;
}

/** One annotation, or undefined. */
export function annotationOf(object: KubeObject, name: string): string | undefined {
  const value: Json | undefined = object.metadata.annotations?.[name];
  return typeof value === 'string' ? value : undefined;
}

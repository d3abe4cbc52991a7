import { isJsonObject, type JsonObject } from '#shared/domain/json.ts';
import type { ApplicationSummary } from '#shared/messages/api.ts';
import type { Client } from '../client.ts';
import { refused } from '../failure.ts';

/** Above this, one list is cheaper than so many single requests. */
const fewApplications = 20;

/** The objects of applications as they were declared, with status, in the order of the rows. */
export async function applicationObjects(client: Client, rows: readonly ApplicationSummary[]): Promise<JsonObject[]> {
  if (rows.length <= fewApplications) return Promise.all(rows.map((row) => readOne(client, row)));
  const byKey = new Map<string, JsonObject>();
  for (const kind of new Set(rows.map((row) => row.kind))) {
    for (const object of await declaredObjects(client, kind, undefined)) {
      const { namespace, name } = metadataOf(object);
      byKey.set(`${kind}/${namespace}/${name}`, object);
    }
  }
  // Whatever was deleted in between is simply not there.
  return rows
    .map((row) => byKey.get(`${row.kind}/${row.namespace}/${row.name}`))
    .filter((object) => object !== undefined);
}

/** All declared objects of a kind. */
export async function declaredObjects(
  client: Client,
  kind: string,
  namespace: string | undefined,
): Promise<JsonObject[]> {
  const { items } = await client.get<{ items: JsonObject[] }>(`/api/v1/objects/${kind}`, { namespace });
  return items;
}

export function metadataOf(object: JsonObject): { name: string; namespace: string; created: string | undefined } {
  const metadata = isJsonObject(object['metadata']) ? object['metadata'] : {};
  const created = metadata['creationTimestamp'];
  return {
    name: String(metadata['name'] ?? ''),
    namespace: String(metadata['namespace'] ?? ''),
    created: typeof created === 'string' ? created : undefined,
  };
}

export function labelsOf(object: JsonObject): Record<string, string> {
  const metadata = isJsonObject(object['metadata']) ? object['metadata'] : {};
  const labels = isJsonObject(metadata['labels']) ? metadata['labels'] : {};
  return Object.fromEntries(Object.entries(labels).map(([key, value]) => [key, String(value)]));
}

/** A field deep in an object, where all above it are objects. */
export function fieldOf(object: JsonObject, ...path: string[]): unknown {
  return path.reduce<unknown>((at, key) => (isJsonObject(at) ? at[key] : undefined), object);
}

/** The Flux condition `Ready`, or another. */
export function conditionOf(object: JsonObject, type: string): { status: string; message: string } | undefined {
  const conditions = fieldOf(object, 'status', 'conditions');
  if (!Array.isArray(conditions)) return undefined;
  const found = conditions.find((one) => isJsonObject(one) && one['type'] === type);
  return isJsonObject(found) ? { status: String(found['status']), message: String(found['message'] ?? '') } : undefined;
}

async function readOne(client: Client, { id, kind, namespace, name }: ApplicationSummary): Promise<JsonObject> {
  const path = [kind, namespace === '' ? '-' : namespace, name].map(encodeURIComponent).join('/');
  const object = await client.get<JsonObject | undefined>(`/api/v1/objects/${path}`);
  if (object === undefined) throw refused(`application ${id} is gone`);
  return object;
}

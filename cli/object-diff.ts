import { isJsonObject, type Json, type JsonObject } from '#shared/domain/json.ts';

/** Fields by which the items of a list are told apart, in the order in which they are tried. */
const listKeys = ['name', 'key', 'containerPort', 'port', 'mountPath', 'topologyKey', 'ip', 'type'];

/** Written by the API server, no matter what anybody desires. */
const serverFields = ['managedFields', 'resourceVersion', 'uid', 'creationTimestamp', 'generation', 'selfLink'];

/**
 * What is live, reduced to the fields that the desired object has: defaults and what others own are nobody's difference.
 * Items of lists of objects are matched by name. Pure.
 */
export function ownedPart(desired: Json | undefined, live: Json | undefined): Json | undefined {
  if (live === undefined || desired === undefined) return live;
  if (isJsonObject(desired) && isJsonObject(live)) {
    const entries = Object.keys(desired)
      .filter((key) => Object.hasOwn(live, key) || desired[key] === undefined)
      .map((key) => [key, ownedPart(desired[key], live[key])] as const);
    return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
  }
  if (Array.isArray(desired) && Array.isArray(live)) return ownedItems(desired, live);
  return live;
}

/** A live object that nothing desires any more, without what the server adds. Pure. */
export function withoutServerFields(live: JsonObject): JsonObject {
  const { status: _status, metadata, ...rest } = live;
  if (!isJsonObject(metadata)) return rest;
  const own = Object.fromEntries(Object.entries(metadata).filter(([key]) => !serverFields.includes(key)));
  return { ...rest, metadata: own };
}

/** The same object with its keys in the order in which people write them, and the others sorted. Pure. */
export function inReadingOrder(value: Json | undefined): Json | undefined {
  if (Array.isArray(value)) return value.map((item) => inReadingOrder(item) ?? null);
  if (!isJsonObject(value)) return value;
  const rank = (key: string): number => {
    const index = ['apiVersion', 'kind', 'metadata', 'name', 'namespace'].indexOf(key);
    return index < 0 ? 5 : index;
  };
  const keys = Object.keys(value).toSorted((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
  return Object.fromEntries(keys.map((key) => [key, inReadingOrder(value[key])]));
}

function ownedItems(desired: readonly Json[], live: readonly Json[]): Json[] {
  const key = listKeys.find((one) =>
    [...desired, ...live].every((item) => isJsonObject(item) && item[one] !== undefined),
  );
  if (key === undefined) {
    // Without names only the position tells which is which; more live items than desired ones are a difference.
    return live.map((item, index) => ownedPart(desired[index], item) ?? null);
  }
  return desired.flatMap((item): Json[] => {
    const wanted = (item as JsonObject)[key];
    const found = live.find((one) => (one as JsonObject)[key] === wanted);
    return found === undefined ? [] : [ownedPart(item, found) ?? null];
  });
}

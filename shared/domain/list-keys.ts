import { isJsonObject, type Json, type JsonObject } from './json.ts';

/**
 * Lists that the API server merges by a key and not by position (`x-kubernetes-list-map-keys` of the built-in kinds), by the
 * name of the list. Where a name means two things (`ports` of containers and of Services) the first key set that the
 * element has decides.
 */
const listKeys: Readonly<Record<string, readonly (readonly string[])[]>> = {
  containers: [['name']],
  initContainers: [['name']],
  ephemeralContainers: [['name']],
  env: [['name']],
  volumes: [['name']],
  volumeMounts: [['mountPath']],
  volumeDevices: [['devicePath']],
  ports: [
    ['containerPort', 'protocol'],
    ['port', 'protocol'],
  ],
  imagePullSecrets: [['name']],
  hostAliases: [['ip']],
  topologySpreadConstraints: [['topologyKey', 'whenUnsatisfiable']],
  resourceClaims: [['name']],
  schedulingGates: [['name']],
  conditions: [['type']],
  webhooks: [['name']],
  matchConditions: [['name']],
  ownerReferences: [['uid']],
  secrets: [['name']],
  claims: [['name']],
};

/** Lists of plain values that the API server treats as sets: others may add to them. */
const sets = new Set(['finalizers']);

/**
 * How a list of the built-in kinds is compared: by `keys`, as a `set`, or as a whole by position. `path` leads to the list:
 * some names mean another list elsewhere (`ports` of a NetworkPolicy is one whole: what somebody adds there is drift).
 */
export function keysOfList(
  path: readonly (string | number)[],
  element: Json | undefined,
): readonly string[] | 'set' | undefined {
  const list = String(path.at(-1));
  if (sets.has(list)) return 'set';
  if (!Object.hasOwn(listKeys, list) || !isJsonObject(element)) return undefined;
  const keys = listKeys[list]?.find(([first]) => first !== undefined && element[first] !== undefined);
  if (keys?.[0] === 'port' && path.length !== 2) return undefined;
  if (list === 'imagePullSecrets' && path.length === 1) return undefined;
  return keys;
}

/** Index in `others` of the element that has the key of `element`; the same position where the list has no key; -1 for none. */
export function findElement(
  path: readonly (string | number)[],
  element: Json | undefined,
  others: readonly Json[],
  position: number,
): number {
  const keys = keysOfList(path, element);
  if (keys === undefined) return position < others.length ? position : -1;
  if (keys === 'set') return others.indexOf(element as Json);
  return indexByKeys(keys, element as JsonObject, others, position);
}

/** Index of the element with the same keys; looks first where it most likely is. */
export function indexByKeys(
  keys: readonly string[],
  element: JsonObject,
  others: readonly Json[],
  position: number,
): number {
  if (sameKeys(keys, element, others[position])) return position;
  for (let index = 0; index < others.length; index += 1) {
    if (sameKeys(keys, element, others[index])) return index;
  }
  return -1;
}

function sameKeys(keys: readonly string[], element: JsonObject, other: Json | undefined): boolean {
  if (!isJsonObject(other)) return false;
  for (const key of keys) {
    if (keyValue(element, key) !== keyValue(other, key)) return false;
  }
  return true;
}

/** A port without protocol is TCP: the API server's default for this part of the key. */
function keyValue(element: JsonObject, key: string): Json | undefined {
  return element[key] ?? (key === 'protocol' ? 'TCP' : undefined);
}

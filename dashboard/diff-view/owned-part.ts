/** Fields by which Kubernetes tells the items of a list apart, the likeliest first. */
const itemKeys = [
  'name',
  'key',
  'containerPort',
  'port',
  'mountPath',
  'devicePath',
  'ip',
  'uid',
  'type',
  'topologyKey',
];

/**
 * The part of `live` that `desired` speaks about: what the cluster set by itself (defaults, status, managed fields) is left out,
 * so that a comparison shows what a sync would change. For showing only; the drift itself is the agent's word.
 */
export function ownedPart(live: unknown, desired: unknown): unknown {
  if (Array.isArray(live) && Array.isArray(desired)) return ownedItems(live, desired);
  if (!isObject(live) || !isObject(desired)) return live;
  const part: Record<string, unknown> = {};
  for (const [key, wanted] of Object.entries(desired)) {
    if (Object.hasOwn(live, key)) part[key] = ownedPart(live[key], wanted);
  }
  return part;
}

function ownedItems(live: unknown[], desired: unknown[]): unknown[] {
  if (!live.every(isObject) || !desired.every(isObject)) return live;
  const key = itemKeys.find((name) => isKey(live, name) && isKey(desired, name));
  if (key === undefined)
    return live.map((item, index) => (index < desired.length ? ownedPart(item, desired[index]) : item));
  const byKey = new Map(live.map((item) => [item[key], item]));
  return desired.flatMap((wanted) => {
    const item = byKey.get(wanted[key]);
    return item === undefined ? [] : [ownedPart(item, wanted)];
  });
}

function isKey(items: Record<string, unknown>[], name: string): boolean {
  return (
    items.every((item) => Object.hasOwn(item, name)) && new Set(items.map((item) => item[name])).size === items.length
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

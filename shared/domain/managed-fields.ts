import { isJsonObject, type Json, type JsonObject } from './json.ts';
import type { JsonPath } from './json-paths.ts';

/** Names of the field managers that own anything in an object, without repetition. */
export function managersOf(object: JsonObject): string[] {
  return [...new Set(entriesOf(object).map(managerOf))];
}

/**
 * Paths in `object` of the fields that these managers own, as the live object's `metadata.managedFields` tells
 * (fieldsV1: `f:` member, `k:` list element by keys, `v:` list element by value, `i:` by index).
 */
export function managedPaths(live: JsonObject, managers: readonly string[], object: JsonObject): JsonPath[] {
  const paths: JsonPath[] = [];
  for (const entry of entriesOf(live)) {
    if (!managers.includes(managerOf(entry)) || !isJsonObject(entry['fieldsV1'])) continue;
    collect(entry['fieldsV1'], object, [], paths);
  }
  return paths;
}

function managerOf(entry: JsonObject): string {
  return typeof entry['manager'] === 'string' ? entry['manager'] : '';
}

function entriesOf(object: JsonObject): JsonObject[] {
  const metadata = object['metadata'];
  const entries = isJsonObject(metadata) ? metadata['managedFields'] : undefined;
  return Array.isArray(entries) ? entries.filter(isJsonObject) : [];
}

function collect(fields: JsonObject, value: Json | undefined, path: JsonPath, paths: JsonPath[]): void {
  for (const [name, inner] of Object.entries(fields)) {
    const part = partOf(name, value);
    if (part === undefined || value === null || typeof value !== 'object') continue;
    const child = Array.isArray(value) ? value[part as number] : value[part];
    if (child === undefined) continue;
    const nested = isJsonObject(inner) ? inner : {};
    const at = [...path, part];
    // `.` says that the element itself is owned, not what lies in it.
    const names = Object.keys(nested).filter((key) => key !== '.');
    if (names.length === 0) paths.push(at);
    else collect(nested, child, at, paths);
  }
}

function partOf(name: string, value: Json | undefined): string | number | undefined {
  const rest = name.slice(2);
  if (name.startsWith('f:')) return isJsonObject(value) && Object.hasOwn(value, rest) ? rest : undefined;
  if (!Array.isArray(value)) return undefined;
  if (name.startsWith('i:')) return Number(rest);
  if (!name.startsWith('k:') && !name.startsWith('v:')) return undefined;
  const wanted = parsed(rest);
  if (wanted === undefined) return undefined;
  const index = value.findIndex((element) =>
    name.startsWith('v:')
      ? element === wanted
      : isJsonObject(element) &&
        isJsonObject(wanted) &&
        Object.entries(wanted).every(
          ([key, part]) => (element[key] ?? (key === 'protocol' ? 'TCP' : undefined)) === part,
        ),
  );
  return index < 0 ? undefined : index;
}

function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

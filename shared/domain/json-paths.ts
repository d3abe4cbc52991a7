import { isJsonObject, type Json, type JsonObject } from './json.ts';
import { isRawNumber } from './lossless.ts';

/** Where a value lies inside a JSON value: member names and list indexes. */
export type JsonPath = readonly (string | number)[];

/** A path as JSON pointer (RFC 6901). */
export function pointerOf(path: JsonPath): string {
  let text = '';
  for (const part of path) text += `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`;
  return text;
}

/** The parts of a JSON pointer; undefined where it is none. List indexes stay texts: only the value tells what is a list. */
export function parsePointer(pointer: string): string[] | undefined {
  if (pointer === '') return [];
  if (!pointer.startsWith('/')) return undefined;
  return pointer
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** The path of a pointer in a value; undefined where nothing is there. */
export function resolvePointer(value: Json, parts: readonly string[]): JsonPath | undefined {
  const path: (string | number)[] = [];
  let current: Json | undefined = value;
  for (const part of parts) {
    if (Array.isArray(current)) {
      const index: number = /^\d{1,6}$/.test(part) ? Number(part) : -1;
      if (index < 0 || index >= current.length) return undefined;
      path.push(index);
      current = current[index];
    } else {
      if (!isJsonObject(current) || !Object.hasOwn(current, part)) return undefined;
      path.push(part);
      current = current[part];
    }
  }
  return path;
}

/** The value at a path, or undefined. */
export function valueAt(value: Json | undefined, path: JsonPath): Json | undefined {
  let current: Json | undefined = value;
  for (const part of path) {
    if (Array.isArray(current)) current = current[part as number];
    else if (isJsonObject(current) && Object.hasOwn(current, part)) current = current[part];
    else return undefined;
  }
  return current;
}

/** A deep copy; numbers kept as text stay so. */
export function cloneJson<T extends Json>(value: T): T {
  if (value === null || typeof value !== 'object' || isRawNumber(value)) return value;
  if (Array.isArray(value)) return value.map((item) => cloneJson(item)) as T;
  const copy: JsonObject = {};
  for (const [key, member] of Object.entries(value)) define(copy, key, member === undefined ? null : cloneJson(member));
  return copy as T;
}

/** Removes what lies at these paths, in place. Paths are those of the value as it is handed in, whatever their order. */
export function removePaths(value: Json, paths: Iterable<JsonPath>): void {
  const gaps = new Map<Json[], Set<number>>();
  for (const path of paths) {
    const parent = valueAt(value, path.slice(0, -1));
    const last = path.at(-1);
    if (last === undefined) continue;
    if (Array.isArray(parent)) {
      const indexes = gaps.get(parent) ?? new Set();
      gaps.set(parent, indexes.add(last as number));
    } else if (isJsonObject(parent)) delete parent[last];
  }
  // Lists shrink last: until then every index means what it meant.
  for (const [list, indexes] of gaps) {
    const kept = list.filter((_, index) => !indexes.has(index));
    list.splice(0, list.length, ...kept);
  }
}

/** Sets a member, also one named `__proto__`, which plain assignment would take for the prototype. */
export function define(object: JsonObject, key: string, value: Json): void {
  if (key === '__proto__')
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
  else object[key] = value;
}

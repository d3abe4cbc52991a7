import type { IgnoreRule } from './application.ts';
import { compileJq, type JqProgram, jqPaths } from './jq-paths.ts';
import { isJsonObject, type Json, type JsonObject } from './json.ts';
import { cloneJson, define, type JsonPath, parsePointer, removePaths, resolvePointer, valueAt } from './json-paths.ts';
import { type KubeObject, type ObjectId, idOf } from './kube-object.ts';
import { findElement } from './list-keys.ts';
import { managedPaths } from './managed-fields.ts';

/** An expression of a rule that cannot be honoured; differences there show. */
export interface UnsupportedExpression {
  expression: string;
  reason: string;
}

interface CompiledRule {
  pointers: string[][];
  programs: JqProgram[];
}

const compiled = new WeakMap<IgnoreRule, CompiledRule>();

/**
 * True where a rule is for an object: group and kind as globs, an absent group is the core group, name and namespace
 * exactly where the rule has them (argo-cd.md §1.3).
 */
export function ruleMatches(rule: IgnoreRule, id: ObjectId): boolean {
  return (
    matchesGlob(rule.group ?? '', id.group) &&
    matchesGlob(rule.kind ?? '', id.kind) &&
    (!rule.name || rule.name === id.name) &&
    (!rule.namespace || rule.namespace === id.namespace)
  );
}

/** Rules that are for an object; mostly none, and then nothing else is to be done. */
export function rulesFor(rules: readonly IgnoreRule[] | undefined, id: ObjectId): IgnoreRule[] {
  return rules === undefined || rules.length === 0 ? [] : rules.filter((rule) => ruleMatches(rule, id));
}

/** Every expression of these rules that is not supported, with the reason; what the application's status tells its owner. */
export function unsupportedExpressions(rules: readonly IgnoreRule[]): UnsupportedExpression[] {
  const found: UnsupportedExpression[] = [];
  for (const rule of rules) {
    for (const pointer of rule.jsonPointers ?? []) {
      if (parsePointer(pointer) === undefined) found.push({ expression: pointer, reason: 'it does not start with /' });
    }
    for (const program of compile(rule).programs) {
      if ('unsupported' in program) found.push({ expression: program.expression, reason: program.unsupported });
    }
  }
  return found;
}

/**
 * Paths of an object that rules exclude. `managers` of a rule are looked up in the live object's managedFields.
 * `rules` are those for this object (`rulesFor`).
 */
export function ignoredPaths(
  rules: readonly IgnoreRule[],
  object: JsonObject,
  live: JsonObject | undefined,
): JsonPath[] {
  const paths: JsonPath[] = [];
  for (const rule of rules) {
    const { pointers, programs } = compile(rule);
    for (const pointer of pointers) {
      const path = resolvePointer(object, pointer);
      if (path !== undefined) paths.push(path);
    }
    for (const program of programs) paths.push(...jqPaths(program, object));
    if (rule.managedFieldsManagers !== undefined && live !== undefined) {
      paths.push(...managedPaths(live, rule.managedFieldsManagers, object));
    }
  }
  return paths.filter((path) => path.length > 0);
}

/** A copy of an object without what rules exclude; the object itself where they exclude nothing. */
export function withoutIgnored<T extends JsonObject>(
  rules: readonly IgnoreRule[],
  object: T,
  live: JsonObject | undefined,
): T {
  const paths = ignoredPaths(rules, object, live);
  if (paths.length === 0) return object;
  const copy = cloneJson(object);
  removePaths(copy, paths);
  return copy;
}

/**
 * What is to be applied under `RespectIgnoreDifferences`: a copy of the desired object whose ignored fields hold the live
 * values (argo-cd.md §2.7). Ignored fields that the live object lacks are left out; without a live object nothing changes,
 * for a creation needs all fields.
 */
export function respectIgnored(
  rules: readonly IgnoreRule[],
  desired: KubeObject,
  live: KubeObject | undefined,
): KubeObject {
  const own = rulesFor(rules, idOf(desired));
  if (own.length === 0 || live === undefined) return desired;
  const copy = cloneJson(desired);
  const removed: JsonPath[] = [];
  for (const path of ignoredPaths(own, desired, live)) {
    const value = liveValueAt(desired, live, path);
    if (value === undefined) removed.push(path);
    else setAt(copy, path, cloneJson(value));
  }
  for (const path of ignoredPaths(own, live, live)) addMember(copy, live, path);
  removePaths(copy, removed);
  return copy;
}

/** The live value that stands where `path` leads in the desired object: elements of keyed lists are found by their key. */
function liveValueAt(desired: JsonObject, live: JsonObject, path: JsonPath): Json | undefined {
  let ours: Json | undefined = desired;
  let theirs: Json | undefined = live;
  for (const [depth, part] of path.entries()) {
    if (Array.isArray(ours) && Array.isArray(theirs)) {
      const element: Json | undefined = ours[part as number];
      const index = findElement(path.slice(0, depth), element, theirs, part as number);
      ours = element;
      theirs = index < 0 ? undefined : theirs[index];
    } else {
      ours = valueAt(ours, [part]);
      theirs = valueAt(theirs, [part]);
    }
    if (theirs === undefined) return undefined;
  }
  return theirs;
}

/** Copies an ignored member that only the live object has, where its parent object is desired under the same path. */
function addMember(copy: JsonObject, live: JsonObject, path: JsonPath): void {
  if (path.some((part) => typeof part === 'number')) return;
  const parent = valueAt(copy, path.slice(0, -1));
  const name = path.at(-1) as string;
  const value = valueAt(live, path);
  if (isJsonObject(parent) && !Object.hasOwn(parent, name) && value !== undefined)
    define(parent, name, cloneJson(value));
}

function setAt(value: JsonObject, path: JsonPath, wanted: Json): void {
  const parent = valueAt(value, path.slice(0, -1));
  const last = path.at(-1) as string | number;
  if (Array.isArray(parent)) parent[last as number] = wanted;
  else if (isJsonObject(parent)) define(parent, String(last), wanted);
}

function compile(rule: IgnoreRule): CompiledRule {
  const known = compiled.get(rule);
  if (known !== undefined) return known;
  const made: CompiledRule = {
    pointers: (rule.jsonPointers ?? []).map(parsePointer).filter((parts) => parts !== undefined),
    programs: (rule.jqPathExpressions ?? []).map(compileJq),
  };
  compiled.set(rule, made);
  return made;
}

/** `*` and `?` only; linear in both lengths, whatever the pattern. */
function matchesGlob(pattern: string, value: string): boolean {
  if (pattern === value || pattern === '*') return true;
  let p = 0;
  let v = 0;
  let star = -1;
  let retry = 0;
  while (v < value.length) {
    if (p < pattern.length && pattern[p] !== '*' && (pattern[p] === '?' || pattern[p] === value[v])) {
      p += 1;
      v += 1;
    } else if (pattern[p] === '*') {
      star = p;
      retry = v;
      p += 1;
    } else if (star >= 0) {
      p = star + 1;
      retry += 1;
      v = retry;
    } else return false;
  }
  while (pattern[p] === '*') p += 1;
  return p === pattern.length;
}

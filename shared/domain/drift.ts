import type { IgnoreRule } from './application.ts';
import { rulesFor, withoutIgnored } from './ignore-rules.ts';
import { isJsonObject, type Json, type JsonObject } from './json.ts';
import { define, pointerOf } from './json-paths.ts';
import { idOf, type KubeObject } from './kube-object.ts';
import { indexByKeys, keysOfList } from './list-keys.ts';
import { isRawNumber } from './lossless.ts';
import { isSecret, redactDifferences } from './redact.ts';
import { isBuiltIn, isDroppedZero, isLeftToServer, isOpenMap, isQuantity } from './server-equalities.ts';
import { sameQuantity } from './quantity.ts';
import type { FieldDifference } from './status.ts';

export interface CompareOptions {
  ignore?: readonly IgnoreRule[];
  /** Stop after this many differences; default 50. One is enough to know that there is drift. */
  limit?: number;
}

/** Longest value that a difference shows, in characters of JSON text. */
const shownLength = 1024;
const defaultLimit = 50;

/**
 * Fields that we own (those of the desired object) and that live otherwise. Empty when nothing that we own differs.
 * Fields that only the live object has are somebody else's. Equal counts what the API server makes equal: quantities, absent and
 * empty, stringData and data, lists that it merges by key. In doubt it reports a difference: a dry run then decides.
 * Values of Secrets are masked; paths are JSON pointers into the desired object.
 */
export function ownedDifferences(
  desired: KubeObject,
  live: KubeObject,
  options: CompareOptions = {},
): FieldDifference[] {
  const { ignore } = options;
  const rules = ignore === undefined || ignore.length === 0 ? [] : rulesFor(ignore, idOf(desired));
  const theirs = rules.length === 0 ? live : withoutIgnored(rules, live, live);
  let ours = isSecret(desired) ? withEncodedData(desired) : desired;
  if (rules.length > 0) ours = withoutIgnored(rules, ours, live);
  const walk = startWalk('owned', desired.apiVersion, options);
  compareTop(walk, ours, theirs);
  return finished(walk, desired);
}

/**
 * What an apply would change: the live object against the answer of a dry run. Both are complete server objects; bookkeeping
 * (managedFields, resourceVersion, generation, status…) does not count. `desired` is the dry run's value.
 */
export function compareAppliedDryRun(
  live: KubeObject,
  dryRun: KubeObject,
  options: CompareOptions = {},
): FieldDifference[] {
  const rules = rulesFor(options.ignore, idOf(dryRun));
  const ours = rules.length === 0 ? dryRun : withoutIgnored(rules, dryRun, live);
  const theirs = rules.length === 0 ? live : withoutIgnored(rules, live, live);
  const walk = startWalk('both', dryRun.apiVersion, options);
  compareTop(walk, ours, theirs);
  return finished(walk, dryRun);
}

interface Walk {
  /** `both`: what only the live object has is a difference, too. */
  mode: 'owned' | 'both';
  builtIn: boolean;
  limit: number;
  path: (string | number)[];
  found: FieldDifference[];
}

const unowned = new Set(['apiVersion', 'kind', 'metadata', 'status', 'stringData']);
const comparedMetadata = ['labels', 'annotations', 'finalizers', 'ownerReferences'] as const;

function startWalk(mode: Walk['mode'], apiVersion: string, options: CompareOptions): Walk {
  return { mode, builtIn: isBuiltIn(apiVersion), limit: options.limit ?? defaultLimit, path: [], found: [] };
}

function finished(walk: Walk, object: KubeObject): FieldDifference[] {
  return walk.found.length === 0 ? walk.found : redactDifferences(idOf(object), walk.found);
}

function compareTop(walk: Walk, ours: KubeObject, theirs: KubeObject): void {
  walk.path.push('metadata');
  for (const field of comparedMetadata) {
    compareMember(walk, field, ours.metadata[field], theirs.metadata[field]);
  }
  walk.path.pop();
  for (const field of Object.keys(ours)) {
    if (!unowned.has(field)) compareMember(walk, field, ours[field], theirs[field]);
  }
  if (walk.mode === 'owned') return;
  for (const field of Object.keys(theirs)) {
    if (!unowned.has(field) && !(field in ours)) compareMember(walk, field, undefined, theirs[field]);
  }
}

function compareMember(walk: Walk, name: string, ours: Json | undefined, theirs: Json | undefined): void {
  if (ours === theirs || walk.found.length >= walk.limit) return;
  walk.path.push(name);
  compareValue(walk, name, ours, theirs);
  walk.path.pop();
}

function compareValue(walk: Walk, name: string, ours: Json | undefined, theirs: Json | undefined): void {
  if (ours === theirs) return;
  // A null says «nobody sets this»: there is nothing that we own.
  if (ours === null || ours === undefined) {
    if (walk.mode === 'both' && theirs !== null && theirs !== undefined) note(walk, ours, theirs);
    return;
  }
  if (theirs === null || theirs === undefined) {
    if (walk.mode === 'both' || !countsAsAbsent(walk, name, ours)) note(walk, ours, theirs);
    return;
  }
  if (typeof ours !== 'object' || isRawNumber(ours)) compareScalar(walk, name, ours, theirs);
  else if (Array.isArray(ours)) {
    if (Array.isArray(theirs)) compareList(walk, name, ours, theirs);
    else note(walk, ours, theirs);
  } else if (isJsonObject(theirs) && !isRawNumber(theirs)) compareObject(walk, name, ours, theirs);
  else note(walk, ours, theirs);
}

function compareObject(walk: Walk, name: string, ours: JsonObject, theirs: JsonObject): void {
  const open = isOpenMap(name, ours);
  for (const field of Object.keys(ours)) {
    if (walk.found.length >= walk.limit) return;
    const mine = ours[field];
    const other = theirs[field];
    if (mine === other) continue;
    walk.path.push(field);
    // Members of an open map (labels, data…) are users' names: rules about fields do not hold for them.
    compareValue(walk, open ? `${name}/` : field, mine, other);
    walk.path.pop();
  }
  if (walk.mode === 'owned') return;
  for (const field of Object.keys(theirs)) {
    if (ours[field] === undefined) compareMember(walk, field, undefined, theirs[field]);
  }
}

function compareList(walk: Walk, name: string, ours: Json[], theirs: Json[]): void {
  const keys = walk.builtIn || walk.mode === 'both' ? keysOfList(walk.path, ours[0]) : undefined;
  if (keys === undefined) return compareByPosition(walk, name, ours, theirs);
  if (walk.mode === 'both' && ours.length !== theirs.length) return note(walk, ours, theirs);
  for (let index = 0; index < ours.length; index += 1) {
    const element = ours[index] as Json;
    if (keys === 'set') {
      if (theirs.includes(element)) continue;
      walk.path.push(index);
      note(walk, element, undefined);
    } else {
      const at = isJsonObject(element) ? indexByKeys(keys, element, theirs, index) : -1;
      walk.path.push(index);
      compareValue(walk, `${name}[]`, element, at < 0 ? undefined : theirs[at]);
    }
    walk.path.pop();
  }
}

function compareByPosition(walk: Walk, name: string, ours: Json[], theirs: Json[]): void {
  if (ours.length !== theirs.length) return note(walk, ours, theirs);
  for (let index = 0; index < ours.length; index += 1) {
    if (walk.found.length >= walk.limit) return;
    walk.path.push(index);
    compareValue(walk, `${name}[]`, ours[index], theirs[index]);
    walk.path.pop();
  }
}

function compareScalar(walk: Walk, name: string, ours: Json, theirs: Json): void {
  if (isRawNumber(ours) || isRawNumber(theirs)) {
    // A live object may have been parsed the plain way: then both are rounded alike.
    if (numberOf(ours) !== numberOf(theirs)) note(walk, ours, theirs);
    return;
  }
  if (walk.mode === 'owned') {
    if (isSameQuantity(walk, ours, theirs)) return;
    if (walk.builtIn && isLeftToServer(name, ours, theirs)) return;
  }
  note(walk, ours, theirs);
}

function isSameQuantity(walk: Walk, ours: Json, theirs: Json): boolean {
  if (!isTextOrNumber(ours) || !isTextOrNumber(theirs) || !isQuantity(walk.path, walk.builtIn)) return false;
  return sameQuantity(ours, theirs);
}

function isTextOrNumber(value: Json): value is string | number {
  return typeof value === 'string' || typeof value === 'number';
}

function countsAsAbsent(walk: Walk, name: string, ours: Json): boolean {
  return walk.builtIn && isDroppedZero(name, ours);
}

function numberOf(value: Json): number {
  return isRawNumber(value) ? Number(value.rawJSON) : Number(value);
}

function note(walk: Walk, ours: Json | undefined, theirs: Json | undefined): void {
  walk.found.push({
    path: pointerOf(walk.path),
    ...(ours === undefined ? {} : { desired: shown(ours) }),
    ...(theirs === undefined ? {} : { live: shown(theirs) }),
  });
}

function shown(value: Json): string {
  const text = JSON.stringify(value);
  return text.length <= shownLength ? text : `${text.slice(0, shownLength - 1)}…`;
}

/** A Secret as the API server keeps it: `stringData` encoded into `data`, over what is there; base64 without line breaks. */
function withEncodedData(secret: KubeObject): KubeObject {
  const { stringData, data: written, ...rest } = secret;
  if (!isJsonObject(stringData) && !isJsonObject(written)) return secret;
  const data: JsonObject = {};
  for (const [name, value] of Object.entries(isJsonObject(written) ? written : {})) {
    define(data, name, typeof value === 'string' ? value.replaceAll(/\s/g, '') : (value ?? null));
  }
  for (const [name, value] of Object.entries(isJsonObject(stringData) ? stringData : {})) {
    define(data, name, typeof value === 'string' ? Buffer.from(value).toString('base64') : (value ?? null));
  }
  return { ...rest, data } as unknown as KubeObject;
}

import { isId } from './ids.ts';
import { isJsonObject, type JsonObject } from './json.ts';
import { ownerMark } from './tracking.ts';

/** What is wrong with the shape of a root: the path of a field and what it should be. */
export interface ShapeProblem {
  path: string;
  wanted: string;
}

type Check = (value: unknown) => string | undefined;

const largestCount = 1_000_000;

/** The first problem of a parsed root of format 1, or undefined. Unknown fields are allowed: newer services add some. */
export function shapeProblem(root: JsonObject): ShapeProblem | undefined {
  return (
    firstProblem(root, '', rootShape) ??
    firstProblem(root['policy'] as JsonObject, 'policy.', policyShape) ??
    countsProblem(root) ??
    optionalProblem(root, 'sync', syncShape) ??
    optionalProblem(root, 'deletion', deletionShape)
  );
}

/** A shape problem as a sentence. */
export function describeShape({ path, wanted }: ShapeProblem): string {
  return `${path} of the root is not ${wanted}`;
}

const text: Check = (value) => (typeof value === 'string' ? undefined : 'a text');
const flag: Check = (value) => (typeof value === 'boolean' ? undefined : 'true or false');
const id: Check = (value) => (typeof value === 'string' && isId(value) ? undefined : 'an id');
const digest: Check = (value) =>
  typeof value === 'string' && /^[0-9a-f]{64}$/.test(value) ? undefined : 'a SHA-256 digest';
const count: Check = (value) =>
  Number.isSafeInteger(value) && (value as number) >= 0 ? undefined : 'a whole number from 0';
const positive: Check = (value) =>
  Number.isSafeInteger(value) && (value as number) > 0 ? undefined : 'a whole number from 1';
const amount: Check = (value) => (typeof value === 'number' && Number.isFinite(value) ? undefined : 'a number');
const time: Check = (value) => (typeof value === 'string' && !Number.isNaN(Date.parse(value)) ? undefined : 'a time');
const object: Check = (value) => (isJsonObject(value) ? undefined : 'an object');

function oneOf(...words: string[]): Check {
  return (value) => (words.includes(value as string) ? undefined : `one of ${words.join(', ')}`);
}

function listOf(check: Check): Check {
  return (value) => {
    if (!Array.isArray(value)) return 'a list';
    for (const item of value) {
      const problem = check(item);
      if (problem !== undefined) return `a list of which each is ${problem}`;
    }
    return undefined;
  };
}

const dependency: Check = (value) =>
  isJsonObject(value) && id(value['application']) === undefined && count(value['generation']) === undefined
    ? undefined
    : 'an application and a generation';

const rootShape: Record<string, Check> = {
  organisation: id,
  cluster: id,
  application: id,
  displayName: text,
  kind: oneOf('Application', 'Kustomization'),
  generation: positive,
  revision: text,
  inputDigest: text,
  destinationNamespace: text,
  policy: object,
  chunks: listOf(digest),
  objectCount: count,
  totalBytes: count,
  flags: listOf(text),
  dependsOn: listOf(dependency),
  owner: text,
};

const policyShape: Record<string, Check> = {
  automated: flag,
  prune: flag,
  selfHeal: flag,
  allowEmpty: flag,
  suspended: flag,
  wait: flag,
  createNamespace: flag,
  pruneLast: flag,
  replace: flag,
  force: flag,
  failOnSharedResource: flag,
  respectIgnoreDifferences: flag,
  prunePropagation: oneOf('foreground', 'background', 'orphan'),
  retry: (value) =>
    isJsonObject(value) &&
    ['limit', 'seconds', 'factor', 'maxSeconds'].every((field) => amount(value[field]) === undefined)
      ? undefined
      : 'a retry rule',
  ignoreDifferences: listOf(object),
};

const syncShape: Record<string, Check> = { id: text, by: text, at: time };
const deletionShape: Record<string, Check> = {
  cascade: oneOf('foreground', 'background', 'orphan'),
  by: text,
  at: time,
  until: time,
};

function firstProblem(value: JsonObject, prefix: string, shape: Record<string, Check>): ShapeProblem | undefined {
  for (const [field, check] of Object.entries(shape)) {
    const wanted = check(value[field]);
    if (wanted !== undefined) return { path: `${prefix}${field}`, wanted };
  }
  return undefined;
}

function optionalProblem(root: JsonObject, field: string, shape: Record<string, Check>): ShapeProblem | undefined {
  const value = root[field];
  if (value === undefined) return undefined;
  if (!isJsonObject(value)) return { path: field, wanted: 'an object' };
  return firstProblem(value, `${field}.`, shape);
}

/** Counts that contradict each other say that something was cut off or put together. */
function countsProblem(root: JsonObject): ShapeProblem | undefined {
  const chunks = root['chunks'] as string[];
  const objects = root['objectCount'] as number;
  const bytes = root['totalBytes'] as number;
  if (new Set(chunks).size !== chunks.length) return { path: 'chunks', wanted: 'a list without repetition' };
  if (objects > largestCount) return { path: 'objectCount', wanted: `at most ${largestCount}` };
  if (chunks.length > objects) return { path: 'objectCount', wanted: 'at least the number of chunks' };
  if (objects > 0 && chunks.length === 0) return { path: 'chunks', wanted: 'what its object count needs' };
  if (bytes < objects * 2) return { path: 'totalBytes', wanted: 'what its object count needs' };
  if (root['owner'] !== ownerMark(root['application'] as string)) {
    return { path: 'owner', wanted: 'the owner mark of its application' };
  }
  return undefined;
}

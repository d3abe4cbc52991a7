import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compareAppliedDryRun, ownedDifferences } from '#shared/domain/drift.ts';
import type { Json, JsonObject } from '#shared/domain/json.ts';
import { cloneJson, type JsonPath, pointerOf, valueAt } from '#shared/domain/json-paths.ts';
import type { KubeObject } from '#shared/domain/kube-object.ts';

/** Recorded from a Kubernetes 1.35 API server with its controllers: what was applied (full of empty and odd values), what it served. */
const pairs = JSON.parse(readFileSync(new URL('served-objects.json', import.meta.url), 'utf8')) as {
  desired: KubeObject;
  live: KubeObject;
}[];

describe.each(pairs.map((pair) => [`${pair.desired.kind} ${pair.desired.metadata.name}`, pair] as const))(
  'the %s that the API server gave back',
  (_name, { desired, live }) => {
    it('does not differ from what was applied', () => {
      expect(ownedDifferences(desired, live)).toEqual([]);
      expect(compareAppliedDryRun(live, live)).toEqual([]);
    });

    it('differs as soon as any one value that we own is another', () => {
      const leaves = [...ownedLeaves(desired)];
      for (const path of leaves) {
        const changed = cloneJson(desired);
        change(changed, path);
        expect(ownedDifferences(changed, live).length, pointerOf(path)).toBeGreaterThan(0);
      }
    });

    it('differs when what we own is gone from it', () => {
      for (const field of Object.keys(desired)) {
        if (['apiVersion', 'kind', 'metadata', 'status'].includes(field)) continue;
        // What the API server never stored cannot go.
        if (field !== 'stringData' && !(field in live)) continue;
        if (isHollow(desired[field])) continue;
        const less = cloneJson(live);
        delete less[field];
        if (field === 'stringData') delete less['data'];
        expect(ownedDifferences(desired, less).length, field).toBeGreaterThan(0);
      }
    });
  },
);

/** Paths of all plain values that an object owns: not its identity, its status, nor nulls. */
function* ownedLeaves(object: KubeObject): Generator<JsonPath> {
  for (const [field, value] of Object.entries(object)) {
    if (['apiVersion', 'kind', 'status'].includes(field)) continue;
    if (field !== 'metadata') yield* leavesOf(value as Json, [field]);
    else for (const part of ['labels', 'annotations']) yield* leavesOf(object.metadata[part] ?? null, [field, part]);
  }
}

function* leavesOf(value: Json, path: JsonPath): Generator<JsonPath> {
  if (value === null) return;
  if (typeof value !== 'object') yield path;
  else if (Array.isArray(value)) for (const [index, item] of value.entries()) yield* leavesOf(item, [...path, index]);
  else for (const [name, item] of Object.entries(value)) yield* leavesOf(item as Json, [...path, name]);
}

function change(object: JsonObject, path: JsonPath): void {
  const parent = valueAt(object, path.slice(0, -1)) as Record<string | number, Json>;
  const last = path.at(-1) as string | number;
  const value = parent[last];
  if (typeof value === 'boolean') parent[last] = !value;
  else if (typeof value === 'number') parent[last] = value + 8192;
  else parent[last] = `${String(value)}-changed`;
}

/** Nothing but empty values: the API server stores nothing of it. */
function isHollow(value: Json | undefined): boolean {
  if (value === null || typeof value !== 'object') return value === null || value === '' || value === undefined;
  return Object.values(value).every((item) => isHollow(item as Json | undefined));
}

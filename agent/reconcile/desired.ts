import { gunzipSync } from 'node:zlib';
import { orderObjects } from '#shared/domain/apply-order.ts';
import { sha256 } from '#shared/domain/digest.ts';
import { hookName, hookOf, waveOf, type HookSpec, type Phase } from '#shared/domain/hooks.ts';
import { idOf, keyOf, type KubeObject, type VersionedObjectId } from '#shared/domain/kube-object.ts';
import { optionsOf } from '#shared/domain/object-options.ts';
import type { SnapshotRoot } from '#shared/domain/snapshot.ts';
import { imagesOf } from './images.ts';
import type { Desired, DesiredObject, Step, Task } from './model.ts';

interface Parsed {
  object: KubeObject;
  digest: string;
  chunk: number;
  line: number;
}

/** Characters of a text's SHA-256 that tell its versions apart. */
const digestLength = 32;

/**
 * Indexes a verified snapshot: every object by key, in the order in which it is applied. Texts stay in their chunks.
 * Hooks that are skipped (`hook: Skip`, Helm's tests) are left out.
 */
export function indexDesired(root: SnapshotRoot, chunks: ReadonlyMap<string, Buffer>): Desired {
  const parsed: Parsed[] = [];
  root.chunks.forEach((digest, chunk) => {
    const packed = chunks.get(digest);
    if (packed === undefined) return;
    const lines = gunzipSync(packed).toString('utf8').split('\n');
    lines.forEach((text, line) => {
      if (text === '') return;
      parsed.push({ object: JSON.parse(text) as KubeObject, digest: sha256(text).slice(0, digestLength), chunk, line });
    });
  });
  const places = new Map(parsed.map((entry) => [entry.object, entry]));
  const images = new Set<string>();
  for (const { object } of parsed) for (const image of imagesOf(object)) images.add(image);
  const objects = new Map<string, DesiredObject>();
  const tasks: Task[] = [];
  const placed = new Set<KubeObject>();
  for (const { object, phase, wave } of orderObjects(parsed.map((entry) => entry.object))) {
    const place = places.get(object);
    if (place === undefined) continue;
    placed.add(object);
    const { digest, chunk, line } = place;
    const desired = describe(root, object, phase, { digest, chunk, line, wave });
    const known = objects.get(desired.key);
    // A hook that runs in several phases is one object with several tasks.
    if (known === undefined) objects.set(desired.key, desired);
    tasks.push({ object: known ?? desired, phase, wave });
  }
  const beforeDeletion = preDeleteTasks(root, parsed);
  for (const { object } of beforeDeletion) if (!objects.has(object.key)) objects.set(object.key, object);
  return {
    objects,
    steps: (withHooks) =>
      stepsFrom(tasks, (task) => isRegular(task.phase) && (withHooks || task.object.hook === undefined)),
    failSteps: () => stepsFrom(tasks, (task) => task.phase === 'SyncFail'),
    preDeleteSteps: () => stepsFrom(beforeDeletion, () => true),
    postDeleteSteps: () => stepsFrom(tasks, (task) => task.phase === 'PostDelete'),
    skipped: parsed
      .filter(({ object }) => !placed.has(object) && hookOf(object)?.preDelete !== true)
      .map(({ object }) => keyOf(idOf(object))),
    images: [...images].sort(),
  };
}

/** What runs before a deletion order deletes anything; wave by wave, as all hooks. Phases have no word for it: `PreSync` stands in. */
function preDeleteTasks(root: SnapshotRoot, parsed: readonly Parsed[]): Task[] {
  const tasks: Task[] = [];
  for (const { object, ...place } of parsed) {
    if (hookOf(object)?.preDelete !== true) continue;
    const wave = waveOf(object);
    tasks.push({ object: describe(root, object, 'PreSync', { ...place, wave }), phase: 'PreSync', wave });
  }
  return tasks.sort((a, b) => a.wave - b.wave);
}

function describe(
  root: SnapshotRoot,
  object: KubeObject,
  phase: Phase,
  place: Pick<DesiredObject, 'digest' | 'chunk' | 'line' | 'wave'>,
): DesiredObject {
  const hook = hookOf(object);
  const options = optionsOf(object);
  const id = internId(nameHook(root, object, phase, hook));
  return {
    id,
    key: keyOf(id),
    ...place,
    ...(hook === undefined ? {} : { hook }),
    ...(Object.keys(options).length === 0 ? {} : { options }),
  };
}

/** A hook with only `generateName` gets a name that is the same for every try of this generation. */
function nameHook(root: SnapshotRoot, object: KubeObject, phase: Phase, hook: HookSpec | undefined): VersionedObjectId {
  const id = idOf(object);
  const { generateName } = object.metadata;
  if (hook === undefined || generateName === undefined || object.metadata.name) return id;
  return { ...id, name: hookName(generateName, root.revision, phase, root.generation * 1000) };
}

function isRegular(phase: Phase): boolean {
  return phase === 'PreSync' || phase === 'Sync' || phase === 'PostSync';
}

function stepsFrom(tasks: Task[], wanted: (task: Task) => boolean): Step[] {
  const steps: Step[] = [];
  for (const task of tasks) {
    if (!wanted(task)) continue;
    const last = steps.at(-1);
    if (last?.phase === task.phase && last.wave === task.wave) last.tasks.push(task);
    else steps.push({ phase: task.phase, wave: task.wave, tasks: [task] });
  }
  return steps;
}

const interned = new Map<string, string>();

/** Tens of thousands of objects share a few groups, versions, kinds and namespaces. */
function intern(text: string): string {
  const known = interned.get(text);
  if (known !== undefined) return known;
  if (interned.size > 20_000) interned.clear();
  interned.set(text, text);
  return text;
}

function internId(id: VersionedObjectId): VersionedObjectId {
  const { group, version, kind, namespace, name } = id;
  return { group: intern(group), version: intern(version), kind: intern(kind), namespace: intern(namespace), name };
}

import type { KubeObject } from '#shared/domain/kube-object.ts';
import { losslessText, parseLossless } from '#shared/domain/lossless.ts';
import type { OperationProgress } from '../state/record.ts';
import type { ReconcileDeps } from './deps.ts';
import type { Task } from './model.ts';
import type { AppRuntime } from './runtime.ts';
import { kindFor } from './write-object.ts';

/** Says which run of a hook an object belongs to, so that a restarted agent does not start it twice. */
const runAnnotation = 'hawser.dev/hook-run';

/**
 * Makes a hook ready to be created: an earlier run's object is deleted first where its policy says so
 * (`BeforeHookCreation`, the default), and the text carries the run's id. `wait` says what to wait for.
 */
export async function prepareHook(
  deps: ReconcileDeps,
  app: AppRuntime,
  operation: OperationProgress,
  task: Task,
): Promise<{ text?: string; wait?: string }> {
  const { object } = task;
  const run = `${operation.generation}.${operation.retryCount}.${task.phase}`;
  const desired = parseLossless(deps.texts.textOf(app, object)) as KubeObject;
  const { generateName: _, ...metadata } = desired.metadata;
  const text = losslessText({
    ...desired,
    metadata: { ...metadata, name: object.id.name, annotations: { ...metadata.annotations, [runAnnotation]: run } },
  });
  if (operation.dryRun) return { text };
  const kind = await kindFor(deps, object);
  if (kind === undefined) return { text };
  const live = await deps.cluster.get(kind, object.id);
  if (live?.metadata.uid === undefined || live.metadata.annotations?.[runAnnotation] === run) return { text };
  const replaces = object.hook?.deletePolicies.includes('BeforeHookCreation') ?? true;
  if (!replaces && live.metadata.deletionTimestamp === undefined) return { text };
  const { uid, name } = live.metadata;
  if (live.metadata.deletionTimestamp === undefined) {
    const { namespace } = object.id;
    const deleted = await deps.cluster.delete({ kind, namespace, name, uid, propagation: 'background' });
    if (!deleted.ok)
      deps.log.warn({ application: app.id, hook: object.key, reason: deleted.message }, 'old hook was not deleted');
    if (deleted.ok && deleted.state === 'gone') return { text };
  }
  if ((await deps.cluster.get(kind, object.id)) === undefined) return { text };
  return { wait: `the previous ${object.id.kind} ${object.id.name} to be gone` };
}

import { messageOf } from '#shared/errors.ts';
import { parseKey, type KubeObject } from '#shared/domain/kube-object.ts';
import { redactObject } from '#shared/domain/redact.ts';
import type { Answer } from '#shared/messages/cluster-command.ts';
import type { ReconcileDeps } from '../reconcile/deps.ts';
import type { AppRuntime } from '../reconcile/runtime.ts';

/** One managed object as it lives and as it is desired, Secrets masked on both sides (NT-92). Only objects of the application. */
export async function answerLive(
  deps: ReconcileDeps,
  app: AppRuntime | undefined,
  command: { question: string; key: string },
): Promise<Answer> {
  const { question, key } = command;
  const object = app?.desired.objects.get(key);
  const entry = app?.record.inventory.get(key);
  if (app === undefined || (object === undefined && entry === undefined)) {
    return { question, error: 'this application has no such object in this cluster' };
  }
  const desired = object === undefined ? {} : { desired: redactObject(deps.texts.objectOf(app, object)) };
  try {
    const id = parseKey(key);
    const version = object?.id.version ?? entry?.version ?? '';
    const kind = deps.cluster.kindOf({ ...id, version }) ?? deps.cluster.kindOf({ group: id.group, kind: id.kind });
    const live = kind === undefined ? undefined : await deps.cluster.get(kind, id);
    return { question, live: live === undefined ? null : shown(live), ...desired };
  } catch (error) {
    return { question, error: messageOf(error), ...desired };
  }
}

/** Without the bookkeeping that nobody reads. */
function shown(live: KubeObject): KubeObject {
  const { managedFields: _, ...metadata } = live.metadata;
  return redactObject({ ...live, metadata });
}

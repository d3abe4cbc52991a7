import { describeId, parseKey, type KubeObject } from '#shared/domain/kube-object.ts';
import { inParallel } from '#shared/domain/parallel.ts';
import { isKeptOnDeletion } from '#shared/domain/object-options.ts';
import type { ClusterKind } from '#shared/domain/cluster.ts';
import { isOwned } from './claims.ts';
import type { ReconcileDeps } from './deps.ts';
import { asking, takeRead } from './observe.ts';
import { addEvent, type AppRuntime } from './runtime.ts';

const atOnce = 8;

/** A live object of the inventory, and the kind it was read as. */
export interface LiveEntry {
  kind: ClusterKind;
  live: KubeObject | undefined;
}

/** Reads an inventory entry as it lives. Throws when the kind cannot be read: nothing is concluded from that (G-12). */
export async function readEntry(deps: ReconcileDeps, app: AppRuntime, key: string): Promise<LiveEntry | undefined> {
  const id = parseKey(key);
  const version = app.record.inventory.get(key)?.version ?? '';
  const kind = deps.cluster.kindOf({ ...id, version }) ?? deps.cluster.kindOf({ group: id.group, kind: id.kind });
  if (kind === undefined) return undefined;
  return { kind, live: await deps.cluster.get(kind, id) };
}

/** The object is confirmed gone: its entry goes (INV-25). */
export function dropEntry(deps: ReconcileDeps, app: AppRuntime, key: string): void {
  app.record.inventory.delete(key);
  app.observed.delete(key);
  app.drifts.delete(key);
  app.corrections.delete(key);
  deps.owners.release(key, app.id);
}

/** Asks about objects whose deletion was accepted: those that are gone leave the inventory. */
export async function confirmGone(deps: ReconcileDeps, app: AppRuntime, keys: string[]): Promise<void> {
  await inParallel(keys, atOnce, async (key) => {
    const entry = app.record.inventory.get(key);
    if (entry === undefined) return;
    await asking(app, key, async () => {
      const live = (await readEntry(deps, app, key))?.live;
      if (live === undefined || live.metadata.uid !== entry.uid) return dropEntry(deps, app, key);
      app.record.inventory.set(key, { ...entry, deleting: deps.clock.now() });
      takeRead(app, key, live);
    });
  });
}

/** Deletes hook objects whose delete policy says so; what is gone already is fine. */
export async function deleteHooks(deps: ReconcileDeps, app: AppRuntime, keys: string[]): Promise<void> {
  await inParallel(keys, atOnce, async (key) => {
    const entry = app.record.inventory.get(key);
    const found = await readEntry(deps, app, key);
    if (entry === undefined) return;
    if (found?.live?.metadata.uid === undefined || found.live.metadata.uid !== entry.uid)
      return dropEntry(deps, app, key);
    const { namespace, name } = parseKey(key);
    const deleted = await deps.cluster.delete({
      kind: found.kind,
      namespace,
      name,
      uid: entry.uid,
      propagation: 'background',
    });
    if (!deleted.ok) deps.log.warn({ application: app.id, hook: key, reason: deleted.message }, 'hook was not deleted');
    if (deleted.ok && deleted.state === 'gone') return dropEntry(deps, app, key);
    app.record.inventory.set(key, { ...entry, deleting: deps.clock.now() });
  });
}

/**
 * Carries out a deletion order on these objects: only what lives under the recorded uid and bears our mark; what people
 * asked to keep is left (argo-cd.md §2.9).
 */
export async function deleteOrdered(deps: ReconcileDeps, app: AppRuntime, keys: string[]): Promise<void> {
  const kept = new Set(app.record.deletion?.kept);
  await inParallel(keys, atOnce, async (key) => {
    const entry = app.record.inventory.get(key);
    if (entry === undefined) return;
    const found = await readEntry(deps, app, key);
    const live = found?.live;
    if (found === undefined || live === undefined) return dropEntry(deps, app, key);
    // A definition takes all its instances with it, also those of others: never deleted by an order, as in Argo CD.
    const definesOthers = found.kind.kind === 'CustomResourceDefinition';
    if (definesOthers || !isOwned(live, entry.uid, app.root.owner) || isKeptOnDeletion(live)) {
      kept.add(key);
      return;
    }
    const { namespace, name, uid = '' } = { ...live.metadata, ...parseKey(key) };
    const propagation = app.root.deletion?.cascade ?? 'background';
    const deleted = await deps.cluster.delete({ kind: found.kind, namespace, name, uid, propagation });
    if (!deleted.ok) {
      deps.log.warn({ application: app.id, object: key, reason: deleted.message }, 'object was not deleted');
      throw new Error(`${describeId(parseKey(key))}: ${deleted.message}`);
    }
    addEvent(app, deps.clock.now(), { reason: 'Deleted', message: 'deleted by order', object: key });
    if (deleted.state === 'gone') dropEntry(deps, app, key);
    else app.record.inventory.set(key, { ...entry, deleting: 0 });
  });
  app.record = { ...app.record, deletion: { state: 'running', ...(kept.size === 0 ? {} : { kept: [...kept] }) } };
}

import type { KubeObject } from '#shared/domain/kube-object.ts';
import { fieldManager, readTracking } from '#shared/domain/tracking.ts';

/**
 * Whom a live object belongs to, where that is not the application that desires it; undefined where it may be taken over.
 * Marks of Argo CD and Flux that the desired object carries too are the same application's: a migration adopts (design.md §5).
 */
export function foreignOwner(live: KubeObject, desired: KubeObject, owner: string): string | undefined {
  const has = readTracking(live);
  const wants = readTracking(desired);
  if (has.owner !== undefined && has.owner !== owner) return `another application (${has.owner})`;
  if (has.argo?.self === true && has.argo.application !== wants.argo?.application) {
    return `the Argo CD application ${has.argo.application}`;
  }
  const { flux } = has;
  if (flux !== undefined && (flux.name !== wants.flux?.name || flux.namespace !== wants.flux.namespace)) {
    return `the Flux ${flux.kind} ${flux.namespace}/${flux.name}`;
  }
  return undefined;
}

/**
 * True for the very object that the inventory means (G-05, INV-24): same uid, our mark, and written by our field manager.
 * Copies that operators make of it, and what somebody created under its name, are not.
 */
export function isOwned(live: KubeObject, uid: string, owner: string): boolean {
  if (uid === '' || live.metadata.uid !== uid || readTracking(live).owner !== owner) return false;
  const managers = live.metadata['managedFields'];
  return (
    Array.isArray(managers) &&
    (managers as unknown as { manager?: string }[]).some((entry) => entry.manager === fieldManager)
  );
}

import { annotationOf, type KubeObject } from './kube-object.ts';

/** What an object's own annotations say about how it is treated (Argo CD's sync options, Flux's, Helm's and cli-utils' words). */
export interface ObjectOptions {
  replace?: boolean;
  /** Recreate it when an immutable field changed. */
  force?: boolean;
  /** Never touch it (Flux `reconcile: disabled`, `ssa: Ignore`). */
  skip?: boolean;
  /** Create it, never change it (Flux `ssa: IfNotPresent`). */
  ifNotPresent?: boolean;
  /** Leave it out of the application's health (argo-cd.md §2.8). */
  ignoreHealth?: boolean;
  /** Never prune it. */
  keep?: boolean;
  /** Never prune it without somebody's word (`Prune=confirm`). */
  confirmPrune?: boolean;
  pruneLast?: boolean;
  /** Leave extras of this kind out of the sync status (`compare-options: IgnoreExtraneous`). */
  ignoreExtraneous?: boolean;
}

/** Argo CD's comma-separated `name=value` list; a name without a value counts as `true`. Later entries win. */
export function parseOptionList(text: string | undefined): Map<string, string> {
  const options = new Map<string, string>();
  for (const part of (text ?? '').split(',')) {
    const [name = '', value = 'true'] = part.split('=', 2).map((word) => word.trim());
    if (name !== '') options.set(name, value);
  }
  return options;
}

/** The options of one object; members are set only where they hold. */
export function optionsOf(object: KubeObject): ObjectOptions {
  if (object.metadata.annotations == null) return {};
  const sync = parseOptionList(annotationOf(object, 'argocd.argoproj.io/sync-options'));
  const compare = parseOptionList(annotationOf(object, 'argocd.argoproj.io/compare-options'));
  const flux = (name: string) => annotationOf(object, `kustomize.toolkit.fluxcd.io/${name}`)?.toLowerCase();
  return held({
    replace: sync.get('Replace') === 'true',
    force: sync.get('Force') === 'true' || flux('force') === 'enabled',
    skip: flux('reconcile') === 'disabled' || flux('ssa') === 'ignore',
    ifNotPresent: flux('ssa') === 'ifnotpresent',
    ignoreHealth: annotationOf(object, 'argocd.argoproj.io/ignore-healthcheck') === 'true',
    keep: isKept(object, sync),
    confirmPrune: sync.get('Prune') === 'confirm' || sync.get('Delete') === 'confirm',
    pruneLast: sync.get('PruneLast') === 'true',
    ignoreExtraneous: compare.has('IgnoreExtraneous') && compare.get('IgnoreExtraneous') !== 'false',
  });
}

/** Why pruning passes an object by: any tool's word for «keep» counts, so that a migration deletes nothing by surprise. */
function isKept(object: KubeObject, sync: ReadonlyMap<string, string>): boolean {
  const flux = (name: string) => annotationOf(object, `kustomize.toolkit.fluxcd.io/${name}`)?.toLowerCase();
  return (
    sync.get('Prune') === 'false' ||
    flux('prune') === 'disabled' ||
    flux('reconcile') === 'disabled' ||
    flux('ssa') === 'ignore' ||
    annotationOf(object, 'helm.sh/resource-policy')?.trim() === 'keep' ||
    annotationOf(object, 'client.lifecycle.config.k8s.io/deletion') === 'detach' ||
    annotationOf(object, 'cli-utils.sigs.k8s.io/on-remove') === 'keep'
  );
}

/** True where deleting the whole application leaves the object (`Delete=false`, or anything that keeps it from being pruned). */
export function isKeptOnDeletion(object: KubeObject): boolean {
  const sync = parseOptionList(annotationOf(object, 'argocd.argoproj.io/sync-options'));
  return sync.get('Delete') === 'false' || isKept(object, sync);
}

function held(options: Record<keyof ObjectOptions, boolean>): ObjectOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value));
}

import { annotationOf, type KubeObject } from './kube-object.ts';
import type { ResourceResult } from './status.ts';

export type Phase = ResourceResult['phase'];
export type HookDeletePolicy = 'HookSucceeded' | 'HookFailed' | 'BeforeHookCreation';

/** What makes an object a hook (argo-cd.md §1.2). */
export interface HookSpec {
  /** Phases it runs in, in order; none where it is skipped. */
  phases: Phase[];
  /** `BeforeHookCreation` where nothing is said. */
  deletePolicies: HookDeletePolicy[];
  /** It is never applied (`hook: Skip`, Helm's test hooks and rollback hooks). */
  skip: boolean;
  /** It runs before the application is deleted. */
  preDelete: boolean;
}

/** Keeps a hook object until the phase that it belongs to is over (Argo CD's name, so that its hooks behave alike). */
export const hookFinalizer = 'argocd.argoproj.io/hook-finalizer';

const phaseOrder: readonly Phase[] = ['PreSync', 'Sync', 'PostSync', 'SyncFail', 'PostDelete'];

/** Helm's hook words; `crd-install` makes a plain object, what is missing here (tests, rollbacks) is never run. */
const helmPhases: Readonly<Record<string, Phase | 'PreDelete'>> = {
  'pre-install': 'PreSync',
  'pre-upgrade': 'PreSync',
  'post-install': 'PostSync',
  'post-upgrade': 'PostSync',
  'pre-delete': 'PreDelete',
  'post-delete': 'PostDelete',
};

const helmDeletePolicies: Readonly<Record<string, HookDeletePolicy>> = {
  'before-hook-creation': 'BeforeHookCreation',
  'hook-succeeded': 'HookSucceeded',
  'hook-failed': 'HookFailed',
};

/** The hook that an object is, or undefined. Argo CD's annotations hide Helm's. */
export function hookOf(object: KubeObject): HookSpec | undefined {
  const argo = words(annotationOf(object, 'argocd.argoproj.io/hook'));
  if (argo.length > 0) {
    const policies = words(annotationOf(object, 'argocd.argoproj.io/hook-delete-policy'));
    return hook(argo, policies.filter(isDeletePolicy));
  }
  const helm = words(annotationOf(object, 'helm.sh/hook'));
  if (helm.every((word) => word === 'crd-install')) return undefined;
  const policies = words(annotationOf(object, 'helm.sh/hook-delete-policy'));
  return hook(
    helm.map((word) => helmPhases[word] ?? 'Skip'),
    policies.map((word) => helmDeletePolicies[word]).filter((policy) => policy !== undefined),
  );
}

function hook(types: readonly string[], policies: HookDeletePolicy[]): HookSpec {
  // Argo CD: one `Skip` among others skips the object; a Helm hook that also has a phase runs in it.
  const phases = phaseOrder.filter((phase) => types.includes(phase));
  const preDelete = types.includes('PreDelete');
  return {
    phases,
    deletePolicies: policies.length === 0 ? ['BeforeHookCreation'] : [...new Set(policies)],
    skip: phases.length === 0 && !preDelete,
    preDelete,
  };
}

/** The wave of an object: Argo CD's annotation, else Helm's weight, else 0; what is not an integer counts as not said. */
export function waveOf(object: KubeObject): number {
  return (
    integer(annotationOf(object, 'argocd.argoproj.io/sync-wave')) ??
    (annotationOf(object, 'argocd.argoproj.io/hook') === undefined
      ? integer(annotationOf(object, 'helm.sh/hook-weight'))
      : undefined) ??
    0
  );
}

/**
 * Name of a hook that has only `generateName`: the same for every try of one operation (argo-cd.md §2.7).
 * `startedAt` in milliseconds since 1970.
 */
export function hookName(generateName: string, revision: string, phase: Phase, startedAt: number): string {
  return `${generateName}${revision.slice(0, 7)}-${phase}-${Math.floor(startedAt / 1000)}`.toLowerCase();
}

function words(text: string | undefined): string[] {
  return (text ?? '')
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
}

function isDeletePolicy(word: string): word is HookDeletePolicy {
  return word === 'HookSucceeded' || word === 'HookFailed' || word === 'BeforeHookCreation';
}

function integer(text: string | undefined): number | undefined {
  if (text === undefined || !/^[+-]?\d{1,9}$/.test(text.trim())) return undefined;
  return Number(text.trim());
}

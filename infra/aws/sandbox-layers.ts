import { RemovalPolicy, type Stack } from 'aws-cdk-lib';
import { Architecture, Code, LayerVersion, type ILayerVersion } from 'aws-cdk-lib/aws-lambda';
import type { Assets } from './assets.ts';
import { layers } from './functions.ts';
import { namesOf } from './names.ts';
import type { DeploymentSettings } from './settings.ts';

/**
 * The tools that render, as layers named by their versions: other versions are another layer beside the old one. Old
 * versions are kept, so that going back to an older deployment finds its tools.
 */
export function createSandboxLayers(stack: Stack, assets: Assets, settings: DeploymentSettings): ILayerVersion[] {
  const { prefix } = namesOf(settings);
  const layer = (id: string, version: string, path: string, license: string) =>
    new LayerVersion(stack, id, {
      layerVersionName: `${prefix}-${version}`,
      description: `Hawser: ${version}`,
      code: Code.fromAsset(path),
      compatibleArchitectures: [Architecture.X86_64],
      license,
      removalPolicy: RemovalPolicy.RETAIN,
    });
  return [
    layer('KubectlLayer', layers.kubectl, assets.kubectlLayer, 'Apache-2.0'),
    ...(assets.kustomizeLayer === undefined
      ? []
      : [layer('KustomizeLayer', layers.kustomize, assets.kustomizeLayer, 'Apache-2.0')]),
  ];
}

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Template } from 'aws-cdk-lib/assertions';
import type { CloudFormationStackArtifact } from 'aws-cdk-lib/cx-api';
import { buildStacks, createApp, type Stacks } from '#infra/aws/build-app.ts';
import { readSettings } from '#infra/aws/settings.ts';

/** Context that is enough for a deployment. */
export const minimal: Record<string, string> = {
  environment: 'prod',
  region: 'eu-central-1',
  organisation: 'acme',
  account: '123456789012',
};

/** Every option that brings resources of its own. */
export const everything: Record<string, string> = {
  ...minimal,
  encryption: 'customer',
  domain: 'hawser.example.com',
  certificateArn: 'arn:aws:acm:eu-central-1:123456789012:certificate/0a',
  waf: 'on',
  wafCertificateArn: 'arn:aws:acm:us-east-1:123456789012:certificate/0a',
  alarmEmail: 'ops@example.com',
};

export interface Resource {
  Type: string;
  Properties?: Record<string, unknown>;
  DeletionPolicy?: string;
}

export interface Synthesised {
  stacks: Stacks;
  templates: Record<'state' | 'compute' | 'edge' | 'observability', Template> & { front?: Template };
  /** All of them, as CloudFormation gets them. */
  all: { Resources: Record<string, Resource>; Outputs?: Record<string, { Export?: { Name: string } }> }[];
  /** What cdk is told about each stack. */
  artifacts: CloudFormationStackArtifact[];
  /** Where the assembly lies. */
  folder: string;
  remove(): void;
}

/** Synthesises a deployment, cdk-nag included (it throws where that finds something), with a stand-in for every built part. */
export function synthesise(context: Record<string, string>): Synthesised {
  const folder = mkdtempSync(join(tmpdir(), 'hawser-synth-'));
  const asset = mkdtempSync(join(folder, 'asset-'));
  writeFileSync(join(asset, 'index.mjs'), 'export const handler = async () => undefined;\n');
  const app = createApp({ outdir: join(folder, 'out') });
  const stacks = buildStacks(app, {
    settings: readSettings((key) => context[key]),
    assets: { functionFolder: () => asset, kubectlLayer: asset, kustomizeLayer: asset },
    version: '0.1.0',
  });
  const { stacks: artifacts } = app.synth();
  return {
    stacks,
    templates: {
      state: Template.fromStack(stacks.state),
      compute: Template.fromStack(stacks.compute),
      edge: Template.fromStack(stacks.edge),
      observability: Template.fromStack(stacks.observability),
      ...(stacks.front === undefined ? {} : { front: Template.fromStack(stacks.front) }),
    },
    artifacts,
    all: artifacts.map((artifact) => artifact.template as Synthesised['all'][number]),
    folder: join(folder, 'out'),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

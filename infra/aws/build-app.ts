import { App, Validations, type AppProps, type Environment } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { AgentAccessStack, type AgentAccessSettings } from './agent-access-stack.ts';
import type { Assets } from './assets.ts';
import { ComputeStack } from './compute-stack.ts';
import { EdgeStack } from './edge-stack.ts';
import { FrontStack } from './front-stack.ts';
import { namesOf } from './names.ts';
import { ObservabilityStack } from './observability-stack.ts';
import { applyPlatform, platformProps } from './platform.ts';
import type { DeploymentSettings } from './settings.ts';
import { StateStack } from './state-stack.ts';

/** The stacks of a deployment, by lifetime: what comes later may be removed without what comes before. */
export interface Stacks {
  state: StateStack;
  compute: ComputeStack;
  edge: EdgeStack;
  observability: ObservabilityStack;
  front?: FrontStack;
}

export interface BuildInput {
  settings: DeploymentSettings;
  assets: Assets;
  version: string;
}

/** Behaviour of CDK that templates depend on: set here, so that every way to synthesise gives the same. */
const features = {
  '@aws-cdk/core:enablePartitionLiterals': true,
  '@aws-cdk/aws-lambda:recognizeLayerVersion': true,
  '@aws-cdk/aws-lambda:useCdkManagedLogGroup': true,
  '@aws-cdk/aws-apigateway:disableCloudWatchRole': true,
  '@aws-cdk/core:validateAgainstDefaultRules': true,
  // A key that queues need is not taken away under them; CDK's newer way (a value read at deployment) would allow that.
  '@aws-cdk/core:defaultCrossStackReferences': 'strong',
};

/** A CDK app that is checked by cdk-nag (AwsSolutions) whenever it is synthesised. */
export function createApp(props: AppProps = {}): App {
  const app = new App({ analyticsReporting: false, context: features, ...props });
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  return app;
}

/** Puts every stack of one deployment into the app. */
export function buildStacks(app: App, { settings, assets, version }: BuildInput): Stacks {
  const names = namesOf(settings);
  const env: Environment = {
    region: settings.region,
    ...(settings.account === undefined ? {} : { account: settings.account }),
  };
  const common = (part: string, does: string) => ({
    ...platformProps(settings),
    settings,
    env,
    stackName: names.stack(part),
    description: `Hawser ${settings.environment} of ${settings.organisation}: ${does}`,
  });
  const state = new StateStack(app, 'State', common('state', 'table and keys, kept for ever'));
  const compute = new ComputeStack(app, 'Compute', {
    ...common('compute', 'queues and functions'),
    state: state.parts,
    assets,
    version,
  });
  compute.addStackDependency(state);
  const edge = new EdgeStack(app, 'Edge', common('edge', 'HTTP'));
  edge.addStackDependency(compute);
  const observability = new ObservabilityStack(app, 'Observability', {
    ...common('observability', 'alarms and dashboard'),
    state: state.parts,
    apiId: edge.apiId,
  });
  observability.addStackDependency(edge);
  const stacks: Stacks = { state, compute, edge, observability };
  if (settings.waf !== undefined) {
    stacks.front = new FrontStack(app, 'Front', {
      ...common('front', 'CloudFront with a WebACL'),
      env: { ...env, region: 'us-east-1' },
    });
    stacks.front.addStackDependency(edge);
  }
  applyPlatform(app, settings);
  return stacks;
}

/** The stack of one cluster's own role. */
export function buildAgentAccess(app: App, settings: AgentAccessSettings): AgentAccessStack {
  const stack = new AgentAccessStack(app, 'AgentAccess', {
    ...platformProps(settings),
    settings,
    stackName: namesOf(settings).stack(`agent-${settings.cluster}`),
    description: `Hawser ${settings.environment}: the agent of cluster ${settings.cluster}`,
    env: { region: settings.region, ...(settings.account === undefined ? {} : { account: settings.account }) },
  });
  applyPlatform(app, settings);
  return stack;
}

import { Duration, type Stack } from 'aws-cdk-lib';
import { ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import {
  Architecture,
  CfnFunction,
  Code,
  Function as LambdaFunction,
  type ILayerVersion,
  Runtime,
  TenancyConfig,
  Tracing,
} from 'aws-cdk-lib/aws-lambda';
import type { Assets } from './assets.ts';
import { logGroup, plainRole, type WildcardReasons } from './construct-kit.ts';
import type { FunctionSpec } from './functions.ts';
import { namesOf } from './names.ts';
import { functionPolicy, type PolicyScope } from './policies.ts';
import { idOf } from './queues.ts';
import type { SandboxNetwork } from './sandbox-network.ts';
import type { DeploymentSettings } from './settings.ts';

/** What all functions of a deployment are made of. */
export interface Circumstances {
  settings: DeploymentSettings;
  scope: PolicyScope;
  assets: Assets;
  /** Every variable that some function reads; those without a value are left out. */
  variables: Record<string, string | undefined>;
  network: SandboxNetwork;
  layers: ILayerVersion[];
}

/** Variables that every function but the sandbox has. */
const commonVariables = ['HAWSER_ENVIRONMENT', 'HAWSER_ORGANISATION', 'HAWSER_LOG_LEVEL', 'HAWSER_VERSION'];

/** One function with its role and its log group. */
export function createFunction(stack: Stack, spec: FunctionSpec, circumstances: Circumstances): LambdaFunction {
  const { settings, scope, assets, layers, network } = circumstances;
  const names = namesOf(settings);
  const id = idOf(spec.name);
  const { role, sealed } = plainRole(stack, `${id}Role`, {
    name: names.role(spec.name),
    does: `Hawser: ${spec.does}`,
    assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
    policy: functionPolicy(spec, scope),
    wildcards,
  });
  const isSandbox = spec.isSandbox === true;
  const made = new LambdaFunction(stack, id, {
    functionName: names.function(spec.name),
    description: `Hawser: ${spec.does}`,
    runtime: Runtime.NODEJS_24_X,
    handler: 'index.handler',
    code: Code.fromAsset(assets.functionFolder(spec.name)),
    role: sealed,
    memorySize: spec.memoryMb,
    timeout: Duration.seconds(spec.timeoutSeconds),
    // Helm and kubectl come from npm for x64.
    architecture: isSandbox ? Architecture.X86_64 : Architecture.ARM_64,
    logGroup: logGroup(stack, `${id}Log`, names.logGroup(spec.name), settings.logDays),
    environment: environmentOf(spec, circumstances.variables),
    tracing: isSandbox ? Tracing.DISABLED : Tracing.ACTIVE,
    ...(settings.concurrency === 'reserved' ? { reservedConcurrentExecutions: spec.reserved } : {}),
    ...(isSandbox ? { layers, tenancyConfig: TenancyConfig.PER_TENANT } : {}),
  });
  made.node.addDependency(role);
  if (isSandbox) attach(made, network);
  return made;
}

/** The network by its ids: CDK would want a VPC of its own making. */
function attach(made: LambdaFunction, { subnetIds, securityGroupIds }: SandboxNetwork): void {
  const cfn = made.node.defaultChild;
  if (cfn instanceof CfnFunction) cfn.vpcConfig = { subnetIds, securityGroupIds, ipv6AllowedForDualStack: false };
}

function environmentOf(spec: FunctionSpec, variables: Record<string, string | undefined>): Record<string, string> {
  const wanted = spec.isSandbox === true ? [] : [...commonVariables, ...spec.environment];
  const found = wanted.map((name) => [name, variables[name]] as const);
  return Object.fromEntries(found.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])));
}

/** Why statements of policies.ts hold wildcards in their resources. */
const wildcards: WildcardReasons = {
  OwnLog: 'Streams of its one log group, whose names Lambda chooses.',
  Traces: 'X-Ray knows no resources for these actions.',
  Secrets: 'Secrets of one kind of the organisation: one for each repository, with an ending that AWS chooses.',
  SecretsWrite: 'Secrets of the organisation: one for each repository, with an ending that AWS chooses.',
  Wake: 'Wake queues of clusters, which are added while the deployment runs.',
  WakeQueues: 'Wake queues of clusters, which are added while the deployment runs.',
  AttachToNetwork: 'Lambda attaches the sandbox to its network with these actions; everything is denied to its code.',
};

import { CfnOutput, Duration, Stack, type StackProps } from 'aws-cdk-lib';
import { type CfnRole, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { CfnSchedule } from 'aws-cdk-lib/aws-scheduler';
import { EventSourceMapping, type Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import { flow } from '#shared/flow.ts';
import { agentSessionPolicy, agentSessionTrust } from './agent-policies.ts';
import type { Assets } from './assets.ts';
import { requireConcurrency } from './concurrency.ts';
import { plainRole, trustingRole } from './construct-kit.ts';
import { createFunction, type Circumstances } from './create-function.ts';
import { functions, type FunctionSpec } from './functions.ts';
import { arnsOf, namesOf, queueBase, type Place } from './names.ts';
import { policy, type PolicyScope } from './policies.ts';
import { createQueues, idOf } from './queues.ts';
import { createSandboxLayers } from './sandbox-layers.ts';
import { createSandboxNetwork } from './sandbox-network.ts';
import type { DeploymentSettings } from './settings.ts';
import type { StateParts } from './state-stack.ts';

export interface ComputeProps extends StackProps {
  settings: DeploymentSettings;
  state: StateParts;
  assets: Assets;
  version: string;
}

/** Queues and functions: everything that may be thrown away and made again. */
export class ComputeStack extends Stack {
  readonly place: Place;

  constructor(scope: Construct, id: string, props: ComputeProps) {
    super(scope, id, props);
    const { settings, state } = props;
    this.place = { ...settings, account: this.account };
    const policyScope: PolicyScope = {
      ...this.place,
      cipherKeyArn: state.cipherKey.keyArn,
      rootKeyArn: state.rootKey.keyArn,
      ...(state.dataKey === undefined ? {} : { dataKeyArn: state.dataKey.keyArn }),
      ...(settings.codeCommit === undefined ? {} : { codeCommit: settings.codeCommit }),
    };
    requireConcurrency(settings);
    const queues = createQueues(this, this.place, state.dataKey);
    const agentRole = settings.agents === 'direct' ? createAgentRole(this, policyScope) : undefined;
    const circumstances: Circumstances = {
      settings,
      scope: policyScope,
      assets: props.assets,
      variables: variablesOf(props, this.place, agentRole),
      network: createSandboxNetwork(this, this.place, settings.logDays),
      layers: createSandboxLayers(this, props.assets, settings),
    };
    for (const spec of functions) {
      const made = createFunction(this, spec, circumstances);
      for (const { name, most } of spec.trigger.queues ?? []) {
        const queue = queues.get(name);
        if (queue === undefined)
          throw new Error(`function ${spec.name} is started by ${name}, which is no queue of the flow`);
        feed(this, made, spec, { name, most, arn: queue.live.queueArn });
      }
      if (spec.trigger.everyMinutes !== undefined) schedule(this, spec, made, this.place);
      // It trusts a role by its ARN, which has to be there first.
      if (spec.may.assumeAgent === true && made.role !== undefined) agentRole?.node.addDependency(made.role);
    }
    new CfnOutput(this, 'PrepareFunction', { value: namesOf(settings).function('prepare') });
  }
}

/** What functions find in their environment; `functions.ts` says which of it each gets. */
function variablesOf(
  props: ComputeProps,
  place: Place,
  agentRole: CfnRole | undefined,
): Record<string, string | undefined> {
  const { settings, state, version } = props;
  const names = namesOf(settings);
  return {
    HAWSER_ENVIRONMENT: settings.environment,
    HAWSER_ORGANISATION: settings.organisation,
    HAWSER_LOG_LEVEL: settings.logLevel,
    HAWSER_VERSION: version,
    HAWSER_TABLE: names.table,
    HAWSER_QUEUE_BASE: queueBase(place),
    HAWSER_CIPHER_KEY: state.cipherKey.keyArn,
    HAWSER_ROOT_KEY_PREFIX: names.rootAliasPrefix,
    HAWSER_SECRET_PREFIX: names.secretPrefix,
    HAWSER_RENDER_FUNCTION: names.function('render-sandbox'),
    // By name: the role trusts the function that reads this.
    HAWSER_AGENT_ROLE: agentRole === undefined ? undefined : arnsOf(place).role('agent-session'),
    HAWSER_AGENT_ROLE_ID: agentRole?.attrRoleId,
    HAWSER_PRIVATE_ADDRESSES: settings.privateAddresses,
    HAWSER_URL: settings.domain === undefined ? undefined : `https://${settings.domain.name}`,
  };
}

function createAgentRole(stack: Stack, scope: PolicyScope): CfnRole {
  return trustingRole(stack, 'AgentSession', {
    name: namesOf(scope).role('agent-session'),
    does: 'What an agent may do for the minutes of a session, narrowed by its tags to one cluster',
    trust: agentSessionTrust(scope),
    policy: agentSessionPolicy(scope),
    wildcards: {
      OwnWakeQueue:
        'Names of wake queues are hashes: the session policy (functions/token) names the one of the cluster.',
    },
  });
}

/** Messages of a queue to a function: part of a batch may fail, and no more run at once than are reserved. */
function feed(
  stack: Stack,
  target: LambdaFunction,
  spec: FunctionSpec,
  queue: { name: string; most: number; arn: string },
): void {
  const batchSize = flow.find(({ name }) => name === queue.name)?.batch ?? 1;
  const mapping = new EventSourceMapping(stack, `${idOf(spec.name)}From${idOf(queue.name)}`, {
    target,
    eventSourceArn: queue.arn,
    batchSize,
    reportBatchItemFailures: true,
    maxConcurrency: queue.most,
  });
  // Lambda looks at once whether the role may receive.
  if (target.role !== undefined) mapping.node.addDependency(target.role);
}

/** Runs a function every so many minutes; a run that fails is made good by the next. */
function schedule(stack: Stack, spec: FunctionSpec, target: LambdaFunction, place: Place): void {
  const names = namesOf(place);
  const minutes = spec.trigger.everyMinutes ?? 1;
  const { role } = plainRole(stack, `${idOf(spec.name)}ScheduleRole`, {
    name: names.role(`${spec.name}-schedule`),
    does: `Starts ${spec.name}`,
    assumedBy: new ServicePrincipal('scheduler.amazonaws.com', {
      conditions: { StringEquals: { 'aws:SourceAccount': place.account } },
    }),
    policy: policy([
      {
        Sid: 'Start',
        Effect: 'Allow',
        Action: ['lambda:InvokeFunction'],
        Resource: [arnsOf(place).function(spec.name)],
      },
    ]),
  });
  new CfnSchedule(stack, `${idOf(spec.name)}Schedule`, {
    name: names.function(spec.name),
    description: `Hawser: ${spec.does}`,
    scheduleExpression: `rate(${minutes} ${minutes === 1 ? 'minute' : 'minutes'})`,
    flexibleTimeWindow: { mode: 'OFF' },
    target: {
      arn: target.functionArn,
      roleArn: role.roleArn,
      retryPolicy: { maximumRetryAttempts: 0, maximumEventAgeInSeconds: Duration.minutes(1).toSeconds() },
    },
  });
}

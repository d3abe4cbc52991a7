import { deadQueueName } from '#shared/adapters/aws/create-queue.ts';
import { wakeQueueName } from '#shared/domain/wake-queue.ts';
import type { DeploymentSettings } from './settings.ts';

/** Where a deployment is: what ARNs need. `account` may be a CloudFormation token. */
export interface Place extends Pick<DeploymentSettings, 'environment' | 'organisation' | 'region'> {
  account: string;
}

/**
 * Names of a deployment's resources. What an account has once for all regions carries the region: roles, dashboards, and
 * CloudFront's parts, which all lie in us-east-1.
 */
export interface Names {
  prefix: string;
  /** For what all regions of an account share. */
  global: string;
  /** Of the stack that holds this part. */
  stack(part: string): string;
  table: string;
  queue(name: string): string;
  dead(name: string): string;
  /** Of one cluster's wake queue. */
  wake(cluster: string): string;
  function(name: string): string;
  role(name: string): string;
  logGroup(name: string): string;
  rootAliasPrefix: string;
  rootAlias: string;
  cipherAlias: string;
  secretPrefix: string;
}

export function namesOf({ environment, organisation, region }: Omit<Place, 'account'>): Names {
  const prefix = `hawser-${environment}`;
  return {
    prefix,
    global: `${prefix}-${region}`,
    stack: (part) => (part === 'front' ? `${prefix}-front-${region}` : `${prefix}-${part}`),
    table: `${prefix}-state`,
    queue: (name) => `${prefix}-${name}`,
    dead: (name) => `${prefix}-${deadQueueName(name)}`,
    wake: (cluster) => `${prefix}-${wakeQueueName(organisation, cluster)}`,
    function: (name) => `${prefix}-${name}`,
    role: (name) => `${prefix}-${region}-${name}`,
    logGroup: (name) => `/hawser/${environment}/${name}`,
    rootAliasPrefix: `alias/${prefix}/root/`,
    rootAlias: `alias/${prefix}/root/${organisation}`,
    cipherAlias: `alias/${prefix}/cipher/${organisation}`,
    secretPrefix: `${prefix}/`,
  };
}

/** ARNs of a deployment's resources, from their names: stacks need no exports of one another for them. */
export interface Arns {
  partition: string;
  table: string;
  queue(name: string): string;
  dead(name: string): string;
  wake(cluster: string): string;
  anyWake: string;
  function(name: string): string;
  role(name: string): string;
  /** Every role of this deployment, functions' and agents'. */
  anyRole: string;
  /** Roles that customers' clusters have under stacks `AgentAccess`. */
  anyAgentRole: string;
  logGroup(name: string): string;
  secrets(kind: string): string;
}

export function arnsOf(place: Place): Arns {
  const names = namesOf(place);
  const partition = partitionOf(place.region);
  const regional = (service: string, rest: string) =>
    `arn:${partition}:${service}:${place.region}:${place.account}:${rest}`;
  const role = (name: string) => `arn:${partition}:iam::${place.account}:role/${names.role(name)}`;
  return {
    partition,
    table: regional('dynamodb', `table/${names.table}`),
    queue: (name) => regional('sqs', names.queue(name)),
    dead: (name) => regional('sqs', names.dead(name)),
    wake: (cluster) => regional('sqs', names.wake(cluster)),
    anyWake: regional('sqs', `${names.prefix}-wake-*`),
    function: (name) => regional('lambda', `function:${names.function(name)}`),
    role,
    anyRole: role('*'),
    anyAgentRole: role('agent-*'),
    logGroup: (name) => regional('logs', `log-group:${names.logGroup(name)}`),
    secrets: (kind) => regional('secretsmanager', `secret:${names.secretPrefix}${place.organisation}/${kind}/*`),
  };
}

/** What a queue's name is put behind: the value of HAWSER_QUEUE_BASE. */
export function queueBase(place: Place): string {
  return `https://sqs.${place.region}.${domainOf(place.region)}/${place.account}/${namesOf(place).prefix}-`;
}

/** The first part of ARNs: regions of China and of the US government are apart. */
export function partitionOf(region: string): string {
  if (region.startsWith('cn-')) return 'aws-cn';
  return region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws';
}

function domainOf(region: string): string {
  return region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com';
}

import { Duration, RemovalPolicy, type Stack } from 'aws-cdk-lib';
import { AnyPrincipal, Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { Queue, QueueEncryption, RedrivePermission } from 'aws-cdk-lib/aws-sqs';
import { flow, type FlowQueue } from '#shared/flow.ts';
import { functions } from './functions.ts';
import { arnsOf, namesOf, type Place } from './names.ts';
import { buriersOf, sendersTo } from './policies.ts';

/** A queue waits this long for a function that cannot take its messages; SQS keeps nothing longer. */
const retention = Duration.days(14);
/** What SQS and Lambda ask for: a message must not come again while one that was throttled is being retried. */
const visibilityPerTimeout = 6;

/** Every queue of shared/flow.ts with its dead letters, by name. */
export function createQueues(
  stack: Stack,
  place: Place,
  key: IKey | undefined,
): Map<string, { live: Queue; dead: Queue }> {
  return new Map(flow.map((settings) => [settings.name, createPair(stack, place, settings, key)]));
}

/**
 * Seconds for which a received message stays hidden: what the flow says, and at least six times as long as whoever
 * receives it may run.
 */
export function visibilitySeconds({
  name,
  visibilitySeconds: least,
}: Pick<FlowQueue, 'name' | 'visibilitySeconds'>): number {
  const timeouts = functions
    .filter(({ trigger }) => trigger.queues?.some((queue) => queue.name === name))
    .map(({ timeoutSeconds }) => timeoutSeconds);
  return Math.max(least, visibilityPerTimeout * Math.max(0, ...timeouts));
}

function createPair(
  stack: Stack,
  place: Place,
  settings: FlowQueue,
  key: IKey | undefined,
): { live: Queue; dead: Queue } {
  const { name, maxReceives } = settings;
  const names = namesOf(place);
  const arns = arnsOf(place);
  const common = {
    retentionPeriod: retention,
    enforceSSL: true,
    // Messages outlive the stack; only those of a first deployment that failed go with it.
    removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    ...(key === undefined
      ? { encryption: QueueEncryption.SQS_MANAGED }
      : { encryption: QueueEncryption.KMS, encryptionMasterKey: key, dataKeyReuse: Duration.minutes(5) }),
  };
  const dead = new Queue(stack, `Dead${idOf(name)}`, {
    ...common,
    queueName: names.dead(name),
    redriveAllowPolicy: {
      redrivePermission: RedrivePermission.BY_QUEUE,
      // By name: the queue itself names this one, and CloudFormation makes no circles.
      sourceQueues: [Queue.fromQueueArn(stack, `Source${idOf(name)}`, arns.queue(name))],
    },
  });
  const live = new Queue(stack, `Queue${idOf(name)}`, {
    ...common,
    queueName: names.queue(name),
    visibilityTimeout: Duration.seconds(visibilitySeconds(settings)),
    deadLetterQueue: { queue: dead, maxReceiveCount: maxReceives },
  });
  const agents = settings.from.includes('agent') ? [arns.anyAgentRole] : [];
  live.addToResourcePolicy(refuseOthers([...sendersTo(name).map(arns.role), ...agents], live.queueArn));
  dead.addToResourcePolicy(
    refuseOthers(
      buriersOf(name).map((burier) => arns.role(burier)),
      dead.queueArn,
    ),
  );
  return { live, dead };
}

/** Only these roles send. SQS itself, which moves dead letters, has no principal's ARN. */
function refuseOthers(roles: readonly string[], queueArn: string): PolicyStatement {
  return new PolicyStatement({
    sid: 'NobodyElseSends',
    effect: Effect.DENY,
    principals: [new AnyPrincipal()],
    actions: ['sqs:SendMessage'],
    resources: [queueArn],
    conditions: { ArnNotLike: { 'aws:PrincipalArn': [...roles] }, Null: { 'aws:PrincipalArn': 'false' } },
  });
}

/** `render-jobs` → `RenderJobs`. */
export function idOf(name: string): string {
  return name.replaceAll(/(^|-)([a-z0-9])/g, (_, _dash: string, letter: string) => letter.toUpperCase());
}

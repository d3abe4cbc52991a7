import { CfnOutput, Duration, Stack, type StackProps } from 'aws-cdk-lib';
import {
  Alarm,
  ComparisonOperator,
  MathExpression,
  Metric,
  TreatMissingData,
  type IMetric,
} from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { CfnRule, Rule } from 'aws-cdk-lib/aws-events';
import { SnsTopic } from 'aws-cdk-lib/aws-events-targets';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import type { Construct } from 'constructs';
import { alarmsOf, type AlarmSpec, type Series } from './alarms.ts';
import { createDashboard } from './dashboard.ts';
import { functions } from './functions.ts';
import { arnsOf, namesOf } from './names.ts';
import { idOf } from './queues.ts';
import type { DeploymentSettings } from './settings.ts';
import type { StateParts } from './state-stack.ts';

/** Alarms, who hears of them, and one dashboard. */
export class ObservabilityStack extends Stack {
  constructor(
    scope: Construct,
    id: string,
    props: StackProps & { settings: DeploymentSettings; state: StateParts; apiId: string },
  ) {
    super(scope, id, props);
    const { settings, state, apiId } = props;
    const names = namesOf(settings);
    const topic = createTopic(this, settings, state);
    const watched = { names, apiId, rootKeyArn: state.rootKey.keyArn };
    const alarms = alarmsOf(watched).map((spec) => createAlarm(this, spec, names.prefix, topic));
    announceForeignSigning(this, settings, state, topic);
    createDashboard(this, watched, alarms);
    new CfnOutput(this, 'AlarmTopic', { value: topic.topicArn });
  }
}

function createTopic(stack: Stack, settings: DeploymentSettings, { dataKey }: StateParts): Topic {
  const topic = new Topic(stack, 'Alarms', {
    topicName: `${namesOf(settings).prefix}-alarms`,
    enforceSSL: true,
    ...(dataKey === undefined ? {} : { masterKey: dataKey }),
  });
  if (settings.alarmEmail !== undefined) topic.addSubscription(new EmailSubscription(settings.alarmEmail));
  return topic;
}

function createAlarm(stack: Stack, spec: AlarmSpec, prefix: string, topic: Topic): Alarm {
  const operators = {
    above: ComparisonOperator.GREATER_THAN_THRESHOLD,
    atLeast: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
    below: ComparisonOperator.LESS_THAN_THRESHOLD,
  };
  const alarm = new Alarm(stack, idOf(spec.id), {
    alarmName: `${prefix}-${spec.id}`,
    alarmDescription: `${spec.watches}. ${spec.first}`,
    metric: metricOf(spec),
    threshold: spec.threshold,
    comparisonOperator: operators[spec.beyond],
    evaluationPeriods: spec.periods,
    datapointsToAlarm: spec.breaches,
    treatMissingData: spec.silence === 'bad' ? TreatMissingData.BREACHING : TreatMissingData.NOT_BREACHING,
  });
  const action = new SnsAction(topic);
  alarm.addAlarmAction(action);
  alarm.addOkAction(action);
  return alarm;
}

function metricOf(spec: AlarmSpec): IMetric {
  const period = Duration.seconds(spec.period);
  const series = Object.entries(spec.series).map(([key, one]) => [key, toMetric(one, period)] as const);
  const [first] = series;
  if (spec.expression === undefined && first !== undefined) return first[1];
  return new MathExpression({
    expression: spec.expression ?? '',
    usingMetrics: Object.fromEntries(series),
    period,
    label: spec.id,
  });
}

/** One series as CloudWatch takes it. */
export function toMetric(series: Series, period: Duration): Metric {
  return new Metric({
    namespace: series.namespace,
    metricName: series.name,
    dimensionsMap: series.dimensions,
    statistic: series.statistic,
    period,
  });
}

/**
 * The key's policy refuses whoever is not publish; that somebody tried at all is worth knowing at once. CloudTrail must record
 * management events (in most accounts it does); signing is one that only reads, so the rule asks for those too.
 */
function announceForeignSigning(stack: Stack, settings: DeploymentSettings, state: StateParts, topic: Topic): void {
  const arns = arnsOf({ ...settings, account: stack.account });
  const signers = functions.filter(({ may }) => may.keys?.sign === true).map(({ name }) => arns.role(name));
  const rule = new Rule(stack, 'ForeignSigning', {
    ruleName: `${namesOf(settings).prefix}-foreign-signing`,
    description: 'Somebody other than publish asked the root key to sign',
    eventPattern: {
      source: ['aws.kms'],
      detailType: ['AWS API Call via CloudTrail'],
      detail: {
        eventName: ['Sign'],
        resources: { ARN: [state.rootKey.keyArn] },
        userIdentity: { sessionContext: { sessionIssuer: { arn: [{ 'anything-but': signers }] } } },
      },
    },
    targets: [new SnsTopic(topic)],
  });
  const cfn = rule.node.defaultChild;
  if (cfn instanceof CfnRule) cfn.state = 'ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS';
}

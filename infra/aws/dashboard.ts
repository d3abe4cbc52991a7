import { Duration, type Stack } from 'aws-cdk-lib';
import {
  type Alarm,
  AlarmStatusWidget,
  Dashboard,
  GraphWidget,
  type IMetric,
  Metric,
  PeriodOverride,
  TextWidget,
} from 'aws-cdk-lib/aws-cloudwatch';
import { flow } from '#shared/flow.ts';
import type { Watched } from './alarms.ts';
import { functions } from './functions.ts';

const period = Duration.minutes(1);

/** One page: what is wrong, where the pipeline waits, what takes long, what it costs the table. */
export function createDashboard(stack: Stack, watched: Watched, alarms: readonly Alarm[]): Dashboard {
  const { names } = watched;
  const dashboard = new Dashboard(stack, 'Dashboard', {
    // Dashboards of all regions share one list.
    dashboardName: names.global,
    defaultInterval: Duration.hours(3),
    periodOverride: PeriodOverride.AUTO,
  });
  dashboard.addWidgets(
    new TextWidget({
      markdown: `# ${names.prefix}\nA push goes hints → render-jobs → publish-jobs; reports come back through reports and agent-mail.`,
      width: 24,
      height: 2,
    }),
  );
  dashboard.addWidgets(new AlarmStatusWidget({ title: 'Alarms', alarms: [...alarms], width: 24, height: 6 }));
  dashboard.addWidgets(
    graph('Oldest message', ofQueues(watched, 'ApproximateAgeOfOldestMessage', 'Maximum'), 's'),
    graph('Messages waiting', ofQueues(watched, 'ApproximateNumberOfMessagesVisible', 'Maximum'), 'messages'),
  );
  dashboard.addWidgets(
    graph('Duration (p95)', ofFunctions(watched, 'Duration', 'p95'), 'ms'),
    graph('Concurrent executions', ofFunctions(watched, 'ConcurrentExecutions', 'Maximum'), 'executions'),
  );
  dashboard.addWidgets(
    graph('Errors', ofFunctions(watched, 'Errors', 'Sum'), 'errors'),
    graph('Throttles', ofFunctions(watched, 'Throttles', 'Sum'), 'throttles'),
  );
  addEnds(dashboard, watched);
  return dashboard;
}

/** Where requests come in, and where they end. */
function addEnds(dashboard: Dashboard, { names, apiId, rootKeyArn }: Watched): void {
  const stage = { ApiId: apiId, Stage: '$default' };
  dashboard.addWidgets(
    graph(
      'HTTP',
      [
        metric('AWS/ApiGateway', 'Count', stage, 'Sum'),
        metric('AWS/ApiGateway', '4xx', stage, 'Sum'),
        metric('AWS/ApiGateway', '5xx', stage, 'Sum'),
      ],
      'requests',
    ),
    graph(
      'HTTP latency',
      ['p50', 'p99'].map((statistic) => metric('AWS/ApiGateway', 'Latency', stage, statistic, statistic)),
      'ms',
    ),
  );
  dashboard.addWidgets(
    graph(
      'Table: units',
      ['ConsumedReadCapacityUnits', 'ConsumedWriteCapacityUnits'].map((name) =>
        metric('AWS/DynamoDB', name, { TableName: names.table }, 'Sum'),
      ),
      'units',
    ),
    graph(
      'Root key: signatures',
      [metric('AWS/KMS', 'SuccessfulRequest', { KeyArn: rootKeyArn, Operation: 'Sign' }, 'Sum')],
      'signatures',
    ),
  );
}

function graph(title: string, left: IMetric[], label: string): GraphWidget {
  return new GraphWidget({ title, left, width: 12, height: 6, leftYAxis: { min: 0, label, showUnits: false } });
}

function ofQueues({ names }: Watched, name: string, statistic: string): IMetric[] {
  return flow.map((queue) => metric('AWS/SQS', name, { QueueName: names.queue(queue.name) }, statistic, queue.name));
}

function ofFunctions({ names }: Watched, name: string, statistic: string): IMetric[] {
  return functions.map((spec) =>
    metric('AWS/Lambda', name, { FunctionName: names.function(spec.name) }, statistic, spec.name),
  );
}

function metric(
  namespace: string,
  metricName: string,
  dimensionsMap: Record<string, string>,
  statistic: string,
  label?: string,
): Metric {
  return new Metric({
    namespace,
    metricName,
    dimensionsMap,
    statistic,
    period,
    ...(label === undefined ? {} : { label }),
  });
}

import { flow } from '#shared/flow.ts';
import { functions } from './functions.ts';
import type { Names } from './names.ts';

/** One measured series: what CloudWatch needs to find it. */
export interface Series {
  namespace: string;
  name: string;
  dimensions: Record<string, string>;
  statistic: string;
}

/** An alarm as data: raised where `value` (one series, or an expression over several) is beyond the threshold. */
export interface AlarmSpec {
  id: string;
  /** The target that it watches (reference reliability-security §5.2), or what else it is for. */
  watches: string;
  /** What to do first. */
  first: string;
  series: Record<string, Series>;
  /** Over the keys of `series`; absent where there is one. */
  expression?: string;
  threshold: number;
  beyond: 'above' | 'atLeast' | 'below';
  /** Seconds of one period. */
  period: number;
  /** Of so many periods … */
  periods: number;
  /** … so many must be beyond. */
  breaches: number;
  /** What no data means: nothing happened, or nobody is there to tell. */
  silence: 'fine' | 'bad';
}

/** What alarms are about that CloudFormation names. */
export interface Watched {
  names: Names;
  apiId: string;
  rootKeyArn: string;
}

/**
 * Every alarm of a deployment. Targets are watched by what AWS measures on the way, so that an alarm does not depend on the
 * code that it judges; where a target's end lies in a cluster, what the service sees of it stands for it.
 */
export function alarmsOf(watched: Watched): AlarmSpec[] {
  return [
    ...webhookTargets(watched),
    ...pushTargets(watched),
    ...crowdTargets(watched),
    ...deadLetters(watched),
    ...trouble(watched),
    ...keyUse(watched),
  ];
}

/** How long the way of a push is now: what waits, and what works. */
function wayOfAPush(names: Names): { series: Record<string, Series>; seconds: string } {
  const age = (queue: string) => queueSeries(names, queue, 'ApproximateAgeOfOldestMessage', 'Maximum');
  const duration = (name: string) => functionSeries(names, name, 'Duration', 'p95');
  return {
    series: {
      h: age('hints'),
      r: age('render-jobs'),
      p: age('publish-jobs'),
      a: duration('plan'),
      b: duration('render'),
      c: duration('publish'),
    },
    // Where nothing was there to be measured, nothing was slow.
    seconds: '(FILL(h,0)+FILL(r,0)+FILL(p,0))+(FILL(a,0)+FILL(b,0)+FILL(c,0))/1000',
  };
}

function webhookTargets({ names, apiId }: Watched): AlarmSpec[] {
  const route = { ApiId: apiId, Stage: '$default', Method: 'POST', Resource: '/webhooks/{provider}/{repository}' };
  return [
    {
      ...often('webhook-slow', 'TGT-01: webhooks are acknowledged within 300 ms (p99)'),
      first: 'Look at the Init durations of the webhook function, and at DynamoDB and Secrets Manager latency.',
      series: { latency: apiSeries('Latency', 'p99', route) },
      threshold: 300,
    },
    {
      ...often('webhook-failing', 'TGT-01, TGT-02: no webhook is answered 5xx, whatever the load'),
      first: 'Look at errors and throttles of the webhook function; lost hints are made good by polling (TGT-07).',
      series: { failed: apiSeries('5xx', 'Sum', route) },
      threshold: 0,
      breaches: 1,
    },
    {
      ...often('burst-not-drained', 'TGT-02: a burst is drained within 10 minutes'),
      first: 'Raise the concurrency of plan (infra/aws/functions.ts) or the quota of the account.',
      series: { age: queueSeries(names, 'hints', 'ApproximateAgeOfOldestMessage', 'Maximum') },
      threshold: 600,
      breaches: 1,
    },
  ];
}

function pushTargets({ names, apiId }: Watched): AlarmSpec[] {
  const way = wayOfAPush(names);
  return [
    {
      ...often('publishing-slow', 'TGT-03: push to published snapshot within 15 s (p95)'),
      first: 'See on the dashboard which stage waits, and which takes its time.',
      series: way.series,
      expression: way.seconds,
      threshold: 15,
    },
    {
      ...often('agents-read-slowly', 'TGT-04: published to fetched by the agent within 10 s (p99)'),
      first: 'Look at throttled reads of the table and at the duration of the api function.',
      series: {
        t: tableSeries(names, 'ReadThrottleEvents'),
        l: apiSeries('Latency', 'p99', { ApiId: apiId, Stage: '$default' }),
      },
      expression: 'IF(FILL(t,0)>0,100000,0)+FILL(l,0)',
      threshold: 10_000,
    },
    {
      ...often('applying-slow', 'TGT-05: push to applied within 30 s (p95), as far as the service sees'),
      first: 'See which stage waits; then the agents: `hawser get clusters`, `hawser doctor`.',
      series: { ...way.series, ...spoken(names) },
      expression: `${way.seconds}+MAX([FILL(m,0),FILL(o,0)])`,
      threshold: 30,
    },
  ];
}

function crowdTargets({ names }: Watched): AlarmSpec[] {
  const age = (queue: string) => queueSeries(names, queue, 'ApproximateAgeOfOldestMessage', 'Maximum');
  return [
    {
      ...often('many-at-once-slow', 'TGT-06: 1,000 applications of one push are applied within 2 minutes'),
      first: 'Raise the concurrency of render and its sandbox together.',
      series: { r: age('render-jobs'), p: age('publish-jobs') },
      expression: 'FILL(r,0)+FILL(p,0)',
      threshold: 120,
      breaches: 1,
    },
    {
      ...often('sweep-silent', 'TGT-07: lost webhooks are made good within 5 minutes: the sweep runs every minute'),
      first: 'Look at the schedule and the errors of the sweep function.',
      series: { runs: functionSeries(names, 'sweep', 'Invocations', 'Sum') },
      threshold: 3,
      beyond: 'below',
      breaches: 1,
      silence: 'bad',
    },
    {
      ...often('agents-catch-up-slowly', 'TGT-08: after an outage all agents are current within 10 minutes'),
      first: 'Look at throttles of api, token and report, and at 429 of the HTTP API.',
      series: spoken(names),
      expression: 'MAX([FILL(m,0),FILL(o,0)])',
      threshold: 600,
      breaches: 1,
    },
  ];
}

/** What agents said and nobody has heard yet. */
function spoken(names: Names): Record<string, Series> {
  const age = (queue: string) => queueSeries(names, queue, 'ApproximateAgeOfOldestMessage', 'Maximum');
  return { m: age('agent-mail'), o: age('reports') };
}

/** A dead letter is something that nobody will try again by itself. */
function deadLetters({ names }: Watched): AlarmSpec[] {
  return flow.map(({ name }) => ({
    ...often(`dead-${name}`, `dead letters of ${name}`),
    first: '`hawser queues` shows why they died; redrive them once that is mended.',
    series: {
      dead: {
        namespace: 'AWS/SQS',
        name: 'ApproximateNumberOfMessagesVisible',
        dimensions: { QueueName: names.dead(name) },
        statistic: 'Maximum',
      },
    },
    threshold: 1,
    beyond: 'atLeast' as const,
    breaches: 1,
    periods: 1,
  }));
}

function trouble({ names }: Watched): AlarmSpec[] {
  return [
    ...functions.flatMap(({ name }): AlarmSpec[] => [
      {
        ...often(`${name}-errors`, `errors of ${name}`),
        first: `Read the log ${names.logGroup(name)}, level error.`,
        series: { errors: functionSeries(names, name, 'Errors', 'Sum') },
        threshold: 0,
      },
      {
        ...often(`${name}-throttled`, `throttled invocations of ${name}`),
        first: 'Raise what it reserves (infra/aws/functions.ts), or the quota of the account.',
        series: { throttles: functionSeries(names, name, 'Throttles', 'Sum') },
        threshold: 0,
      },
    ]),
    ...flow.map(({ name }): AlarmSpec => ({
      ...often(`old-${name}`, `a message of ${name} waits for 5 minutes`),
      first: 'Look at throttles and errors of its receiver; a message that comes again and again dies in the end.',
      series: { age: queueSeries(names, name, 'ApproximateAgeOfOldestMessage', 'Maximum') },
      threshold: 300,
    })),
    {
      ...often('table-throttled', 'throttled requests to the table'),
      first: 'Find the hot partition (CloudWatch Contributor Insights); on-demand tables double within 30 minutes.',
      series: { r: tableSeries(names, 'ReadThrottleEvents'), w: tableSeries(names, 'WriteThrottleEvents') },
      expression: 'FILL(r,0)+FILL(w,0)',
      threshold: 0,
    },
  ];
}

/**
 * A process of publish certifies a day key when it starts and every half day: far more signatures than processes can start
 * mean that somebody signs something else. Who it was says CloudTrail; whoever is not publish is refused by the key's policy,
 * and announced by a rule of its own (observability-stack.ts).
 */
function keyUse({ rootKeyArn }: Watched): AlarmSpec[] {
  return [
    {
      ...often('root-key-signs-a-lot', 'the root key signs more often than day keys need'),
      first: 'Find the callers in CloudTrail (eventName Sign); if they are not publish, disable the key.',
      series: {
        signed: {
          namespace: 'AWS/KMS',
          name: 'SuccessfulRequest',
          dimensions: { KeyArn: rootKeyArn, Operation: 'Sign' },
          statistic: 'Sum',
        },
      },
      threshold: 200,
      period: 3600,
      periods: 1,
      breaches: 1,
    },
  ];
}

/** What most alarms have in common: two of three periods of 5 minutes above the threshold; silence is fine. */
function often(
  id: string,
  watches: string,
): Pick<AlarmSpec, 'id' | 'watches' | 'beyond' | 'period' | 'periods' | 'breaches' | 'silence'> {
  return { id, watches, beyond: 'above', period: 300, periods: 3, breaches: 2, silence: 'fine' };
}

function apiSeries(name: string, statistic: string, dimensions: Record<string, string>): Series {
  return { namespace: 'AWS/ApiGateway', name, dimensions, statistic };
}

function functionSeries(names: Names, name: string, metric: string, statistic: string): Series {
  return { namespace: 'AWS/Lambda', name: metric, dimensions: { FunctionName: names.function(name) }, statistic };
}

function queueSeries(names: Names, queue: string, metric: string, statistic: string): Series {
  return { namespace: 'AWS/SQS', name: metric, dimensions: { QueueName: names.queue(queue) }, statistic };
}

function tableSeries(names: Names, metric: string): Series {
  return { namespace: 'AWS/DynamoDB', name: metric, dimensions: { TableName: names.table }, statistic: 'Sum' };
}

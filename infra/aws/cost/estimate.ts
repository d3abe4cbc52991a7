import { functions } from '../functions.ts';
import { prices, type PriceName } from './prices.ts';
import { countsOf, queueRequests, runsOf, tableUnits, type Usage } from './usage.ts';

/** One line of a bill: so much of something in a month. */
export interface CostLine {
  /** What causes it. */
  what: string;
  price: PriceName;
  quantity: number;
  usd: number;
}

/** What a synthesised deployment consists of, as far as it costs by the month or decides what else does. */
export interface Inventory {
  /** Number of resources by type. */
  counts: Record<string, number>;
  /** Metrics that alarms watch: each costs. */
  alarmMetrics: number;
  webAclRules: number;
}

interface Template {
  Resources?: Record<string, { Type: string; Properties?: Record<string, unknown> }>;
}

/** Reads the inventory off the templates of all stacks. */
export function inventoryOf(templates: readonly Template[]): Inventory {
  const resources = templates.flatMap((template) => Object.values(template.Resources ?? {}));
  const counts: Record<string, number> = {};
  for (const { Type: type } of resources) counts[type] = (counts[type] ?? 0) + 1;
  const listed = (type: string, property: string) =>
    resources
      .filter((resource) => resource.Type === type)
      .map(({ Properties: properties }) => properties?.[property])
      .map((list) => (Array.isArray(list) ? (list as unknown[]) : undefined));
  const alarmMetrics = listed('AWS::CloudWatch::Alarm', 'Metrics')
    .map((metrics) => (metrics === undefined ? 1 : metrics.filter(isMeasured).length))
    .reduce((sum, one) => sum + one, 0);
  const webAclRules = listed('AWS::WAFv2::WebACL', 'Rules').reduce((sum, rules) => sum + (rules?.length ?? 0), 0);
  return { counts, alarmMetrics, webAclRules };
}

/** What a month of such use costs in such a deployment, line by line. Pure: inventory and usage in, lines out. */
export function estimate(inventory: Inventory, usage: Usage): CostLine[] {
  const has = (type: string) => inventory.counts[type] ?? 0;
  const counts = countsOf(usage);
  const runs = runsOf(usage, counts);
  const invocations = Object.values(runs).reduce((sum, run) => sum + run.invocations, 0);
  const http = counts.pushes + counts.tokens + (runs['api']?.invocations ?? 0);
  const table = tableUnits(usage, counts);
  const storedGb = (counts.applications * usage.storedMbPerApplication) / 1024;
  const logGb = (invocations * 0.7 + http * 0.4) / 1024 ** 2;
  const outGb = outgoingGb(usage, counts);
  const wafRequests = has('AWS::WAFv2::WebACL') > 0 ? http : 0;
  return [
    ...functionLines(has('AWS::Lambda::Function') > 0 ? runs : {}, usage),
    line('HTTP API', 'httpRequest', http * Math.sign(has('AWS::ApiGatewayV2::Api'))),
    line('queues', 'sqsRequest', has('AWS::SQS::Queue') > 0 ? queueRequests(usage, counts) : 0),
    line('fair queues', 'sqsFair', counts.pushes * 9),
    line('table: reads', 'tableRead', table.reads),
    line('table: writes', 'tableWrite', table.writes),
    line('table: storage', 'tableStorage', storedGb),
    line('table: backups', 'tableBackup', storedGb),
    // Credentials for Git; the keys of webhooks are sealed rows of the table.
    line('secrets', 'secret', counts.repositories),
    line('secrets: calls', 'secretCall', counts.pushes + counts.polls),
    line('keys', 'key', has('AWS::KMS::Key')),
    line('keys: calls', 'keyCall', counts.pushes * 8),
    line('schedule', 'schedule', counts.sweeps * has('AWS::Scheduler::Schedule')),
    line('alarms', 'alarm', inventory.alarmMetrics),
    line('metrics', 'metric', 30),
    line('dashboard', 'dashboard', has('AWS::CloudWatch::Dashboard')),
    line('logs', 'logBytes', logGb),
    line('logs: storage', 'logStorage', logGb),
    line('traces', 'trace', tracesOf(Object.values(runs).map((run) => run.invocations))),
    line('data to agents and people', 'dataOut', outGb),
    line('WebACL', 'webAcl', has('AWS::WAFv2::WebACL')),
    line('WebACL: rules', 'webAclRule', inventory.webAclRules),
    line('WebACL: requests', 'webAclRequest', wafRequests),
    line('CloudFront', 'cdnRequest', wafRequests * Math.sign(has('AWS::CloudFront::Distribution'))),
  ].filter(({ quantity }) => quantity > 0);
}

/** Sum of lines, US dollars a month. */
export function totalOf(lines: readonly CostLine[]): number {
  return lines.reduce((sum, { usd }) => sum + usd, 0);
}

function functionLines(runs: ReturnType<typeof runsOf>, usage: Usage): CostLine[] {
  return functions
    .flatMap((spec) => {
      const run = runs[spec.name];
      if (run === undefined) return [];
      const memoryGb = spec.memoryMb / 1024;
      const gbSeconds = run.invocations * run.seconds * memoryGb;
      const compute = line(`function ${spec.name}`, spec.isSandbox === true ? 'lambdaX64' : 'lambdaArm', gbSeconds);
      const requests = line(`function ${spec.name}: invocations`, 'lambdaRequest', run.invocations);
      if (spec.isSandbox !== true) return [compute, requests];
      // An idle environment is gone after minutes: at low rates every render starts one, at high rates one in fifty.
      const busy = Math.min(1, (run.invocations / (730 * 3600)) * 300);
      const starts = run.invocations * (1 - busy * 0.98);
      return [
        compute,
        requests,
        line(`function ${spec.name}: new environments`, 'lambdaTenantStart', starts * memoryGb),
      ];
    })
    .filter(({ quantity }) => quantity > 0 && usage.clusters > 0);
}

/** X-Ray takes one request a second of each function, and one in twenty of the rest. */
function tracesOf(invocations: readonly number[]): number {
  const seconds = 730 * 3600;
  return invocations.reduce((sum, many) => sum + Math.min(many, seconds) + Math.max(0, many - seconds) * 0.05, 0);
}

function outgoingGb(usage: Usage, counts: ReturnType<typeof countsOf>): number {
  const kb =
    counts.looks +
    counts.wakes * 0.5 +
    counts.pushes * (usage.snapshotKb + 5) +
    counts.people * 20 +
    counts.heartbeats * 0.5;
  return kb / 1024 ** 2;
}

function line(what: string, price: PriceName, quantity: number): CostLine {
  return { what, price, quantity, usd: quantity * prices[price].usd };
}

/** Of an alarm over several, the expression itself costs nothing. */
function isMeasured(metric: unknown): boolean {
  return typeof metric === 'object' && metric !== null && 'MetricStat' in metric;
}

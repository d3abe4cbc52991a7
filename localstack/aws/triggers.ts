import { randomUUID } from 'node:crypto';
import type { SQSClient } from '@aws-sdk/client-sqs';
import { functions } from '#infra/aws/functions.ts';
import { messageOf } from '#shared/errors.ts';
import { flow } from '#shared/flow.ts';
import type { Log } from '#shared/ports/log.ts';
import { account, localNames, region } from './deployment.ts';
import { runEventSource } from './event-source.ts';
import type { LambdaHost } from './lambda-host.ts';

interface Deps {
  host: LambdaHost;
  client: SQSClient;
  log: Log;
  organisation: string;
  queues: ReadonlyMap<string, { url: string; arn: string }>;
}

/** Events at once for one queue, whatever infra allows: this is one machine. */
const mostEvents = 2;
/** What is at work when everything is to end gets this long; then it comes again, with the next start. */
const graceMs = 3000;

/** Everything that starts functions by itself: a mapping for each queue, and the schedule, which also runs at once. */
export function startTriggers(deps: Deps): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const sources = Promise.all(startSources(deps, stopping.signal));
  const timers = startSchedules(deps);
  return {
    async stop() {
      for (const timer of timers) clearInterval(timer);
      stopping.abort();
      await Promise.race([sources, new Promise((resolve) => setTimeout(resolve, graceMs).unref())]);
    },
  };
}

function startSources({ host, client, log, organisation, queues }: Deps, signal: AbortSignal): Promise<void>[] {
  const names = localNames(organisation);
  return functions.flatMap((spec) =>
    (spec.trigger.queues ?? []).map(({ name, most }) => {
      const place = queues.get(name);
      const batch = flow.find((queue) => queue.name === name)?.batch ?? 1;
      return runEventSource(
        { host, client, log, signal },
        {
          queueUrl: place?.url ?? '',
          queueArn: place?.arn ?? '',
          functionName: names.function(spec.name),
          batch,
          concurrency: Math.min(mostEvents, most),
        },
      );
    }),
  );
}

function startSchedules({ host, log, organisation }: Deps): NodeJS.Timeout[] {
  const names = localNames(organisation);
  return functions.flatMap((spec) => {
    const { everyMinutes } = spec.trigger;
    if (everyMinutes === undefined) return [];
    const run = () => void runScheduled({ host, log }, names.function(spec.name), scheduledEvent(spec.name));
    run();
    return [setInterval(run, everyMinutes * 60_000)];
  });
}

/** Never throws: the next time comes anyway. */
async function runScheduled({ host, log }: Pick<Deps, 'host' | 'log'>, name: string, event: object): Promise<void> {
  try {
    const { functionError, payload } = await host.invoke(name, JSON.stringify(event));
    if (functionError !== undefined)
      log.warn({ function: name, reason: payload.slice(0, 1000) }, 'a scheduled function failed');
  } catch (error) {
    log.warn({ function: name, reason: messageOf(error) }, 'a schedule cannot be kept');
  }
}

/** The event of an EventBridge rule with a schedule. */
function scheduledEvent(name: string): object {
  return {
    version: '0',
    id: randomUUID(),
    'detail-type': 'Scheduled Event',
    source: 'aws.events',
    account,
    time: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
    region,
    resources: [`arn:aws:events:${region}:${account}:rule/hawser-local-${name}`],
    detail: {},
  };
}

import { messageOf } from '#shared/errors.ts';
import type { Clock } from '#shared/ports/clock.ts';
import { createCluster } from './cluster/cluster.ts';
import { openConnection } from './cluster/connection.ts';
import { createRequests } from './cluster/requests.ts';
import { createJsonLog } from './log.ts';
import { createAgent } from './loop.ts';
import { serveMetrics } from './metrics.ts';
import { openHub } from './open-hub.ts';
import { proxyName } from './proxy.ts';
import { parseSettings } from './settings.ts';

/** Put in by the bundler; sources that run unbundled are a development version. */
declare const AGENT_VERSION: string | undefined;

const agentVersion = typeof AGENT_VERSION === 'string' ? AGENT_VERSION : '0.0.0-development';

const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (milliseconds, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted === true) return resolve();
      const done = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, Math.min(Math.max(0, milliseconds), 2 ** 31 - 1));
      signal?.addEventListener('abort', done, { once: true });
    }),
};

async function main(): Promise<void> {
  const settings = parseSettings(process.env);
  const log = createJsonLog(settings.logLevel, (line) => process.stderr.write(line), { cluster: settings.cluster });
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());
  if (settings.exitWithParent) exitWithParent();

  const connection = openConnection(settings);
  const requests = createRequests({ connection, clock });
  const cluster = createCluster({ requests, clock, log });
  const hub = openHub({ settings, requests, clock, log, random: Math.random });
  const agent = createAgent({
    identity: settings,
    hub,
    cluster,
    clock,
    log,
    namespace: settings.namespace,
    agentVersion,
    memoryBytes: () => process.memoryUsage.rss(),
  });
  const metrics =
    settings.metricsPort === undefined
      ? undefined
      : serveMetrics(settings.metricsPort, () => ({ ...agent.state(), requests: requests.counts }));
  const proxies = [settings.proxy?.https, settings.proxy?.http].filter((address) => address !== undefined);
  const through = proxies.length === 0 ? {} : { proxies: proxies.map(proxyName), noProxy: settings.proxy?.noProxy };
  const { server } = settings;
  log.info({ version: agentVersion, server, kubernetes: connection.server.host, ...through }, 'agent starts');
  await agent.run(stop.signal);
  metrics?.close();
  requests.close();
  log.info({}, 'agent ended');
}

/** Whoever started us holds the other end of stdin; when that closes, however it ended, we end too. */
function exitWithParent(): void {
  process.stdin.on('end', () => process.exit(0));
  process.stdin.on('error', () => process.exit(0));
  process.stdin.resume();
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`${JSON.stringify({ level: 'error', message: messageOf(error) })}\n`);
    process.exit(1);
  },
);

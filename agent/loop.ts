import { messageOf } from '#shared/errors.ts';
import type { ClusterCapabilities } from '#shared/domain/cluster.ts';
import { parentMarks } from '#shared/domain/tracking.ts';
import { parseKey } from '#shared/domain/kube-object.ts';
import type { ApplicationReport } from '#shared/messages/agent-report.ts';
import type { ClusterCommand } from '#shared/messages/cluster-command.ts';
import type { Clock } from '#shared/ports/clock.ts';
import type { Hub } from '#shared/ports/hub.ts';
import type { Log } from '#shared/ports/log.ts';
import { createApplications, type Applications } from './applications.ts';
import { createChunkFetcher } from './chunk-fetcher.ts';
import type { Cluster } from './cluster/cluster.ts';
import { answerLive } from './commands/answer-live.ts';
import { answerTree } from './commands/answer-tree.ts';
import { createIntake, type Identity, type Intake } from './intake.ts';
import type { AppRuntime } from './reconcile/runtime.ts';
import { createPollLoop, type PollLoop } from './poll-loop.ts';
import { prepareAgent } from './prepare.ts';
import { factsOf } from './reconcile/step.ts';
import { buildReport } from './report/build-report.ts';
import { createRenewals } from './report/renewals.ts';
import { createReporter, type Reporter } from './report/reporter.ts';
import { createStateStore } from './state/state-store.ts';

export interface AgentDeps {
  identity: Identity;
  hub: Hub;
  cluster: Cluster;
  clock: Clock;
  log: Log;
  /** Where the agent keeps its state. */
  namespace: string;
  agentVersion: string;
  random?: () => number;
  memoryBytes?: () => number;
  /** Seconds that a poll may be held by the hub; default 25. */
  pollSeconds?: number;
}

/** What is going on, for metrics and tests. */
export interface AgentState {
  applications: number;
  objects: number;
  version: number;
  connected: boolean;
  /** What was stored is loaded, and watches run. Says nothing of the service: without it the agent does its work too. */
  ready: boolean;
}

export interface Agent {
  /** Runs until the signal; throws only where going on makes no sense. */
  run(signal: AbortSignal): Promise<void>;
  state(): AgentState;
}

const pollSeconds = 25;

/** Creates the agent: nothing happens before `run`. */
export function createAgent(deps: AgentDeps): Agent {
  const { clock, log, hub, random = Math.random } = deps;
  const cluster = tellingCapabilities(deps.cluster, (capabilities) => reporter.capabilities(capabilities));
  /** Reports of applications that were dropped after a deletion order. */
  const farewells = new Map<string, AppRuntime>();
  const store = createStateStore({
    cluster,
    namespace: deps.namespace,
    log,
    parentMarks: (state) => parentMarks(state.record.application, [...state.record.inventory.keys()].map(parseKey)),
  });

  const renewals = createRenewals(clock, (application) =>
    log.warn({ application, now: new Date(clock.now()).toISOString() }, 'a root stays refused: is the clock right?'),
  );
  let ready = false;
  const applications = managed();
  const reporter = reports();
  const intake: Intake = createIntake({
    identity: deps.identity,
    applications,
    fetcher: createChunkFetcher(hub),
    renewals,
    renew: () => reporter.renew(),
    clock,
    log,
  });

  const polling: PollLoop = createPollLoop({
    hub,
    clock,
    log,
    random,
    pollSeconds: deps.pollSeconds ?? pollSeconds,
    take: (assignments) => intake.take(assignments),
    obey,
  });

  function managed(): Applications {
    return createApplications({
      cluster,
      store,
      clock,
      log,
      random,
      changed: (application, soon) => reporter.changed(application, soon),
      forgotten(app) {
        log.info({ application: app.id }, 'application was deleted by order');
        farewells.set(app.id, app);
        reporter.changed(app.id, true);
      },
    });
  }

  function reports(): Reporter {
    return createReporter({
      hub,
      clock,
      log,
      random,
      agentVersion: deps.agentVersion,
      epoch: `${new Date(clock.now()).toISOString()}-${Math.floor(random() * 1e9).toString(36)}`,
      applications: () => applications.all.keys(),
      renewals,
      reportOf(application) {
        const app = applications.all.get(application) ?? farewells.get(application);
        return app === undefined ? undefined : buildReport(app, factsOf(applications.deps, app));
      },
      acknowledged(application, report) {
        // An earlier report may be acknowledged only now: the farewell stays until it has itself arrived.
        if (report.deleted === true) farewells.delete(application);
        const app = applications.all.get(application);
        if (app !== undefined) forgetTold(app, report);
      },
      facts: () => ({
        version: polling.version,
        objects: objectsIn(applications),
        memoryBytes: (deps.memoryBytes ?? (() => 0))(),
      }),
    });
  }

  function obey(command: ClusterCommand): void {
    if (command.type === 'resend') {
      reporter.resend(command.applications);
      return;
    }
    // `wake` needs nothing: the poll that brought it read the head.
    if (command.type === 'wake') return;
    const app = applications.all.get(command.application);
    const answering =
      command.type === 'live'
        ? answerLive(applications.deps, app, command)
        : answerTree(applications.deps, app, command);
    answering
      .then((answer) => hub.answer(answer))
      .catch((error: unknown) =>
        log.warn({ question: command.question, reason: messageOf(error) }, 'answer was not delivered'),
      );
  }

  return {
    async run(signal) {
      await prepareAgent({ ...deps, cluster, store, applications, intake, random }, signal);
      ready = !signal.aborted;
      await Promise.all([polling.run(signal), reporter.run(signal)]);
      await applications.stop();
    },
    state: () => ({
      applications: applications.all.size,
      objects: objectsIn(applications),
      version: polling.version,
      connected: polling.connected,
      ready,
    }),
  };
}

/** What arrived need not be kept: events, and drift that is corrected. */
function forgetTold(app: AppRuntime, report: ApplicationReport): void {
  app.events.splice(0, report.events.length);
  const told = new Set(report.drift.map((drift) => drift.correctedAt));
  for (const [key, { correctedAt }] of app.drifts) {
    if (correctedAt !== undefined && told.has(correctedAt)) app.drifts.delete(key);
  }
}

/** Tells when what the cluster serves changed: renders and namespaces hang on it. */
function tellingCapabilities(cluster: Cluster, tell: (capabilities: ClusterCapabilities) => void): Cluster {
  let told = '';
  return {
    ...cluster,
    async discover() {
      const capabilities = await cluster.discover();
      const text = JSON.stringify(capabilities);
      if (text !== told) tell(capabilities);
      told = text;
      return capabilities;
    },
  };
}

function objectsIn(applications: Applications): number {
  let objects = 0;
  for (const app of applications.all.values()) objects += app.record.inventory.size;
  return objects;
}

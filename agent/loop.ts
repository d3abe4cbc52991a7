import { HawserError, messageOf } from '#shared/errors.ts';
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
import { factsOf } from './reconcile/step.ts';
import { buildReport } from './report/build-report.ts';
import { createReporter, type Reporter } from './report/reporter.ts';
import { createStateStore } from './state/state-store.ts';
import { prepareNamespace } from './state/prepare-namespace.ts';

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
}

export interface Agent {
  /** Runs until the signal; throws only where going on makes no sense. */
  run(signal: AbortSignal): Promise<void>;
  state(): AgentState;
}

const pollSeconds = 25;
const longestBackoffMs = 30_000;

/** Creates the agent: nothing happens before `run`. */
export function createAgent(deps: AgentDeps): Agent {
  const { clock, log, hub, random = Math.random } = deps;
  const cluster = tellingCapabilities(deps.cluster, (capabilities) => reporter.capabilities(capabilities));
  /** Version of the head that has been taken in. */
  let taken = 0;
  let connected = false;
  /** Reports of applications that were dropped after a deletion order. */
  const farewells = new Map<string, AppRuntime>();
  const store = createStateStore({
    cluster,
    namespace: deps.namespace,
    log,
    parentMarks: (state) => parentMarks(state.record.application, [...state.record.inventory.keys()].map(parseKey)),
  });

  const applications: Applications = createApplications({
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

  const reporter: Reporter = createReporter({
    hub,
    clock,
    log,
    random,
    agentVersion: deps.agentVersion,
    epoch: `${new Date(clock.now()).toISOString()}-${Math.floor(random() * 1e9).toString(36)}`,
    applications: () => applications.all.keys(),
    reportOf(application) {
      const app = applications.all.get(application) ?? farewells.get(application);
      return app === undefined ? undefined : buildReport(app, factsOf(applications.deps, app));
    },
    acknowledged: (application, report) => acknowledge(application, report),
    facts: () => ({ version: taken, objects: objectsIn(applications), memoryBytes: (deps.memoryBytes ?? (() => 0))() }),
  });

  const intake: Intake = createIntake({
    identity: deps.identity,
    applications,
    fetcher: createChunkFetcher(hub),
    clock,
    log,
  });

  /** What arrived need not be kept: events, and drift that is corrected. */
  function acknowledge(application: string, report: ApplicationReport): void {
    // An earlier report may be acknowledged only now: the farewell stays until it has itself arrived.
    if (report.deleted === true) farewells.delete(application);
    const app = applications.all.get(application);
    if (app === undefined) return;
    app.events.splice(0, report.events.length);
    const told = new Set(report.drift.map((drift) => drift.correctedAt));
    for (const [key, drift] of app.drifts)
      if (drift.correctedAt !== undefined && told.has(drift.correctedAt)) app.drifts.delete(key);
  }

  async function prepare(signal: AbortSignal): Promise<void> {
    const capabilities = await patiently(signal, 'reading the kinds of the cluster', () => cluster.discover());
    if (capabilities === undefined) return;
    await patiently(signal, 'preparing the namespace', () => prepareNamespace(cluster, deps.namespace));
    await patiently(signal, 'loading the stored state', () =>
      store.loadAll(restoreOne, (application, error) =>
        log.error({ application, reason: error.message }, 'stored state is damaged; waiting for the hub'),
      ),
    );
    applications.start();
    log.info({ applications: applications.all.size, kubernetes: capabilities.kubernetesVersion }, 'agent is ready');
  }

  function restoreOne(...[state, version]: Parameters<Intake['restore']>): void {
    const { application } = state.record;
    if (applications.all.has(application)) return;
    try {
      intake.restore(state, version);
    } catch (error) {
      log.error({ application, reason: messageOf(error) }, 'stored state was refused; waiting for the hub');
    }
  }

  /** Tries until it works: an API server that is away at start is no reason to end. */
  async function patiently<T>(signal: AbortSignal, what: string, work: () => Promise<T>): Promise<T | undefined> {
    for (let failures = 0; !signal.aborted; failures += 1) {
      try {
        return await work();
      } catch (error) {
        log.warn({ reason: messageOf(error) }, `${what} failed, will try again`);
        await clock.sleep(random() * Math.min(longestBackoffMs, 500 * 2 ** failures), signal);
      }
    }
    return undefined;
  }

  async function pollForever(signal: AbortSignal): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      try {
        const update = await hub.poll({ after: taken, waitSeconds: deps.pollSeconds ?? pollSeconds, signal });
        connected = true;
        for (const command of update.commands) obey(command);
        const { failed } = await intake.take(update.applications);
        // What could not be fetched now comes again only when everything is asked for.
        taken = failed > 0 ? 0 : update.version;
        failures = failed > 0 ? failures + 1 : 0;
        if (failed > 0) await clock.sleep(random() * Math.min(longestBackoffMs, 500 * 2 ** failures), signal);
      } catch (error) {
        if (signal.aborted) return;
        failures += 1;
        if (connected || failures === 1)
          log.warn({ reason: messageOf(error) }, 'the service does not answer; going on with what is stored');
        connected = false;
        const told = error instanceof HawserError ? error.data['retryAfterMs'] : undefined;
        const wait = random() * Math.min(longestBackoffMs, 250 * 2 ** failures);
        await clock.sleep(Math.max(wait, typeof told === 'number' ? told : 0), signal);
      }
    }
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
      await prepare(signal);
      await Promise.all([pollForever(signal), reporter.run(signal)]);
      await applications.stop();
    },
    state: () => ({ applications: applications.all.size, objects: objectsIn(applications), version: taken, connected }),
  };
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

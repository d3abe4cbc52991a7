import { messageOf } from '#shared/errors.ts';
import type { Clock } from '#shared/ports/clock.ts';
import type { Log } from '#shared/ports/log.ts';
import type { Applications } from './applications.ts';
import type { Cluster } from './cluster/cluster.ts';
import type { Intake } from './intake.ts';
import { prepareNamespace } from './state/prepare-namespace.ts';
import type { AgentStateStore } from './state/state-store.ts';

export interface PrepareDeps {
  cluster: Cluster;
  store: AgentStateStore;
  applications: Applications;
  intake: Intake;
  clock: Clock;
  log: Log;
  random: () => number;
  namespace: string;
}

const longestBackoffMs = 30_000;

/** Before anything else: the kinds of the cluster, the agent's namespace, and everything that was stored. Then watches start. */
export async function prepareAgent(deps: PrepareDeps, signal: AbortSignal): Promise<void> {
  const { cluster, store, applications, log } = deps;
  const capabilities = await patiently(deps, signal, 'reading the kinds of the cluster', () => cluster.discover());
  if (capabilities === undefined) return;
  await patiently(deps, signal, 'preparing the namespace', () => prepareNamespace(cluster, deps.namespace));
  await patiently(deps, signal, 'loading the stored state', () =>
    store.loadAll(
      (...stored) => restoreOne(deps, ...stored),
      (application, error) =>
        log.error({ application, reason: error.message }, 'stored state is damaged; waiting for the hub'),
    ),
  );
  applications.start();
  log.info({ applications: applications.all.size, kubernetes: capabilities.kubernetesVersion }, 'agent is ready');
}

function restoreOne(deps: PrepareDeps, ...[state, version]: Parameters<Intake['restore']>): void {
  const { application } = state.record;
  // A load that broke off in the middle begins again.
  if (deps.applications.all.has(application)) return;
  try {
    deps.intake.restore(state, version);
  } catch (error) {
    deps.log.error({ application, reason: messageOf(error) }, 'stored state was refused; waiting for the hub');
  }
}

/** Tries until it works: an API server that is away at start is no reason to end. */
async function patiently<T>(
  { clock, log, random }: PrepareDeps,
  signal: AbortSignal,
  what: string,
  work: () => Promise<T>,
): Promise<T | undefined> {
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

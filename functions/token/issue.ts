import { messageOf } from '#shared/errors.ts';
import { identityOf, type Cluster } from '#shared/domain/cluster.ts';
import type { TokenAnswer } from '#shared/messages/agent-identity.ts';
import type { AgentAccess } from '#shared/ports/agent-access.ts';
import type { Clock } from '#shared/ports/clock.ts';
import type { IssuerKeys } from '#shared/ports/issuer-keys.ts';
import type { Log } from '#shared/ports/log.ts';
import type { Metrics } from '#shared/ports/metrics.ts';
import type { StateStore } from '#shared/ports/state-store.ts';
import { grantAgentToken } from '#shared/state/agent-tokens.ts';
import { writeOrganisationEvent } from '#shared/state/events.ts';

export interface TokenDeps {
  /** The organisation of this deployment: nobody else's clusters are known here. */
  organisation: string;
  store: StateStore;
  clock: Clock;
  log: Log;
  metrics: Metrics;
  issuerKeys: IssuerKeys;
  /** Absent: agents speak HTTPS only. */
  agentAccess?: AgentAccess;
}

/**
 * What an agent that has proved who it is gets for the next minutes. Where direct access cannot be granted now, it gets
 * none and goes on over HTTPS until it asks again (INV-42).
 */
export async function issue(deps: TokenDeps, cluster: Cluster): Promise<TokenAnswer> {
  const { organisation } = deps;
  const [access, direct] = await Promise.all([
    grantAgentToken(deps.store, organisation, cluster, deps.clock.now()),
    identityOf(cluster) === 'service-account' ? grantDirect(deps, cluster.id) : undefined,
  ]);
  const expiresAt =
    [access.expiresAt, ...(direct === undefined ? [] : [direct.expiresAt])].sort()[0] ?? access.expiresAt;
  return {
    organisation,
    cluster: cluster.id,
    accessToken: access.token,
    expiresAt,
    ...(direct === undefined ? {} : { aws: direct.aws }),
  };
}

async function grantDirect(
  deps: TokenDeps,
  cluster: string,
): Promise<Awaited<ReturnType<AgentAccess['grant']>> | undefined> {
  try {
    return await deps.agentAccess?.grant(deps.organisation, cluster);
  } catch (error) {
    deps.metrics.count('agent_direct_access_failures_total');
    deps.log.error(
      { cluster, reason: messageOf(error) },
      'no direct access could be granted, the agent goes on over HTTPS',
    );
    return undefined;
  }
}

/** Tells the people of the organisation about a cluster's identity: as an event, in the log and, for warnings, as a metric. */
export async function tell(
  deps: TokenDeps,
  cluster: string,
  event: { type: 'Normal' | 'Warning'; reason: string; message: string },
): Promise<void> {
  if (event.type === 'Warning') {
    deps.metrics.count('agent_identity_warnings_total', { reason: event.reason });
    deps.log.warn({ cluster, event: event.reason, message: event.message }, 'identity of an agent is in doubt');
  }
  const at = new Date(deps.clock.now()).toISOString();
  await writeOrganisationEvent(deps.store, deps.organisation, { at, ...event, object: `cluster/${cluster}` });
}

import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { HawserError, messageOf } from '#shared/errors.ts';
import { identityOf, type Cluster } from '#shared/domain/cluster.ts';
import { sessionName } from '#shared/domain/wake-queue.ts';
import { MailContent, type AgentMail } from '#shared/messages/agent-mail.ts';
import type { ReceivedReport } from '#shared/messages/agent-report.ts';
import type { Answer } from '#shared/messages/cluster-command.ts';
import type { Clock } from '#shared/ports/clock.ts';
import type { Log } from '#shared/ports/log.ts';
import type { Metrics } from '#shared/ports/metrics.ts';
import type { StateStore } from '#shared/ports/state-store.ts';
import { writeOrganisationEvent } from '#shared/state/events.ts';
import { getCluster } from '#shared/state/registry.ts';

export interface AgentMailDeps {
  store: StateStore;
  report(received: ReceivedReport): Promise<void>;
  answer(organisation: string, cluster: string, answer: Answer): Promise<void>;
  /** Unique id (`AROA…`) of the role that agents' sessions are of; absent: no session is let in. */
  agentRoleId?: string | undefined;
  clock: Clock;
  log: Log;
  metrics: Metrics;
}

const inflate = promisify(gunzip);
/** A message holds 256 KiB, and a report packs some twenty-fold; more is an attack. */
const largestContent = 16 * 1024 * 1024;
/** People see once in so long that somebody forges, however often that happens. */
const eventEveryMs = 3600_000;

/**
 * Takes in what an agent sent straight to the queue. Its organisation and cluster are a claim: `sender` is who the queue
 * itself says sent it, and must be that very cluster's session or role. Otherwise throws `forbidden` (never: the message is
 * buried), and nothing of the content is even read (FT-106, NT-111). The time is the service's own, not the sender's.
 */
export function createAgentMailHandler(
  deps: AgentMailDeps,
): (mail: AgentMail, context: { sender: string }) => Promise<void> {
  return async function handleAgentMail(mail, { sender }) {
    const { organisation, cluster } = mail;
    const found = await getCluster(deps.store, organisation, cluster);
    const problem = senderProblem(organisation, cluster, found, sender, deps.agentRoleId);
    if (problem !== undefined) throw await refuse(deps, mail, found, problem);
    const content = await open(mail);
    if ('report' in content) {
      const receivedAt = new Date(deps.clock.now()).toISOString();
      await deps.report({ organisation, cluster, receivedAt, report: content.report });
    } else {
      await deps.answer(organisation, cluster, content.answer);
    }
  };
}

/** Why this sender does not speak for this cluster; undefined when it does. Pure. */
export function senderProblem(
  organisation: string,
  id: string,
  cluster: Cluster | undefined,
  sender: string,
  agentRoleId: string | undefined,
): string | undefined {
  if (cluster === undefined) return 'there is no such cluster';
  if (cluster.revokedAt !== undefined) return `the cluster was revoked at ${cluster.revokedAt}`;
  // What comes from a role's session is `ROLEID:SESSIONNAME`; the name is the session's own choice only where the role is.
  const [roleId = '', session = ''] = sender.split(':', 2);
  if (roleId === '' || session === '') return 'the queue does not say that a role sent it';
  const identity = identityOf(cluster);
  if (identity === 'static') return 'its agent has no direct access';
  if (identity !== 'service-account') return roleId === cluster.awsRoleId ? undefined : 'it was sent by another role';
  if (agentRoleId === undefined) return 'this deployment has no agent-session role';
  const isItsSession = roleId === agentRoleId && session === sessionName(organisation, id);
  return isItsSession ? undefined : 'it was sent by somebody else';
}

/** Bounded: what inflates to more than any report is refused before it fills the memory. */
async function open(mail: AgentMail): Promise<MailContent> {
  try {
    const text = await inflate(Buffer.from(mail.packed, 'base64'), { maxOutputLength: largestContent });
    return MailContent.parse(JSON.parse(text.toString('utf8')));
  } catch (error) {
    const reason = messageOf(error).slice(0, 1000);
    throw new HawserError('invalid-input', `mail of ${mail.organisation}/${mail.cluster} holds no content: ${reason}`);
  }
}

async function refuse(
  deps: AgentMailDeps,
  { organisation, cluster }: AgentMail,
  found: Cluster | undefined,
  problem: string,
): Promise<HawserError> {
  const message = `mail in the name of ${organisation}/${cluster} was refused: ${problem}`;
  deps.metrics.count('agent_mail_refused_total');
  deps.log.warn({ organisation, cluster, reason: problem }, 'agent mail refused');
  // In the name of a cluster that there is not, there are no people to tell.
  if (found !== undefined) {
    const at = new Date(Math.floor(deps.clock.now() / eventEveryMs) * eventEveryMs).toISOString();
    const event = { at, type: 'Warning' as const, reason: 'AgentMailRefused', message, object: `cluster/${cluster}` };
    await writeOrganisationEvent(deps.store, organisation, event);
  }
  return new HawserError('forbidden', message, { data: { organisation, cluster } });
}

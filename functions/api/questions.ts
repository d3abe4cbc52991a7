import { randomUUID } from 'node:crypto';
import type { Answer, ClusterCommand } from '#shared/messages/cluster-command.ts';
import { answerChannel, takeAnswer } from '#shared/state/answers.ts';
import type { ApiDeps } from './context.ts';
import { waitForRing } from './mailbox.ts';

/** Longest that a page waits for an agent: for one whose poll is held, and for one that comes by every `nextPollSeconds`. */
const patienceMs = { held: 6000, notHeld: 14_000 };

type Question = { type: 'tree'; application: string } | { type: 'live'; application: string; key: string };

/** Asks a cluster's agent something and waits for the answer; undefined when none came in time. */
export async function ask(
  deps: ApiDeps,
  organisation: string,
  cluster: string,
  question: Question,
  signal: AbortSignal,
): Promise<Answer | undefined> {
  const id = randomUUID();
  await deps.mailbox.post(organisation, cluster, { ...question, question: id } satisfies ClusterCommand);
  const until = deps.clock.monotonic() + (deps.holdsRequests === false ? patienceMs.notHeld : patienceMs.held);
  while (deps.clock.monotonic() < until && !signal.aborted) {
    await waitForRing(deps.bell, answerChannel(id), 500, signal);
    const answer = await takeAnswer(deps.store, organisation, cluster, id);
    if (answer !== undefined) return answer;
  }
  return undefined;
}

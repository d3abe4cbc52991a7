import { randomUUID } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { Answer, ClusterCommand } from '#shared/messages/cluster-command.ts';
import { clusterKey } from '#shared/state/keys.ts';
import type { ApiDeps } from './context.ts';
import { waitForRing } from './mailbox.ts';

/** Longest that a page waits for an agent. */
const patienceMs = 6000;
const answerSeconds = 60;

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
  deps.mailbox.post(organisation, cluster, { ...question, question: id } satisfies ClusterCommand);
  const until = deps.clock.monotonic() + patienceMs;
  while (deps.clock.monotonic() < until && !signal.aborted) {
    await waitForRing(deps.bell, `answer:${id}`, 500, signal);
    const row = await deps.store.get<{ packed: string }>(clusterKey(organisation, cluster), answerSort(id));
    if (row) {
      await deps.store.remove(row.partition, row.sort);
      return JSON.parse(gunzipSync(Buffer.from(row.value.packed, 'base64')).toString()) as Answer;
    }
  }
  return undefined;
}

function answerSort(question: string): string {
  return `ANSWER#${question}`;
}

/** Keeps an agent's answer for the page that waits, wherever that page's request is being served. */
export async function keepAnswer(deps: ApiDeps, organisation: string, cluster: string, answer: Answer): Promise<void> {
  const expiresAt = Math.floor(deps.clock.now() / 1000) + answerSeconds;
  const packed = gzipSync(JSON.stringify(answer)).toString('base64');
  await deps.store.putMany([
    {
      partition: clusterKey(organisation, cluster),
      sort: answerSort(answer.question),
      revision: 1,
      value: { packed },
      expiresAt,
    },
  ]);
  deps.bell.ring(`answer:${answer.question}`);
}

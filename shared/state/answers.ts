import { gunzipSync, gzipSync } from 'node:zlib';
import type { Answer } from '../messages/cluster-command.ts';
import type { Bell } from '../ports/bell.ts';
import type { Clock } from '../ports/clock.ts';
import type { StateStore } from '../ports/state-store.ts';
import { clusterKey, sortKeys } from './keys.ts';

/** Nobody waits longer for one. */
const answerSeconds = 60;
/** An answer inflates to this at most: five thousand nodes of a tree are far less. */
const maxBytes = 16 * 1024 * 1024;

/**
 * Keeps an agent's answer for the page that waits, wherever that page's request is being served. `organisation` and
 * `cluster` are who really sent it: a page asks only under the cluster that it asked, so nobody answers for another.
 */
export async function keepAnswer(
  deps: { store: StateStore; bell: Bell; clock: Clock },
  organisation: string,
  cluster: string,
  answer: Answer,
): Promise<void> {
  const expiresAt = Math.floor(deps.clock.now() / 1000) + answerSeconds;
  const packed = gzipSync(JSON.stringify(answer)).toString('base64');
  await deps.store.putMany([
    {
      partition: clusterKey(organisation, cluster),
      sort: sortKeys.answer(answer.question),
      revision: 1,
      value: { packed },
      expiresAt,
    },
  ]);
  deps.bell.ring(answerChannel(answer.question));
}

/** Takes the answer to a question away; undefined where none has come yet. */
export async function takeAnswer(
  store: StateStore,
  organisation: string,
  cluster: string,
  question: string,
): Promise<Answer | undefined> {
  const row = await store.get<{ packed: string }>(clusterKey(organisation, cluster), sortKeys.answer(question));
  if (row === undefined) return undefined;
  await store.remove(row.partition, row.sort);
  const text = gunzipSync(Buffer.from(row.value.packed, 'base64'), { maxOutputLength: maxBytes }).toString();
  return JSON.parse(text) as Answer;
}

/** The bell's channel that rings when a question was answered. */
export function answerChannel(question: string): string {
  return `answer:${question}`;
}

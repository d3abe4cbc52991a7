import { type Message, ReceiveMessageCommand } from '@aws-sdk/client-sqs';
import { unansweredReason } from '../../domain/dead-letters.ts';
import type { ChunkStore } from '../../ports/chunk-store.ts';
import type { DeadLetter, QueueSettings } from '../../ports/queue.ts';
import { toAwsError } from './aws-error.ts';
import { deleteAll, hideAll, sendAll, type BatchDeps, type Outgoing } from './sqs-batches.ts';
import { attributeNames, readBody } from './sqs-body.ts';

export interface DeadDeps extends BatchDeps {
  chunks: ChunkStore;
  settings: QueueSettings;
  url: string;
  deadUrl: string;
}

/** SQS has no look without a receive: while somebody looks, dead letters are hidden from others for so long at most. */
const hideSeconds = 60;

/** Up to `limit` dead letters, in no order; they stay. */
export async function peek(deps: DeadDeps, limit: number): Promise<DeadLetter[]> {
  const seen: Message[] = [];
  try {
    while (seen.length < limit) {
      const batch = await take(deps, Math.min(10, limit - seen.length));
      if (batch.length === 0) break;
      seen.push(...batch);
    }
    return await Promise.all(seen.map((message) => toDeadLetter(deps, message)));
  } finally {
    await giveBack(deps, seen);
  }
}

/**
 * Sends them again as new messages, then deletes them here: who dies between sends one twice. Returns how many. Those that die
 * while this goes on stay: what dies again at once would otherwise be sent again without end.
 */
export async function redrive(deps: DeadDeps, ids: readonly string[] | undefined): Promise<number> {
  const wanted = ids === undefined ? undefined : new Set(ids);
  const others: Message[] = [];
  const since = deps.clock.now();
  let sent = 0;
  try {
    for (;;) {
      if (wanted?.size === 0) break;
      const batch = await take(deps, 10);
      // Seen before: hidden for too short a time, so everything has come by.
      if (batch.length === 0 || batch.some((message) => others.some((other) => other.MessageId === message.MessageId)))
        break;
      const dead = batch.filter((message) => Number(message.Attributes?.SentTimestamp ?? 0) <= since);
      const chosen = dead.filter((message) => wanted === undefined || wanted.delete(message.MessageId ?? ''));
      others.push(...batch.filter((message) => !chosen.includes(message)));
      await sendAll(deps, deps.settings.name, deps.url, chosen.map(toOutgoing));
      await deleteAll(deps, deps.settings.name, deps.deadUrl, chosen.map(receiptOf));
      sent += chosen.length;
    }
    return sent;
  } finally {
    await giveBack(deps, others);
  }
}

async function take({ client, settings, deadUrl }: DeadDeps, max: number): Promise<Message[]> {
  const command = new ReceiveMessageCommand({
    QueueUrl: deadUrl,
    MaxNumberOfMessages: max,
    // Without waiting SQS asks only some of its servers.
    WaitTimeSeconds: 1,
    VisibilityTimeout: hideSeconds,
    MessageAttributeNames: ['All'],
    MessageSystemAttributeNames: ['SentTimestamp', 'MessageGroupId'],
  });
  const answer = await client.send(command).catch((error: unknown) => {
    throw toAwsError(error, `queue ${settings.name}: read dead letters`);
  });
  return answer.Messages ?? [];
}

async function giveBack(deps: DeadDeps, messages: readonly Message[]): Promise<void> {
  // They come back by themselves after a minute.
  await hideAll(deps, deps.settings.name, deps.deadUrl, messages.map(receiptOf), 0).catch(() => undefined);
}

/** One without attributes of ours was moved by SQS itself. */
async function toDeadLetter({ chunks, settings }: DeadDeps, message: Message): Promise<DeadLetter> {
  const { reason, receives, diedAt, reference } = attributesOf(message);
  const body = await readBody(chunks, settings.name, { body: message.Body ?? '', reference });
  return {
    id: message.MessageId ?? '',
    body: body ?? message.Body ?? '',
    reason: reason ?? unansweredReason(settings.maxReceives),
    receives: Number(receives ?? settings.maxReceives),
    diedAt: Number(diedAt ?? message.Attributes?.SentTimestamp ?? 0),
  };
}

function toOutgoing(message: Message): Outgoing {
  const { reference } = attributesOf(message);
  const group = message.Attributes?.MessageGroupId;
  return {
    MessageBody: message.Body ?? '',
    ...(reference === undefined
      ? {}
      : { MessageAttributes: { [attributeNames.reference]: { DataType: 'String', StringValue: reference } } }),
    ...(group === undefined ? {} : { MessageGroupId: group }),
  };
}

function attributesOf(message: Message): Partial<Record<keyof typeof attributeNames, string>> {
  const found = Object.entries(attributeNames).flatMap(([key, name]) => {
    const value = message.MessageAttributes?.[name]?.StringValue;
    return value === undefined ? [] : [[key, value] as const];
  });
  return Object.fromEntries(found);
}

function receiptOf(message: Message): string {
  return message.ReceiptHandle ?? '';
}

import {
  ChangeMessageVisibilityCommand,
  GetQueueAttributesCommand,
  type Message,
  type QueueAttributeName,
  ReceiveMessageCommand,
} from '@aws-sdk/client-sqs';
import type { ChunkStore } from '../../ports/chunk-store.ts';
import type { Delivery, Queue, Queues, QueueSettings } from '../../ports/queue.ts';
import { toAwsError } from './aws-error.ts';
import { deleteAll, isStale, sendAll, type BatchDeps } from './sqs-batches.ts';
import { attributeNames, deathAttributes, packBody, readBody, requireSize } from './sqs-body.ts';
import { peek, redrive, type DeadDeps } from './sqs-dead-letters.ts';

/** A standard queue and the one that its dead letters go to (`create-queue.ts`). */
export interface QueueUrls {
  url: string;
  deadUrl: string;
}

export interface QueuesDeps extends BatchDeps {
  /** Where a queue is; asked once for each opened queue. */
  urls: (settings: QueueSettings) => QueueUrls | Promise<QueueUrls>;
  /** For bodies that SQS does not take; of its own, with a term longer than a queue keeps messages (14 days). */
  chunks: ChunkStore;
}

type ReceiveOptions = Parameters<Queue['receive']>[0];

/** Bounds of SQS: seconds of a delay, of a long poll, and of hiding a message; messages of a receive. */
const maxDelay = 900;
const maxWait = 20;
const maxHide = 43_200;
const receiveAtOnce = 10;

/**
 * Queues in SQS: standard queues (at least once, unordered) with long polling and a dead-letter queue each.
 * A delay above 900 s ends after 900: messages say what to look at, and receivers look again. The group is the fairness key
 * of SQS's fair queues. Bodies above 250 KiB, or with characters that SQS refuses, travel by reference through `chunks`.
 * `retry` at the last receive and `bury` write the dead letter with its reason, then delete the message; what died without
 * an answer is moved by SQS itself, without a reason of ours.
 */
export function createQueues(deps: QueuesDeps): Queues {
  return { open: (settings) => openQueue(deps, settings) };
}

function openQueue(deps: QueuesDeps, settings: QueueSettings): Queue {
  const { name } = settings;
  let known: Promise<DeadDeps> | undefined;

  return {
    name,

    async send(bodies, options = {}) {
      for (const body of bodies) requireSize(name, body);
      const { url } = await place();
      const delay = seconds(Math.min(options.delaySeconds ?? 0, maxDelay));
      const packed = await Promise.all(bodies.map((body) => packBody(deps.chunks, name, body)));
      const messages = packed.map((message) => ({
        ...message,
        ...(delay > 0 ? { DelaySeconds: delay } : {}),
        ...(options.group === undefined ? {} : { MessageGroupId: options.group }),
      }));
      await sendAll(deps, name, url, messages);
    },

    async receive(options) {
      return receive(await place(), options);
    },

    async done(deliveries) {
      const receipts = deliveries.map((delivery) => delivery.receipt);
      await deleteAll(deps, name, (await place()).url, receipts);
    },

    async retry(delivery, { delaySeconds, reason }) {
      if (delivery.receives >= settings.maxReceives) await die(await place(), delivery, reason);
      else await hide(await place(), delivery, delaySeconds);
    },

    async bury(delivery, reason) {
      await die(await place(), delivery, reason);
    },

    async extend(delivery, visibilitySeconds) {
      await hide(await place(), delivery, visibilitySeconds);
    },

    async counts() {
      return count(await place());
    },

    async deadLetters(limit) {
      return peek(await place(), limit);
    },

    async redrive(ids) {
      return redrive(await place(), ids);
    },
  };

  function place(): Promise<DeadDeps> {
    known ??= locate(deps, settings).catch((error: unknown) => {
      known = undefined;
      throw toAwsError(error, `queue ${name}`);
    });
    return known;
  }
}

async function locate(deps: QueuesDeps, settings: QueueSettings): Promise<DeadDeps> {
  return { ...deps, settings, ...(await deps.urls(settings)) };
}

async function receive(deps: DeadDeps, options: ReceiveOptions): Promise<Delivery[]> {
  const until = deps.clock.monotonic() + options.waitSeconds * 1000;
  const found: Delivery[] = [];
  while (found.length < options.max && options.signal?.aborted !== true) {
    // After the first batch only what is there at once.
    const left = found.length > 0 ? 0 : Math.max(0, until - deps.clock.monotonic());
    const messages = await poll(deps, options, options.max - found.length, seconds(left / 1000));
    found.push(...(await Promise.all(messages.map((message) => toDelivery(deps, message)))).flat());
    const full = messages.length === receiveAtOnce;
    if (!full && (found.length > 0 || deps.clock.monotonic() >= until)) break;
  }
  return found;
}

async function poll(deps: DeadDeps, options: ReceiveOptions, max: number, wait: number): Promise<Message[]> {
  const command = new ReceiveMessageCommand({
    QueueUrl: deps.url,
    MaxNumberOfMessages: Math.min(max, receiveAtOnce),
    WaitTimeSeconds: Math.min(wait, maxWait),
    VisibilityTimeout: seconds(options.visibilitySeconds),
    MessageAttributeNames: [attributeNames.reference],
    MessageSystemAttributeNames: ['ApproximateReceiveCount'],
  });
  try {
    const { signal } = options;
    const answer = await deps.client.send(command, signal === undefined ? {} : { abortSignal: signal });
    return answer.Messages ?? [];
  } catch (error) {
    if (options.signal?.aborted === true) return [];
    throw toAwsError(error, `queue ${deps.settings.name}: receive`);
  }
}

/** None where its body is gone: then it is a dead letter. */
async function toDelivery(deps: DeadDeps, message: Message): Promise<Delivery[]> {
  const { name } = deps.settings;
  const reference = message.MessageAttributes?.[attributeNames.reference]?.StringValue;
  const delivery = {
    id: message.MessageId ?? '',
    body: message.Body ?? '',
    receives: Number(message.Attributes?.ApproximateReceiveCount ?? 1),
    receipt: message.ReceiptHandle ?? '',
  };
  const body = await readBody(deps.chunks, name, { body: delivery.body, reference });
  if (body !== undefined) return [{ ...delivery, body }];
  await die(deps, delivery, `its body ${reference} is no longer in the chunk store`);
  return [];
}

/** The dead letter first, then the removal: who dies between has both, and the message comes again. */
async function die(deps: DeadDeps, delivery: Delivery, reason: string): Promise<void> {
  // Also shows whether the delivery still counts: one that was settled must not die a second time.
  if (!(await hide(deps, delivery, deps.settings.visibilitySeconds))) return;
  const packed = await packBody(deps.chunks, deps.settings.name, delivery.body);
  const death = deathAttributes(reason, delivery.receives, deps.clock.now());
  await sendAll(deps, deps.settings.name, deps.deadUrl, [
    { ...packed, MessageAttributes: { ...packed.MessageAttributes, ...death } },
  ]);
  await deleteAll(deps, deps.settings.name, deps.url, [delivery.receipt]);
}

/** False where the delivery no longer counts. */
async function hide(deps: DeadDeps, delivery: Delivery, duration: number): Promise<boolean> {
  const command = new ChangeMessageVisibilityCommand({
    QueueUrl: deps.url,
    ReceiptHandle: delivery.receipt,
    VisibilityTimeout: Math.min(seconds(duration), maxHide),
  });
  try {
    await deps.client.send(command);
    return true;
  } catch (error) {
    if (isStale(error)) return false;
    throw toAwsError(error, `queue ${deps.settings.name}: hide a message`);
  }
}

/** Approximate, as SQS counts; what waits for its retry counts as in flight. */
async function count(deps: DeadDeps): Promise<{ ready: number; inFlight: number; delayed: number; dead: number }> {
  const [live, dead] = await Promise.all([attributes(deps, deps.url), attributes(deps, deps.deadUrl)]);
  return {
    ready: Number(live.ApproximateNumberOfMessages ?? 0),
    inFlight: Number(live.ApproximateNumberOfMessagesNotVisible ?? 0),
    delayed: Number(live.ApproximateNumberOfMessagesDelayed ?? 0),
    dead: Number(dead.ApproximateNumberOfMessages ?? 0) + Number(dead.ApproximateNumberOfMessagesNotVisible ?? 0),
  };
}

async function attributes(deps: DeadDeps, url: string): Promise<Partial<Record<QueueAttributeName, string>>> {
  const command = new GetQueueAttributesCommand({
    QueueUrl: url,
    AttributeNames: [
      'ApproximateNumberOfMessages',
      'ApproximateNumberOfMessagesNotVisible',
      'ApproximateNumberOfMessagesDelayed',
    ],
  });
  const answer = await deps.client.send(command).catch((error: unknown) => {
    throw toAwsError(error, `queue ${deps.settings.name}: count`);
  });
  return answer.Attributes ?? {};
}

/** SQS takes whole seconds; rounded up, so that nothing comes too early. */
function seconds(value: number): number {
  return Math.max(0, Math.ceil(value));
}

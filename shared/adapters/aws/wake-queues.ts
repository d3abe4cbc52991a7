import {
  CreateQueueCommand,
  DeleteQueueCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { wakeQueueName } from '../../domain/wake-queue.ts';
import { HawserError } from '../../errors.ts';
import type { Clock } from '../../ports/clock.ts';
import { nameOf, toAwsError } from './aws-error.ts';
import { deleteAll } from './sqs-batches.ts';

/**
 * One queue per cluster, by which its agent is woken: its messages are JSON texts of `ClusterCommand`. They live five
 * minutes and may be lost: whoever is woken by them also looks at HEAD. A queue that is missing loses what is sent to it.
 */
export interface WakeQueues {
  create(organisation: string, cluster: string): Promise<void>;
  remove(organisation: string, cluster: string): Promise<void>;
  send(organisation: string, cluster: string, body: string): Promise<void>;
  /** Takes up to `max` of what lies there, in no order, without waiting. */
  receive(organisation: string, cluster: string, max: number): Promise<string[]>;
}

export interface WakeQueuesDeps {
  client: SQSClient;
  clock: Clock;
  /** What stands before a queue's name in its URL, the deployment's prefix of names included. */
  queueBase: string;
}

const attributes = {
  MessageRetentionPeriod: '300',
  // Long enough for who received it to delete it; an agent that died in between gets it again.
  VisibilityTimeout: '30',
  ReceiveMessageWaitTimeSeconds: '0',
  SqsManagedSseEnabled: 'true',
};
/** SQS's own bound of a receive. */
const receiveAtOnce = 10;

/** Wake queues in SQS. */
export function createWakeQueues(deps: WakeQueuesDeps): WakeQueues {
  const { client } = deps;
  const urlOf = (organisation: string, cluster: string) => `${deps.queueBase}${wakeQueueName(organisation, cluster)}`;
  return {
    async create(organisation, cluster) {
      const name = urlOf(organisation, cluster).split('/').at(-1) ?? '';
      const command = new CreateQueueCommand({ QueueName: name, Attributes: attributes });
      await client.send(command).catch((error: unknown) => {
        // Already there, made by an earlier version with other attributes.
        if (nameOf(error) === 'QueueNameExists' || nameOf(error) === 'QueueAlreadyExists') return;
        if (nameOf(error).endsWith('QueueDeletedRecently')) throw deletedRecently(cluster, error);
        throw toAwsError(error, `wake queue of cluster ${cluster}: make`);
      });
    },

    async remove(organisation, cluster) {
      await client
        .send(new DeleteQueueCommand({ QueueUrl: urlOf(organisation, cluster) }))
        .catch(unlessMissing(`wake queue of cluster ${cluster}: remove`));
    },

    async send(organisation, cluster, body) {
      await client
        .send(new SendMessageCommand({ QueueUrl: urlOf(organisation, cluster), MessageBody: body }))
        .catch(unlessMissing(`wake queue of cluster ${cluster}: send`));
    },

    async receive(organisation, cluster, max) {
      const url = urlOf(organisation, cluster);
      const taken: Message[] = [];
      while (taken.length < max) {
        const answer = await client
          .send(
            new ReceiveMessageCommand({
              QueueUrl: url,
              MaxNumberOfMessages: Math.min(receiveAtOnce, max - taken.length),
              WaitTimeSeconds: 0,
            }),
          )
          .catch(unlessMissing(`wake queue of cluster ${cluster}: receive`));
        const messages = answer?.Messages ?? [];
        taken.push(...messages);
        if (messages.length < receiveAtOnce) break;
      }
      const receipts = taken.flatMap((message) => message.ReceiptHandle ?? []);
      await deleteAll(deps, 'wake', url, receipts);
      return taken.map((message) => message.Body ?? '');
    },
  };
}

function unlessMissing(what: string): (error: unknown) => undefined {
  return (error) => {
    if (/QueueDoesNotExist|NonExistentQueue/.test(nameOf(error))) return undefined;
    throw toAwsError(error, what);
  };
}

function deletedRecently(cluster: string, cause: unknown): HawserError {
  return new HawserError('unavailable', `the wake queue of an earlier cluster ${cluster} is still being removed`, {
    retry: 'later',
    hint: 'Try again in a minute.',
    cause,
  });
}

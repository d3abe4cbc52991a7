import { CreateQueueCommand, GetQueueAttributesCommand, type SQSClient } from '@aws-sdk/client-sqs';
import type { QueueSettings } from '../../ports/queue.ts';
import type { QueueUrls } from './sqs-queues.ts';

/** As long as SQS keeps anything: a dead letter waits for a human. */
const deadRetentionSeconds = 14 * 24 * 3600;

/** Name of the queue that dead letters of `name` go to. */
export function deadQueueName(name: string): string {
  return `${name}-dead`;
}

/** Makes a queue and its dead-letter queue where they are not there yet; for emulators and tests. */
export async function createQueue(client: SQSClient, settings: QueueSettings): Promise<QueueUrls> {
  const deadUrl = await urlOf(client, deadQueueName(settings.name), {
    MessageRetentionPeriod: String(deadRetentionSeconds),
  });
  const dead = await client.send(new GetQueueAttributesCommand({ QueueUrl: deadUrl, AttributeNames: ['QueueArn'] }));
  const url = await urlOf(client, settings.name, {
    VisibilityTimeout: String(settings.visibilitySeconds),
    RedrivePolicy: JSON.stringify({
      deadLetterTargetArn: dead.Attributes?.['QueueArn'],
      maxReceiveCount: settings.maxReceives,
    }),
  });
  return { url, deadUrl };
}

async function urlOf(client: SQSClient, name: string, attributes: Record<string, string>): Promise<string> {
  const made = await client.send(new CreateQueueCommand({ QueueName: name, Attributes: attributes }));
  return made.QueueUrl ?? '';
}

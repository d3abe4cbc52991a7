import { DeleteMessageBatchCommand, type Message, ReceiveMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { messageOf } from '#shared/errors.ts';
import type { Log } from '#shared/ports/log.ts';
import type { LambdaHost } from './lambda-host.ts';
import { failedMessages, sqsEventOf } from './sqs-event.ts';

/** One event source mapping: a queue whose messages a function gets. */
export interface EventSource {
  queueUrl: string;
  queueArn: string;
  functionName: string;
  /** Messages of one event, up to 10. */
  batch: number;
  /** Events at once. */
  concurrency: number;
}

interface Deps {
  client: SQSClient;
  host: LambdaHost;
  log: Log;
  signal: AbortSignal;
}

const waitSeconds = 20;
const pauseMs = 500;

/**
 * Polls a queue until the signal and gives what comes to the function, as Lambda does with `ReportBatchItemFailures`:
 * what was handled is deleted, the rest stays hidden until its visibility ends. Resolves when no event is at work any more.
 */
export async function runEventSource(deps: Deps, source: EventSource): Promise<void> {
  const { signal, log } = deps;
  const atWork = new Set<Promise<void>>();
  while (!signal.aborted) {
    if (atWork.size >= source.concurrency) {
      await Promise.race(atWork);
      continue;
    }
    try {
      const messages = await receive(deps, source);
      if (messages.length === 0) continue;
      const work = handle(deps, source, messages).finally(() => atWork.delete(work));
      atWork.add(work);
    } catch (error) {
      if (signal.aborted) break;
      log.warn({ queue: source.queueUrl, reason: messageOf(error) }, 'a queue cannot be read, will be tried again');
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
  await Promise.all(atWork);
}

async function receive({ client, signal }: Deps, source: EventSource): Promise<Message[]> {
  const command = new ReceiveMessageCommand({
    QueueUrl: source.queueUrl,
    MaxNumberOfMessages: Math.min(10, source.batch),
    WaitTimeSeconds: waitSeconds,
    MessageAttributeNames: ['All'],
    MessageSystemAttributeNames: ['All'],
  });
  const answer = await client.send(command, { abortSignal: signal });
  return answer.Messages ?? [];
}

/** Never throws: a message that could not be deleted comes again, and handlers bear that. */
async function handle(deps: Deps, source: EventSource, messages: Message[]): Promise<void> {
  const { client, host, log } = deps;
  try {
    const event = sqsEventOf(messages, { arn: source.queueArn });
    const ids = event.Records.map(({ messageId }) => messageId);
    const { payload, functionError } = await host.invoke(source.functionName, JSON.stringify(event));
    if (functionError !== undefined && !deps.signal.aborted)
      log.warn({ function: source.functionName, reason: payload.slice(0, 1000) }, 'a function failed');
    const failed = functionError === undefined ? failedMessages(payload, ids) : ids;
    const done = event.Records.filter(({ messageId }) => !failed.includes(messageId));
    if (done.length === 0) return;
    const Entries = done.map(({ messageId, receiptHandle }) => ({ Id: messageId, ReceiptHandle: receiptHandle }));
    await client.send(new DeleteMessageBatchCommand({ QueueUrl: source.queueUrl, Entries }));
  } catch (error) {
    log.warn({ queue: source.queueUrl, reason: messageOf(error) }, 'messages could not be settled and come again');
  }
}

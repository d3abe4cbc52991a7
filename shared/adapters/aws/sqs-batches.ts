import {
  type BatchResultErrorEntry,
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  SendMessageBatchCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { inParallel } from '../../domain/parallel.ts';
import { HawserError } from '../../errors.ts';
import type { Clock } from '../../ports/clock.ts';
import { toAwsError } from './aws-error.ts';
import { inPieces, untilProcessed } from './backoff.ts';
import { sizeOf, type Packed } from './sqs-body.ts';

export interface BatchDeps {
  client: SQSClient;
  clock: Clock;
  /** For jitter; default Math.random. */
  random?: () => number;
}

export type Outgoing = Packed & { DelaySeconds?: number; MessageGroupId?: string };

const entriesAtOnce = 10;
/** The smallest limit of a whole batch that is in use: 1 MiB where AWS has raised it, 256 KiB elsewhere. */
const bytesAtOnce = 256 * 1024;
const batchesAtOnce = 4;
/** A receipt that no longer counts: the message is gone or was handed out again. */
const staleReceipt = /ReceiptHandleIsInvalid|InvalidParameterValue|MessageNotInflight|InvalidReceiptHandle/;

/** Sends all, in batches of at most 10 messages and 256 KiB; what a batch leaves out is sent again. */
export async function sendAll(
  deps: BatchDeps,
  queue: string,
  url: string,
  messages: readonly Outgoing[],
): Promise<void> {
  const what = `queue ${queue}: send ${messages.length} messages`;
  await inParallel(batchesOf(messages), batchesAtOnce, (batch) =>
    untilProcessed(
      batch,
      async (left) => {
        const entries = left.map((message, index) => ({ Id: String(index), ...message }));
        const answer = await deps.client
          .send(new SendMessageBatchCommand({ QueueUrl: url, Entries: entries }))
          .catch((error: unknown) => Promise.reject(toAwsError(error, what)));
        const failures = answer.Failed ?? [];
        const refused = failures.find((failure) => failure.SenderFault === true && !isThrottled(failure));
        if (refused !== undefined) throw refusal(what, refused);
        return failures.flatMap((failure) => left[Number(failure.Id)] ?? []);
      },
      { ...deps, what },
    ),
  );
}

/** Deletes all; receipts that no longer count are as good as deleted. */
export async function deleteAll(
  deps: BatchDeps,
  queue: string,
  url: string,
  receipts: readonly string[],
): Promise<void> {
  const what = `queue ${queue}: delete ${receipts.length} messages`;
  await inParallel(inPieces([...new Set(receipts)], entriesAtOnce), batchesAtOnce, (batch) =>
    untilProcessed(
      batch,
      async (left) => {
        const entries = left.map((receipt, index) => ({ Id: String(index), ReceiptHandle: receipt }));
        const answer = await deps.client
          .send(new DeleteMessageBatchCommand({ QueueUrl: url, Entries: entries }))
          .catch((error: unknown) => Promise.reject(toAwsError(error, what)));
        return leftOver(what, answer.Failed ?? [], left);
      },
      { ...deps, what },
    ),
  );
}

/** Hides all for so many seconds from now; receipts that no longer count are left alone. */
export async function hideAll(
  deps: BatchDeps,
  queue: string,
  url: string,
  receipts: readonly string[],
  seconds: number,
): Promise<void> {
  const what = `queue ${queue}: give back ${receipts.length} messages`;
  await inParallel(inPieces([...new Set(receipts)], entriesAtOnce), batchesAtOnce, (batch) =>
    untilProcessed(
      batch,
      async (left) => {
        const entries = left.map((receipt, index) => ({
          Id: String(index),
          ReceiptHandle: receipt,
          VisibilityTimeout: seconds,
        }));
        const answer = await deps.client
          .send(new ChangeMessageVisibilityBatchCommand({ QueueUrl: url, Entries: entries }))
          .catch((error: unknown) => Promise.reject(toAwsError(error, what)));
        return leftOver(what, answer.Failed ?? [], left);
      },
      { ...deps, what },
    ),
  );
}

/** True for the error of a receipt that no longer counts. */
export function isStale(error: unknown): boolean {
  return error instanceof Error && staleReceipt.test(error.name);
}

/** In order, each within both limits of a batch. */
export function batchesOf<T extends Packed>(messages: readonly T[]): T[][] {
  const batches: T[][] = [];
  let bytes = Infinity;
  for (const message of messages) {
    const size = sizeOf(message);
    const last = batches.at(-1);
    if (last === undefined || last.length >= entriesAtOnce || bytes + size > bytesAtOnce) {
      batches.push([message]);
      bytes = size;
    } else {
      last.push(message);
      bytes += size;
    }
  }
  return batches;
}

function leftOver(what: string, failures: readonly BatchResultErrorEntry[], left: readonly string[]): string[] {
  const real = failures.filter((failure) => !staleReceipt.test(failure.Code ?? ''));
  const refused = real.find((failure) => failure.SenderFault === true && !isThrottled(failure));
  if (refused !== undefined) throw refusal(what, refused);
  return real.flatMap((failure) => left[Number(failure.Id)] ?? []);
}

function isThrottled(failure: BatchResultErrorEntry): boolean {
  return /Throttl|TooMany|RequestLimit/.test(failure.Code ?? '');
}

function refusal(what: string, failure: BatchResultErrorEntry): HawserError {
  return new HawserError('internal', `${what}: ${failure.Code}: ${failure.Message ?? ''}`, {
    data: { service: 'aws', error: failure.Code },
  });
}

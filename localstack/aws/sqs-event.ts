import type { Message } from '@aws-sdk/client-sqs';
import type { SQSEvent, SQSMessageAttribute, SQSRecord } from 'aws-lambda';

/** Messages as Lambda's event source mapping hands them to a function. */
export function sqsEventOf(messages: readonly Message[], source: { arn: string }): SQSEvent {
  return { Records: messages.map((message) => recordOf(message, source.arn)) };
}

function recordOf(message: Message, arn: string): SQSRecord {
  const attributes = message.Attributes ?? {};
  return {
    messageId: message.MessageId ?? '',
    receiptHandle: message.ReceiptHandle ?? '',
    body: message.Body ?? '',
    attributes: {
      ...attributes,
      ApproximateReceiveCount: attributes.ApproximateReceiveCount ?? '1',
      SentTimestamp: attributes.SentTimestamp ?? '',
      SenderId: attributes.SenderId ?? '',
      ApproximateFirstReceiveTimestamp: attributes.ApproximateFirstReceiveTimestamp ?? '',
    },
    messageAttributes: Object.fromEntries(
      Object.entries(message.MessageAttributes ?? {}).map(([name, value]): [string, SQSMessageAttribute] => [
        name,
        {
          ...(value.StringValue === undefined ? {} : { stringValue: value.StringValue }),
          ...(value.BinaryValue === undefined
            ? {}
            : { binaryValue: Buffer.from(value.BinaryValue).toString('base64') }),
          stringListValues: [],
          binaryListValues: [],
          dataType: value.DataType ?? 'String',
        },
      ]),
    ),
    md5OfBody: message.MD5OfBody ?? '',
    ...(message.MD5OfMessageAttributes === undefined ? {} : { md5OfMessageAttributes: message.MD5OfMessageAttributes }),
    eventSource: 'aws:sqs',
    eventSourceARN: arn,
    awsRegion: arn.split(':')[3] ?? '',
  };
}

/**
 * Which messages of a batch are to come again, by the answer of a function with `ReportBatchItemFailures` (JSON text).
 * Nothing, null, an empty object and an empty or null list mean that all went well. Whatever else is not a list of ids of this
 * batch fails the whole batch (AWS: "Reporting batch item failures").
 */
export function failedMessages(answer: string, ids: readonly string[]): string[] {
  const parsed = parse(answer);
  if (parsed === undefined) return [...ids];
  if (parsed === null) return [];
  if (typeof parsed !== 'object' || Array.isArray(parsed)) return [...ids];
  const list = (parsed as { batchItemFailures?: unknown }).batchItemFailures;
  if (list === undefined || list === null) return [];
  if (!Array.isArray(list)) return [...ids];
  const failed = list.map((one) => (one as { itemIdentifier?: unknown } | null)?.itemIdentifier);
  const known = failed.filter((id): id is string => typeof id === 'string' && ids.includes(id));
  return known.length === failed.length ? [...new Set(known)] : [...ids];
}

/** undefined where it is no JSON. */
function parse(text: string): unknown {
  try {
    return text === '' ? null : (JSON.parse(text) as unknown);
  } catch {
    return undefined;
  }
}

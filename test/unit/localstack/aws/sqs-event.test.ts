import { describe, expect, it } from 'vitest';
import { failedMessages, sqsEventOf } from '#localstack/aws/sqs-event.ts';

const arn = 'arn:aws:sqs:eu-central-1:000000000000:hawser-local-hints';

describe('events of queues', () => {
  it('say what SQS says: who sent it, how often it was received, attributes of ours', () => {
    const { Records } = sqsEventOf(
      [
        {
          MessageId: 'm-1',
          ReceiptHandle: 'r-1',
          Body: '{"a":1}',
          MD5OfBody: 'md5',
          Attributes: {
            SenderId: 'AROAEXAMPLE:session',
            ApproximateReceiveCount: '3',
            SentTimestamp: '1',
            ApproximateFirstReceiveTimestamp: '2',
            MessageGroupId: 'acme',
          },
          MessageAttributes: {
            hawserBody: { DataType: 'String', StringValue: 'digest' },
            raw: { DataType: 'Binary', BinaryValue: Uint8Array.of(1, 2, 3) },
          },
        },
      ],
      { arn },
    );

    expect(Records).toEqual([
      {
        messageId: 'm-1',
        receiptHandle: 'r-1',
        body: '{"a":1}',
        attributes: {
          SenderId: 'AROAEXAMPLE:session',
          ApproximateReceiveCount: '3',
          SentTimestamp: '1',
          ApproximateFirstReceiveTimestamp: '2',
          MessageGroupId: 'acme',
        },
        messageAttributes: {
          hawserBody: { stringValue: 'digest', dataType: 'String', stringListValues: [], binaryListValues: [] },
          raw: { binaryValue: 'AQID', dataType: 'Binary', stringListValues: [], binaryListValues: [] },
        },
        md5OfBody: 'md5',
        eventSource: 'aws:sqs',
        eventSourceARN: arn,
        awsRegion: 'eu-central-1',
      },
    ]);
  });
});

describe('answers of functions with partial batches (FT-10, FT-11)', () => {
  const ids = ['a', 'b', 'c'];
  const answer = (value: unknown) => failedMessages(JSON.stringify(value), ids);

  it.each([null, {}, { batchItemFailures: [] }, { batchItemFailures: null }])(
    '%j means that all went well',
    (value) => {
      expect(answer(value)).toEqual([]);
    },
  );

  it('brings back those that are named, once each', () => {
    expect(
      answer({ batchItemFailures: [{ itemIdentifier: 'b' }, { itemIdentifier: 'c' }, { itemIdentifier: 'b' }] }),
    ).toEqual(['b', 'c']);
  });

  it.each([
    { batchItemFailures: [{ itemIdentifier: '' }] },
    { batchItemFailures: [{ itemIdentifier: null }] },
    { batchItemFailures: [{ messageId: 'b' }] },
    { batchItemFailures: [{ itemIdentifier: 'b' }, { itemIdentifier: 'x' }] },
    { batchItemFailures: ['b'] },
    { batchItemFailures: [null] },
    { batchItemFailures: 'b' },
    'done',
    17,
    [],
  ])('fails the whole batch for %j', (value) => {
    expect(answer(value)).toEqual(ids);
  });

  it('fails the whole batch for what is no JSON', () => {
    expect(failedMessages('{"batchItemFailures":', ids)).toEqual(ids);
  });
});

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toAwsError } from '#shared/adapters/aws/aws-error.ts';
import { putCondition, removeCondition, toItem, toRow } from '#shared/adapters/aws/dynamodb-row.ts';
import { batchesOf } from '#shared/adapters/aws/sqs-batches.ts';
import { deathAttributes, packBody, readBody, sizeOf } from '#shared/adapters/aws/sqs-body.ts';
import { HawserError } from '#shared/errors.ts';
import type { ChunkStore } from '#shared/ports/chunk-store.ts';

describe('a row as an item', () => {
  it('comes back as it was, compressed or not', () => {
    fc.assert(
      fc.property(
        fc.record({
          partition: fc.string({ minLength: 1 }),
          sort: fc.string({ minLength: 1 }),
          revision: fc.maxSafeNat(),
          value: fc.dictionary(fc.string(), fc.oneof(fc.jsonValue(), fc.constant('x'.repeat(9000)))),
        }),
        (row) => {
          expect(toRow(toItem(row), 0)).toEqual({ ...row, value: JSON.parse(JSON.stringify(row.value)) });
        },
      ),
    );
  });

  it('is absent from the second on in which it expires', () => {
    const item = toItem({ partition: 'p', sort: 's', revision: 1, value: {}, expiresAt: 100 });

    expect(toRow(item, 99.9)).toBeDefined();
    expect(toRow(item, 100)).toBeUndefined();
  });

  it('reads a counter that was only ever incremented', () => {
    expect(toRow({ partition: { S: 'p' }, sort: { S: 's' }, revision: { N: '4' } }, 0)).toEqual({
      partition: 'p',
      sort: 's',
      revision: 4,
      value: {},
    });
  });

  it('is refused without a value, and above 300 KiB of text however well it could be compressed (LIM-17)', () => {
    const row = { partition: 'p', sort: 's', revision: 1 };

    expect(() => toItem({ ...row, value: undefined })).toThrow(HawserError);
    expect(() => toItem({ ...row, value: 'x'.repeat(300 * 1024 - 1) })).toThrow('a row holds');
    expect(() => toItem({ ...row, value: 'x'.repeat(300 * 1024 - 2) })).not.toThrow();
  });
});

describe('a condition', () => {
  it('names and gives only what it uses, for DynamoDB refuses the rest', () => {
    for (const of of [putCondition, removeCondition]) {
      for (const condition of [{ absent: true }, { revision: 3 }, { revisionBelow: 3 }] as const) {
        const { ConditionExpression: text = '', ...rest } = of(condition, 50);

        expect(new Set(text.match(/#\w+/g))).toEqual(new Set(Object.keys(rest.ExpressionAttributeNames ?? {})));
        expect(new Set(text.match(/:\w+/g))).toEqual(new Set(Object.keys(rest.ExpressionAttributeValues ?? {})));
      }
      expect(of(undefined, 50)).toEqual({});
    }
  });
});

describe('batches of messages', () => {
  it('hold all in order, at most 10 and at most 256 KiB', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 250 })), (sizes) => {
        const messages = sizes.map((size, index) => ({ MessageBody: `${index} ${'x'.repeat(size * 1000)}` }));
        const batches = batchesOf(messages);

        expect(batches.flat()).toEqual(messages);
        for (const batch of batches) {
          expect(batch.length).toBeLessThanOrEqual(10);
          expect(batch.reduce((sum, message) => sum + sizeOf(message), 0)).toBeLessThanOrEqual(256 * 1024);
        }
      }),
      { numRuns: 30 },
    );
  });
});

describe('a body', () => {
  it('is what was sent, directly or by reference, and SQS takes what goes there', async () => {
    const chunks = memoryChunks();
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.json(), fc.string({ unit: 'binary' }), fc.constant('x'.repeat(251 * 1024))),
        async (body) => {
          const packed = await packBody(chunks, 'hints', body);

          expect(packed.MessageBody).toMatch(/^[\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]+$/u);
          expect(sizeOf(packed)).toBeLessThanOrEqual(250 * 1024);
          const reference = packed.MessageAttributes?.['hawserBody']?.StringValue;
          expect(await readBody(chunks, 'hints', { body: packed.MessageBody, reference })).toBe(body);
        },
      ),
    );
  });

  it('is not there any more where the chunk store has lost it', async () => {
    const packed = await packBody(memoryChunks(), 'hints', 'x'.repeat(251 * 1024));
    const reference = packed.MessageAttributes?.['hawserBody']?.StringValue;

    expect(await readBody(memoryChunks(), 'hints', { body: packed.MessageBody, reference })).toBeUndefined();
  });
});

describe('the reason of a dead letter', () => {
  it('is text that SQS takes, whatever the failure said', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary', maxLength: 3000 }), fc.constant('')), (reason) => {
        const text = deathAttributes(reason, 3, 5.5)['hawserReason']?.StringValue ?? '';

        expect(text).toMatch(/^[\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]{1,1000}$/u);
      }),
    );
  });
});

describe('an error of AWS', () => {
  const of = (name: string, httpStatusCode?: number) =>
    Object.assign(new Error('said AWS'), { name, $metadata: httpStatusCode === undefined ? {} : { httpStatusCode } });

  it.each([
    ['ThrottlingException', 400],
    ['ProvisionedThroughputExceededException', 400],
    ['RequestThrottled', 403],
    ['InternalServerError', 500],
    ['ServiceUnavailable', 503],
    ['TimeoutError', undefined],
    ['AccessDeniedException', 400],
    ['ExpiredTokenException', 400],
  ] as const)('%s is for later', (name, status) => {
    expect(toAwsError(of(name, status), 'table x')).toMatchObject({ code: 'unavailable', retry: 'later' });
  });

  it.each([
    ['ValidationException', 400],
    ['InvalidMessageContents', 400],
  ] as const)('%s is not tried again, for the same request would get the same answer', (name, status) => {
    expect(toAwsError(of(name, status), 'table x')).toMatchObject({ code: 'internal', retry: 'never' });
  });

  it('leaves an error of ours as it is', () => {
    const ours = new HawserError('too-large', 'ours');

    expect(toAwsError(ours, 'table x')).toBe(ours);
  });
});

function memoryChunks(): ChunkStore {
  const held = new Map<string, Uint8Array>();
  return {
    put: async (partition, digest, bytes) => void held.set(`${partition} ${digest}`, bytes),
    get: async (partition, digest) => held.get(`${partition} ${digest}`),
    has: async () => new Set(),
    list: async () => ({ chunks: [] }),
    remove: async () => undefined,
  };
}

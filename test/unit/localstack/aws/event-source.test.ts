import { describe, expect, it } from 'vitest';
import { DeleteMessageBatchCommand, type Message, type SQSClient } from '@aws-sdk/client-sqs';
import { runEventSource } from '#localstack/aws/event-source.ts';
import type { LambdaHost } from '#localstack/aws/lambda-host.ts';
import type { Invocation } from '#localstack/aws/lambda-instance.ts';
import { silentLog } from '#test/kit/service-parts.ts';

const source = {
  queueUrl: 'http://127.0.0.1:1/queue/hints',
  queueArn: 'arn:aws:sqs:eu-central-1:000000000000:hints',
  functionName: 'plan',
  batch: 10,
  concurrency: 2,
};

/** A queue that gives each of these batches once and then nothing, until the signal. */
function queueWith(batches: string[][], signal: AbortSignal) {
  const deleted: string[] = [];
  const left = [...batches];
  const client = {
    async send(command: unknown) {
      if (command instanceof DeleteMessageBatchCommand) {
        deleted.push(...(command.input.Entries ?? []).map(({ ReceiptHandle }) => ReceiptHandle ?? ''));
        return {};
      }
      const batch = left.shift();
      if (batch === undefined) await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      const Messages: Message[] = (batch ?? []).map((id) => ({ MessageId: id, ReceiptHandle: `r-${id}`, Body: id }));
      return { Messages };
    },
  } as unknown as SQSClient;
  return { client, deleted };
}

function hostOf(invoke: (bodies: string[]) => Promise<Invocation>): LambdaHost {
  return {
    async invoke(_name, payload) {
      const { Records } = JSON.parse(payload) as { Records: { body: string }[] };
      return invoke(Records.map(({ body }) => body));
    },
    arnOf: (name) => name,
    stop: async () => undefined,
  };
}

async function run(batches: string[][], invoke: (bodies: string[]) => Promise<Invocation>): Promise<string[]> {
  const stopping = new AbortController();
  const { client, deleted } = queueWith(batches, stopping.signal);
  let seen = 0;
  const host = hostOf(async (bodies) => {
    seen += 1;
    if (seen === batches.length) setTimeout(() => stopping.abort(), 5);
    return invoke(bodies);
  });
  await runEventSource({ client, host, log: silentLog, signal: stopping.signal }, source);
  return deleted;
}

describe('the mapping of a queue to a function', () => {
  it('deletes what was handled', async () => {
    expect(await run([['a', 'b'], ['c']], async () => ({ payload: 'null' }))).toEqual(['r-a', 'r-b', 'r-c']);
  });

  it('keeps what the function names as failed (FT-10)', async () => {
    const payload = JSON.stringify({ batchItemFailures: [{ itemIdentifier: 'b' }] });

    expect(await run([['a', 'b', 'c']], async () => ({ payload }))).toEqual(['r-a', 'r-c']);
  });

  it('keeps the whole batch where the function failed, and goes on with the next (FT-11)', async () => {
    const deleted = await run([['a', 'b'], ['c']], async (bodies) =>
      bodies.includes('a') ? { payload: '{"errorType":"Error"}', functionError: 'Unhandled' } : { payload: '{}' },
    );

    expect(deleted).toEqual(['r-c']);
  });

  it('keeps the whole batch where the function cannot be asked', async () => {
    const deleted = await run([['a'], ['b']], async (bodies) => {
      if (bodies.includes('a')) throw new Error('no such function');
      return { payload: '{}' };
    });

    expect(deleted).toEqual(['r-b']);
  });

  it('gives a function no more events at once than it may have', async () => {
    let atWork = 0;
    let most = 0;
    await run([['a'], ['b'], ['c'], ['d'], ['e']], async () => {
      atWork += 1;
      most = Math.max(most, atWork);
      await new Promise((resolve) => setTimeout(resolve, 10));
      atWork -= 1;
      return { payload: '{}' };
    });

    expect(most).toBe(2);
  });
});

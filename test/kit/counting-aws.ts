import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';

/** What a counting endpoint was asked, and what it took in. */
export interface Counts {
  /** Requests by operation, e.g. `AmazonSQS.SendMessage`. */
  requests: Record<string, number>;
  /** Bodies that were sent to queues. */
  messages: string[];
}

/** A counting endpoint for AWS's JSON protocols, in a thread of its own so that it takes no time of who is measured. */
export interface CountingAws {
  url: string;
  counts(): Promise<Counts>;
  stop(): Promise<void>;
}

/**
 * Starts an endpoint that keeps items, wraps every data key alike, and takes in whatever is sent to a queue. It stands for
 * AWS where a bench would otherwise measure an emulator.
 */
export async function startCountingAws(): Promise<CountingAws> {
  const worker = new Worker(import.meta.filename, { execArgv: [] });
  const ask = <T>(question: string) =>
    new Promise<T>((resolve) => {
      worker.once('message', resolve);
      if (question !== '') worker.postMessage(question);
    });
  const url = await ask<string>('');
  return {
    url,
    counts: () => ask<Counts>('counts'),
    async stop() {
      await worker.terminate();
    },
  };
}

type Json = Record<string, unknown>;

function serve(): void {
  const counts: Counts = { requests: {}, messages: [] };
  const items = new Map<string, unknown>();
  const server = createServer((request, response) => {
    void reply(request, response);
  });
  async function reply(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(request);
    const operation = String(request.headers['x-amz-target'] ?? 'unknown');
    counts.requests[operation] = (counts.requests[operation] ?? 0) + 1;
    response.setHeader('content-type', 'application/x-amz-json-1.0');
    response.end(JSON.stringify(answer(operation, body, items, counts.messages)));
  }
  server.listen(0, '127.0.0.1', () =>
    parentPort?.postMessage(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
  );
  parentPort?.on('message', () => parentPort?.postMessage(counts));
}

async function readBody(request: IncomingMessage): Promise<Json> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return JSON.parse(Buffer.concat(parts).toString() || '{}') as Json;
}

function answer(operation: string, body: Json, items: Map<string, unknown>, messages: string[]): Json {
  const take = (text: unknown) => {
    messages.push(String(text));
    return { MessageId: String(messages.length), MD5OfMessageBody: md5(String(text)) };
  };
  switch (operation.split('.')[1]) {
    case 'GetItem':
      return { Item: items.get(keyOf(body['Key'] as Json)) };
    case 'PutItem':
      items.set(keyOf(body['Item'] as Json), body['Item']);
      return {};
    case 'GenerateDataKey':
    case 'Decrypt':
      return { KeyId: 'bench', Plaintext: dataKey, CiphertextBlob: dataKey };
    case 'SendMessage':
      return take(body['MessageBody']);
    case 'SendMessageBatch':
      return {
        Successful: (body['Entries'] as Json[]).map((entry) => ({ Id: entry['Id'], ...take(entry['MessageBody']) })),
        Failed: [],
      };
    default:
      return {};
  }
}

const dataKey = Buffer.alloc(32, 'k').toString('base64');

function keyOf({ partition, sort }: Json): string {
  return JSON.stringify([partition, sort]);
}

function md5(text: string): string {
  return createHash('md5').update(text).digest('hex');
}

if (!isMainThread) serve();

import type { MessageAttributeValue } from '@aws-sdk/client-sqs';
import { sha256 } from '../../domain/digest.ts';
import { HawserError } from '../../errors.ts';
import type { ChunkStore } from '../../ports/chunk-store.ts';

/** Message attributes of ours. */
export const attributeNames = {
  /** Digest of the body in the chunk store; the message's own body is then only a note. */
  reference: 'hawserBody',
  reason: 'hawserReason',
  receives: 'hawserReceives',
  diedAt: 'hawserDiedAt',
} as const;

export type Attributes = Record<string, MessageAttributeValue>;

export interface Packed {
  MessageBody: string;
  MessageAttributes?: Attributes;
}

/** What the port promises; larger is refused. */
const maxBodyBytes = 256 * 1024;
/** A queue may be set to 256 KiB with attributes; what is larger travels by reference. */
const inlineBytes = 250 * 1024;
/** What SQS refuses in a body: everything that XML 1.0 cannot hold. */
// oxlint-disable-next-line no-control-regex
const foreign = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u;
const reasonMost = 1000;

/** Throws `too-large` for a body above 256 KiB. */
export function requireSize(queue: string, body: string): void {
  const bytes = Buffer.byteLength(body);
  if (bytes <= maxBodyBytes) return;
  throw new HawserError(
    'too-large',
    `a message for queue ${queue} has ${bytes} bytes, a message holds ${maxBodyBytes}`,
    {
      data: { queue, bytes, limit: maxBodyBytes },
      hint: 'Put what is large into the chunk store and send its digest.',
    },
  );
}

/** A body as SQS takes it; what it does not take is put into the chunk store first, and the message names it. */
export async function packBody(chunks: ChunkStore, queue: string, body: string): Promise<Packed> {
  if (Buffer.byteLength(body) <= inlineBytes && !foreign.test(body) && body.isWellFormed() && body !== '')
    return { MessageBody: body };
  const digest = sha256(body);
  await chunks.put(partitionOf(queue), digest, Buffer.from(body));
  return {
    MessageBody: '{"note":"the body is in the chunk store"}',
    MessageAttributes: { [attributeNames.reference]: { DataType: 'String', StringValue: digest } },
  };
}

/**
 * The body of a received message, for receivers that are handed messages (a Lambda's event) as for our own `receive`.
 * `reference` is the value of the attribute `hawserBody`. undefined where the chunk store no longer has it.
 */
export async function readBody(
  chunks: ChunkStore,
  queue: string,
  message: { body: string; reference: string | undefined },
): Promise<string | undefined> {
  if (message.reference === undefined) return message.body;
  const bytes = await chunks.get(partitionOf(queue), message.reference);
  return bytes === undefined ? undefined : Buffer.from(bytes).toString();
}

/** Attributes of a dead letter. */
export function deathAttributes(reason: string, receives: number, diedAt: number): Attributes {
  const text = reason.toWellFormed().replaceAll(new RegExp(foreign, 'gu'), ' ').slice(0, reasonMost).toWellFormed();
  return {
    [attributeNames.reason]: { DataType: 'String', StringValue: text === '' ? 'no reason given' : text },
    [attributeNames.receives]: { DataType: 'Number', StringValue: String(receives) },
    [attributeNames.diedAt]: { DataType: 'Number', StringValue: String(Math.round(diedAt)) },
  };
}

/** Bytes that a message counts for. */
export function sizeOf(message: Packed): number {
  const attributes = Object.entries(message.MessageAttributes ?? {}).map(([name, value]) =>
    Buffer.byteLength(`${name}${value.DataType ?? ''}${value.StringValue ?? ''}`),
  );
  return attributes.reduce((sum, bytes) => sum + bytes, Buffer.byteLength(message.MessageBody));
}

/** The chunk store's partition for bodies of a queue. */
function partitionOf(queue: string): string {
  return `Q#${queue}`;
}

import { HawserError } from '../../errors.ts';

/** One pkt-line: data, or one of the special packets. */
export type Packet = Buffer | 'flush' | 'delimiter' | 'end';

/** A packet without data, to be sent. */
export interface SpecialPacket {
  code: '0000' | '0001';
}

export const flush: SpecialPacket = { code: '0000' };
export const delimiter: SpecialPacket = { code: '0001' };

const specials = ['flush', 'delimiter', 'end'] as const;

/** Encodes texts and special packets to a request body (gitprotocol-common: 4 hex digits of length, then the payload). */
export function encodePackets(packets: readonly (string | SpecialPacket)[]): Buffer {
  const parts = packets.map((packet) => {
    if (typeof packet !== 'string') return Buffer.from(packet.code);
    const payload = Buffer.from(`${packet}\n`);
    return Buffer.concat([Buffer.from((payload.length + 4).toString(16).padStart(4, '0')), payload]);
  });
  return Buffer.concat(parts);
}

/** The packets of a response body. Reads the body to its end, so that the connection can serve the next request. */
export async function* readPackets(body: AsyncIterable<Buffer>): AsyncGenerator<Packet, void, undefined> {
  let pending: Buffer = Buffer.alloc(0);
  for await (const chunk of body) {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    let at = 0;
    while (pending.length - at >= 4) {
      const length = lengthOfPacket(pending, at);
      if (length < 4) {
        yield specials[length] ?? unreadable();
        at += 4;
      } else if (pending.length - at < length) {
        break;
      } else {
        yield pending.subarray(at + 4, at + length);
        at += length;
      }
    }
    pending = pending.subarray(at);
  }
  if (pending.length > 0) throw cutShort();
}

/** The text of a packet without its line end. */
export function textOf(packet: Buffer): string {
  return packet.toString('utf8', 0, packet.at(-1) === 0x0a ? packet.length - 1 : packet.length);
}

/** A response that ended in the middle. */
export function cutShort(): HawserError {
  return new HawserError('repository-unreachable', "The Git host's answer was cut short", { retry: 'later' });
}

/** What a packet's first four digits say: its length with them, or 0 to 3 for the special ones. */
export function lengthOfPacket(bytes: Buffer, at: number): number {
  const digits = bytes.toString('latin1', at, at + 4);
  return /^[0-9a-f]{4}$/i.test(digits) ? Number.parseInt(digits, 16) : unreadable();
}

function unreadable(): never {
  throw new HawserError('repository-unreachable', "The Git host's answer is not in Git's protocol", {
    retry: 'later',
    hint: 'Check that the URL is that of a Git repository, and that no proxy answers in its place.',
  });
}

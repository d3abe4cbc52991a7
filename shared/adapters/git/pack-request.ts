import { HawserError } from '../../errors.ts';
import { createSpool } from './byte-source.ts';
import type { ByteSource, Spool } from './byte-source.ts';
import { cutShort, delimiter, encodePackets, flush, readPackets, textOf } from './pkt-line.ts';
import type { Packet } from './pkt-line.ts';
import { failOnError, printable } from './remote.ts';
import type { Remote, RemoteContext } from './remote.ts';

/** Which objects to ask for. */
export interface PackRequest {
  wants: readonly string[];
  /** Commits at hand: what they hold need not be sent. */
  haves?: readonly string[];
  /** Says that the haves' history is not at hand, and asks for the wanted commits without theirs. */
  shallow?: boolean;
  /** `blob:none` or `blob:limit=BYTES`; left out where the host has no filters. */
  filter?: string;
  /** Deltas against objects of the haves are welcome. */
  thin?: boolean;
}

/** A received pack, or `overflow` where it grew past what this request was allowed. */
export type PackAnswer = ByteSource | 'overflow';

/**
 * One `fetch` round trip.
 *
 * @param maxBytes Past this the answer is dropped; past LIM-03 it is an error.
 */
export async function requestPack(
  context: RemoteContext,
  remote: Remote,
  request: PackRequest,
  options: { folder: string; maxBytes?: number },
): Promise<PackAnswer> {
  const body = remote.version === 2 ? encodeV2(remote, request) : encodeV0(remote, request);
  const answer = await context.connection.request(remote, body);
  const spool = createSpool(options.folder);
  const { packBytes } = context.limits;
  const maxBytes = Math.min(options.maxBytes ?? packBytes, packBytes);
  const read = remote.version === 2 ? readerV2(spool) : readerV0(spool);
  let isComplete = false;
  try {
    for await (const packet of readPackets(answer)) {
      read(packet);
      if (spool.size() <= maxBytes) continue;
      if (maxBytes < packBytes) return 'overflow';
      throw new HawserError('source-too-large', `The pack is larger than ${packBytes} bytes (LIM-03)`, {
        data: { limit: 'LIM-03', bytes: packBytes },
      });
    }
    if (spool.size() === 0) throw cutShort();
    isComplete = true;
    return spool.finish();
  } finally {
    if (!isComplete) spool.dispose();
  }
}

function encodeV2(remote: Remote, { wants, haves = [], shallow, filter, thin }: PackRequest): Buffer {
  return encodePackets([
    'command=fetch',
    'agent=hawser/1',
    'object-format=sha1',
    delimiter,
    ...wants.map((oid) => `want ${oid}`),
    ...haves.map((oid) => `have ${oid}`),
    ...(shallow === true ? [...haves.map((oid) => `shallow ${oid}`), 'deepen 1'] : []),
    ...(filter !== undefined && remote.filter ? [`filter ${filter}`] : []),
    ...(thin === true ? ['thin-pack'] : []),
    'ofs-delta',
    'no-progress',
    'done',
    flush,
  ]);
}

function encodeV0(remote: Remote, { wants, haves = [], shallow, thin }: PackRequest): Buffer {
  const asked = ['multi_ack_detailed', 'side-band-64k', 'ofs-delta', 'no-progress', 'shallow'];
  const offered = new Set(remote.capabilities);
  const capabilities = [...asked, ...(thin === true ? ['thin-pack'] : [])].filter((name) => offered.has(name));
  if (!capabilities.includes('side-band-64k')) {
    throw new HawserError('unsupported', `${remote.base.host} speaks a dialect of Git that is too old`);
  }
  const [first, ...others] = wants;
  const isShallow = shallow === true && capabilities.includes('shallow');
  return encodePackets([
    `want ${first} ${capabilities.join(' ')} agent=hawser/1`,
    ...others.map((oid) => `want ${oid}`),
    ...(isShallow ? [...haves.map((oid) => `shallow ${oid}`), 'deepen 1'] : []),
    flush,
    ...haves.map((oid) => `have ${oid}`),
    'done',
  ]);
}

/** v2: sections of text, then `packfile` with side-band packets. */
function readerV2(spool: Spool): (packet: Packet) => void {
  let inPack = false;
  return (packet) => {
    if (typeof packet === 'string') return;
    if (inPack) return readSideBand(packet, spool);
    const line = textOf(packet);
    failOnError(line);
    inPack = line === 'packfile';
  };
}

/** v0: shallow lines and acknowledgments as text, then side-band packets, which start with a byte from 1 to 3. */
function readerV0(spool: Spool): (packet: Packet) => void {
  return (packet) => {
    if (typeof packet === 'string') return;
    if ((packet[0] ?? 0) <= 3) readSideBand(packet, spool);
    else failOnError(textOf(packet));
  };
}

function readSideBand(packet: Buffer, spool: Spool): void {
  const channel = packet[0];
  if (channel === 1) {
    spool.write(packet.subarray(1));
  } else if (channel === 3) {
    const said = printable(textOf(packet.subarray(1)));
    failOnError(`ERR ${said}`);
  } else if (channel !== 2) {
    throw cutShort();
  }
}

/**
 * Reads Git's pkt-lines out of a byte stream as it passes by.
 *
 * `onPacket` gets each payload, `undefined` for a flush, and answers whether it wants more.
 * Bytes after a "no more", or after something that is no pkt-line, are not kept.
 */
export function createPktLineReader(onPacket: (payload: Buffer | undefined) => boolean): (chunk: Buffer) => void {
  let pending: Buffer = Buffer.alloc(0);
  let done = false;

  return function read(chunk) {
    if (done) return;
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    while (!done && pending.length >= 4) {
      const length = packetLength(pending);
      if (length === undefined) {
        done = true;
      } else if (length < 4) {
        pending = pending.subarray(4);
        done = !onPacket(undefined);
      } else if (pending.length < length) {
        break;
      } else {
        const payload = pending.subarray(4, length);
        pending = pending.subarray(length);
        done = !onPacket(payload);
      }
    }
    if (done) pending = Buffer.alloc(0);
  };
}

function packetLength(bytes: Buffer): number | undefined {
  const digits = bytes.toString('latin1', 0, 4);
  if (!/^[0-9a-f]{4}$/i.test(digits)) return undefined;
  const length = Number.parseInt(digits, 16);
  // 1 (delimiter) and 2 (end of response) carry no payload, like a flush; 3 does not exist.
  return length === 3 ? undefined : length;
}

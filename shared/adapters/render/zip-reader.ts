import { inflateRawSync } from 'node:zlib';

/**
 * One file out of a zip archive that we ship ourselves (the pinned Lambda layer): what it yields is checked against a
 * pinned digest, so this reads only what such an archive holds (stored or deflated entries, no zip64, no encryption).
 * undefined when there is no such entry. Throws a RangeError when the archive is damaged.
 */
export function readZipEntry(archive: Buffer, name: string): Buffer | undefined {
  const end = archive.lastIndexOf(Buffer.from('PK\u0005\u0006'));
  if (end < 0) throw new RangeError('not a zip archive: it has no end record');
  let at = archive.readUInt32LE(end + 16);
  for (let left = archive.readUInt16LE(end + 10); left > 0; left -= 1) {
    const nameLength = archive.readUInt16LE(at + 28);
    if (archive.toString('utf8', at + 46, at + 46 + nameLength) === name) return contents(archive, at);
    at += 46 + nameLength + archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32);
  }
  return undefined;
}

function contents(archive: Buffer, entry: number): Buffer {
  const method = archive.readUInt16LE(entry + 10);
  const packedSize = archive.readUInt32LE(entry + 20);
  const size = archive.readUInt32LE(entry + 24);
  const local = archive.readUInt32LE(entry + 42);
  const start = local + 30 + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28);
  const packed = archive.subarray(start, start + packedSize);
  if (method === 0) return packed;
  if (method !== 8) throw new RangeError(`zip entry is packed with method ${method}`);
  return inflateRawSync(packed, { maxOutputLength: size });
}

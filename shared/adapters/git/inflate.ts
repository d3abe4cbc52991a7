import { createInflate, inflateSync } from 'node:zlib';
import type { Inflate } from 'node:zlib';

import type { ByteSource } from './byte-source.ts';

const WINDOW = 64 * 1024;

/**
 * Inflates one zlib stream of known size at `offset`. Never yields more than `size` bytes (NT-28); throws a plain
 * Error where the stream is damaged or of another size.
 */
export function inflateAt(source: ByteSource, offset: number, size: number): { content: Buffer; used: number } {
  // zlib's own bound; an encoder may do worse, then the window grows.
  let window = size + (size >> 10) + 64;
  for (;;) {
    const input = source.read(offset, window);
    try {
      return inflate(input, size);
    } catch (error) {
      if (input.length < window || window > 4 * size + WINDOW) throw error;
      window *= 4;
    }
  }
}

/** Finds the end of a zlib stream without keeping what it holds; resolves to the bytes that it takes. */
export async function skipAt(source: ByteSource, offset: number, size: number): Promise<number> {
  const stream = createInflate({ chunkSize: WINDOW });
  let produced = 0;
  const ended = new Promise<void>((resolve, reject) => {
    stream.on('data', (chunk: Buffer) => {
      produced += chunk.length;
      if (produced > size) stream.destroy(new Error('object is larger than it says'));
    });
    stream.on('end', resolve);
    stream.on('error', reject);
  });
  await Promise.all([ended, feed(stream, source, offset)]);
  if (produced !== size) throw new Error('object is smaller than it says');
  return stream.bytesWritten;
}

/** Writes window after window until the stream has its end. */
async function feed(stream: Inflate, source: ByteSource, offset: number): Promise<void> {
  for (let at = offset; !stream.readableEnded && !stream.destroyed; at += WINDOW) {
    const chunk = source.read(at, WINDOW);
    if (chunk.length === 0) {
      stream.end();
      return;
    }
    await new Promise<void>((done) => stream.write(chunk, () => done()));
    // Lets the stream say that it has ended before it gets bytes that are not its own.
    await new Promise((done) => setImmediate(done));
  }
}

function inflate(input: Buffer, size: number): { content: Buffer; used: number } {
  const options = { info: true, chunkSize: Math.max(64, size + 1), maxOutputLength: size + 1 };
  const { buffer, engine } = inflateSync(input, options) as unknown as {
    buffer: Buffer;
    engine: { bytesWritten: number };
  };
  if (buffer.length !== size) throw new Error('object is of another size than it says');
  return { content: buffer, used: engine.bytesWritten };
}

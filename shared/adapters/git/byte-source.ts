import { closeSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';

/** Bytes in memory or in a file, read by position. Reads are synchronous: they come from the page cache. */
export interface ByteSource {
  size: number;
  /** Up to `length` bytes from `offset`; fewer at the end. */
  read(offset: number, length: number): Buffer;
  /** Closes (and, for a spool, removes) what is behind it. */
  dispose(): void;
}

/** Collects bytes as they arrive; what does not fit in memory goes to a temporary file. */
export interface Spool {
  write(chunk: Buffer): void;
  size(): number;
  /** `path` is set where the bytes are in a temporary file. */
  finish(): ByteSource & { path?: string };
  dispose(): void;
}

const MEMORY = 4 * 1024 * 1024;

export function bytesSource(bytes: Buffer): ByteSource {
  return { size: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length), dispose() {} };
}

/** Reads a file that does not change. */
export function fileSource(path: string, size: number): ByteSource {
  let descriptor: number | undefined;
  return {
    size,
    read(offset, length) {
      descriptor ??= openSync(path, 'r');
      const bytes = Buffer.allocUnsafe(Math.max(0, Math.min(length, size - offset)));
      const read = readSync(descriptor, bytes, 0, bytes.length, offset);
      return bytes.subarray(0, read);
    },
    dispose() {
      if (descriptor !== undefined) closeSync(descriptor);
      descriptor = undefined;
    },
  };
}

/** `folder` must exist; temporary files in it start with `tmp-`. */
export function createSpool(folder: string): Spool {
  const path = join(folder, `tmp-${randomUUID()}`);
  let chunks: Buffer[] = [];
  let pending = 0;
  let size = 0;
  let descriptor: number | undefined;

  function flush(): void {
    descriptor ??= openSync(path, 'wx', 0o600);
    for (const chunk of chunks) writeSync(descriptor, chunk);
    chunks = [];
    pending = 0;
  }
  function dispose(): void {
    if (descriptor === undefined) return;
    closeSync(descriptor);
    descriptor = undefined;
    rmSync(path, { force: true });
  }
  return {
    write(chunk) {
      chunks.push(chunk);
      pending += chunk.length;
      size += chunk.length;
      if (pending > MEMORY) flush();
    },
    size: () => size,
    finish() {
      if (descriptor === undefined) return bytesSource(Buffer.concat(chunks));
      flush();
      const file = fileSource(path, size);
      return {
        ...file,
        path,
        dispose() {
          file.dispose();
          dispose();
        },
      };
    },
    dispose,
  };
}

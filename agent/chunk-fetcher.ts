import { inParallel } from '#shared/domain/parallel.ts';
import type { Hub } from '#shared/ports/hub.ts';

/** Gathers what applications lack into few requests. */
export interface ChunkFetcher {
  /** The texts that the hub has; missing ones are missing from the map. */
  fetch(digests: readonly string[], expectedBytes: number): Promise<Map<string, Uint8Array>>;
}

interface Wanted {
  digests: readonly string[];
  bytes: number;
  resolve: (texts: Map<string, Uint8Array>) => void;
  reject: (error: unknown) => void;
}

const requestBytes = 4 * 1024 * 1024;
const requestDigests = 64;
const requestsAtOnce = 4;

/** Creates the fetcher: requests of the same moment travel together, up to 64 chunks or about 4 MiB at a time. */
export function createChunkFetcher(hub: Pick<Hub, 'chunks'>): ChunkFetcher {
  let waiting: Wanted[] = [];

  async function flush(): Promise<void> {
    const batches = batchesOf(waiting);
    waiting = [];
    await inParallel(batches, requestsAtOnce, async (batch) => {
      try {
        const digests = [...new Set(batch.flatMap((wanted) => wanted.digests))];
        const texts = new Map<string, Uint8Array>();
        for (let at = 0; at < digests.length; at += requestDigests) {
          for (const [digest, text] of await hub.chunks(digests.slice(at, at + requestDigests)))
            texts.set(digest, text);
        }
        for (const wanted of batch) wanted.resolve(new Map(wanted.digests.flatMap((digest) => entryOf(texts, digest))));
      } catch (error) {
        for (const wanted of batch) wanted.reject(error);
      }
    });
  }

  return {
    fetch(digests, expectedBytes) {
      if (digests.length === 0) return Promise.resolve(new Map());
      return new Promise((resolve, reject) => {
        if (waiting.length === 0) setImmediate(() => void flush());
        waiting.push({ digests, bytes: expectedBytes, resolve, reject });
      });
    },
  };
}

function entryOf(texts: Map<string, Uint8Array>, digest: string): [string, Uint8Array][] {
  const text = texts.get(digest);
  return text === undefined ? [] : [[digest, text]];
}

function batchesOf(waiting: readonly Wanted[]): Wanted[][] {
  const batches: Wanted[][] = [];
  let bytes = Infinity;
  let digests = 0;
  for (const wanted of waiting) {
    if (bytes + wanted.bytes > requestBytes || digests + wanted.digests.length > requestDigests) {
      batches.push([]);
      bytes = 0;
      digests = 0;
    }
    batches.at(-1)?.push(wanted);
    bytes += wanted.bytes;
    digests += wanted.digests.length;
  }
  return batches;
}

import { isRetryable } from '#shared/errors.ts';
import type { GitTree } from '#shared/ports/git-source.ts';

/**
 * Reads files of one tree for many walks at once. A request goes out when every walk waits for a file, so that walks over
 * a thousand applications cost as many requests as they have levels.
 */
export interface BatchReader {
  /** For use inside of a walk, one read at a time. */
  read(oid: string): Promise<Uint8Array>;
  /** Runs a walk, once it is its turn: a thousand of them must not hold up the process (NT-173). */
  run<T>(walk: () => Promise<T>): Promise<T>;
}

interface Waiting {
  resolve: (content: Uint8Array) => void;
  reject: (error: unknown) => void;
}

/** Walks that go on in one turn of the event loop: a few milliseconds. */
const SLICE = 32;

export function createBatchReader(tree: GitTree): BatchReader {
  const known = new Map<string, Promise<Uint8Array>>();
  let wanted = new Map<string, Waiting>();
  let started = 0;
  let running = 0;
  let blocked = 0;
  let isRequesting = false;
  let turn: Promise<void> = Promise.resolve();

  function requestWhenAllWait(): void {
    if (wanted.size > 0 && blocked >= running && !isRequesting) void request();
  }

  async function request(): Promise<void> {
    const batch = wanted;
    wanted = new Map();
    isRequesting = true;
    try {
      await settle(batch, await tree.blobs([...batch.keys()]));
    } catch (error) {
      await failed(batch, error);
    }
    isRequesting = false;
    requestWhenAllWait();
  }

  async function failed(batch: Map<string, Waiting>, error: unknown): Promise<void> {
    if (batch.size === 1 || isRetryable(error)) {
      for (const { reject } of batch.values()) reject(error);
      return;
    }
    // One bad file must not hurt those who did not ask for it.
    for (const [oid, each] of batch) {
      try {
        await settle(new Map([[oid, each]]), await tree.blobs([oid]));
      } catch (alone) {
        each.reject(alone);
      }
    }
  }

  function contentOf(oid: string): Promise<Uint8Array> {
    const asked = known.get(oid);
    if (asked !== undefined) return asked;
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    wanted.set(oid, { resolve, reject });
    known.set(oid, promise);
    return promise;
  }

  return {
    async read(oid) {
      const content = contentOf(oid);
      blocked += 1;
      requestWhenAllWait();
      try {
        return await content;
      } finally {
        blocked -= 1;
      }
    },
    async run(walk) {
      running += 1;
      started += 1;
      if (started % SLICE === 0) turn = nextTurn(turn);
      try {
        await turn;
        return await walk();
      } finally {
        running -= 1;
        requestWhenAllWait();
      }
    },
  };
}

async function settle(batch: Map<string, Waiting>, contents: Map<string, Uint8Array>): Promise<void> {
  let settled = 0;
  for (const [oid, { resolve, reject }] of batch) {
    const content = contents.get(oid);
    if (content === undefined) reject(new Error(`object ${oid} was not given`));
    else resolve(content);
    settled += 1;
    if (settled % SLICE === 0) await nextTurn();
  }
}

async function nextTurn(after?: Promise<void>): Promise<void> {
  await after;
  await new Promise((resolve) => setImmediate(resolve));
}

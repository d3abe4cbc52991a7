import { isRetryable } from '#shared/errors.ts';
import type { GitTree } from '#shared/ports/git-source.ts';

/** Reads files of one tree; what is asked for in the same turn of the event loop goes into one request. */
export interface BatchReader {
  read(oid: string): Promise<Uint8Array>;
}

interface Waiting {
  resolve: (content: Uint8Array) => void;
  reject: (error: unknown) => void;
}

/** For walks over many applications: all of them stand at the same level when they wait, so a level costs a request. */
export function createBatchReader(tree: GitTree): BatchReader {
  const known = new Map<string, Promise<Uint8Array>>();
  let waiting = new Map<string, Waiting>();

  async function flush(): Promise<void> {
    const batch = waiting;
    waiting = new Map();
    try {
      settle(batch, await tree.blobs([...batch.keys()]));
    } catch (error) {
      if (batch.size === 1 || isRetryable(error)) {
        for (const { reject } of batch.values()) reject(error);
      } else {
        // One bad file must not hurt those who did not ask for it.
        await Promise.all([...batch].map(([oid, each]) => readAlone(oid, each)));
      }
    }
  }

  async function readAlone(oid: string, each: Waiting): Promise<void> {
    try {
      settle(new Map([[oid, each]]), await tree.blobs([oid]));
    } catch (error) {
      each.reject(error);
    }
  }

  return {
    read(oid) {
      const asked = known.get(oid);
      if (asked !== undefined) return asked;
      const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
      if (waiting.size === 0) setImmediate(() => void flush());
      waiting.set(oid, { resolve, reject });
      known.set(oid, promise);
      return promise;
    },
  };
}

function settle(batch: Map<string, Waiting>, contents: Map<string, Uint8Array>): void {
  for (const [oid, { resolve, reject }] of batch) {
    const content = contents.get(oid);
    if (content === undefined) reject(new Error(`object ${oid} was not given`));
    else resolve(content);
  }
}

import { HawserError } from '../../errors.ts';
import type { ChunkStore } from '../../ports/chunk-store.ts';
import type { Database } from './database.ts';

const maxChunkBytes = 64 * 1024 * 1024;
const pageSize = 1000;
/** A chunk that is put again counts as written again, so that retention spares what is in use; finer than this nobody needs. */
const freshForMs = 1_800_000;

/** Immutable bytes in the database file. Bytes are never overwritten: the first put of a digest counts. */
export function createChunkStore(database: Database): ChunkStore {
  return {
    async put(partition, digest, bytes) {
      if (bytes.byteLength > maxChunkBytes) {
        throw new HawserError(
          'too-large',
          `chunk ${digest} has ${bytes.byteLength} bytes, a chunk holds ${maxChunkBytes}`,
          {
            data: { partition, digest, bytes: bytes.byteLength, limit: maxChunkBytes },
          },
        );
      }
      // The caller may reuse its buffer before the transaction runs.
      const copy = Uint8Array.from(bytes);
      await database.write((prepare) =>
        prepare(
          `INSERT INTO chunks (partition, digest, written_at, bytes) VALUES (:partition, :digest, :now, :bytes)
            ON CONFLICT DO UPDATE SET written_at = :now WHERE written_at < :now - :fresh`,
        ).run({ partition, digest, now: database.clock.now(), bytes: copy, fresh: freshForMs }),
      );
    },

    async get(partition, digest) {
      const found = database.read((prepare) =>
        prepare('SELECT bytes FROM chunks WHERE partition = ? AND digest = ?').get(partition, digest),
      );
      return found?.['bytes'] as Uint8Array | undefined;
    },

    async has(partition, digests) {
      return database.read((prepare) => {
        const exists = prepare('SELECT 1 FROM chunks WHERE partition = ? AND digest = ?');
        return new Set(digests.filter((digest) => exists.get(partition, digest) !== undefined));
      });
    },

    async list(partition, after = '') {
      const found = database.read((prepare) =>
        prepare('SELECT digest, written_at FROM chunks WHERE partition = ? AND digest > ? ORDER BY digest LIMIT ?').all(
          partition,
          after,
          pageSize + 1,
        ),
      );
      const chunks = found
        .slice(0, pageSize)
        .map((row) => ({ digest: String(row['digest']), writtenAt: Number(row['written_at']) }));
      const last = chunks.at(-1);
      return found.length > pageSize && last !== undefined ? { chunks, next: last.digest } : { chunks };
    },

    async remove(partition, digests, { writtenBefore = Number.MAX_SAFE_INTEGER } = {}) {
      await database.write((prepare) => {
        const statement = prepare('DELETE FROM chunks WHERE partition = ? AND digest = ? AND written_at < ?');
        for (const digest of digests) statement.run(partition, digest, writtenBefore);
      });
    },
  };
}

/**
 * Immutable byte strings by (partition, digest). The store neither hashes nor compresses nor encrypts: callers do
 * (see `shared/state/chunks.ts`). Any size up to 64 MiB; adapters split where their rows are small.
 */
export interface ChunkStore {
  /** Durable once resolved; writing the same digest again changes nothing. */
  put(partition: string, digest: string, bytes: Uint8Array): Promise<void>;
  /** undefined when absent or incomplete. */
  get(partition: string, digest: string): Promise<Uint8Array | undefined>;
  has(partition: string, digests: readonly string[]): Promise<Set<string>>;
  /** Digests of a partition with when each was written (ms since 1970), for retention. */
  list(partition: string, after?: string): Promise<{ chunks: { digest: string; writtenAt: number }[]; next?: string }>;
  /** With `writtenBefore` (ms since 1970) only what has not been written, or written again, since: decided by the very removal (INV-14). */
  remove(partition: string, digests: readonly string[], options?: { writtenBefore?: number }): Promise<void>;
}

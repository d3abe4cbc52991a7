/**
 * Wake-ups between stages and to those who wait on HTTP: agents' long polls, pages' event streams.
 * Lossy by contract: whoever listens must also poll. Channels: `cluster:org/cluster`, `organisation:org`.
 */
export interface Bell {
  ring(channel: string, payload?: string): void;
  /** Calls back for every ring until the returned function is called. */
  listen(channel: string, listener: (payload: string | undefined) => void): () => void;
}

/** Time as an argument: milliseconds since 1970 for stamps, monotonic milliseconds for durations, and a wait that can be cancelled. */
export interface Clock {
  now(): number;
  monotonic(): number;
  /** Resolves after `milliseconds`, or at once when the signal is aborted (never rejects). */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
}

/** What an instance is started with. */
export interface RuntimeSettings {
  /** file: URL of the bundle. */
  bundle: string;
  functionName: string;
  arn: string;
  memoryMb: number;
  logStream: string;
}

/** One event for an instance; it gets the next one after its answer. */
export interface ToRuntime {
  requestId: string;
  /** JSON text of the event. */
  payload: string;
  /** Milliseconds since 1970. */
  deadline: number;
  tenantId?: string;
}

/** `ready` once the bundle is loaded; then an answer or a failure for each event, as JSON text. */
export type FromRuntime = { kind: 'ready' } | { kind: 'answer' | 'failure'; payload: string };

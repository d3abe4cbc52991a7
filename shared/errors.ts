/** Who must act decides the retry: `later` is redelivered by the queue, `never` goes to the application's status. */
export type Retry = 'never' | 'later';

/**
 * Every code the service can answer with; the part before the colon of the problem type.
 * HTTP maps a code to a status (`httpStatusOf`), the CLI to an exit code and a hint.
 */
export type ErrorCode =
  | 'invalid-input'
  | 'unauthenticated'
  | 'forbidden'
  | 'not-found'
  | 'conflict'
  | 'too-large'
  | 'unsupported'
  | 'unsupported-media-type'
  | 'rate-limited'
  | 'repository-unreachable'
  | 'repository-auth-failed'
  | 'repository-empty'
  | 'revision-not-found'
  | 'path-not-found'
  | 'unsafe-path'
  | 'source-too-large'
  | 'source-invalid'
  | 'render-failed'
  | 'render-limit'
  | 'object-invalid'
  | 'not-permitted'
  | 'shared-resource'
  | 'snapshot-invalid'
  | 'cluster-unreachable'
  | 'apply-failed'
  | 'unavailable'
  | 'timeout'
  | 'internal';

const statusByCode: Partial<Record<ErrorCode, number>> = {
  'invalid-input': 400,
  'object-invalid': 400,
  unauthenticated: 401,
  forbidden: 403,
  'not-permitted': 403,
  'not-found': 404,
  conflict: 409,
  'too-large': 413,
  'unsupported-media-type': 415,
  unsupported: 422,
  'rate-limited': 429,
  unavailable: 503,
  timeout: 504,
};

/** What a HawserError carries besides its sentence. */
export interface ErrorDetails {
  /** Machine-readable facts (ids, paths, limits); never a secret. */
  data?: Record<string, unknown>;
  cause?: unknown;
  retry?: Retry;
  /** What the reader can do about it, one sentence. */
  hint?: string;
}

/** The one error type that crosses module borders: a code, a sentence (what and where), and what to do. */
export class HawserError extends Error {
  readonly code: ErrorCode;
  readonly data: Record<string, unknown>;
  readonly retry: Retry;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'HawserError';
    this.code = code;
    this.data = details.data ?? {};
    this.retry = details.retry ?? 'never';
    this.hint = details.hint;
  }
}

/** True for errors that a later try may cure (network, throttling); unknown errors count as such once. */
export function isRetryable(error: unknown): boolean {
  return error instanceof HawserError ? error.retry === 'later' : true;
}

/** HTTP status for a code; 500 where nothing better is known. */
export function httpStatusOf(code: ErrorCode): number {
  return statusByCode[code] ?? 500;
}

/** The sentence of any thrown thing. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

import type { Problem } from '#shared/messages/api.ts';

/** Exit codes; scripts rely on them. */
export const exitCode = { done: 0, differs: 1, usage: 2, refused: 3, unreachable: 4, interrupted: 130 } as const;
export type ExitCode = (typeof exitCode)[keyof typeof exitCode];

/** Ends a command: an exit code, one line what, one line what to do. */
export class Failure extends Error {
  readonly code: ExitCode;
  readonly hint: string | undefined;

  constructor(code: ExitCode, message: string, hint?: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'Failure';
    this.code = code;
    this.hint = hint;
  }
}

/** The service's answer was a refusal: what it said of it. */
export class RefusedByService extends Failure {
  readonly status: number;
  readonly problem: Partial<Problem>;

  constructor(status: number, problem: Partial<Problem>) {
    const message = problem.detail ?? problem.title ?? `the service answered ${status}`;
    super(status >= 500 ? exitCode.unreachable : exitCode.refused, message, hintFor(status, problem));
    this.name = 'RefusedByService';
    this.status = status;
    this.problem = problem;
  }
}

/** Wrong arguments, options or values. */
export function usage(message: string, hint?: string): Failure {
  return new Failure(exitCode.usage, message, hint);
}

/** The service said no, or there is nothing to do it to. */
export function refused(message: string, hint?: string): Failure {
  return new Failure(exitCode.refused, message, hint);
}

function hintFor(status: number, problem: Partial<Problem>): string | undefined {
  if (status === 401) return 'Log in again with `hawser login SERVER`, or give a token with --token or HAWSER_TOKEN.';
  if (problem.hint !== undefined) return problem.hint;
  if (status === 403) return 'Ask an administrator of the organisation for a token that may do this.';
  return status >= 500 ? 'Try again; `hawser doctor` looks for the cause.' : undefined;
}

import { HawserError, httpStatusOf, type ErrorCode } from '../errors.ts';

/** RFC 9457 problem document, as `shared/messages/api.ts` describes it. */
export interface Problem {
  /** `/problems/<code>`: stable, scripts may rely on it. */
  type: string;
  title: string;
  status: number;
  detail: string;
  hint?: string;
  instance?: string;
}

/**
 * The problem document of any thrown thing; `instance` is the path of the request.
 * What is not a HawserError says nothing of itself: it may hold anything, and the log has it.
 */
export function problemOf(error: unknown, instance?: string): Problem {
  const known = error instanceof HawserError;
  const code: ErrorCode = known ? error.code : 'internal';
  const hint = known ? error.hint : 'Try again; if it stays, look into the log of the service.';
  return {
    type: `/problems/${code}`,
    title: titleOf(code),
    status: httpStatusOf(code),
    detail: known ? error.message : 'The service failed while it worked on this.',
    ...(hint === undefined ? {} : { hint }),
    ...(instance === undefined ? {} : { instance }),
  };
}

/** `repository-auth-failed` → `Repository auth failed`. */
function titleOf(code: string): string {
  return `${code.charAt(0).toUpperCase()}${code.slice(1).replaceAll('-', ' ')}`;
}

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
 * What is not a HawserError says nothing of itself: it may hold anything, and the log has it. Neither does what a cloud
 * said: tables, keys and rows are nothing that whoever asks should know, or can do anything about.
 */
export function problemOf(error: unknown, instance?: string): Problem {
  const ours = error instanceof HawserError;
  const known = ours && error.data['service'] === undefined;
  const code: ErrorCode = ours ? error.code : 'internal';
  const hint = known ? error.hint : 'Try again; if it stays, look into the log of the service.';
  return {
    type: `/problems/${code}`,
    title: titleOf(code),
    status: httpStatusOf(code),
    detail: known ? error.message : unsaid(code),
    ...(hint === undefined ? {} : { hint }),
    ...(instance === undefined ? {} : { instance }),
  };
}

function unsaid(code: ErrorCode): string {
  return code === 'unavailable'
    ? 'The service cannot reach a part of itself at the moment.'
    : 'The service failed while it worked on this.';
}

/** `repository-auth-failed` → `Repository auth failed`. */
function titleOf(code: string): string {
  return `${code.charAt(0).toUpperCase()}${code.slice(1).replaceAll('-', ' ')}`;
}

import type { z } from 'zod';
import { HawserError, messageOf } from '#shared/errors.ts';
import type { HttpAnswer } from './http-json.ts';

/** What an answer that is not 2xx means; `data.status` has the number. */
export function errorOf(answer: HttpAnswer, path: string): HawserError {
  const { status } = answer;
  const what = `${path.split('?')[0]} answered ${status}`;
  const data = { status };
  if (status === 401) {
    return new HawserError('unauthenticated', withDetail(what, answer), {
      data,
      hint: 'Register the cluster again.',
    });
  }
  if (status === 403) return new HawserError('forbidden', withDetail(what, answer), { data });
  // Only proxies say this. The next one may have other credentials, so it is an outage.
  if (status === 407) {
    return new HawserError('unavailable', `${what}: the proxy does not take our user and password: see HTTP_PROXY`, {
      retry: 'later',
      data: { ...data, notDelivered: true },
    });
  }
  if (status === 413) return new HawserError('too-large', what, { data });
  if (status === 400 || status === 422) {
    return new HawserError('invalid-input', `${what}: ${answer.text.slice(0, 500)}`, { data });
  }
  return new HawserError('unavailable', withDetail(what, answer), {
    retry: 'later',
    data: {
      ...data,
      notDelivered: true,
      ...(answer.retryAfterMs === undefined ? {} : { retryAfterMs: answer.retryAfterMs }),
    },
  });
}

/** A 200 with something else in it (a proxy's page, a cut-off body) is an outage, not data (INV-26). */
export function parseAs<T>(schema: z.ZodType<T>, answer: HttpAnswer, path: string): T {
  try {
    return schema.parse(answer.text === '' ? undefined : JSON.parse(answer.text));
  } catch (error) {
    const what = `${path.split('?')[0]} answered something else: ${messageOf(error).slice(0, 300)}`;
    throw new HawserError('unavailable', what, { retry: 'later' });
  }
}

/** The sentence of a problem document (RFC 9457), where that is what came. */
function withDetail(what: string, answer: HttpAnswer): string {
  try {
    const { detail } = JSON.parse(answer.text) as { detail?: unknown };
    return typeof detail === 'string' ? `${what}: ${detail.slice(0, 300)}` : what;
  } catch {
    return what;
  }
}

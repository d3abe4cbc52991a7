import { HawserError } from '#shared/errors.ts';
import type { Problem } from '#shared/domain/problem.ts';
import type { Provider } from './providers/provider.ts';

/** The problem document as a response. */
export function problemResponse(problem: Problem): Response {
  const headers: Record<string, string> = { 'content-type': 'application/problem+json' };
  if (problem.status === 429 || problem.status === 503) headers['retry-after'] = '1';
  // The rest of a body that is too much is not worth reading: the connection ends.
  if (problem.status === 413 || problem.status === 429) headers['connection'] = 'close';
  return new Response(JSON.stringify(problem), { status: problem.status, headers });
}

export function unknownProvider(known: readonly string[]): HawserError {
  return new HawserError('not-found', 'there are no webhooks of this kind', {
    hint: `Use one of ${known.join(', ')}.`,
  });
}

export function unknownRepository(): HawserError {
  return new HawserError('not-found', 'there is no repository of this id', {
    hint: 'Copy the address from `hawser repo list -o wide` or from the repositories page.',
  });
}

export function unsigned(provider: Provider): HawserError {
  return new HawserError('unauthenticated', 'the delivery carries no signature, or none that can be read', {
    hint: provider.hint,
  });
}

export function wrongSecret(provider: Provider): HawserError {
  return new HawserError(
    'unauthenticated',
    'the signature of the delivery does not fit the webhook secret of this repository',
    { hint: provider.hint },
  );
}

export function noSecretsNow(cause: unknown): HawserError {
  return new HawserError('unavailable', 'the secrets of the repository cannot be read now', {
    hint: 'Deliver it again; polling finds the push in any case.',
    retry: 'later',
    cause,
  });
}

import { HawserError } from '#shared/errors.ts';
import type { Clock } from '#shared/ports/clock.ts';

/** Counts the bytes of bodies being read, by endpoint, so that a flood costs a known amount of memory (NT-01, FT-08). */
export interface BodyBudget {
  /** False: the endpoint has as much under way as it may. */
  take(endpoint: string, bytes: number): boolean;
  give(endpoint: string, bytes: number): void;
}

/** A budget of `bytesPerEndpoint` for each endpoint. */
export function createBodyBudget(bytesPerEndpoint: number): BodyBudget {
  const taken = new Map<string, number>();
  return {
    take(endpoint, bytes) {
      const sum = (taken.get(endpoint) ?? 0) + bytes;
      if (sum > bytesPerEndpoint) return false;
      taken.set(endpoint, sum);
      return true;
    },
    give(endpoint, bytes) {
      const left = (taken.get(endpoint) ?? 0) - bytes;
      if (left > 0) taken.set(endpoint, left);
      else taken.delete(endpoint);
    },
  };
}

export interface BodyLimits {
  maxBodyBytes: number;
  /** A sender that takes longer is cut off (slow-loris, NT-01). */
  bodyMilliseconds: number;
}

/**
 * The raw bytes of a request's body, read as a stream: whatever Content-Length says, never more than the limit is held.
 * The caller returns the bytes to the budget. Errors: `too-large`, `rate-limited` (budget), `invalid-input` (too slow, or cut off).
 */
export async function readBody(
  stream: ReadableStream<Uint8Array> | null,
  from: { endpoint: string; limits: BodyLimits; budget: BodyBudget; clock: Clock },
): Promise<Uint8Array> {
  if (stream === null) return new Uint8Array();
  const reader = stream.getReader();
  const parts: Uint8Array[] = [];
  let size = 0;
  const timer = new AbortController();
  const late = from.clock.sleep(from.limits.bodyMilliseconds, timer.signal).then(() => 'late' as const);
  try {
    for (;;) {
      const next = await Promise.race([reader.read().catch(asCutOff), late]);
      if (next === 'late') throw tooSlow(from.limits);
      if (next.done) return Buffer.concat(parts, size);
      if (size + next.value.byteLength > from.limits.maxBodyBytes) throw tooLarge(from.limits);
      if (!from.budget.take(from.endpoint, next.value.byteLength)) throw tooMuchAtOnce();
      size += next.value.byteLength;
      parts.push(next.value);
    }
  } catch (error) {
    from.budget.give(from.endpoint, size);
    // Nothing waits for it: the sender may never let go.
    reader.cancel().catch(() => undefined);
    throw error;
  } finally {
    timer.abort();
  }
}

function asCutOff(cause: unknown): never {
  throw new HawserError('invalid-input', 'the body was cut off', { hint: 'Deliver it again.', cause });
}

function tooSlow({ bodyMilliseconds }: BodyLimits): HawserError {
  return new HawserError('invalid-input', `the body did not arrive within ${bodyMilliseconds / 1000} s`, {
    hint: 'Deliver it again.',
  });
}

function tooLarge({ maxBodyBytes }: BodyLimits): HawserError {
  return new HawserError('too-large', `the body is larger than ${maxBodyBytes} bytes`, {
    data: { maxBodyBytes },
    hint: 'Nothing is lost: a push that is too large to be announced is found by polling.',
  });
}

function tooMuchAtOnce(): HawserError {
  return new HawserError('rate-limited', 'too many large deliveries for this repository at once', {
    hint: 'Deliver it again in a second; polling finds the push in any case.',
  });
}

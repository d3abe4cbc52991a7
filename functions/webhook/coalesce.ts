import type { Clock } from '#shared/ports/clock.ts';

/** Sends one hint for a repository; resolved, with its correlation id, means durable. */
export type SendHint = (repository: string) => Promise<string>;

export interface Coalescer {
  /** Resolves when a hint that was sent after this call is durable; rejects as the sending does. */
  hint(repository: string): Promise<string>;
}

interface Endpoint {
  tokens: number;
  refilledAt: number;
  /** The next hint, shared by everybody who came since the last one was sent. */
  next?: Promise<string>;
  sending?: Promise<string>;
}

/** Idle endpoints are forgotten beyond this number. */
const endpointsKept = 10_000;

/**
 * Limits the hints of each repository to `perSecond` with bursts of `burst` (LIM-02) without refusing anybody:
 * whoever comes while one is being sent, or while the bucket is empty, shares the one that follows (NT-04, NT-07).
 * A hint that is already on its way is never shared: it may be read before this push can be seen.
 */
export function createCoalescer(
  deps: { clock: Clock; send: SendHint },
  limits: { perSecond: number; burst: number },
): Coalescer {
  const endpoints = new Map<string, Endpoint>();

  return {
    hint(repository) {
      const endpoint = endpoints.get(repository) ?? open(repository);
      endpoint.next ??= sendNext(repository, endpoint);
      return endpoint.next;
    },
  };

  async function sendNext(repository: string, endpoint: Endpoint): Promise<string> {
    await endpoint.sending?.catch(() => undefined);
    const wait = take(endpoint);
    if (wait > 0) await deps.clock.sleep(wait);
    delete endpoint.next;
    endpoint.sending = deps.send(repository);
    return endpoint.sending;
  }

  /** Takes a token, on credit where there is none; milliseconds until it is really there. */
  function take(endpoint: Endpoint): number {
    refill(endpoint);
    endpoint.tokens -= 1;
    return endpoint.tokens >= 0 ? 0 : (-endpoint.tokens / limits.perSecond) * 1000;
  }

  function refill(endpoint: Endpoint): void {
    const now = deps.clock.monotonic();
    const earned = ((now - endpoint.refilledAt) / 1000) * limits.perSecond;
    endpoint.tokens = Math.min(limits.burst, endpoint.tokens + earned);
    endpoint.refilledAt = now;
  }

  function open(repository: string): Endpoint {
    if (endpoints.size >= endpointsKept) forgetIdle();
    const endpoint: Endpoint = { tokens: limits.burst, refilledAt: deps.clock.monotonic() };
    endpoints.set(repository, endpoint);
    return endpoint;
  }

  function forgetIdle(): void {
    for (const [repository, endpoint] of endpoints) {
      refill(endpoint);
      if (endpoint.next === undefined && endpoint.tokens >= limits.burst) endpoints.delete(repository);
    }
  }
}

/**
 * Settings for every AWS client: the SDK's standard retry (full jitter, a budget for retries) absorbs short throttling; what
 * lasts longer becomes `unavailable` and is the queue's to try again. Not its adaptive retry: that slows down everything that
 * goes through the client because of one hot partition, so one tenant would hold up all others (FT-44, INV-38).
 * Times in milliseconds: a DynamoDB call that takes seconds is lost, while an SQS long poll may take 20 s.
 */
export function clientSettings(kind: 'calls' | 'long-polls' = 'calls'): {
  retryMode: 'standard';
  maxAttempts: number;
  requestHandler: { connectionTimeout: number; requestTimeout: number; throwOnRequestTimeout: true };
} {
  const requestTimeout = kind === 'calls' ? 5_000 : 30_000;
  return {
    retryMode: 'standard',
    maxAttempts: 5,
    requestHandler: { connectionTimeout: 2_000, requestTimeout, throwOnRequestTimeout: true },
  };
}
